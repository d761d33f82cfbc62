//! Taking away what a former target still holds: a deployment of its own, through the one claim, like any rollback.
//!
//! A target is former when the service lands elsewhere by now: another was declared, its declaration was taken back, or the
//! environment lost the cluster. What runs there stays until somebody asks for this; nothing is ever cleaned by itself.

use super::{DeploymentView, judge, plan, read};
use crate::{Error, Tx, record, targets as targets_of};
use serde_json::json;
use slipway_domain::{
    deployment::{Deployment, Kind, State},
    identity::{Actor, Permission},
    ids::{DeploymentId, DeploymentTargetId, Fresh as _},
    plan::target::Intent,
    render::Rendering,
};
use slipway_store::{deployment_targets, deployments, environments, renderings, targets};

/// Asks for what a former target still holds to be taken away.
///
/// # Errors
/// `in-use` when the service lands there, or a deployment works on it; `conflict` when nothing is left on it; when there is
/// none that the actor may see; without `deployment.roll_back`, the only right it takes.
pub async fn clean(
    tx: &mut Tx,
    actor: &Actor,
    target: &str,
    reason: Option<String>,
) -> Result<DeploymentView, Error> {
    let view = targets_of::load(tx, actor, target).await?;
    actor.require(Permission::DeploymentRollBack, &targets_of::place(&view))?;
    let place = format!("{}/{}", view.cluster, view.target.namespace);
    if view.current {
        return Err(Error::conflict(
            "in-use",
            format!(
                "{place} is where {} lands in {}; only what is no target any more is cleaned",
                view.service, view.environment
            ),
        ));
    }
    if let Some(deployment) = targets::busy(tx, view.target.id).await? {
        return Err(Error::conflict(
            "in-use",
            format!("{deployment} works on {place}; wait for its end, or cancel it"),
        ));
    }
    if !view.holds {
        return Err(Error::conflict(
            "conflict",
            format!("{place} holds nothing of {} any more", view.service),
        ));
    }
    let environment = environments::get(tx, view.target.environment)
        .await?
        .ok_or_else(|| Error::internal(format!("environment {} is gone", view.target.environment)))?;
    let empty = Rendering {
        objects: Vec::new(),
        hooks: Vec::new(),
    };
    renderings::put(tx, empty.digest(), &empty).await?;
    let new = deployment_targets::New {
        id: DeploymentTargetId::fresh(),
        target: view.target.id,
        wave: 0,
        intent: Intent::Clean,
        release: None,
        rendering: empty.digest(),
    };
    let plan_digest = plan::digest(&environment.name, &[(&view.target, &view.cluster, &new)])?;
    let expires_at = tx
        .now
        .checked_add(environment.settings.expires_after)
        .map_err(Error::internal)?;
    let reason = reason
        .filter(|r| !r.trim().is_empty())
        .unwrap_or_else(|| format!("cleaned by {}", record::actor_name(actor)));
    let row = deployments::Row {
        deployment: Deployment {
            id: DeploymentId::fresh(),
            kind: Kind::RollBack,
            service: view.target.service,
            service_name: view.service.clone(),
            team: view.team,
            environment: environment.id,
            environment_name: environment.name.clone(),
            release: None,
            release_version: None,
            release_digest: None,
            plan_digest,
            requested_by: actor.principal.id,
            reason: Some(reason.clone()),
            not_before: None,
            expires_at,
            rolls_back: None,
            retries: None,
            force_conflicts: false,
            state: State::Pending,
            since: tx.now,
            revision: 1,
            created_at: tx.now,
        },
        settings: environment.settings,
        gates: Vec::new(),
        rolled_back_by: None,
        traceparent: actor.traceparent.clone(),
    };
    deployments::insert(tx, &row).await?;
    deployment_targets::insert(tx, row.deployment.id, &[new]).await?;
    let message = format!(
        "takes away what {place} still holds of {} in {}: {reason}",
        view.service, view.environment
    );
    let change = record::Change::of(&row.deployment, "deployment.request", message).with(json!({
        "cleans": view.target.id, "cluster": view.cluster, "namespace": view.target.namespace, "runs": view.runs,
        "plan_digest": plan_digest, "targets": 1,
    }));
    record::change(tx, actor, change).await?;
    judge::judge(tx, row.deployment.id).await?;
    read::view_of(tx, row.deployment.id).await
}
