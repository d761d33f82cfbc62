//! One stage: where it is, what it asks, and how deployments are done there.

use crate::{
    Name,
    approval::Requirement,
    evidence::Kind,
    identity::Role,
    policy::document::{EvidenceOf, RequiredEvidence},
    registry::{Tier, Wave, environment::Settings},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most requirements of evidence of one stage.
pub const MAX_EVIDENCE: usize = 50;
/// Most checks of one stage.
pub const MAX_CHECKS: usize = 50;
/// Most characters of what a check says.
pub const MAX_WHAT: usize = 500;

/// One stage of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name, unique in the process.
    pub name: Name,
    /// Which environments it is.
    pub place: Place,
    /// Who asks for a release that has passed the stage before.
    #[serde(default)]
    pub promotion: Promotion,
    /// How long a release must have been here, successfully, before it goes to the next stage.
    #[serde(default)]
    pub soak: SignedDuration,
    /// How many percent of this stage's targets must have succeeded for a release to have passed it.
    #[serde(default = "all_targets")]
    pub success_share: u8,
    /// What must have been stated before a release comes here.
    #[serde(default)]
    pub evidence: Vec<RequiredEvidence>,
    /// Who must approve it; nobody on the part of the process when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Requirement>,
    /// What people must have looked at before a release comes here.
    #[serde(default)]
    pub checklist: Vec<Check>,
    /// How deployments are done here, where that is not as the environment has it.
    #[serde(default)]
    pub strategy: Strategy,
    /// Whether operations must accept a release after it has been here.
    #[serde(default)]
    pub handover: bool,
}

/// Every one of a stage's targets, in percent.
pub const ALL_TARGETS: u8 = 100;

// Serde takes the name of a function.
const fn all_targets() -> u8 {
    ALL_TARGETS
}

/// Which environments a stage is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The one with this name.
    Environment(Name),
    /// Every one of this tier that no stage names.
    Tier(Tier),
    /// Every one that is no other stage.
    Any,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Tier(tier) => write!(f, "tier {tier}"),
            Self::Any => f.write_str("any environment"),
        }
    }
}

/// Who asks for a release in a stage, once it has passed the one before. In the first stage somebody always does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promotion {
    /// Somebody.
    #[default]
    Manual,
    /// Slipway, by itself.
    Automatic,
}

impl Promotion {
    /// As written in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
        }
    }
}

impl fmt::Display for Promotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that a person must have looked at.
///
/// It is evidence of the release, by its name: checks of the same name in two stages are one check, and whoever ticks it has
/// ticked it for both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Check {
    /// Its name, unique in the stage.
    pub name: Name,
    /// What is to be looked at.
    pub what: String,
    /// Who may tick it.
    pub role: Role,
}

/// How deployments are done in a stage. What is absent is as the environment has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strategy {
    /// Waves in order; targets that match none come last, together. None at all: everything at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waves: Option<Vec<Wave>>,
    /// How long workloads may take to become healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline: Option<SignedDuration>,
    /// Roll back by itself when a deployment fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic_rollback: Option<bool>,
}

impl Stage {
    /// A stage that asks for nothing.
    #[must_use]
    pub fn new(name: Name, place: Place) -> Self {
        Self {
            name,
            place,
            promotion: Promotion::Manual,
            soak: SignedDuration::ZERO,
            success_share: ALL_TARGETS,
            evidence: Vec::new(),
            approvals: None,
            checklist: Vec::new(),
            strategy: Strategy::default(),
            handover: false,
        }
    }

    /// All that must have been stated before a release comes here: what the stage names, and each of its checks.
    #[must_use]
    pub fn required(&self) -> Vec<RequiredEvidence> {
        let mut required = self.evidence.clone();
        for check in &self.checklist {
            let ticked = RequiredEvidence {
                kind: Kind::ManualCheck,
                name: Some(check.name.clone()),
                of: EvidenceOf::Release,
                max_age: None,
                signed: false,
            };
            if !required.contains(&ticked) {
                required.push(ticked);
            }
        }
        required
    }

    /// How an environment's deployments are done as this stage: as its settings say, but for what the strategy says instead.
    /// What either asks of people is asked for beside the other: see [`approval::merge()`](crate::approval::merge()).
    #[must_use]
    pub fn apply(&self, settings: &Settings) -> Settings {
        let mut applied = settings.clone();
        if let Some(waves) = &self.strategy.waves {
            applied.waves.clone_from(waves);
        }
        if let Some(deadline) = self.strategy.progress_deadline {
            applied.progress_deadline = deadline;
        }
        if let Some(automatic) = self.strategy.automatic_rollback {
            applied.automatic_rollback = automatic;
        }
        applied
    }
}
