//! Taking a statement back: nothing counts in its place until it is stated again.

use super::{EvidenceView, state::reason, told, view};
use crate::{Error, Tx, record};
use serde_json::json;
use slipway_domain::identity::{Actor, Permission};
use slipway_store::evidence;

/// Takes a statement back. One that says that something is wrong goes on saying so until a better one takes its place.
///
/// # Errors
/// When there is none that the actor may see; `evidence-state` when it does not count any more; a fault of the reason;
/// without `evidence.write` on what it is about.
pub async fn withdraw(tx: &mut Tx, actor: &Actor, id: &str, why: &str) -> Result<EvidenceView, Error> {
    let (statement, found) = super::list::load(tx, actor, id).await?;
    actor.require(Permission::EvidenceWrite, &found.place)?;
    let why = reason(why)?;
    evidence::withdraw(tx, statement.id, actor.principal.id, &why)
        .await
        .map_err(|error| match error {
            slipway_store::Error::Guard { .. } => Error::conflict(
                "evidence-state",
                "it does not count any more: it was withdrawn, or another took its place; only what counts can be withdrawn",
            ),
            other => other.into(),
        })?;
    let normal = &statement.normal;
    let message = format!(
        "withdrew the {} {} of {}: {why}",
        normal.kind.words(),
        normal.name,
        found.called
    );
    let mut change = record::Change::new("evidence.withdraw", found.called.clone(), message)
        .team(found.team)
        .with(json!({
            "evidence": statement.id, "kind": normal.kind, "name": normal.name, "passed": normal.passed,
            "digest": statement.digest, "reason": why,
        }));
    change.service = found.service;
    record::change(tx, actor, change).await?;
    evidence::look_again(tx, &[found.subject]).await?;
    told::not_promotable(tx, &[found.subject]).await?;
    let withdrawn = evidence::get(tx, statement.id).await?;
    let gone = || Error::internal("a statement is gone right after it was withdrawn");
    view(tx, &found.called, withdrawn.ok_or_else(gone)?).await
}
