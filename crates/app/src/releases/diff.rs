//! What differs between two releases, before any environment's configuration.

use super::load;
use crate::{Error, Tx};
use serde_json::Value;
use slipway_domain::{
    component::bundle::ObjectRef,
    identity::Actor,
    release::Release,
    render::{ObjectDiff, diff as object_diff},
};
use slipway_store::components;

/// A component that differs.
#[derive(Debug, Clone)]
pub struct ComponentChange {
    /// Its name.
    pub name: String,
    /// The version there.
    pub from: Option<String>,
    /// The version here.
    pub to: Option<String>,
}

/// What differs.
#[derive(Debug, Clone)]
pub struct ReleaseDiff {
    /// The release.
    pub release: String,
    /// What it is compared with.
    pub against: String,
    /// Components that differ.
    pub components: Vec<ComponentChange>,
    /// Objects that differ, secrets redacted.
    pub objects: Vec<(ObjectRef, ObjectDiff)>,
}

/// Compares two releases of any services that the actor may see.
///
/// # Errors
/// When one of them is not there.
pub async fn diff(tx: &mut Tx, actor: &Actor, reference: &str, against: &str) -> Result<ReleaseDiff, Error> {
    let to = load(tx, actor, reference).await?;
    let from = load(tx, actor, against).await?;
    let mut changes = Vec::new();
    for part in &to.components {
        let before = from.components.iter().find(|other| other.name == part.name);
        if before.is_none_or(|before| before.digest != part.digest) {
            changes.push(ComponentChange {
                name: part.name.to_string(),
                from: before.map(|b| b.version.to_string()),
                to: Some(part.version.to_string()),
            });
        }
    }
    for part in &from.components {
        if !to.components.iter().any(|other| other.name == part.name) {
            changes.push(ComponentChange {
                name: part.name.to_string(),
                from: Some(part.version.to_string()),
                to: None,
            });
        }
    }
    let (old, new) = (objects(tx, &from).await?, objects(tx, &to).await?);
    let mut different = Vec::new();
    for (reference, wanted) in &new {
        let live = old
            .iter()
            .find(|(other, _)| other.identity() == reference.identity())
            .map(|(_, v)| v);
        let difference = object_diff(live, Some(wanted));
        if difference.change != slipway_domain::render::Change::Unchanged {
            different.push((reference.clone(), difference));
        }
    }
    for (reference, gone) in &old {
        if !new
            .iter()
            .any(|(other, _)| other.identity() == reference.identity())
        {
            different.push((reference.clone(), object_diff(Some(gone), None)));
        }
    }
    Ok(ReleaseDiff {
        release: to.display_name(),
        against: from.display_name(),
        components: changes,
        objects: different,
    })
}

async fn objects(tx: &mut Tx, release: &Release) -> Result<Vec<(ObjectRef, Value)>, Error> {
    let mut all = Vec::new();
    for part in &release.components {
        for object in components::bundle(tx, part.id).await? {
            if let Some(reference) = ObjectRef::of(&object) {
                all.push((reference, object));
            }
        }
    }
    Ok(all)
}
