//! Schemas of generic evidence: registered by authorities, and never changed.

use crate::{Before, Error, Ref, Tx, policies::require_author, record, teams::require_reader};
use serde_json::{Value, json};
use slipway_domain::{
    Digest, Faults, Name,
    evidence::{RegisteredSchema, Schema},
    identity::Actor,
    ids::{EvidenceSchemaTag, PrincipalId},
};
use slipway_store::{evidence_schemas, principals};
use std::collections::BTreeMap;

/// A schema, as shown.
#[derive(Debug, Clone)]
pub struct SchemaView {
    /// The schema.
    pub schema: RegisteredSchema,
    /// Who registered it.
    pub created_by: String,
}

async fn views(tx: &mut Tx, all: Vec<RegisteredSchema>) -> Result<Vec<SchemaView>, Error> {
    let mut ids: Vec<PrincipalId> = all.iter().map(|schema| schema.created_by).collect();
    ids.sort();
    ids.dedup();
    let people: BTreeMap<_, _> = principals::names(tx, &ids).await?;
    let view = |schema: RegisteredSchema| SchemaView {
        created_by: people
            .get(&schema.created_by)
            .cloned()
            .unwrap_or_else(|| schema.created_by.to_string()),
        schema,
    };
    Ok(all.into_iter().map(view).collect())
}

/// Registers what generic evidence of a name must conform to.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is taken; without `policy.write` on everything.
pub async fn register_schema(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    schema: Value,
) -> Result<SchemaView, Error> {
    require_author(actor)?;
    let mut faults = Faults::new();
    let name = faults.take("/name", name.parse::<Name>());
    if let Err(wrong) = Schema::read(&serde_json::to_vec(&schema)?) {
        faults.nest("/schema", wrong);
    }
    faults.check()?;
    let Some(name) = name else {
        return Err(Error::internal("a name without fault is missing"));
    };
    let digest = Digest::of_canonical(&schema)?;
    evidence_schemas::insert(tx, &name, &schema, digest, actor.principal.id)
        .await
        .map_err(|error| {
            if error.is_duplicate("evidence_schemas_name_key") {
                Error::conflict(
                    "exists",
                    format!("there is a schema `{name}` already; a schema never changes, another one has another name"),
                )
            } else {
                error.into()
            }
        })?;
    let message = format!("registered the schema {name} for evidence");
    let change = record::Change::new("evidence_schema.register", name.as_str(), message)
        .with(json!({"digest": digest}));
    record::change(tx, actor, change).await?;
    get_schema(tx, actor, name.as_str()).await
}

/// One schema, by id or name.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn get_schema(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<SchemaView, Error> {
    require_reader(actor)?;
    let schema = evidence_schemas::find(tx, &Ref::parse::<EvidenceSchemaTag>(reference))
        .await?
        .ok_or_else(|| Error::not_found("schema for evidence", crate::input::excerpt(reference)))?;
    let one = views(tx, vec![schema]).await?.pop();
    one.ok_or_else(|| Error::internal("one schema has one view"))
}

/// Schemas, newest first.
///
/// # Errors
/// When the actor may read nothing.
pub async fn list_schemas(
    tx: &mut Tx,
    actor: &Actor,
    before: Before,
    limit: i64,
) -> Result<Vec<SchemaView>, Error> {
    require_reader(actor)?;
    let page = evidence_schemas::list(tx, before, limit).await?;
    views(tx, page).await
}
