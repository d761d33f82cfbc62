//! Policies: written, tried, put in force by another authority than their author, and asked of every deployment.
//!
//! Seen by whoever may read anything: what decides over people's deployments is no secret to them. Written, put in force and
//! taken out of it by authorities over everything; a policy of a narrower scope still binds others.

mod evaluate;
mod facts;
mod judged;
mod ready;
mod write;

pub use evaluate::{Evaluate, Evaluated, Report, Stopped, evaluate, report};
pub(crate) use judged::{judged, keep, risk, tell};
use ready::in_force;
pub(crate) use write::require_author;
pub use write::{activate, create, retire, write_version};

use crate::{Before, Error, Ref, Tx, teams::require_reader};
use slipway_domain::{
    identity::Actor,
    ids::PolicyTag,
    policy::{Head, Version},
};
use slipway_store::policies;

/// A policy, with the version that counts: the one in force, else the newest.
#[derive(Debug, Clone)]
pub struct PolicyView {
    /// The policy.
    pub head: Head,
    /// The version that is in force; while none is, the newest.
    pub shown: Version,
}

/// Whether somebody may read policies, and what they are judged on.
///
/// # Errors
/// When the actor may read nothing.
pub fn may_read(actor: &Actor) -> Result<(), Error> {
    require_reader(actor)
}

async fn head(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Head, Error> {
    require_reader(actor)?;
    policies::find(tx, &Ref::parse::<PolicyTag>(reference))
        .await?
        .ok_or_else(|| Error::not_found("policy", reference))
}

async fn view(tx: &mut Tx, head: Head) -> Result<PolicyView, Error> {
    let number = head.in_force.unwrap_or(head.latest);
    let shown = policies::get_version(tx, head.id, number)
        .await?
        .ok_or_else(|| Error::internal(format!("version {number} of policy {} is gone", head.name)))?;
    Ok(PolicyView { head, shown })
}

/// One policy, by id or name.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<PolicyView, Error> {
    let head = head(tx, actor, reference).await?;
    view(tx, head).await
}

/// Policies, newest first.
///
/// # Errors
/// When the actor may read nothing.
pub async fn list(tx: &mut Tx, actor: &Actor, before: Before, limit: i64) -> Result<Vec<PolicyView>, Error> {
    require_reader(actor)?;
    let mut views = Vec::new();
    for head in policies::list(tx, before, limit).await? {
        views.push(view(tx, head).await?);
    }
    Ok(views)
}

/// The revision of a policy, by one index.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn revision(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<i64, Error> {
    require_reader(actor)?;
    let found = policies::revision(tx, &Ref::parse::<PolicyTag>(reference)).await?;
    found.ok_or_else(|| Error::not_found("policy", reference))
}

/// One version of a policy; old ones stay readable.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn version(tx: &mut Tx, actor: &Actor, reference: &str, number: i64) -> Result<Version, Error> {
    let head = head(tx, actor, reference).await?;
    policies::get_version(tx, head.id, number)
        .await?
        .ok_or_else(|| Error::not_found("version of this policy", number))
}

/// Versions of a policy below a number, newest first.
///
/// # Errors
/// When there is no such policy, or the actor may read nothing.
pub async fn versions(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    below: Option<i64>,
    limit: i64,
) -> Result<Vec<Version>, Error> {
    let head = head(tx, actor, reference).await?;
    Ok(policies::list_versions(tx, head.id, below, limit).await?)
}
