//! What the record tells of deployments and approvals, as far as it was read: a few bytes for each.

use super::finding;
use serde_json::Value;
use slipway_domain::{
    approval::ApprovalState,
    audit::Entry,
    deployment::StateName,
    doctor::{
        Invariant, Report,
        history::{self, Move},
    },
    ids::{ApprovalId, DeploymentId},
};
use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
};

/// What the record tells of a deployment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) state: StateName,
    /// Whether its changes of state did not join, as they come.
    pub(super) odd: bool,
    pub(super) asked: u8,
    pub(super) admitted: u8,
    /// Fingerprints of the digests that its entries name; 0 for none.
    pub(super) release: u64,
    pub(super) plan: u64,
    /// Whether entries name different ones.
    pub(super) torn: bool,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            state: StateName::Pending,
            odd: false,
            asked: 0,
            admitted: 0,
            release: 0,
            plan: 0,
            torn: false,
        }
    }
}

/// What the record tells, as far as it was read.
#[derive(Default)]
pub(super) struct Story {
    pub(super) deployments: HashMap<DeploymentId, Told>,
    pub(super) approvals: HashMap<ApprovalId, (Option<ApprovalState>, u32)>,
}

/// Stands for a text that is only compared.
pub(super) fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish().max(1)
}

impl Told {
    fn names(&mut self, data: &Value) {
        for (key, kept) in [
            ("release_digest", &mut self.release),
            ("plan_digest", &mut self.plan),
        ] {
            if let Some(named) = data[key].as_str() {
                let print = fingerprint(named);
                self.torn |= *kept != 0 && *kept != print;
                *kept = print;
            }
        }
    }
}

impl Story {
    /// Takes an entry in.
    pub(super) fn read(&mut self, entry: &Entry, report: &mut Report) {
        let data = &entry.data["data"];
        if entry.action.starts_with("approval.") {
            self.approval(&entry.action, data);
        }
        if !entry.action.starts_with("deployment.") {
            return;
        }
        let Ok(id) = entry.subject.parse::<DeploymentId>() else {
            return;
        };
        let told = self.deployments.entry(id).or_default();
        if entry.action == "deployment.request" {
            told.asked = told.asked.saturating_add(1);
            told.names(data);
            return;
        }
        let (Some(from), Some(to)) = (data["from"].as_str(), data["to"].as_str()) else {
            return;
        };
        told.names(data);
        match (from.parse::<StateName>(), to.parse::<StateName>()) {
            (Ok(from), Ok(to)) => {
                let step = Move { from, to };
                told.odd |= told.state != from || !history::is_possible(step);
                told.admitted = told
                    .admitted
                    .saturating_add(u8::from(history::is_admission(step)));
                told.state = to;
            }
            _ => report.add(finding(
                Invariant::Recorded,
                "deployment_untold",
                format!("deployment {id}"),
                format!("entry {} says from {from} to {to}, which are no states", entry.id),
            )),
        }
    }

    fn approval(&mut self, action: &str, data: &Value) {
        let Some(Ok(id)) = data["approval"].as_str().map(str::parse::<ApprovalId>) else {
            return;
        };
        let told = self.approvals.entry(id).or_default();
        match action {
            "approval.request" => told.0 = Some(ApprovalState::Pending),
            "approval.decide" => {
                told.0 = data["state"].as_str().and_then(|state| state.parse().ok());
                told.1 += 1;
            }
            "approval.raise" | "approval.change" | "approval.expire" => {
                told.0 = data["state"].as_str().and_then(|state| state.parse().ok());
            }
            _ => {}
        }
    }
}
