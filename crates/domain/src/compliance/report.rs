//! What is told of a release.

use super::DeploymentFacts;
use crate::{
    Digest, Name, approval,
    deployment::StateName,
    gates::evidence::Source,
    ids::DeploymentId,
    registry::{Criticality, Tier},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a release was asked to meet, and what became of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Database time of the state that it tells of.
    pub at: Timestamp,
    /// The release.
    pub release: ReleaseReport,
    /// The process that the release pins.
    pub process: NamedVersion,
    /// All in all.
    pub verdict: Overall,
    /// Each environment that is a stage of the process, in its order.
    pub environments: Vec<EnvironmentReport>,
}

/// The release that a report is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseReport {
    /// How people call it: `storefront@1.0.0`.
    pub release: String,
    /// The digest that its seal fixed: what was approved, and what ran.
    pub digest: Digest,
    /// Of which service.
    pub service: Name,
    /// The team that owns the service.
    pub team: Name,
    /// How much depends on the service.
    pub criticality: Criticality,
    /// Who composed it.
    pub author: String,
    /// Who sealed it.
    pub sealed_by: String,
    /// When.
    pub sealed_at: Timestamp,
    /// Why it was withdrawn, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
    /// What of it was recalled, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recalled: Option<String>,
}

/// A version of a process or a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedVersion {
    /// Its name.
    pub name: Name,
    /// Which version.
    pub version: i64,
}

impl fmt::Display for NamedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, version {}", self.name, self.version)
    }
}

/// What requirements come to together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// Every one is met.
    Compliant,
    /// One is not met yet, and none was refused.
    Open,
    /// One was refused.
    NotCompliant,
}

impl Overall {
    /// What these come to. None at all show nothing, and leave it open.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let hardest = verdicts.into_iter().max();
        match hardest {
            Some(Verdict::Met) => Self::Compliant,
            Some(Verdict::Open) | None => Self::Open,
            Some(Verdict::Refused) => Self::NotCompliant,
        }
    }

    /// As people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Compliant => "compliant",
            Self::Open => "open",
            Self::NotCompliant => "not compliant",
        }
    }
}

/// What became of one requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is met.
    Met,
    /// It is not, and nobody said no.
    Open,
    /// A gate, a person or what runs said no.
    Refused,
}

impl Verdict {
    /// As people read it, and as written in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Open => "open",
            Self::Refused => "refused",
        }
    }
}

/// One environment on the way of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentReport {
    /// The stage that it is.
    pub stage: Name,
    /// Its name.
    pub environment: Name,
    /// What kind it is.
    pub tier: Tier,
    /// What its requirements come to.
    pub verdict: Overall,
    /// The deployment that they were judged for, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentReport>,
    /// Everything that is asked of the release here: two at least.
    pub requirements: Vec<Requirement>,
}

/// The deployment of a release to an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentReport {
    /// Which.
    pub id: DeploymentId,
    /// Where it stands.
    pub state: StateName,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Who asked for it.
    pub requested_by: String,
    /// When it was admitted, and its gates were judged for the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it stands where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The versions of policies that it was judged by.
    pub policies: Vec<NamedVersion>,
}

impl From<&DeploymentFacts> for DeploymentReport {
    fn from(facts: &DeploymentFacts) -> Self {
        let policies = facts.policies.iter().map(|(name, version)| NamedVersion {
            name: name.clone(),
            version: *version,
        });
        Self {
            id: facts.id,
            state: facts.state,
            since: facts.since,
            requested_by: facts.requested_by.clone(),
            started_at: facts.started_at,
            finished_at: facts.finished_at,
            reason: facts.reason.clone(),
            policies: policies.collect(),
        }
    }
}

/// One thing that is asked of a release, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// What is asked, for people.
    pub what: String,
    /// Who asks for it.
    pub source: RequirementSource,
    /// Of what: the release, or a component of it.
    pub about: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Since when that is so, where it is known: when it was stated, decided or judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Where the record says so: the id of a statement (`evd_…`), of a request for approval (`apr_…`), or of the deployment
    /// whose gates were judged (`dep_…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Why, for people.
    pub detail: String,
    /// Who or what can have it met, where somebody or something can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblocked_by: Option<String>,
}

/// Where a requirement comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RequirementSource {
    /// A policy.
    Policy {
        /// Its name.
        name: Name,
        /// Which of its versions.
        version: i64,
        /// The rule; none when it is the policy as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<Name>,
    },
    /// The process that the release pins.
    Process {
        /// Its name.
        name: Name,
        /// Which of its versions.
        version: i64,
        /// The stage.
        stage: Name,
    },
    /// The settings of an environment.
    Environment {
        /// Its name.
        name: Name,
    },
    /// Slipway itself: it holds for every deployment.
    Slipway,
}

impl From<approval::Source> for RequirementSource {
    fn from(source: approval::Source) -> Self {
        match source {
            approval::Source::Environment { name } => Self::Environment { name },
            approval::Source::Process { name, version, stage } => Self::Process { name, version, stage },
            approval::Source::Policy { name, version, rule } => Self::Policy {
                name,
                version,
                rule: Some(rule),
            },
        }
    }
}

impl From<Source> for RequirementSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Policy { name, version, rule } => Self::Policy {
                name,
                version,
                rule: Some(rule),
            },
            Source::Process { name, version, stage } => Self::Process { name, version, stage },
        }
    }
}

impl fmt::Display for RequirementSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy { name, version, rule } => {
                write!(f, "policy {name}, version {version}")?;
                rule.iter().try_for_each(|rule| write!(f, ", rule {rule}"))
            }
            Self::Process { name, version, stage } => {
                write!(f, "process {name}, version {version}, stage {stage}")
            }
            Self::Environment { name } => write!(f, "environment {name}"),
            Self::Slipway => f.write_str("Slipway"),
        }
    }
}
