//! Delegations: somebody else decides in the place of a person who will not be there, for a time.
//!
//! Nothing is passed on, whatever is delegated to whom: what a delegate decides counts by what the one who delegated is
//! entitled to themselves (`domain::approval::delegation`). None is dated back, and none is ever deleted.

use super::{Named, all, described, kept, known, one, require_person};
use crate::{App, Before, Error, Ref, Tx, approvals, deployments::place, input, record, teams};
use jiff::Timestamp;
use serde_json::json;
use slipway_domain::{
    Faults,
    approval::{
        ApprovalState,
        delegation::{Delegation, Scope},
    },
    identity::{Actor, Permission, Place, Principal},
    ids::{DelegationId, EnvironmentTag, Fresh as _, PrincipalId},
};
use slipway_store::{
    delegations::{self, Stored},
    environments,
};

/// A delegation, as shown.
#[derive(Debug, Clone)]
pub struct DelegationView {
    /// It, with the names of what it is for.
    pub stored: Stored,
    /// Who delegated.
    pub from: Principal,
    /// Who decides in their place.
    pub to: Principal,
    /// When it was read.
    pub read_at: Timestamp,
}

impl DelegationView {
    /// Whether it is `to_come`, `in_force`, `over` or `revoked`, as read.
    #[must_use]
    pub fn state(&self) -> &'static str {
        let delegation = &self.stored.delegation;
        if delegation.revoked_at.is_some() {
            "revoked"
        } else if delegation.in_force(self.read_at) {
            "in_force"
        } else if self.read_at < delegation.starts {
            "to_come"
        } else {
            "over"
        }
    }
}

/// What a delegation is to be for; one of them.
#[derive(Debug, Clone, Default)]
pub struct For {
    /// What is of this team (name or id).
    pub team: Option<String>,
    /// What goes to this environment (name or id).
    pub environment: Option<String>,
    /// This approval.
    pub approval: Option<String>,
}

/// What a new delegation is made of.
#[derive(Debug, Clone)]
pub struct Create {
    /// Who decides in one's place.
    pub to: Named,
    /// From when on; now when absent.
    pub starts: Option<Timestamp>,
    /// Until when.
    pub ends: Timestamp,
    /// What for; everything when absent.
    pub scope: Option<For>,
    /// Why.
    pub reason: String,
}

/// Filters of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only those from or to the actor.
    pub mine: bool,
}

/// Has somebody else decide in one's place.
///
/// # Errors
/// Every fault of the input at once; `not-a-person` for machines and API tokens; without `approval.decide` anywhere.
pub async fn create(tx: &mut Tx, app: &App, actor: &Actor, input: Create) -> Result<DelegationView, Error> {
    if !actor.rights.allows_somewhere(Permission::ApprovalDecide) {
        actor.require(Permission::ApprovalDecide, &Place::everywhere())?;
    }
    require_person(actor, "delegating")?;
    let now = tx.now;
    let mut faults = Faults::new();
    let to = known(tx, app, &mut faults, "/to", &input.to).await?;
    let (scope, excluded) = scope(tx, actor, &mut faults, input.scope.as_ref()).await?;
    let starts = input.starts.map_or(now, kept);
    if starts < now {
        faults.add(
            "/starts",
            "is not in the past: leave it out to delegate from now on",
        );
    }
    // Only its control characters: the domain says how long it may be.
    input::lines(&mut faults, "/reason", &input.reason, usize::MAX);
    let new = Delegation {
        from: actor.principal.id,
        // Where nobody is known, what is wrong with them has been said; the rest is checked all the same.
        to: to.as_ref().map_or_else(PrincipalId::fresh, |to| to.id),
        starts,
        ends: kept(input.ends),
        scope: scope.unwrap_or(Scope::Everything),
        reason: input.reason,
        revoked_at: None,
    };
    faults.nest("", new.faults(now, &excluded));
    faults.check()?;
    let Some(to) = to else {
        return Err(Error::internal("somebody without fault is missing"));
    };
    let id = delegations::insert(tx, &new).await?;
    let view = load(tx, id).await?;
    let message = format!(
        "has {} decide on approvals from {} until {}",
        to.subject, new.starts, new.ends
    );
    record::change(tx, actor, told("delegation.create", message, &view)).await?;
    Ok(view)
}

/// What it is for, and who may not decide there; faults otherwise.
async fn scope(
    tx: &mut Tx,
    actor: &Actor,
    faults: &mut Faults,
    given: Option<&For>,
) -> Result<(Option<Scope>, Vec<PrincipalId>), Error> {
    let Some(given) = given else {
        return Ok((Some(Scope::Everything), Vec::new()));
    };
    let scope = match (&given.team, &given.environment, &given.approval) {
        (Some(team), None, None) => {
            let team = teams::named(tx, faults, "/scope/team", team).await?;
            team.map(|team| Scope::Team(team.id))
        }
        (None, Some(reference), None) => {
            let found = environments::find(tx, &Ref::parse::<EnvironmentTag>(reference)).await?;
            if found.is_none() {
                faults.add(
                    "/scope/environment",
                    format!("there is no environment `{}`", input::excerpt(reference)),
                );
            }
            found.map(|found| Scope::Environment(found.id))
        }
        (None, None, Some(reference)) => return of_approval(tx, actor, faults, reference).await,
        _ => {
            faults.add(
                "/scope",
                "names one of `team`, `environment` and `approval`; without it, it is for everything",
            );
            None
        }
    };
    Ok((scope, Vec::new()))
}

