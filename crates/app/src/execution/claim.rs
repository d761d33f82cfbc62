//! Claiming work. The first claim of a deployment admits it: its gates are judged in this very transaction, and nowhere
//! else does a deployment begin to run.

use super::{MAX_ATTEMPTS, give_up, known::Known};
use crate::{
    App, Error, Tx,
    deployments::{advance, judge, transition},
    measure, policies,
};
use jiff::SignedDuration;
use slipway_domain::{
    deployment::{Kind, State, StateName, Transition},
    gates,
    ids::WorkId,
    ports::ClaimRequest,
    work::{Assignment, Lease},
};
use slipway_store::{
    deployment_targets,
    deployments::{self, Row},
    renderings, steps, targets, work,
};
use slipway_telemetry::trace;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Instant,
};
use tracing::Instrument as _;

/// Claims work that is due.
pub(super) async fn claim(
    app: &App,
    horizon: work::Horizon,
    request: &ClaimRequest,
) -> Result<Vec<Assignment>, Error> {
    for _ in 0..MAX_POSTPONED {
        let (unit, error) = match claim_due(app, horizon, request).await? {
            Claimed::Work(assignments) => return Ok(assignments),
            Claimed::Cannot(unit, error) => (unit, error),
        };
        tracing::error!(error = &error as &dyn std::error::Error, work = %unit, "work cannot be claimed");
        let mut tx = app.begin().await?;
        work::postpone(&mut tx, unit, POSTPONED_BY, &in_full(&error)).await?;
        tx.commit().await?;
    }
    Ok(Vec::new())
}

/// How many units one claim takes at most. Their leases run while each is put together, its rendering read and checked, and
/// nobody can extend them before all are committed: 32 took up to 7 s of 15 on two cores with three busy loops beside it.
const MOST_AT_ONCE: u32 = 32;
/// How many units that cannot be claimed one claim puts off before it comes back empty.
const MAX_POSTPONED: usize = 20;
/// For how long.
const POSTPONED_BY: SignedDuration = SignedDuration::from_secs(30);

/// What one transaction came to.
enum Claimed {
    /// Committed: this is claimed.
    Work(Vec<Assignment>),
    /// Rolled back, because of one unit: it must not keep the others from being claimed.
    Cannot(WorkId, Error),
}

/// The source says more than the sentence for users.
fn in_full(error: &Error) -> String {
    match error {
        Error::Internal(source) => source.to_string(),
        other => other.to_string(),
    }
}

async fn claim_due(app: &App, horizon: work::Horizon, request: &ClaimRequest) -> Result<Claimed, Error> {
    let began = Instant::now();
    let mut tx = app.begin().await?;
    let most = share(&mut tx, app, request).await?.min(MOST_AT_ONCE);
    if most == 0 {
        return Ok(Claimed::Work(Vec::new()));
    }
    let due = work::due_since(&mut tx, horizon, most, &request.cluster_labels).await?;
    if due.is_empty() {
        return Ok(Claimed::Work(Vec::new()));
    }
    let mut go = Vec::new();
    let mut rows: BTreeMap<_, Option<Row>> = BTreeMap::new();
    for unit in due {
        if let Entry::Vacant(place) = rows.entry(unit.deployment) {
            place.insert(match admitted(&mut tx, &unit).await {
                Err(error @ Error::Internal(_)) => return Ok(Claimed::Cannot(unit.id, error)),
                other => other?,
            });
        }
        if rows.get(&unit.deployment).is_some_and(Option::is_some) {
            go.push(unit);
        }
    }
    let ids: Vec<_> = go.iter().map(|unit| unit.id).collect();
    let leases = work::lease(&mut tx, &ids, &request.holder, request.lease).await?;
    let mut assignments = Vec::with_capacity(go.len());
    let mut poison = Vec::new();
    let mut known = Known::default();
    for unit in &go {
        let (Some(lease), Some(Some(row))) = (leases.get(&unit.id), rows.get(&unit.deployment)) else {
            continue;
        };
        match assignment(&mut tx, app, &mut known, unit, row, lease).await {
            Ok(assignment) => assignments.push(assignment),
            // A credential that cannot be read is its cluster's trouble alone: nobody else's work may wait for it. Counted as an
            // attempt, so that the deployment ends some time.
            Err(error @ (Error::Internal(_) | Error::Cluster(_))) => {
                tracing::error!(error = &error as &dyn std::error::Error, work = %unit.id, "work cannot be put together");
                if work::give_back(
                    &mut tx,
                    lease,
                    POSTPONED_BY,
                    work::Failed::Counted(&in_full(&error)),
                )
                .await
                .is_err()
                {
                    return Ok(Claimed::Cannot(unit.id, error));
                }
                if unit.attempts + 1 >= MAX_ATTEMPTS {
                    poison.push((unit, error));
                }
            }
            Err(error) => return Err(error),
        }
    }
    tx.commit().await?;
    let took_ms = began.elapsed().as_millis();
    tracing::debug!(units = assignments.len(), took_ms, "claimed");
    for (unit, error) in poison {
        let reason = format!("given up after {MAX_ATTEMPTS} attempts: {}", in_full(&error));
        give_up(app, unit.deployment, unit.deployment_target, unit.id, &reason).await?;
    }
    Ok(Claimed::Work(assignments))
}

