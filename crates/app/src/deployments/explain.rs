//! Why a deployment is not moving, who can move it, and when it will move by itself.

use super::load;
use crate::{Error, Tx};
use jiff::Timestamp;
use slipway_domain::{
    deployment::{State, StateName, TargetState},
    gates::Verdict,
    identity::Actor,
    ids::{DeploymentId, DeploymentTargetId},
};
use slipway_store::{deployment_targets, deployments::Row, work};
use std::collections::BTreeMap;

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

/// What keeps a deployment from going on; nothing once it has ended.
pub(super) fn blockers(row: &Row, targets: &[deployment_targets::Row], queue: &Queue) -> Vec<Blocker> {
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
            vec![Blocker::new(
                "executor",
                "waiting for an executor to claim it",
                "a running executor with room",
            )]
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
        State::Running { .. } => running(targets, queue),
        _ => Vec::new(),
    }
}

fn running(targets: &[deployment_targets::Row], queue: &Queue) -> Vec<Blocker> {
    let mut all = Vec::new();
    for row in targets
        .iter()
        .filter(|row| row.target.state == TargetState::Running)
    {
        let name = &row.target.cluster_name;
        let step = row.step.as_deref().unwrap_or("its first step");
        let (reason, by) = match queue.get(&row.target.id) {
            Some((_, attempts, Some(error))) if *attempts > 0 => (
                format!("{name}: tried {attempts} times: {error}"),
                "another try, by itself",
            ),
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
    let blockers = blockers(&row, &targets, &queue);
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