/// One approval that waits, and on which the actor may decide; and who may not.
async fn of_approval(
    tx: &mut Tx,
    actor: &Actor,
    faults: &mut Faults,
    reference: &str,
) -> Result<(Option<Scope>, Vec<PrincipalId>), Error> {
    const AT: &str = "/scope/approval";
    let view = match approvals::get(tx, actor, reference).await {
        Err(Error::NotFound { .. }) => {
            let detail = format!(
                "there is no approval `{}` that you may see",
                input::excerpt(reference)
            );
            faults.add(AT, detail);
            return Ok((None, Vec::new()));
        }
        view => view?,
    };
    let (approval, deployment) = (view.approval, view.deployment);
    if approval.state != ApprovalState::Pending {
        faults.add(AT, format!("does not wait any more: it is {}", approval.state));
    }
    let place = place(&deployment);
    if !actor.rights.allows(Permission::ApprovalDecide, &place) {
        faults.add(
            AT,
            "is none that you may decide on, so there is nothing to delegate",
        );
    }
    let excluded = approval.involved.iter().map(|one| one.who).collect();
    Ok((Some(Scope::Approval(approval.id)), excluded))
}

fn told(action: &'static str, message: String, view: &DelegationView) -> record::Change {
    let delegation = &view.stored.delegation;
    let approval = match delegation.scope {
        Scope::Approval(approval) => Some(approval),
        _ => None,
    };
    let change = record::Change::new(action, view.stored.id.to_string(), message).with(json!({
        "from": described(&view.from),
        "to": described(&view.to),
        "starts": delegation.starts,
        "ends": delegation.ends,
        "team": view.stored.team,
        "environment": view.stored.environment,
        "approval": approval,
        "reason": delegation.reason,
    }));
    match delegation.scope {
        Scope::Team(team) => change.team(team),
        Scope::Environment(environment) => change.environment(environment),
        Scope::Everything | Scope::Approval(_) => change,
    }
}

async fn shown(tx: &mut Tx, stored: Vec<Stored>) -> Result<Vec<DelegationView>, Error> {
    let ids = stored.iter().flat_map(|s| [s.delegation.from, s.delegation.to]);
    let people = all(tx, ids.collect()).await?;
    let shown = stored.into_iter().map(|stored| {
        Ok(DelegationView {
            from: one(&people, stored.delegation.from)?,
            to: one(&people, stored.delegation.to)?,
            stored,
            read_at: tx.now,
        })
    });
    shown.collect()
}

async fn load(tx: &mut Tx, id: DelegationId) -> Result<DelegationView, Error> {
    let missing = || Error::not_found("delegation", id);
    let stored = delegations::get(tx, id).await?.ok_or_else(missing)?;
    shown(tx, vec![stored]).await?.pop().ok_or_else(missing)
}

/// Whether somebody may see what others delegate.
fn sees_all(actor: &Actor) -> bool {
    let everywhere = Place::everywhere();
    let may = |permission| actor.rights.allows(permission, &everywhere);
    may(Permission::AuditRead) || may(Permission::IdentityManage)
}

/// One delegation: from or to oneself, or any with `audit.read` or `identity.manage` on everything.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<DelegationView, Error> {
    let missing = || Error::not_found("delegation", reference);
    let id: DelegationId = reference.parse().map_err(|_| missing())?;
    let view = match load(tx, id).await {
        Err(Error::NotFound { .. }) => return Err(missing()),
        view => view?,
    };
    let me = actor.principal.id;
    if me == view.from.id || me == view.to.id || sees_all(actor) {
        Ok(view)
    } else {
        Err(missing())
    }
}

/// Delegations that the actor may see, newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<DelegationView>, Error> {
    let sees_all = sees_all(actor) && !filter.mine;
    let of = (!sees_all).then_some(actor.principal.id);
    let stored = delegations::list(tx, of, before, limit).await?;
    shown(tx, stored).await
}

/// Takes a delegation back: one's own, or anybody's with `identity.manage` on everything. What was decided by it stays
/// decided. Again, or when it is over, is no fault and changes nothing.
///
/// # Errors
/// When there is none that the actor may see; for somebody else's without `identity.manage`.
pub async fn revoke(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<DelegationView, Error> {
    let view = get(tx, actor, reference).await?;
    if actor.principal.id != view.from.id {
        actor.require(Permission::IdentityManage, &Place::everywhere())?;
    }
    let (id, now) = (view.stored.id, tx.now);
    let delegation = &view.stored.delegation;
    if delegation.revoked_at.is_some() || delegation.ends <= now {
        return Ok(view);
    }
    match delegations::revoke(tx, id, now).await {
        // Somebody else has done it meanwhile.
        Err(slipway_store::Error::Guard { .. }) => return load(tx, id).await,
        done => done?,
    }
    let message = format!(
        "took back what {} delegated to {}",
        view.from.subject, view.to.subject
    );
    record::change(tx, actor, told("delegation.revoke", message, &view)).await?;
    load(tx, id).await
}
