//! Services: what users depend on. Seen by whoever may read what their team owns.

use crate::{
    Before, Error, Ref, Tx,
    error::{check_revision, overtaken},
    input,
    people::groups,
    record, teams,
};
use serde_json::json;
use slipway_domain::{
    Faults, Name,
    identity::{Actor, Permission, Place},
    ids::{ServiceTag, TeamId},
    registry::{Criticality, Service},
};
use slipway_store::{services, targets};

/// A service, as shown.
pub type ServiceView = Service;

/// What a new service is made of.
#[derive(Debug, Clone)]
pub struct Create {
    /// Its unique name.
    pub name: String,
    /// The team that owns it (name or id).
    pub team: String,
    /// How much depends on it; `medium` when absent.
    pub criticality: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// The group that is asked at the end (name or id).
    pub escalation: Option<String>,
}

/// Changes to a service; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// The team that owns it (name or id).
    pub team: Option<String>,
    /// How much depends on it.
    pub criticality: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// The group that is asked at the end (name or id); none any more for `None` inside.
    pub escalation: Option<Option<String>>,
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this team (name or id).
    pub team: Option<String>,
}

fn place(team: TeamId, name: &Name) -> Place {
    Place::team(team, format!("service {name}"))
}

fn may_see(actor: &Actor, team: TeamId) -> bool {
    actor.rights.allows(Permission::Read, &Place::team(team, ""))
}

/// The service that a user names in a field of the input, or a fault there.
pub(crate) async fn named(
    tx: &mut Tx,
    actor: &Actor,
    faults: &mut Faults,
    pointer: &str,
    reference: &str,
) -> Result<Option<Service>, Error> {
    let found = services::find(tx, &Ref::parse::<ServiceTag>(reference)).await?;
    let found = found.filter(|service| may_see(actor, service.team));
    if found.is_none() {
        faults.add(
            pointer,
            format!(
                "there is no service `{}` that you may see",
                input::excerpt(reference)
            ),
        );
    }
    Ok(found)
}

/// Registers a service.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is taken; without `service.write` on the team.
pub async fn create(tx: &mut Tx, actor: &Actor, input: Create) -> Result<ServiceView, Error> {
    if !actor.rights.allows_somewhere(Permission::ServiceWrite) {
        actor.require(Permission::ServiceWrite, &Place::everywhere())?;
    }
    let mut faults = Faults::new();
    let name = faults.take("/name", input.name.parse::<Name>());
    let criticality = match &input.criticality {
        Some(text) => faults.take("/criticality", text.parse::<Criticality>()),
        None => Some(Criticality::Medium),
    };
    let description = input.description.unwrap_or_default();
    input::lines(&mut faults, "/description", &description, input::LONG);
    let escalation = match &input.escalation {
        Some(reference) => groups::named(tx, &mut faults, "/escalation", reference).await?,
        None => None,
    };
    let team = teams::named(tx, &mut faults, "/team", &input.team).await?;
    if let Some(team) = &team {
        actor.require(
            Permission::ServiceWrite,
            &Place::team(team.id, format!("team {}", team.name)),
        )?;
    }
    if let (Some(name), Some(team)) = (&name, &team)
        && targets::is_namespace_of_another_team(tx, None, name, team.id).await?
    {
        faults.add(
            "/name",
            "another team's service lands in a namespace of this name; choose another",
        );
    }
    faults.check()?;
    let (Some(name), Some(team), Some(criticality)) = (name, team, criticality) else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let new = services::New {
        name: &name,
        team: team.id,
        criticality,
        description: &description,
        escalation_group: escalation.as_ref(),
    };
    let id = services::insert(tx, &new).await.map_err(|error| {
        if error.is_duplicate("services_name_key") {
            Error::conflict("exists", format!("there is a service `{name}` already"))
        } else {
            error.into()
        }
    })?;
    let message = format!("registered service {name} of team {}", team.name);
    let change = record::Change::new("service.create", name.as_str(), message)
        .team(team.id)
        .service(id)
        .with(json!({"team": team.name, "criticality": criticality, "escalation": escalation}));
    record::change(tx, actor, change).await?;
    services::get(tx, id)
        .await?
        .ok_or_else(|| Error::internal("a service is gone right after it was registered"))
}

/// Changes a service.
///
/// # Errors
/// When there is none that the actor may see, or it was changed since `if_match`; without `service.write` on its team
/// and, if it changes hands, on the new one.
pub async fn update(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    if_match: i64,
    input: Update,
) -> Result<ServiceView, Error> {
    let missing = || Error::not_found("service", reference);
    let found = services::find_for_update(tx, &Ref::parse::<ServiceTag>(reference)).await?;
    let mut service = found
        .filter(|service| may_see(actor, service.team))
        .ok_or_else(missing)?;
    actor.require(Permission::ServiceWrite, &place(service.team, &service.name))?;
    check_revision(if_match, service.revision)?;
    let mut faults = Faults::new();
    let mut changed = serde_json::Map::new();
    if let Some(reference) = &input.team
        && let Some(team) = teams::named(tx, &mut faults, "/team", reference).await?
    {
        actor.require(
            Permission::ServiceWrite,
            &Place::team(team.id, format!("team {}", team.name)),
        )?;
        changed.insert("team".to_owned(), json!(team.name));
        service.team = team.id;
    }
    if let Some(text) = &input.criticality
        && let Some(criticality) = faults.take("/criticality", text.parse::<Criticality>())
    {
        changed.insert("criticality".to_owned(), json!(criticality));
        service.criticality = criticality;
    }
    if let Some(description) = input.description {
        input::lines(&mut faults, "/description", &description, input::LONG);
        changed.insert("description".to_owned(), json!(description));
        service.description = description;
    }
    if let Some(escalation) = &input.escalation {
        let group = match escalation {
            Some(reference) => groups::named(tx, &mut faults, "/escalation", reference).await?,
            None => None,
        };
        changed.insert("escalation".to_owned(), json!(group));
        service.escalation_group = group;
    }
    faults.check()?;
    if let Err(error) = services::update(tx, &service).await {
        let now = services::get(tx, service.id).await;
        return Err(overtaken(error, now.map(|now| now.map(|now| now.revision))));
    }
    let change = record::Change::new(
        "service.update",
        service.name.as_str(),
        format!("changed service {}", service.name),
    )
    .team(service.team)
    .service(service.id)
    .with(changed.into());
    record::change(tx, actor, change).await?;
    services::get(tx, service.id).await?.ok_or_else(missing)
}

/// One service, by id or name.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<ServiceView, Error> {
    services::find(tx, &Ref::parse::<ServiceTag>(reference))
        .await?
        .filter(|service| may_see(actor, service.team))
        .ok_or_else(|| Error::not_found("service", reference))
}

/// Services that the actor may see, newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<ServiceView>, Error> {
    let team = match &filter.team {
        None => None,
        // A team that is not there has no services.
        Some(reference) => {
            match slipway_store::teams::find(tx, &Ref::parse::<slipway_domain::ids::TeamTag>(reference))
                .await?
            {
                Some(team) => Some(team.id),
                None => return Ok(Vec::new()),
            }
        }
    };
    Ok(services::list(
        tx,
        services::Filter { team },
        &actor.rights.visible(),
        before,
        limit,
    )
    .await?)
}

/// The revision of a service, by one index.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn revision(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<i64, Error> {
    match services::revision(tx, &Ref::parse::<ServiceTag>(reference)).await? {
        Some((revision, team)) if may_see(actor, team) => Ok(revision),
        _ => Err(Error::not_found("service", reference)),
    }
}
