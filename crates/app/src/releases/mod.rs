//! Releases: compose, change, seal, withdraw, read, compare, certify.

mod certificate;
mod compose;
mod diff;
mod seal;
mod withdraw;

pub use certificate::certificate;
pub use compose::{ComponentChoice, Compose, Update, compose, update};
pub use diff::{ComponentChange, ReleaseDiff, diff};
pub use seal::seal;
pub use slipway_store::releases::Filter;
pub use withdraw::withdraw;

use crate::{Before, Error, Ref, Tx};
use slipway_domain::{
    Name,
    identity::{Actor, Permission, Place},
    ids::{PrincipalId, ReleaseId, ReleaseTag},
    release::Release,
};
use slipway_store::{principals, processes, releases};
use std::collections::BTreeMap;

/// A release with the names of people.
#[derive(Debug, Clone)]
pub struct ReleaseView {
    /// The release.
    pub release: Release,
    /// Who the ids in it are.
    pub people: BTreeMap<PrincipalId, String>,
    /// Which process sealed releases go by, and which version of it.
    pub processes: BTreeMap<ReleaseId, (Name, i64)>,
}

impl ReleaseView {
    /// What somebody is called.
    #[must_use]
    pub fn name(&self, id: PrincipalId) -> String {
        self.people.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

pub(crate) fn place(release: &Release) -> Place {
    Place::team(release.team, format!("service {}", release.service_name))
}

/// A release that the actor may see, by id or `service@version`.
pub(crate) async fn load(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Release, Error> {
    let missing = || Error::not_found("release", reference);
    let release = releases::find(tx, &Ref::parse::<ReleaseTag>(reference))
        .await?
        .ok_or_else(missing)?;
    // Whoever may see an environment may see what can come there.
    let visible = actor.rights.allows(Permission::Read, &place(&release))
        || !actor.rights.visible().environments.is_empty();
    if visible { Ok(release) } else { Err(missing()) }
}

pub(crate) async fn view(tx: &mut Tx, release: Release) -> Result<ReleaseView, Error> {
    Ok(views(tx, vec![release]).await?.remove(0))
}

async fn views(tx: &mut Tx, all: Vec<Release>) -> Result<Vec<ReleaseView>, Error> {
    let mut ids: Vec<PrincipalId> = all
        .iter()
        .flat_map(|r| {
            std::iter::once(r.author)
                .chain(r.editors.iter().copied())
                .chain(r.state.seal().map(|s| s.by))
        })
        .collect();
    ids.sort();
    ids.dedup();
    let people = principals::names(tx, &ids).await?;
    let sealed: Vec<_> = all.iter().map(|release| release.id).collect();
    let processes = processes::of_releases(tx, &sealed).await?;
    Ok(all
        .into_iter()
        .map(|release| ReleaseView {
            release,
            people: people.clone(),
            processes: processes.clone(),
        })
        .collect())
}

/// One release.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<ReleaseView, Error> {
    let release = load(tx, actor, reference).await?;
    view(tx, release).await
}

/// Releases, newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<ReleaseView>, Error> {
    let all = releases::list(tx, filter, &actor.rights.visible(), before, limit).await?;
    views(tx, all).await
}
