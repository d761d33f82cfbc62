//! The component library: components, and their immutable versions. Seen by whoever may read what their team owns.

mod state;
mod versions;

pub use state::{deprecate, recall};
pub(crate) use versions::load_version;
pub use versions::{
    CreateVersion, ImagePinInput, RequirementInput, VersionView, create_version, get_version, list_versions,
    version_revision,
};

use crate::{Before, Error, Ref, Tx, input, record, teams};
use serde_json::json;
use slipway_domain::{
    Faults, Name,
    component::{Component, ComponentKind},
    identity::{Actor, Permission, Place},
    ids::{ComponentTag, TeamId, TeamTag},
};
use slipway_store::components;

/// A component, as shown.
pub type ComponentView = Component;

/// What a new component is made of.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// Its unique name.
    pub name: String,
    /// What it is made of; `manifests` when absent.
    pub kind: Option<String>,
    /// The team that owns it (name or id).
    pub team: String,
    /// What it is.
    pub description: Option<String>,
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this team (name or id).
    pub team: Option<String>,
}

pub(crate) fn place(component: &Component) -> Place {
    Place::team(component.team, format!("component {}", component.name))
}

fn may_see(actor: &Actor, team: TeamId) -> bool {
    actor.rights.allows(Permission::Read, &Place::team(team, ""))
}

/// A component that the actor may see.
async fn load(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Component, Error> {
    components::find(tx, &Ref::parse::<ComponentTag>(reference))
        .await?
        .filter(|component| may_see(actor, component.team))
        .ok_or_else(|| Error::not_found("component", reference))
}

/// Registers a component.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is taken; without `component.write` on the team.
pub async fn create(tx: &mut Tx, actor: &Actor, input: Create) -> Result<ComponentView, Error> {
    if !actor.rights.allows_somewhere(Permission::ComponentWrite) {
        actor.require(Permission::ComponentWrite, &Place::everywhere())?;
    }
    let mut faults = Faults::new();
    let name = faults.take("/name", input.name.parse::<Name>());
    let kind = match &input.kind {
        Some(text) => faults.take("/kind", text.parse::<ComponentKind>()),
        None => Some(ComponentKind::Manifests),
    };
    let description = input.description.unwrap_or_default();
    input::lines(&mut faults, "/description", &description, input::LONG);
    let team = teams::named(tx, &mut faults, "/team", &input.team).await?;
    if let Some(team) = &team {
        actor.require(
            Permission::ComponentWrite,
            &Place::team(team.id, format!("team {}", team.name)),
        )?;
    }
    faults.check()?;
    let (Some(name), Some(kind), Some(team)) = (name, kind, team) else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let new = components::New {
        name: &name,
        kind,
        team: team.id,
        description: &description,
    };
    let id = components::insert(tx, &new).await.map_err(|error| {
        if error.is_duplicate("components_name_key") {
            Error::conflict("exists", format!("there is a component `{name}` already"))
        } else {
            error.into()
        }
    })?;
    let message = format!("registered component {name} of team {}", team.name);
    let change = record::Change::new("component.create", name.as_str(), message)
        .team(team.id)
        .with(json!({"team": team.name, "kind": kind}));
    record::change(tx, actor, change).await?;
    let made = components::get(tx, id).await?;
    made.ok_or_else(|| Error::internal("a component is gone right after it was registered"))
}

/// One component, by id or name.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<ComponentView, Error> {
    load(tx, actor, reference).await
}

/// Components that the actor may see, newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<ComponentView>, Error> {
    let mut wanted = components::Filter::default();
    if let Some(reference) = &filter.team {
        let found = slipway_store::teams::find(tx, &Ref::parse::<TeamTag>(reference)).await?;
        // A team that is not there has no components.
        let Some(found) = found else { return Ok(Vec::new()) };
        wanted.team = Some(found.id);
    }
    Ok(components::list(tx, wanted, &actor.rights.visible(), before, limit).await?)
}

/// The revision of a component, by one index.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn revision(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<i64, Error> {
    match components::revision(tx, &Ref::parse::<ComponentTag>(reference)).await? {
        Some((revision, team)) if may_see(actor, team) => Ok(revision),
        _ => Err(Error::not_found("component", reference)),
    }
}
