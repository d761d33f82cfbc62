//! Schemas of generic evidence.

use super::ListQuery;
use crate::{
    cursor,
    etag::Tag,
    extract::{Change, Command, Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::{
    Page,
    evidence::{CreateEvidenceSchema, EvidenceSchema},
};
use slipway_app::evidence::{self, SchemaView};
use slipway_domain::ids::EvidenceSchemaTag;

fn wire(view: &SchemaView) -> EvidenceSchema {
    let schema = &view.schema;
    EvidenceSchema {
        id: schema.id.to_string(),
        name: schema.name.to_string(),
        schema: schema.schema.clone(),
        digest: schema.digest.to_string(),
        created_by: view.created_by.clone(),
        created_at: schema.created_at,
    }
}

/// Register a schema.
///
/// Generic evidence of its name conforms to it. It never changes: another one has another name.
#[utoipa::path(
    post, path = "/v1/evidence-schemas", operation_id = "create_evidence_schema", tag = "evidence",
    request_body = CreateEvidenceSchema,
    responses((status = 201, description = "The schema.", body = EvidenceSchema,
        headers(("ETag" = String, description = "A digest of it."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("policy.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
pub(super) async fn create(
    Command(body, mut change): Command<CreateEvidenceSchema>,
) -> Result<Response, Failure> {
    let Change { tx, actor, .. } = &mut change;
    let view = evidence::register_schema(tx, actor, &body.name, body.schema).await?;
    let location = format!("/v1/evidence-schemas/{}", view.schema.id);
    change.created(location, Tag::Body, &wire(&view)).await
}

/// List schemas.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/evidence-schemas", operation_id = "list_evidence_schemas", tag = "evidence",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<EvidenceSchema>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<EvidenceSchemaTag>(query.cursor.as_deref())?;
    let views = evidence::list_schemas(&mut reader.tx, &reader.actor, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.schema.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a schema.
#[utoipa::path(
    get, path = "/v1/evidence-schemas/{schema}", operation_id = "get_evidence_schema", tag = "evidence",
    params(("schema" = String, Path, description = "Its id or name.", example = "load-test")),
    responses((status = 200, description = "The schema.", body = EvidenceSchema,
        headers(("ETag" = String, description = "A digest of it.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(schema): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = evidence::get_schema(&mut reader.tx, &reader.actor, &schema).await?;
    reader.one(Tag::Body, &wire(&view))
}
