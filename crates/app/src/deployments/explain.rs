//! Why a deployment is not moving, who can move it, and when it will move by itself.

use super::load;
use crate::{Error, Tx, servers::Hands};
use jiff::Timestamp;
use slipway_domain::{
    counted,
    deployment::{State, StateName, TargetState},
    gates::Verdict,
    identity::Actor,
    ids::{DeploymentId, DeploymentTargetId},
};
use slipway_store::{deployment_targets, deployments::Row, work};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Something that keeps a deployment from going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// A gate's name, or `target`, `pause`, `executor`, `rollback`, `soak`.
    pub kind: String,
    /// What is being waited for.
    pub reason: String,
    /// When it will move by itself, if that is known.
    pub until: Option<Timestamp>,
    /// Who or what can make it move.
    pub unblocked_by: Option<String>,
}

impl Blocker {
    fn new(kind: &str, reason: impl Into<String>, unblocked_by: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            reason: reason.into(),
            until: None,
            unblocked_by: Some(unblocked_by.into()),
        }
    }
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its state.
    pub state: StateName,
    /// In one or two sentences.
    pub summary: String,
    /// What keeps it from going on.
    pub blockers: Vec<Blocker>,
    /// What is allowed in this state.
    pub allowed: Vec<String>,
}

type Queue = BTreeMap<DeploymentTargetId, (String, u32, Option<String>)>;

/// Who could take the work of these deployments: asked only of those that an executor must take on.
pub(super) async fn hands(
    tx: &mut Tx,
    rows: &[Row],
    targets: &HashMap<DeploymentId, Vec<deployment_targets::Row>>,
) -> Result<Hands, Error> {
    let waiting = rows
        .iter()
        .filter(|row| matches!(row.deployment.state, State::Queued | State::Running { .. }));
    let clusters: BTreeSet<_> = waiting
        .filter_map(|row| targets.get(&row.deployment.id))
        .flatten()
        .map(|target| target.target.cluster)
        .collect();
    Hands::of(tx, &clusters).await
}

/// What keeps a deployment from going on; nothing once it has ended.
pub(super) fn blockers(
    row: &Row,
    targets: &[deployment_targets::Row],
    queue: &Queue,
    hands: &Hands,
) -> Vec<Blocker> {
    match &row.deployment.state {
        State::Pending => row
            .gates
            .iter()
            .filter_map(|gate| match &gate.verdict {
                Verdict::Satisfied { .. } => None,
                Verdict::Waiting {
                    reason,
                    until,
                    unblocked_by,
                } => Some(Blocker {
                    kind: gate.name.to_string(),
                    reason: reason.clone(),
                    until: *until,
                    unblocked_by: Some(unblocked_by.clone()),
                }),
                Verdict::Refused { reason } => Some(Blocker {
                    kind: gate.name.to_string(),
                    reason: reason.clone(),
                    until: None,
                    unblocked_by: None,
                }),
            })
            .collect(),
        State::Queued => {
            let queued = targets.iter().filter(|row| queue.contains_key(&row.target.id));
            let mut lacking: Vec<Blocker> = queued
                .filter_map(|row| newer(row, queue).or_else(|| lacking(row, hands)))
                .collect();
            if lacking.is_empty() {
                lacking.push(Blocker::new(
                    "executor",
                    "waiting for an executor to claim it",
                    "a running executor with room",
                ));
            }
            lacking
        }
        State::Paused { reason, .. } => {
            let id = row.deployment.id;
            vec![Blocker::new(
                "pause",
                format!("paused: {reason}"),
                format!("an operator: slipway deploy resume {id}"),
            )]
        }
        State::RollingBack { by, reason, .. } => {
            vec![Blocker::new(
                "rollback",
                format!("being rolled back: {reason}"),
                format!("the end of {by}"),
            )]
        }
        State::Running { .. } => running(targets, queue, hands),
        _ => Vec::new(),
    }
}

/// What says that nobody can take the work of this target, if so it is.
fn lacking(row: &deployment_targets::Row, hands: &Hands) -> Option<Blocker> {
    let (reason, by) = hands.lacking(row.target.cluster, row.target.cluster_name.as_str())?;
    Some(Blocker::new("executor", reason, by))
}

