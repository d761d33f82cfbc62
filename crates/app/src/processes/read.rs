//! Reading processes, and who goes by them.

use super::{ProcessView, head, may_see, view};
use crate::{Before, Error, Ref, Tx, teams::require_reader};
use slipway_domain::{
    identity::{Actor, Permission, Place},
    ids::ProcessTag,
    process::Version,
};
use slipway_store::processes::{self, Pinned};

/// One process, by id or name.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<ProcessView, Error> {
    let head = head(tx, actor, reference).await?;
    view(tx, head).await
}

/// Processes that the actor may see, newest first.
///
/// # Errors
/// When the actor may read nothing.
pub async fn list(tx: &mut Tx, actor: &Actor, before: Before, limit: i64) -> Result<Vec<ProcessView>, Error> {
    require_reader(actor)?;
    let mut views = Vec::new();
    for head in processes::list(tx, &actor.rights.visible(), before, limit).await? {
        views.push(view(tx, head).await?);
    }
    Ok(views)
}

/// The revision of a process, by one index.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn revision(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<i64, Error> {
    require_reader(actor)?;
    match processes::revision(tx, &Ref::parse::<ProcessTag>(reference)).await? {
        Some((revision, team)) if may_see(actor, team) => Ok(revision),
        _ => Err(Error::not_found("process", reference)),
    }
}

/// One version of a process; old ones stay readable.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn version(tx: &mut Tx, actor: &Actor, reference: &str, number: i64) -> Result<Version, Error> {
    let head = head(tx, actor, reference).await?;
    processes::get_version(tx, head.id, number)
        .await?
        .ok_or_else(|| Error::not_found("version of this process", number))
}

/// A version as a picture: a Mermaid flowchart.
///
/// # Errors
/// As [`version`].
pub async fn diagram(tx: &mut Tx, actor: &Actor, reference: &str, number: i64) -> Result<String, Error> {
    let version = version(tx, actor, reference, number).await?;
    Ok(version.document.mermaid(&version.name, version.version))
}

/// Versions of a process below a number, newest first.
///
/// # Errors
/// When there is no such process that the actor may see.
pub async fn versions(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    below: Option<i64>,
    limit: i64,
) -> Result<Vec<Version>, Error> {
    let head = head(tx, actor, reference).await?;
    Ok(processes::list_versions(tx, head.id, below, limit).await?)
}

/// A sealed release that goes by a process.
#[derive(Debug, Clone)]
pub struct PinnedRelease {
    /// Which, and by which version.
    pub pinned: Pinned,
    /// Whether that version is in force still.
    pub is_in_force: bool,
}

/// Sealed releases that go by a process and that the actor may see, newest first; with `old`, only those that do not go by
/// the version in force.
///
/// # Errors
/// When there is no such process that the actor may see.
pub async fn releases(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    old: bool,
    before: Before,
    limit: i64,
) -> Result<Vec<PinnedRelease>, Error> {
    let head = head(tx, actor, reference).await?;
    let but = head.in_force.filter(|_| old);
    let all = processes::pinned(tx, head.id, but, before, limit).await?;
    let is_seen = |pinned: &Pinned| {
        actor
            .rights
            .allows(Permission::Read, &Place::team(pinned.team, ""))
    };
    Ok(all
        .into_iter()
        .filter(is_seen)
        .map(|pinned| PinnedRelease {
            is_in_force: head.in_force == Some(pinned.version),
            pinned,
        })
        .collect())
}
