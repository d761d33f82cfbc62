//! Claiming work. The first claim of a deployment admits it: its gates are judged in this very transaction, and nowhere
//! else does a deployment begin to run.

use crate::{
    App, Error, Tx, clusters,
    deployments::{advance, judge, transition},
};
use slipway_domain::{
    deployment::{Kind, State, Transition},
    gates,
    ports::ClaimRequest,
    registry::Environment,
    work::{Assignment, Lease},
};
use slipway_store::{
    approvals, deployment_targets,
    deployments::{self, Row},
    environments, releases, renderings, steps, targets, work,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

/// Claims work that is due.
pub(super) async fn claim(app: &App, request: &ClaimRequest) -> Result<Vec<Assignment>, Error> {
    let mut tx = app.begin().await?;
    let due = work::due(&mut tx, request.max, &request.cluster_labels).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut go = Vec::new();
    let mut rows: BTreeMap<_, Option<Row>> = BTreeMap::new();
    for unit in due {
        let row = match rows.entry(unit.deployment) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(admitted(&mut tx, &unit).await?),
        };
        if row.is_some() {
            go.push(unit);
        }
    }
    let ids: Vec<_> = go.iter().map(|unit| unit.id).collect();
    let leases = work::lease(&mut tx, &ids, &request.holder, request.lease).await?;
    let mut assignments = Vec::with_capacity(go.len());
    for unit in &go {
        let (Some(lease), Some(Some(row))) = (leases.get(&unit.id), rows.get(&unit.deployment)) else {
            continue;
        };
        match assignment(&mut tx, app, unit, row, lease).await {
            Ok(assignment) => assignments.push(assignment),
            // One unit that cannot be put together must not keep the others from being claimed.
            Err(error @ Error::Internal(_)) => {
                tracing::error!(error = &error as &dyn std::error::Error, work = %unit.id, "work cannot be claimed");
                let text = match &error {
                    Error::Internal(source) => source.to_string(),
                    other => other.to_string(),
                };
                work::give_back(&mut tx, lease, jiff::SignedDuration::from_secs(30), Some(&text)).await?;
            }
            Err(error) => return Err(error),
        }
    }
    tx.commit().await?;
    Ok(assignments)
}

/// The deployment of a unit of work, if it may be worked on: running already, or admitted now.
async fn admitted(tx: &mut Tx, unit: &work::Due) -> Result<Option<Row>, Error> {
    match deployments::state(tx, unit.deployment).await? {
        Some(slipway_domain::deployment::StateName::Running) => {
            Ok(deployments::get(tx, unit.deployment).await?)
        }
        Some(slipway_domain::deployment::StateName::Queued) => admit(tx, unit).await,
        // Paused, or ended: whoever did that takes the work away, and this may be a moment before it.
        _ => Ok(None),
    }
}

/// Admits a queued deployment, or sends it back to wait.
async fn admit(tx: &mut Tx, unit: &work::Due) -> Result<Option<Row>, Error> {
    // Somebody who holds the deployment (a cancel, say) may wait for this unit of work: never wait for them here.
    let Some(row) = deployments::try_lock(tx, unit.deployment).await? else {
        return Ok(None);
    };
    if row.deployment.state != State::Queued {
        return Ok(None);
    }
    // Two deployments of one service to one environment are admitted one after the other, never at the same time.
    let place = format!(
        "slipway:admit:{}:{}",
        row.deployment.service, row.deployment.environment
    );
    if !tx.try_lock(&place).await? {
        return Ok(None);
    }
    let facts = judge::facts(tx, &row).await?;
    let gates = gates::evaluate(&facts, tx.now);
    deployments::set_gates(tx, unit.deployment, &gates, None).await?;
    let row = deployments::get(tx, unit.deployment)
        .await?
        .ok_or_else(|| Error::internal("a locked deployment is gone"))?;
    if !gates::all_satisfied(&gates) {
        tracing::info!(deployment = %unit.deployment, "a gate no longer holds at the claim");
        let transition = match gates::refusal(&gates) {
            Some(gate) => Transition::Reject {
                reason: format!("{}: {}", gate.name, gate.verdict.reason()),
            },
            None => Transition::Hold,
        };
        transition::apply(tx, &row, transition, None).await?;
        judge::unqueue(tx, &row).await?;
        return Ok(None);
    }
    let row = transition::apply(tx, &row, Transition::Admit, None).await?;
    if row.deployment.kind == Kind::Deploy {
        supersede_earlier(tx, &row).await?;
    }
    // Starts the first wave: the claimed unit is one of it, the others are enqueued.
    advance::advance(tx, unit.deployment).await?;
    deployments::get(tx, unit.deployment).await.map_err(Error::from)
}