/// What says that the work of this target waits for a newer server, if it does.
fn newer(row: &deployment_targets::Row, queue: &Queue) -> Option<Blocker> {
    queue
        .get(&row.target.id)
        .filter(|(state, ..)| state == "unknown")
        .map(|_| {
            let reason = format!(
                "{}: its work is of a kind that this server does not know: a newer one put it in the queue",
                row.target.cluster_name
            );
            Blocker::new("executor", reason, "an executor of the newer version")
        })
}

fn running(targets: &[deployment_targets::Row], queue: &Queue, hands: &Hands) -> Vec<Blocker> {
    let mut all = Vec::new();
    for row in targets
        .iter()
        .filter(|row| row.target.state == TargetState::Running)
    {
        if let Some(blocker) = newer(row, queue) {
            all.push(blocker);
            continue;
        }
        let waits = queue
            .get(&row.target.id)
            .is_some_and(|(state, ..)| state == "ready");
        if let Some(blocker) = lacking(row, hands).filter(|_| waits) {
            all.push(blocker);
            continue;
        }
        let name = &row.target.cluster_name;
        let step = row.step.as_deref().unwrap_or("its first step");
        let (reason, by) = match queue.get(&row.target.id) {
            Some((state, _, Some(error))) if state == "parked" => (
                format!("{name}: parked: {error}"),
                "other connection details for the cluster, or an operator: `slipway deploy resume`",
            ),
            Some((_, attempts, Some(error))) if *attempts > 0 => (
                format!("{name}: tried {}: {error}", counted(*attempts, "time", "times")),
                "another try, by itself",
            ),
            Some((_, 0, Some(error))) => (format!("{name}: {error}"), "time: it goes on by itself"),
            _ => match &row.target.readiness.reason {
                Some(reason) => (
                    format!("{name}: {reason}"),
                    "the workloads, or the progress deadline",
                ),
                None => (format!("{name}: at {step}"), "the executor"),
            },
        };
        all.push(Blocker::new("target", reason, by));
    }
    if all.is_empty() && targets.iter().any(|row| row.target.state == TargetState::Waiting) {
        all.push(Blocker::new("soak", "the wave before is soaking", "time"));
    }
    all
}

/// Explains a deployment.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn explain(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Explanation, Error> {
    let row = load(tx, actor, reference).await?;
    let d = &row.deployment;
    let targets = deployment_targets::of(tx, d.id).await?;
    let queue = work::of_deployment(tx, d.id).await?;
    let clusters = targets.iter().map(|row| row.target.cluster).collect();
    let hands = match d.state {
        State::Queued | State::Running { .. } => Hands::of(tx, &clusters).await?,
        _ => Hands::default(),
    };
    let blockers = blockers(&row, &targets, &queue, &hands);
    let state = d.state.name();
    let mut summary = format!("{} to {} is {state}", d.release_name(), d.environment_name);
    if let Some(reason) = d.state.reason() {
        summary = format!("{summary}: {reason}");
    } else if let [first, rest @ ..] = blockers.as_slice() {
        summary = format!("{summary}: {}", first.reason);
        if !rest.is_empty() {
            summary = format!("{summary} (and {} more)", rest.len());
        }
    }
    let allowed: &[&str] = match state {
        StateName::Pending | StateName::Queued => &["cancel"],
        StateName::Running if queue.values().any(|(state, ..)| state == "parked") => {
            &["pause", "resume", "cancel", "rollback"]
        }
        StateName::Running => &["pause", "cancel", "rollback"],
        StateName::Paused => &["resume", "cancel", "rollback"],
        StateName::Succeeded => &["rollback"],
        StateName::Failed | StateName::Errored | StateName::Cancelled => &["retry", "rollback"],
        StateName::RolledBack | StateName::Expired => &["retry"],
        StateName::RollingBack | StateName::Rejected | StateName::Superseded => &[],
    };
    Ok(Explanation {
        deployment: d.id,
        state,
        summary,
        blockers,
        allowed: allowed.iter().map(|&verb| verb.to_owned()).collect(),
    })
}
