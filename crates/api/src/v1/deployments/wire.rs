//! Deployments as they go over the wire.

use slipway_api_types::deployment::{Blocker, Deployment, DeploymentTarget, FormerTarget, Gate};
use slipway_app::{
    deployments::{self, DeploymentView},
    targets::{TargetView, left_behind},
};
use slipway_domain::{
    deployment::State,
    gates::{self, Verdict},
    plan::target::Intent,
};

pub(super) fn deployment(view: &DeploymentView) -> Deployment {
    let d = &view.row.deployment;
    let ended = d.state.ended();
    Deployment {
        id: d.id.to_string(),
        kind: d.kind.as_str().to_owned(),
        service: d.service_name.to_string(),
        environment: d.environment_name.to_string(),
        release: d.release_version.as_ref().map(|_| d.release_name()),
        release_id: d.release.map(|id| id.to_string()),
        release_digest: d.release_digest.map(|digest| digest.to_string()),
        plan_digest: d.plan_digest.to_string(),
        state: d.state.name().as_str().to_owned(),
        since: d.since,
        reason: d.state.reason().map(str::to_owned),
        request_reason: d.reason.clone(),
        requested_by: view.requested_by.clone(),
        not_before: d.not_before,
        expires_at: d.expires_at,
        gates: view.row.gates.iter().map(gate).collect(),
        blockers: view.blockers.iter().map(blocker).collect(),
        targets: targets(view),
        former_targets: view.former.iter().filter_map(former).collect(),
        overridden: view
            .row
            .gates
            .iter()
            .filter(|gate| gates::overrides::is_overridden(gate))
            .map(|gate| gate.name.to_string())
            .collect(),
        approval: view.approval.map(|id| id.to_string()),
        approval_afterwards: view.approval_afterwards.map(|id| id.to_string()),
        rolls_back: d.rolls_back.map(|id| id.to_string()),
        rolled_back_by: view
            .row
            .rolled_back_by
            .or(undone_by(&d.state))
            .map(|id| id.to_string()),
        retries: d.retries.map(|id| id.to_string()),
        force_conflicts: d.force_conflicts,
        created_at: d.created_at,
        started_at: d.state.started_at(),
        finished_at: ended.map(|ended| ended.finished_at),
    }
}

fn former(view: &TargetView) -> Option<FormerTarget> {
    Some(FormerTarget {
        id: view.target.id.to_string(),
        cluster: view.cluster.to_string(),
        namespace: view.target.namespace.to_string(),
        runs: view.runs.clone(),
        message: left_behind(view)?,
    })
}

fn undone_by(state: &State) -> Option<slipway_domain::ids::DeploymentId> {
    match state {
        State::RollingBack { by, .. } => Some(*by),
        _ => None,
    }
}

pub(super) fn gate(gate: &gates::Gate) -> Gate {
    let (verdict, until, unblocked_by) = match &gate.verdict {
        Verdict::Satisfied { .. } => ("satisfied", None, None),
        Verdict::Waiting {
            until, unblocked_by, ..
        } => ("waiting", *until, Some(unblocked_by.clone())),
        Verdict::Refused { .. } => ("refused", None, None),
    };
    Gate {
        name: gate.name.as_str().to_owned(),
        verdict: verdict.to_owned(),
        reason: gate.verdict.reason().to_owned(),
        until,
        unblocked_by,
        inputs: gate.inputs.clone(),
    }
}

pub(super) fn blocker(blocker: &deployments::Blocker) -> Blocker {
    Blocker {
        kind: blocker.kind.clone(),
        reason: blocker.reason.clone(),
        until: blocker.until,
        unblocked_by: blocker.unblocked_by.clone(),
    }
}

pub(super) fn targets(view: &DeploymentView) -> Vec<DeploymentTarget> {
    view.targets
        .iter()
        .map(|row| {
            let target = &row.target;
            let intent = match target.intent {
                Intent::Apply => "apply",
                Intent::RollBack => "roll_back",
                Intent::Clean => "clean",
                Intent::Heal => "heal",
            };
            DeploymentTarget {
                id: target.id.to_string(),
                cluster: target.cluster_name.to_string(),
                namespace: target.namespace.to_string(),
                wave: target.wave_name.clone(),
                intent: intent.to_owned(),
                state: target.state.as_str().to_owned(),
                step: row.step.clone(),
                ready: target.readiness.ready,
                total: target.readiness.total,
                reason: target.reason.clone().or_else(|| target.readiness.reason.clone()),
                rendering: target.rendering.to_string(),
                generation: target.generation,
                drift: view.drift.get(&target.target).copied().unwrap_or(0),
                started_at: target.started_at,
                finished_at: target.finished_at,
            }
        })
        .collect()
}