/// What was asked for earlier and still waits must not come after this and take the environment back in time.
async fn supersede_earlier(tx: &mut Tx, row: &Row) -> Result<(), Error> {
    for id in deployments::earlier_pending(tx, &row.deployment).await? {
        let Some(earlier) = deployments::try_lock(tx, id).await? else {
            continue;
        };
        if earlier.deployment.state == State::Pending {
            transition::apply(
                tx,
                &earlier,
                Transition::Supersede {
                    by: row.deployment.id,
                },
                None,
            )
            .await?;
            approvals::withdraw(tx, id).await?;
        }
    }
    Ok(())
}

async fn assignment(
    tx: &mut Tx,
    app: &App,
    unit: &work::Due,
    row: &Row,
    lease: &Lease,
) -> Result<Assignment, Error> {
    let gone = |what: &str| Error::internal(format!("{what} of work {} is gone", unit.id));
    deployment_targets::begin(tx, unit.deployment_target).await?;
    let target_row = deployment_targets::get(tx, unit.deployment_target)
        .await?
        .ok_or_else(|| gone("the deployment's target"))?;
    let target = targets::get(tx, unit.target)
        .await?
        .ok_or_else(|| gone("the target"))?;
    let cluster = slipway_store::clusters::get(tx, unit.cluster)
        .await?
        .ok_or_else(|| gone("the cluster"))?;
    let digest = target_row.target.rendering;
    let rendering = renderings::get(tx, digest)
        .await?
        .ok_or_else(|| gone("the rendering"))?;
    if rendering.digest() != digest {
        // Invariant 1: what runs is what was sealed and approved. A rendering that was altered is never applied.
        return Err(Error::internal(format!(
            "rendering {digest} is not what was stored: it was altered"
        )));
    }
    let environment: Environment = environments::get(tx, row.deployment.environment)
        .await?
        .ok_or_else(|| gone("the environment"))?;
    let release = match target_row.release {
        Some(id) => releases::get(tx, id).await?,
        None => None,
    };
    let release_digest = release
        .as_ref()
        .and_then(|r| r.state.seal())
        .map_or(digest, |seal| seal.digest);
    Ok(Assignment {
        lease: lease.clone(),
        deployment: unit.deployment,
        deployment_target: unit.deployment_target,
        target: unit.target,
        connection: clusters::connection(tx, app, unit.cluster).await?,
        grants: cluster.grants,
        namespace: target_row.target.namespace.clone(),
        service: row.deployment.service_name.clone(),
        environment: environment.name,
        release: release.map_or_else(|| row.deployment.release_name(), |r| r.display_name()),
        release_digest,
        generation: target_row.target.generation.unwrap_or(target.target.generation),
        intent: target_row.target.intent,
        rendering: Arc::new(rendering),
        rendering_digest: digest,
        inventory: target.inventory,
        progress: steps::progress(tx, unit.deployment_target).await?,
        progress_deadline: row.settings.progress_deadline,
        force_conflicts: row.deployment.force_conflicts,
        attempts: unit.attempts,
        now: tx.now,
        traceparent: row.traceparent.clone(),
    })
}
