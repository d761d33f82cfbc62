//! Teams: they own services and components.

use crate::{Before, Error, Ref, Tx, record};
use slipway_domain::{
    Faults, Name,
    identity::{Actor, Permission, Place},
    ids::TeamTag,
};
use slipway_store::teams;

/// A team, as shown.
pub type TeamView = slipway_domain::registry::service::Team;

/// What a new team is made of.
#[derive(Debug, Clone)]
pub struct Create {
    /// Its unique name.
    pub name: String,
}

/// Names of teams, environments and clusters are seen by whoever may read anything.
pub(crate) fn require_reader(actor: &Actor) -> Result<(), Error> {
    if actor.rights.allows_somewhere(Permission::Read) {
        return Ok(());
    }
    Ok(actor.require(Permission::Read, &Place::everywhere())?)
}

/// The team that a user names in a field of the input, or a fault there.
pub(crate) async fn named(
    tx: &mut Tx,
    faults: &mut Faults,
    pointer: &str,
    reference: &str,
) -> Result<Option<TeamView>, Error> {
    let found = teams::find(tx, &Ref::parse::<TeamTag>(reference)).await?;
    if found.is_none() {
        faults.add(
            pointer,
            format!("there is no team `{}`", crate::input::excerpt(reference)),
        );
    }
    Ok(found)
}

/// Makes a team.
///
/// # Errors
/// `exists` when the name is taken; without `team.write` on everything.
pub async fn create(tx: &mut Tx, actor: &Actor, input: Create) -> Result<TeamView, Error> {
    actor.require(Permission::TeamWrite, &Place::everywhere())?;
    let mut faults = Faults::new();
    let name = faults.take("/name", input.name.parse::<Name>());
    faults.check()?;
    let Some(name) = name else {
        return Err(Error::internal("a name without fault is missing"));
    };
    let team = teams::insert(tx, &name).await.map_err(|error| {
        if error.is_duplicate("teams_name_key") {
            Error::conflict("exists", format!("there is a team `{name}` already"))
        } else {
            error.into()
        }
    })?;
    let change =
        record::Change::new("team.create", name.as_str(), format!("made the team {name}")).team(team.id);
    record::change(tx, actor, change).await?;
    Ok(team)
}

/// One team, by id or name.
///
/// # Errors
/// When there is none.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<TeamView, Error> {
    require_reader(actor)?;
    teams::find(tx, &Ref::parse::<TeamTag>(reference))
        .await?
        .ok_or_else(|| Error::not_found("team", reference))
}

/// Teams, newest first.
///
/// # Errors
/// When the actor may read nothing.
pub async fn list(tx: &mut Tx, actor: &Actor, before: Before, limit: i64) -> Result<Vec<TeamView>, Error> {
    require_reader(actor)?;
    Ok(teams::list(tx, before, limit).await?)
}

/// The revision of a team.
///
/// # Errors
/// When there is none.
pub async fn revision(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<i64, Error> {
    require_reader(actor)?;
    let found = teams::revision(tx, &Ref::parse::<TeamTag>(reference)).await?;
    found.ok_or_else(|| Error::not_found("team", reference))
}
