//! Undoing a deployment: a deployment of its own, from stored renderings, needing nothing that may have failed.

use super::{DeploymentView, advance::touched, judge, load_locked, place, plan, read, transition};
use crate::{Error, Tx, record};
use serde_json::json;
use slipway_domain::{
    Digest,
    deployment::{Deployment, Kind, NotAllowed, State, StateName, Transition},
    identity::{Actor, Permission},
    ids::{DeploymentId, DeploymentTargetId, Fresh as _, PrincipalId},
    plan::target::Intent,
    registry::TargetNow,
    render::Rendering,
};
use slipway_store::{
    deployment_targets,
    deployments::{self, Row},
    releases, renderings, targets, work,
};

/// Rolls a deployment back by hand: to what ran on each of its targets before it.
///
/// # Errors
/// When its state has nothing to undo, or something newer runs there by now; without `deployment.roll_back`, the only
/// right it takes.
pub async fn rollback(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    reason: Option<String>,
) -> Result<DeploymentView, Error> {
    let row = load_locked(tx, actor, reference).await?;
    actor.require(Permission::DeploymentRollBack, &place(&row.deployment))?;
    let state = row.deployment.state.name();
    let possible = matches!(
        state,
        StateName::Running
            | StateName::Paused
            | StateName::Succeeded
            | StateName::Failed
            | StateName::Errored
            | StateName::Cancelled
    );
    if !possible {
        return Err(NotAllowed {
            state,
            verb: "rolled back",
        }
        .into());
    }
    if row.deployment.kind == Kind::RollBack && !state.is_terminal() {
        return Err(Error::conflict(
            "deployment-state",
            format!(
                "a rollback that is {state} cannot be rolled back; cancel it, and then undo it by a rollback of its own"
            ),
        ));
    }
    if row.deployment.kind == Kind::Heal {
        return Err(Error::conflict(
            "nothing-to-roll-back",
            "a heal brought nothing new, so there is nothing to undo; roll back the deployment that it healed",
        ));
    }
    let targets = deployment_targets::of(tx, row.deployment.id).await?;
    let reason = reason
        .filter(|r| !r.trim().is_empty())
        .unwrap_or_else(|| format!("rolled back by {}", record::actor_name(actor)));
    match start(tx, &row, &targets, &reason, Some(actor)).await? {
        Some(id) => read::view_of(tx, id).await,
        None => Err(Error::conflict(
            "nothing-to-roll-back",
            format!(
                "{} has changed nothing on any target, so there is nothing to undo",
                row.deployment.id
            ),
        )),
    }
}

struct Undo {
    new: deployment_targets::New,
    back_to: Option<TargetNow>,
}

/// Starts a rollback of a locked deployment; `None` when it has touched nothing.
///
/// # Errors
/// When something newer runs on one of its targets.
pub(crate) async fn start(
    tx: &mut Tx,
    row: &Row,
    its_targets: &[deployment_targets::Row],
    reason: &str,
    actor: Option<&Actor>,
) -> Result<Option<DeploymentId>, Error> {
    let undone = &row.deployment;
    let mut undo = Vec::new();
    let mut content = Vec::new();
    for target_row in its_targets {
        if !touched(tx, target_row).await? {
            continue;
        }
        let target = targets::get(tx, target_row.target.target)
            .await?
            .ok_or_else(|| Error::internal(format!("target {} is gone", target_row.target.target)))?;
        check_newest(undone, target_row, &target.target)?;
        let one = undo_target(tx, target_row).await?;
        undo.push(one);
        content.push((target.target, target_row.target.cluster_name.clone()));
    }
    if undo.is_empty() {
        return Ok(None);
    }
    // A rollback is called after the release it brings back, where all targets go back to the same one.
    let mut releases_back: Vec<_> = undo
        .iter()
        .map(|u| u.back_to.as_ref().map(|b| b.release))
        .collect();
    releases_back.sort();
    releases_back.dedup();
    let release = match releases_back.as_slice() {
        [Some(id)] => releases::get(tx, *id).await?,
        _ => None,
    };
    let parts: Vec<_> = content
        .iter()
        .zip(&undo)
        .map(|((t, cluster), u)| (t, cluster, &u.new))
        .collect();
    let plan_digest = plan::digest(&undone.environment_name, &parts)?;
    let requested_by = actor.map_or(undone.requested_by, |a| a.principal.id);
    let new = rollback_row(tx, row, release.as_ref(), plan_digest, requested_by, reason)?;
    let id = new.deployment.id;
    deployments::insert(tx, &new).await?;
    let targets_new: Vec<_> = undo.into_iter().map(|u| u.new).collect();
    deployment_targets::insert(tx, id, &targets_new).await?;
    let message = format!(
        "rolls {} in {} back to {}: {reason}",
        undone.release_name(),
        undone.environment_name,
        new.deployment.release_name()
    );
    let change = record::Change::of(&new.deployment, "deployment.request", message)
        .with(json!({ "rolls_back": undone.id, "plan_digest": plan_digest, "targets": targets_new.len() }));
    match actor {
        Some(actor) => record::change(tx, actor, change).await?,
        None => record::by_system(tx, change).await?,
    }
    if matches!(undone.state, State::Running { .. } | State::Paused { .. }) {
        let transition = Transition::RollBack {
            reason: reason.to_owned(),
            by: id,
        };
        transition::apply(tx, row, transition, actor).await?;
        work::drop_idle(tx, undone.id).await?;
        let why = "the deployment is rolled back";
        deployment_targets::end_rest(
            tx,
            undone.id,
            slipway_domain::deployment::TargetState::Cancelled,
            why,
        )
        .await?;
    } else {
        deployments::set_rolled_back_by(tx, undone.id, id).await?;
    }
    judge::judge(tx, id).await?;
    Ok(Some(id))
}

