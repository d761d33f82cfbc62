//! Environments: where releases go, and what is asked for there.

use super::Labels;
use crate::{Faults, Name, approval::Requirement, drift::heal::Policy, ids::EnvironmentId, render::Overlay};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Most waves of a deployment.
pub const MAX_WAVES: usize = 50;

/// What kind of environment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// For those who build.
    Development,
    /// For those who test.
    Test,
    /// As production, but nobody depends on it.
    Staging,
    /// Users depend on it.
    Production,
}

impl Tier {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Test => "test",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Development, Self::Test, Self::Staging, Self::Production]
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or_else(|| "a tier is one of development, test, staging, production".to_owned())
    }
}

/// One wave: the targets it takes, and how carefully.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Its name.
    pub name: Name,
    /// Labels a target must all carry to be in it.
    pub match_labels: Labels,
    /// How many targets at once; all when absent.
    pub max_parallel: Option<u32>,
    /// How many targets may fail before the deployment stops.
    pub max_failures: u32,
    /// How long it must have been healthy before the next wave starts.
    pub soak: SignedDuration,
}

impl Wave {
    /// Checks the waves of one deployment, together; pointers into the list.
    #[must_use]
    pub fn faults(waves: &[Self]) -> Faults {
        let mut faults = Faults::new();
        if waves.len() > MAX_WAVES {
            faults.add("", format!("are {MAX_WAVES} at most"));
        }
        // Each is looked at beside all before it: no more of them than there may be.
        for (i, wave) in waves.iter().enumerate().take(MAX_WAVES) {
            if waves[..i].iter().any(|other| other.name == wave.name) {
                faults.add(
                    format!("/{i}/name"),
                    format!("`{}` names an earlier wave too", wave.name),
                );
            }
            if wave.max_parallel == Some(0) {
                faults.add(format!("/{i}/max_parallel"), "is at least 1");
            }
            if !(SignedDuration::ZERO..=DAY * 7).contains(&wave.soak) {
                faults.add(format!("/{i}/soak"), "is between PT0S and 7 days");
            }
        }
        faults
    }
}

/// How an environment wants its deployments done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Approvals; none when absent.
    pub approvals: Option<Requirement>,
    /// Waves in order; targets that match none come last, together.
    pub waves: Vec<Wave>,
    /// How long workloads may take to become healthy.
    pub progress_deadline: SignedDuration,
    /// How long a release must have been in the stage before.
    pub promotion_soak: SignedDuration,
    /// Roll back by itself when a deployment fails.
    pub automatic_rollback: bool,
    /// How long a request may wait before it expires.
    pub expires_after: SignedDuration,
    /// Changes to objects of every release that comes here.
    pub config: Vec<Overlay>,
    /// What is done about drift.
    #[serde(default)]
    pub drift: Policy,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            approvals: None,
            waves: Vec::new(),
            progress_deadline: SignedDuration::from_mins(10),
            promotion_soak: SignedDuration::ZERO,
            automatic_rollback: true,
            expires_after: SignedDuration::from_hours(24 * 7),
            config: Vec::new(),
            drift: Policy::Report,
        }
    }
}

impl Settings {
    /// Checks bounds; every fault at once, pointers as in the API's body.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if let Some(rule) = &self.approvals {
            faults.nest("/approvals", rule.faults());
        }
        faults.nest("/progress_deadline", progress_deadline(self.progress_deadline));
        faults.nest("/promotion_soak", promotion_soak(self.promotion_soak));
        let (least, most) = (SignedDuration::from_mins(1), DAY * 90);
        let expires_after = within(self.expires_after, least, most, "is between PT1M and 90 days");
        faults.nest("/expires_after", expires_after);
        faults.nest("/waves", Wave::faults(&self.waves));
        faults
    }

    /// Which wave a target with these labels is in: the first that matches, else one after the last.
    #[must_use]
    pub fn wave_of(&self, labels: &Labels) -> usize {
        self.waves
            .iter()
            .position(|wave| {
                wave.match_labels
                    .iter()
                    .all(|(key, value)| labels.get(key) == Some(value))
            })
            .unwrap_or(self.waves.len())
    }
}

/// Checks how long workloads may take to become healthy.
pub(crate) fn progress_deadline(given: SignedDuration) -> Faults {
    within(
        given,
        SignedDuration::from_secs(1),
        DAY,
        "is between PT1S and PT24H",
    )
}

/// Checks how long a release must have been in a stage before it may go further.
pub(crate) fn promotion_soak(given: SignedDuration) -> Faults {
    within(
        given,
        SignedDuration::ZERO,
        DAY * 90,
        "is between PT0S and 90 days",
    )
}

fn within(given: SignedDuration, least: SignedDuration, most: SignedDuration, detail: &str) -> Faults {
    if (least..=most).contains(&given) {
        Faults::new()
    } else {
        Faults::one("", detail)
    }
}

/// An environment: where releases go.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// Its unique name.
    pub name: Name,
    /// What kind it is.
    pub tier: Tier,
    /// The stage before, if any: only what succeeded there comes here.
    pub promotes_from: Option<(EnvironmentId, Name)>,
    /// Its clusters, by name, in order.
    pub clusters: Vec<Name>,
    /// How deployments are done here.
    pub settings: Settings,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
}
