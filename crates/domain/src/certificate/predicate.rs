//! What a certificate says.

use crate::{
    Digest, Name,
    approval::{Answer, ApprovalState, Asked},
    deployment::{Kind, StateName, TargetState},
    evidence,
    gates::Gate,
    identity::Role,
    ids::{ApprovalId, DeploymentId, EvidenceId, PrincipalId, ReleaseId},
    plan::target::Intent,
};
use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

/// Everything that is certified of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Predicate {
    /// The release.
    pub release: Release,
    /// What it is made of, in order.
    pub components: Vec<Component>,
    /// The evidence that counts, of the release and of its components.
    pub evidence: Vec<Evidence>,
    /// Every deployment of it, in the order in which they were asked for.
    pub deployments: Vec<Deployment>,
    /// What became of it: it follows from the deployments.
    pub outcome: Outcome,
    /// The signed checkpoint of the audit chain under which it was issued, as a signed note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// When it was issued.
    pub issued_at: Timestamp,
}

/// Somebody, by what never changes and by what they were called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub id: PrincipalId,
    /// What they are called.
    pub name: String,
}

/// A sealed release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Of which service.
    pub service: Name,
    /// Its version.
    pub version: Version,
    /// Digest over all it contains, as sealed.
    pub digest: Digest,
    /// Who composed it.
    pub author: Person,
    /// Who changed it before it was sealed.
    pub editors: Vec<Person>,
    /// Its seal.
    pub sealed: Sealed,
    /// The process that it goes through, if it was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

impl Release {
    /// How people call it: `storefront@1.0.0`.
    #[must_use]
    pub fn display_name(&self) -> String {
        format!("{}@{}", self.service, self.version)
    }
}

/// Who sealed a release, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Who.
    pub by: Person,
    /// When.
    pub at: Timestamp,
}

/// A version of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The process.
    pub name: Name,
    /// Its version.
    pub version: i64,
    /// Digest of what that says.
    pub digest: Digest,
}

/// A component version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The component.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// Digest of all in it.
    pub digest: Digest,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its id.
    pub id: EvidenceId,
    /// What kind it is.
    pub kind: evidence::Kind,
    /// What it is called among its kind.
    pub name: Name,
    /// The digest of the document's bytes.
    pub document: Digest,
    /// The digest of what it is about: of the release or of one of its components.
    pub about: Digest,
    /// Whether it says that all is well.
    pub passed: bool,
    /// The key that its signature was verified with, if it came signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<Name>,
    /// When it was stated.
    pub stated_at: Timestamp,
}

/// A version of a policy, and what it said of one deployment when its work was claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The policy.
    pub name: Name,
    /// Its version.
    pub version: i64,
    /// Digest of what that says.
    pub digest: Digest,
    /// What it said.
    pub verdict: PolicyVerdict,
}

/// What a policy says of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyVerdict {
    /// No rule of it refuses.
    Satisfied,
    /// A rule refuses, or could not be judged.
    Refused,
}

/// One deployment of the release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Where to.
    pub environment: Name,
    /// What it was for.
    pub kind: Kind,
    /// The digest of what it brought: the release's.
    pub release_digest: Digest,
    /// Digest over where it landed and what it brought there: it follows from the environment and the targets.
    pub plan_digest: Digest,
    /// Who asked for it.
    pub requested_by: Person,
    /// When.
    pub requested_at: Timestamp,
    /// When work began, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Where it stood.
    pub state: StateName,
    /// Why it ended as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whom it was put to, and what they said.
    pub approvals: Vec<Approval>,
    /// The policies that covered it, as judged when its work was claimed.
    pub policies: Vec<Policy>,
    /// The gates, as judged when its work was claimed; none if it never was.
    pub gates: Vec<Gate>,
    /// Where it landed, in the order of its plan.
    pub targets: Vec<Target>,
}

/// A request for approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// How many people it takes.
    pub required: u32,
    /// The role that each of them must hold.
    pub role: Role,
    /// Whether it was to be answered before work began, or afterwards.
    #[serde(default = "before", skip_serializing_if = "is_before")]
    pub asked: Asked,
    /// How many rejections ended it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub rejections: u32,
    /// Where it stood.
    pub state: ApprovalState,
    /// What people said, and did not have to say again.
    pub decisions: Vec<Decision>,
}

// Serde takes the names of functions, and gives a reference.
const fn before() -> Asked {
    Asked::Before
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_before(asked: &Asked) -> bool {
    matches!(asked, Asked::Before)
}
const fn one() -> u32 {
    1
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_one(rejections: &u32) -> bool {
    *rejections == 1
}

/// One person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: Person,
    /// In whose place, if it was not in their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Person>,
    /// Yes or no.
    pub answer: Answer,
    /// The digest of the release that they decided on.
    pub digest: Digest,
    /// The digest of the plan that they decided on.
    pub plan_digest: Digest,
    /// When.
    pub at: Timestamp,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// One target of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The cluster.
    pub cluster: Name,
    /// The namespace.
    pub namespace: Name,
    /// In which wave, from 0.
    pub wave: u32,
    /// Apply, roll back, clean or heal.
    pub intent: Intent,
    /// Digest of the manifests that were planned.
    pub planned: Digest,
    /// Digest of the manifests that were applied, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Digest>,
    /// Where it stood.
    pub state: TargetState,
}

/// What became of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nobody asked for a deployment of it.
    NotDeployed,
    /// A deployment of it has not ended.
    UnderWay,
    /// In each environment where it was to go, the last try succeeded.
    Succeeded,
    /// In some environment the last try did not.
    NotSucceeded,
}

impl Outcome {
    /// As written in the certificate.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotDeployed => "not_deployed",
            Self::UnderWay => "under_way",
            Self::Succeeded => "succeeded",
            Self::NotSucceeded => "not_succeeded",
        }
    }

    /// What follows from deployments, in the order in which they were asked for.
    #[must_use]
    pub fn of(deployments: &[Deployment]) -> Self {
        if deployments.iter().any(|one| !one.state.is_terminal()) {
            return Self::UnderWay;
        }
        let mut last = std::collections::BTreeMap::new();
        for one in deployments.iter().filter(|one| one.kind == Kind::Deploy) {
            last.insert(&one.environment, one.state);
        }
        if last.is_empty() {
            return Self::NotDeployed;
        }
        if last.values().all(|state| *state == StateName::Succeeded) {
            return Self::Succeeded;
        }
        Self::NotSucceeded
    }
}
