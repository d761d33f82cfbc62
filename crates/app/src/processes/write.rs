//! Writing processes, putting them in force, and taking them out of it.

use super::{ProcessView, may_see, of_one_service, place, view};
use crate::{Error, Ref, Tx, approvals, input, record, services, teams};
use serde_json::json;
use slipway_domain::{
    Digest, Faults, Name,
    identity::{Actor, Permission},
    ids::ProcessTag,
    process::{self, Document, Head, Version, document::MAX_STAGES},
    versioned::NotActivated,
};
use slipway_store::processes::{self, Of, Scope};

/// What a new process is made of.
#[derive(Debug, Clone)]
pub struct Create {
    /// Its unique name.
    pub name: String,
    /// The service whose releases go by it (name or id).
    pub service: Option<String>,
    /// Or the team whose services have none of their own (name or id). Neither: the rest.
    pub team: Option<String>,
    /// What it says.
    pub document: Document,
}

async fn locked(tx: &mut Tx, reference: &str) -> Result<Head, Error> {
    processes::find_for_update(tx, &Ref::parse::<ProcessTag>(reference))
        .await?
        .ok_or_else(|| Error::not_found("process", reference))
}

/// A process that somebody may see, locked, and whose it is.
async fn seen(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<(Head, Of), Error> {
    teams::require_reader(actor)?;
    let head = locked(tx, reference).await?;
    let of = processes::of(tx, head.id).await?;
    if may_see(actor, of_one_service(&of)) {
        Ok((head, of))
    } else {
        Err(Error::not_found("process", reference))
    }
}

/// Checks what somebody wrote; every fault at once, at pointers below `/document`.
fn check(document: &Document, faults: &mut Faults) {
    // What could not be read is left out of the document: its places are no longer those of the input.
    if faults.is_empty() {
        faults.nest("/document", document.faults());
    }
}

/// Groups that its stages ask must be there.
async fn known_groups(tx: &mut Tx, document: &Document, faults: &mut Faults) -> Result<(), Error> {
    for (i, stage) in document.stages.iter().enumerate().take(MAX_STAGES) {
        if let Some(asked) = &stage.approvals {
            approvals::known_groups(tx, &format!("/document/stages/{i}/approvals"), asked, faults).await?;
        }
    }
    Ok(())
}

async fn scope(tx: &mut Tx, actor: &Actor, input: &Create, faults: &mut Faults) -> Result<Option<Of>, Error> {
    match (&input.service, &input.team) {
        (Some(_), Some(_)) => {
            faults.add("/team", "a process is for a service or for a team, not for both");
            Ok(None)
        }
        (Some(reference), None) => {
            let found = services::named(tx, actor, faults, "/service", reference).await?;
            Ok(found.map(|service| Of {
                scope: Scope::Service(service.id),
                name: Some(service.name),
                team: Some(service.team),
            }))
        }
        (None, Some(reference)) => {
            let found = teams::named(tx, faults, "/team", reference).await?;
            Ok(found.map(|team| Of {
                scope: Scope::Team(team.id),
                name: Some(team.name),
                team: Some(team.id),
            }))
        }
        (None, None) => Ok(Some(Of {
            scope: Scope::Rest,
            name: None,
            team: None,
        })),
    }
}

/// Writes a new process: its first version is a draft. `faults` are those that were found when the document was read.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is taken; without `process.write` on what it is for.
pub async fn create(
    tx: &mut Tx,
    actor: &Actor,
    input: Create,
    mut faults: Faults,
) -> Result<ProcessView, Error> {
    if !actor.rights.allows_somewhere(Permission::ProcessWrite) {
        actor.require(
            Permission::ProcessWrite,
            &slipway_domain::identity::Place::everywhere(),
        )?;
    }
    let of = scope(tx, actor, &input, &mut faults).await?;
    if let Some(of) = &of {
        actor.require(Permission::ProcessWrite, &place(of))?;
    }
    let name = faults.take("/name", input.name.parse::<Name>());
    let mut of_document = Faults::new();
    if !faults
        .as_slice()
        .iter()
        .any(|fault| fault.pointer.starts_with("/document"))
    {
        check(&input.document, &mut of_document);
    }
    faults.nest("", of_document);
    known_groups(tx, &input.document, &mut faults).await?;
    faults.check()?;
    let (Some(name), Some(of)) = (name, of) else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let digest = Digest::of_canonical(&input.document)?;
    processes::insert(tx, &name, of.scope, &input.document, digest, actor.principal.id)
        .await
        .map_err(|error| {
            if error.is_duplicate("processes_name_key") {
                Error::conflict("exists", format!("there is a process `{name}` already"))
            } else {
                error.into()
            }
        })?;
    let mut change = record::Change::new(
        "process.create",
        name.as_str(),
        format!("wrote the process {name} for {}", whose(&of)),
    )
    .with(json!({"version": 1, "digest": digest, "for": whose(&of)}));
    change.team = of.team;
    record::change(tx, actor, change).await?;
    let head = locked(tx, name.as_str()).await?;
    view(tx, head).await
}

/// `service storefront`.
fn whose(of: &Of) -> String {
    match (of.scope, &of.name) {
        (Scope::Service(_), Some(name)) => format!("service {name}"),
        (Scope::Team(_), Some(name)) => format!("team {name}"),
        _ => "everything that has no other".to_owned(),
    }
}

/// Writes a further version of a process: a draft, whatever is in force. `faults` as in [`create`].
///
/// # Errors
/// When there is none; every fault of the input at once; without `process.write` on what it is for.
pub async fn write_version(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    document: Document,
    mut faults: Faults,
) -> Result<Version, Error> {
    let (head, of) = seen(tx, actor, reference).await?;
    actor.require(Permission::ProcessWrite, &place(&of))?;
    check(&document, &mut faults);
    known_groups(tx, &document, &mut faults).await?;
    faults.check()?;
    let digest = Digest::of_canonical(&document)?;
    let number = processes::insert_version(tx, &head, &document, digest, actor.principal.id).await?;
    let message = format!("wrote version {number} of the process {}", head.name);
    let mut change = record::Change::new("process.write", head.name.as_str(), message)
        .with(json!({"version": number, "digest": digest}));
    change.team = of.team;
    record::change(tx, actor, change).await?;
    processes::get_version(tx, head.id, number)
        .await?
        .ok_or_else(|| Error::internal("a version is gone right after it was written"))
}

/// Who decides how others go is a person.
fn require_person(actor: &Actor) -> Result<(), Error> {
    if actor.is_person_signed_in() {
        return Ok(());
    }
    Err(Error::refused(
        "not-a-person",
        "a process is put in force by a person who signed in, not by a machine or an API token",
    ))
}

/// Puts a draft in force, in the place of what was: releases that are sealed from now on go by it. Those that are sealed
/// already go on by what they pinned.
///
/// # Errors
/// When there is none; when a stage names an environment that there is not; when the actor wrote it, is a machine or lacks
/// `process.activate` on what it is for; `process-state` when it was in force before, or another process is in force for the
/// same.
pub async fn activate(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    number: i64,
) -> Result<ProcessView, Error> {
    let (head, of) = seen(tx, actor, reference).await?;
    actor.require(Permission::ProcessActivate, &place(&of))?;
    require_person(actor)?;
    let version = processes::get_version(tx, head.id, number)
        .await?
        .ok_or_else(|| Error::not_found("version of this process", number))?;
    version
        .may_be_activated(actor.principal.id)
        .map_err(|refused| match refused {
            NotActivated::Author => Error::refused("separation-of-duties", refused),
            NotActivated::State { .. } => Error::conflict("process-state", refused),
        })?;
    let mut faults = Faults::new();
    faults.nest("/document", version.document.faults());
    let there = processes::environments(tx).await?;
    for (i, stage) in version.document.stages.iter().enumerate() {
        if let process::Place::Environment(name) = &stage.place
            && !there.iter().any(|environment| environment.name == *name)
        {
            faults.add(
                format!("/document/stages/{i}/place/environment"),
                format!("there is no environment `{name}`"),
            );
        }
    }
    faults.check()?;
    processes::activate(tx, &head, number, actor.principal.id)
        .await
        .map_err(|error| match &error {
            slipway_store::Error::Duplicate(index) if index.starts_with("processes_one_for_") => {
                Error::conflict(
                    "process-state",
                    format!(
                        "another process is in force for {}: write a version of that one, or take it out of force first",
                        whose(&of)
                    ),
                )
            }
            _ => error.into(),
        })?;
    let message = format!("put version {number} of the process {} in force", head.name);
    let mut change = record::Change::new("process.activate", head.name.as_str(), message).with(
        json!({"version": number, "digest": version.digest, "before": head.in_force, "for": whose(&of)}),
    );
    change.team = of.team;
    record::change(tx, actor, change).await?;
    let head = locked(tx, reference).await?;
    view(tx, head).await
}

/// Takes a process out of force: releases that are sealed from now on go by the next wider one.
///
/// # Errors
/// When there is none; a fault of the reason; `process-state` when it is not in force, or there is no wider one: no release
/// goes without a process; when the actor is a machine or lacks `process.activate` on what it is for.
pub async fn retire(tx: &mut Tx, actor: &Actor, reference: &str, reason: &str) -> Result<ProcessView, Error> {
    let (head, of) = seen(tx, actor, reference).await?;
    actor.require(Permission::ProcessActivate, &place(&of))?;
    require_person(actor)?;
    let mut faults = Faults::new();
    let reason = reason.trim();
    if reason.is_empty() {
        faults.add(
            "/reason",
            "is empty; those who read the record later want to know",
        );
    }
    input::lines(&mut faults, "/reason", reason, input::LONG);
    faults.check()?;
    let Some(before) = head.in_force else {
        let detail = format!("the process {} is not in force", head.name);
        return Err(Error::conflict("process-state", detail));
    };
    if of.scope == Scope::Rest {
        let detail = format!(
            "{} is what everything goes by that has no other process, and nothing goes without one: put another version of it in \
             force instead",
            head.name
        );
        return Err(Error::conflict("process-state", detail));
    }
    processes::retire(tx, &head, actor.principal.id).await?;
    let message = format!("took the process {} out of force: {reason}", head.name);
    let mut change = record::Change::new("process.retire", head.name.as_str(), message)
        .with(json!({"version": before, "reason": reason}));
    change.team = of.team;
    record::change(tx, actor, change).await?;
    let head = locked(tx, reference).await?;
    view(tx, head).await
}
