//! Steering a deployment: pause, resume, cancel, retry.

use super::{Create, DeploymentView, advance, create, load, load_locked, place, read, transition};
use crate::{App, Error, Tx, record};
use slipway_domain::{
    deployment::{Kind, NotAllowed, State, StateName, Transition},
    identity::{Actor, Permission},
};
use slipway_store::{deployments, work};

fn because(actor: &Actor, reason: Option<String>, verb: &str) -> String {
    reason
        .filter(|r| !r.trim().is_empty())
        .unwrap_or_else(|| format!("{verb} by {}", record::actor_name(actor)))
}

/// Stops a running deployment between steps. What an executor does at this moment it finishes, then it parks.
///
/// # Errors
/// When it is not running; without `deployment.operate`.
pub async fn pause(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    reason: Option<String>,
) -> Result<DeploymentView, Error> {
    let row = load_locked(tx, actor, reference).await?;
    actor.require(Permission::DeploymentOperate, &place(&row.deployment))?;
    let reason = because(actor, reason, "paused");
    transition::apply(tx, &row, Transition::Pause { reason }, Some(actor)).await?;
    work::park_all(tx, row.deployment.id).await?;
    read::view_of(tx, row.deployment.id).await
}

/// Lets a paused deployment go on, or what is parked of a running one: a target whose credential was refused, say.
///
/// # Errors
/// When it is not paused, and nothing of it is parked; without `deployment.operate`.
pub async fn resume(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<DeploymentView, Error> {
    let row = load_locked(tx, actor, reference).await?;
    actor.require(Permission::DeploymentOperate, &place(&row.deployment))?;
    let unparked = matches!(row.deployment.state, State::Running { .. })
        && work::unpark_all(tx, row.deployment.id).await? > 0;
    if unparked {
        let message = format!("{} goes on where it was parked", row.deployment.release_name());
        let change = record::Change::of(&row.deployment, "deployment.resume", message);
        record::change(tx, actor, change).await?;
        deployments::touch(tx, row.deployment.id).await?;
        return read::view_of(tx, row.deployment.id).await;
    }
    transition::apply(tx, &row, Transition::Resume, Some(actor)).await?;
    work::unpark_all(tx, row.deployment.id).await?;
    advance::advance(tx, row.deployment.id).await?;
    read::view_of(tx, row.deployment.id).await
}

/// Stops a deployment for good. What an executor does at this moment it finishes and records; nothing follows.
///
/// # Errors
/// When it has ended, or is being rolled back; without `deployment.operate`.
pub async fn cancel(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    reason: Option<String>,
) -> Result<DeploymentView, Error> {
    let row = load_locked(tx, actor, reference).await?;
    actor.require(Permission::DeploymentOperate, &place(&row.deployment))?;
    let reason = because(actor, reason, "cancelled");
    transition::apply(tx, &row, Transition::Cancel { reason }, Some(actor)).await?;
    read::view_of(tx, row.deployment.id).await
}

/// Asks for the same again, through every gate.
///
/// # Errors
/// When it has not ended in a way that can be tried again; as asking for a deployment.
pub async fn retry(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    reason: Option<String>,
) -> Result<DeploymentView, Error> {
    let row = load(tx, actor, reference).await?;
    actor.require(Permission::DeploymentOperate, &place(&row.deployment))?;
    let d = &row.deployment;
    let state = d.state.name();
    let possible = matches!(
        state,
        StateName::Failed
            | StateName::Errored
            | StateName::Cancelled
            | StateName::RolledBack
            | StateName::Expired
    );
    if !possible {
        return Err(NotAllowed {
            state,
            verb: "retried",
        }
        .into());
    }
    let release = match (d.kind, d.release) {
        (Kind::Deploy, Some(release)) => release.to_string(),
        (Kind::Heal, _) => {
            return Err(Error::conflict(
                "deployment-state",
                "a heal is not retried; what has still drifted is healed again by itself",
            ));
        }
        _ => {
            return Err(Error::conflict(
                "deployment-state",
                "a rollback is not retried; roll back what it was to undo, or clean what it was to clean, once more",
            ));
        }
    };
    let input = Create {
        break_glass: None,
        release,
        environment: d.environment.to_string(),
        not_before: None,
        reason: reason.or_else(|| d.reason.clone()),
        force_conflicts: d.force_conflicts,
    };
    create::request(app, tx, actor, input, Some(d.id)).await
}
