//! Processes: which stages a release goes through, written by engineers, put in force by authorities, pinned by sealing.
//!
//! Seen by whoever may read anything: how releases go is no secret. But one that is for a service tells that there is such a
//! service, and is seen by whoever may see its releases. A process is for a service, for the services of a team
//! that have none of their own, or for the rest; one at a time is in force for each. What a release pinned when it was sealed
//! (a trigger does that) is what it goes by, whatever comes into force later.

mod promote;
mod read;
mod way;
mod write;

pub(crate) use promote::promote;
pub use read::{PinnedRelease, diagram, get, list, releases, revision, version, versions};
pub(crate) use way::{HANDOVER, Way, check, way};
pub use write::{Create, activate, create, retire, write_version};

use crate::{Error, Ref, Tx, teams::require_reader};
use slipway_domain::{
    Name,
    identity::{Actor, Permission, Place},
    ids::{ProcessTag, TeamId},
    process::{Head, Version},
};
use slipway_store::processes::{self, Of, Scope};

/// A process, with the version that counts: the one in force, else the newest.
#[derive(Debug, Clone)]
pub struct ProcessView {
    /// The process.
    pub head: Head,
    /// Whose releases go by it.
    pub of: Of,
    /// The version that is in force; while none is, the newest.
    pub shown: Version,
}

impl ProcessView {
    /// The service whose releases go by it.
    #[must_use]
    pub const fn service(&self) -> Option<&Name> {
        match self.of.scope {
            Scope::Service(_) => self.of.name.as_ref(),
            _ => None,
        }
    }

    /// The team whose services have none of their own.
    #[must_use]
    pub const fn team(&self) -> Option<&Name> {
        match self.of.scope {
            Scope::Team(_) => self.of.name.as_ref(),
            _ => None,
        }
    }
}

async fn head(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Head, Error> {
    require_reader(actor)?;
    let missing = || Error::not_found("process", reference);
    let head = processes::find(tx, &Ref::parse::<ProcessTag>(reference))
        .await?
        .ok_or_else(missing)?;
    let of = processes::of(tx, head.id).await?;
    if may_see(actor, of_one_service(&of)) {
        Ok(head)
    } else {
        Err(missing())
    }
}

/// The team of the service that a process is for, if it is for one.
const fn of_one_service(of: &Of) -> Option<TeamId> {
    match of.scope {
        Scope::Service(_) => of.team,
        Scope::Team(_) | Scope::Rest => None,
    }
}

/// Whether somebody who may read anything sees a process that is for a service of this team, or for none alone: whoever may
/// see the service's releases does.
fn may_see(actor: &Actor, team: Option<TeamId>) -> bool {
    team.is_none_or(|team| actor.rights.allows(Permission::Read, &Place::team(team, "")))
        || !actor.rights.visible().environments.is_empty()
}

async fn view(tx: &mut Tx, head: Head) -> Result<ProcessView, Error> {
    let number = head.in_force.unwrap_or(head.latest);
    let of = processes::of(tx, head.id).await?;
    let shown = processes::get_version(tx, head.id, number)
        .await?
        .ok_or_else(|| Error::internal(format!("version {number} of process {} is gone", head.name)))?;
    Ok(ProcessView { head, of, shown })
}

/// Where somebody must be entitled to write a process or to put it in force.
fn place(of: &Of) -> Place {
    match (of.scope, of.team, &of.name) {
        (Scope::Service(_), Some(team), Some(name)) => Place::team(team, format!("service {name}")),
        (Scope::Team(_), Some(team), Some(name)) => Place::team(team, format!("team {name}")),
        _ => Place::everywhere(),
    }
}
