//! What the caller knows of a release, and of each environment on its way.

use super::RequirementSource;
use crate::{
    Digest, Name,
    approval::{Answer, ApprovalState},
    deployment::StateName,
    gates::{Gate, evidence},
    identity::Role,
    ids::{ApprovalId, DeploymentId, EvidenceId},
    registry::{Criticality, Tier},
};
use jiff::Timestamp;

/// What is known of a release.
#[derive(Debug, Clone)]
pub struct Facts {
    /// How people call it: `storefront@1.0.0`.
    pub release: String,
    /// The digest that its seal fixed.
    pub digest: Digest,
    /// Of which service.
    pub service: Name,
    /// The team that owns the service.
    pub team: Name,
    /// How much depends on the service.
    pub criticality: Criticality,
    /// Who composed it, by name.
    pub author: String,
    /// Who sealed it, by name.
    pub sealed_by: String,
    /// When.
    pub sealed_at: Timestamp,
    /// Why it was withdrawn, if it was.
    pub withdrawn: Option<String>,
    /// What of it was recalled, as the release gate would say now; none if nothing was.
    pub recalled: Option<String>,
    /// The process that it pins.
    pub process: Name,
    /// Which version of that.
    pub process_version: i64,
    /// In the process's order: one for each environment that is the stage.
    pub stages: Vec<StageFacts>,
}

impl Facts {
    /// Why nobody should use it, whatever was shown before.
    pub(super) fn unusable(&self) -> Option<String> {
        let withdrawn = self
            .withdrawn
            .as_ref()
            .map(|reason| format!("the release was withdrawn: {reason}"));
        let both: Vec<_> = withdrawn.into_iter().chain(self.recalled.clone()).collect();
        (!both.is_empty()).then(|| both.join("; "))
    }
}

/// What is known of one environment.
#[derive(Debug, Clone)]
pub struct StageFacts {
    /// The stage that it is.
    pub stage: Name,
    /// The environment.
    pub environment: Name,
    /// What kind it is.
    pub tier: Tier,
    /// The environment that it promotes from, as its settings are now.
    pub promotes_from: Option<Name>,
    /// What the process requires, and policies where a deployment was judged by them; and what was stated. Superseded
    /// statements are of use too: they tell since when what was admitted had been met.
    pub evidence: evidence::Facts,
    /// The last deployment of this release there that began, or else the last that was asked for. None that rolls back or
    /// heals: what these bring was admitted before, and their gates are others.
    pub deployment: Option<DeploymentFacts>,
    /// The requests for approval of that deployment.
    pub approvals: Vec<ApprovalFacts>,
    /// The handover, where the stage asks for one.
    pub handover: Option<HandoverFacts>,
}

/// What is known of a deployment.
#[derive(Debug, Clone)]
pub struct DeploymentFacts {
    /// Which.
    pub id: DeploymentId,
    /// Where it stands.
    pub state: StateName,
    /// Who asked for it, by name.
    pub requested_by: String,
    /// Since when it stands there.
    pub since: Timestamp,
    /// When it was admitted, if it was.
    pub started_at: Option<Timestamp>,
    /// When it ended, if it did.
    pub finished_at: Option<Timestamp>,
    /// Why it stands where it stands.
    pub reason: Option<String>,
    /// Its gates as they were judged last: of what was admitted, when it was.
    pub gates: Vec<Gate>,
    /// The policies that it was judged by, with their versions.
    pub policies: Vec<(Name, i64)>,
}

/// What is known of a request for approval.
#[derive(Debug, Clone)]
pub struct ApprovalFacts {
    /// Which.
    pub id: ApprovalId,
    /// The digest that a decision on it names.
    pub digest: Digest,
    /// Where it stands.
    pub state: ApprovalState,
    /// How many people it takes.
    pub required: u32,
    /// The role that each of them must hold.
    pub role: Role,
    /// Who asked for it: policies, the process, the environment. Nobody who is known: Slipway.
    pub asked_by: Vec<RequirementSource>,
    /// What people said.
    pub decisions: Vec<DecisionFacts>,
}

/// One person's answer.
#[derive(Debug, Clone)]
pub struct DecisionFacts {
    /// Who, by name.
    pub by: String,
    /// Yes or no.
    pub answer: Answer,
    /// When.
    pub at: Timestamp,
    /// In their words.
    pub comment: Option<String>,
}

/// What is known of a handover that a stage asks for.
#[derive(Debug, Clone, Default)]
pub struct HandoverFacts {
    /// That it was accepted; none: not yet.
    pub accepted: Option<Acceptance>,
}

/// That somebody accepted a release for operations.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// Who, by name.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The statement that says so.
    pub evidence: EvidenceId,
}