/// Only the newest deployment on a target can be undone, or one whose rendering still runs because what came after it was
/// undone: anything else rests on it.
fn check_newest(
    undone: &Deployment,
    row: &deployment_targets::Row,
    target: &slipway_domain::registry::Target,
) -> Result<(), Error> {
    let still_runs = target
        .now
        .as_ref()
        .is_some_and(|now| now.rendering == row.target.rendering);
    if row.target.generation == Some(target.generation) || still_runs {
        return Ok(());
    }
    let newer = target.now.as_ref().filter(|now| now.deployment != undone.id);
    let what = newer.map_or_else(
        || "a newer deployment".to_owned(),
        |now| now.deployment.to_string(),
    );
    Err(Error::conflict(
        "newer-deployment",
        format!(
            "{what} has been at work on {} since; roll that one back",
            row.target.cluster_name
        ),
    ))
}

async fn undo_target(tx: &mut Tx, row: &deployment_targets::Row) -> Result<Undo, Error> {
    let (intent, rendering, release) = if let Some(previous) = &row.previous {
        (Intent::RollBack, previous.rendering, Some(previous.release))
    } else {
        let empty = Rendering {
            objects: Vec::new(),
            hooks: Vec::new(),
        };
        renderings::put(tx, empty.digest(), &empty).await?;
        (Intent::Clean, empty.digest(), None)
    };
    let new = deployment_targets::New {
        id: DeploymentTargetId::fresh(),
        target: row.target.target,
        wave: 0,
        intent,
        release,
        rendering,
    };
    Ok(Undo {
        new,
        back_to: row.previous.clone(),
    })
}

fn rollback_row(
    tx: &Tx,
    undone: &Row,
    release: Option<&slipway_domain::release::Release>,
    plan_digest: Digest,
    requested_by: PrincipalId,
    reason: &str,
) -> Result<Row, Error> {
    let d = &undone.deployment;
    let expires_at = tx
        .now
        .checked_add(undone.settings.expires_after)
        .map_err(Error::internal)?;
    Ok(Row {
        deployment: Deployment {
            id: DeploymentId::fresh(),
            kind: Kind::RollBack,
            release: release.map(|r| r.id),
            release_version: release.map(|r| r.version.clone()),
            release_digest: release.and_then(|r| r.state.seal()).map(|s| s.digest),
            plan_digest,
            requested_by,
            reason: Some(reason.to_owned()),
            not_before: None,
            expires_at,
            rolls_back: Some(d.id),
            retries: None,
            state: State::Pending,
            since: tx.now,
            revision: 1,
            created_at: tx.now,
            ..d.clone()
        },
        settings: undone.settings.clone(),
        gates: Vec::new(),
        rolled_back_by: None,
        traceparent: undone.traceparent.clone(),
    })
}