/// How much this claim takes at most: what others that are there have room for as well is not all taken by the first. What
/// they leave it takes a moment later.
async fn share(tx: &mut Tx, app: &App, request: &ClaimRequest) -> Result<u32, Error> {
    let executors = app.executors();
    if executors < 2 {
        return Ok(request.max);
    }
    let load = work::load(tx, &request.holder, &request.cluster_labels).await?;
    Ok(request.max.min(load.share(executors)))
}

/// The deployment of a unit of work, if it is running: admitted just now, or before.
async fn admitted(tx: &mut Tx, unit: &work::Due) -> Result<Option<Row>, Error> {
    match deployments::state(tx, unit.deployment).await? {
        Some(StateName::Running) => Ok(deployments::get(tx, unit.deployment).await?),
        Some(StateName::Queued) => admit(tx, unit).await,
        // Paused, or ended, while this was given back: it must neither be claimed nor take room among what is due.
        _ => {
            if let Some(row) = deployments::try_lock(tx, unit.deployment).await? {
                super::put_away(tx, &row).await?;
            }
            Ok(None)
        }
    }
}

/// Judges the gates and, when they hold, lets the deployment begin.
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
    let span = tracing::info_span!("app.deployment.admit", deployment = %unit.deployment);
    trace::continue_from(&span, row.traceparent.as_deref());
    judge_and_begin(tx, unit, &row).instrument(span).await
}

/// As [`admit`], of a deployment that is locked and queued, while nobody else admits one for the same place.
async fn judge_and_begin(tx: &mut Tx, unit: &work::Due, row: &Row) -> Result<Option<Row>, Error> {
    let facts = judge::facts(tx, row).await?;
    let gates = gates::evaluate(&facts, tx.now);
    measure::gates(tx, row, &gates);
    policies::keep(tx, &facts.policies).await?;
    deployments::set_gates(tx, unit.deployment, &gates, None).await?;
    let row = deployments::get(tx, unit.deployment)
        .await?
        .ok_or_else(|| Error::internal("a locked deployment is gone"))?;
    if !gates::all_satisfied(&gates) {
        tracing::info!(deployment = %unit.deployment, "a gate no longer holds at the claim");
        let transition = match gates::refusal(&gates) {
            // What waited too long is held, to expire at the next look: nobody refused it.
            Some(_) if tx.now >= row.deployment.expires_at => Transition::Hold,
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
    // Whatever else is queued for this place waits for this one from now on, and is to say so.
    deployments::look_again(tx, row.deployment.service).await?;
    if row.deployment.kind == Kind::Deploy {
        supersede_earlier(tx, &row).await?;
    }
    // Starts the first wave: the claimed unit is one of it, the others are enqueued.
    advance::advance(tx, unit.deployment).await?;
    deployments::get(tx, unit.deployment).await.map_err(Error::from)
}

/// What was asked for earlier and still waits must not come after this and take the environment back in time.
async fn supersede_earlier(tx: &mut Tx, row: &Row) -> Result<(), Error> {
    for id in deployments::earlier_waiting(tx, &row.deployment).await? {
        let Some(earlier) = deployments::try_lock(tx, id).await? else {
            continue;
        };
        let earlier = match earlier.deployment.state {
            State::Pending => earlier,
            // Its gates do not hold any more, for this one holds the environment now.
            State::Queued => transition::apply(tx, &earlier, Transition::Hold, None).await?,
            _ => continue,
        };
        let by = row.deployment.id;
        transition::apply(tx, &earlier, Transition::Supersede { by }, None).await?;
    }
    Ok(())
}

async fn assignment(
    tx: &mut Tx,
    app: &App,
    known: &mut Known,
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
    let (grants, connection) = known
        .cluster(tx, app, unit.cluster)
        .await?
        .cloned()
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
    let environment = known
        .environment(tx, row.deployment.environment)
        .await?
        .cloned()
        .ok_or_else(|| gone("the environment"))?;
    let release = match target_row.release {
        Some(id) => known.release(tx, id).await?,
        None => None,
    };
    let release_digest = release.as_ref().and_then(|r| r.digest).unwrap_or(digest);
    Ok(Assignment {
        lease: lease.clone(),
        deployment: unit.deployment,
        deployment_target: unit.deployment_target,
        target: unit.target,
        connection,
        grants,
        namespace: target_row.target.namespace.clone(),
        service: row.deployment.service_name.clone(),
        environment,
        release: release.map_or_else(|| row.deployment.release_name(), |r| r.name),
        release_digest,
        generation: target_row.target.generation.unwrap_or(target.target.generation),
        intent: target_row.target.intent,
        rendering: Arc::new(rendering),
        rendering_digest: digest,
        inventory: target.inventory,
        progress: steps::progress(tx, unit.deployment_target).await?,
        progress_deadline: row.settings.progress_deadline,
        force_conflicts: row.deployment.force_conflicts,
        heals: target_row.heals.clone(),
        attempts: unit.attempts,
        now: tx.now,
        traceparent: row.traceparent.clone(),
    })
}
