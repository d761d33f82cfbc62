//! Reviews after what went on without a gate: opened by Slipway, closed by somebody who had no part in it.

use crate::{Before, Error, Tx, deployments::place, input, record};
use serde_json::json;
use slipway_domain::{
    Faults,
    deployment::Deployment,
    identity::{Actor, Permission},
    ids::{PrincipalId, ReviewId},
};
use slipway_store::{deployments, overrides, principals, reviews};
use std::collections::BTreeMap;

pub use slipway_store::reviews::Review;

/// Longest findings, in characters.
const MAX_FINDINGS: usize = 10_000;

/// A review with what it is about.
#[derive(Debug, Clone)]
pub struct ReviewView {
    /// The review.
    pub review: Review,
    /// The deployment that went on.
    pub deployment: Deployment,
    /// Who closed it, by name.
    pub closed_by: Option<String>,
}

async fn view(tx: &mut Tx, review: Review) -> Result<ReviewView, Error> {
    let row = deployments::get(tx, review.deployment).await?;
    let row = row.ok_or_else(|| Error::internal(format!("deployment {} is gone", review.deployment)))?;
    let by: Vec<PrincipalId> = review.closed.iter().map(|closed| closed.by).collect();
    let names: BTreeMap<_, _> = principals::names(tx, &by).await?;
    Ok(ReviewView {
        closed_by: by.first().and_then(|by| names.get(by).cloned()),
        deployment: row.deployment,
        review,
    })
}

/// One review.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<ReviewView, Error> {
    let missing = || Error::not_found("review", reference);
    let id: ReviewId = reference.parse().map_err(|_| missing())?;
    let review = reviews::get(tx, id).await?.ok_or_else(missing)?;
    let view = view(tx, review).await?;
    if actor.rights.allows(Permission::Read, &place(&view.deployment)) {
        Ok(view)
    } else {
        Err(missing())
    }
}

/// Reviews, newest first; only those that are open or not, if that is asked for.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    open: Option<bool>,
    before: Before,
    limit: i64,
) -> Result<Vec<ReviewView>, Error> {
    let mut views = Vec::new();
    for review in reviews::list(tx, open, &actor.rights.visible(), before, limit).await? {
        views.push(view(tx, review).await?);
    }
    Ok(views)
}

/// Closes a review with what was found.
///
/// # Errors
/// Without `review.write` there, by whoever overrode the gate or asked for the deployment, by anybody but a person who signed
/// in, or when it is closed.
pub async fn close(tx: &mut Tx, actor: &Actor, reference: &str, findings: &str) -> Result<ReviewView, Error> {
    let seen = get(tx, actor, reference).await?;
    actor.require(Permission::ReviewWrite, &place(&seen.deployment))?;
    if !actor.is_person_signed_in() {
        return Err(Error::refused(
            "not-a-person",
            "only a person who signed in closes a review",
        ));
    }
    let mut faults = Faults::new();
    if findings.trim().is_empty() {
        faults.add(
            "/findings",
            "is empty: say what was found, and what is done about it",
        );
    }
    input::lines(&mut faults, "/findings", findings, MAX_FINDINGS);
    faults.check()?;
    let d = &seen.deployment;
    let took_part = overrides::of(tx, d.id).await?;
    let name = record::actor_name(actor);
    if d.requested_by == actor.principal.id || took_part.iter().any(|one| one.by == name) {
        let detail = "you asked for the deployment, or overrode its gates: somebody else closes its review";
        return Err(Error::refused("separation-of-duties", detail));
    }
    if seen.review.closed.is_some() {
        return Err(Error::conflict("review-closed", "this review is closed already"));
    }
    reviews::close(tx, &seen.review, actor.principal.id, findings.trim()).await?;
    let message = format!("reviewed {} to {}", d.release_name(), d.environment_name);
    let change = record::Change::of(d, "review.close", message)
        .with(json!({"review": seen.review.id, "findings": findings.trim()}));
    record::change(tx, actor, change).await?;
    get(tx, actor, reference).await
}
