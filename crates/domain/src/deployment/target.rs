//! One deployment's work on one target.

use crate::{
    Digest, Name,
    ids::{ClusterId, DeploymentId, DeploymentTargetId, TargetId},
    plan::target::Intent,
    work::Readiness,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where one deployment stands on one target.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> waiting: its wave has not started
///     waiting --> running: enqueued with its wave
///     running --> succeeded
///     running --> failed
///     running --> errored
///     waiting --> cancelled
///     running --> cancelled
///     waiting --> skipped: the deployment ended before its wave, or nothing is to be done
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Its wave has not started.
    Waiting,
    /// Under way.
    Running,
    /// Applied and healthy.
    Succeeded,
    /// Judged, and not good.
    Failed,
    /// Could not be judged.
    Errored,
    /// Stopped by a person.
    Cancelled,
    /// Never begun.
    Skipped,
}

impl TargetState {
    const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Errored,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

impl fmt::Display for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TargetState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state of a deployment's target"))
    }
}

/// One deployment's work on one target, as people see it.
#[derive(Debug, Clone)]
pub struct DeploymentTarget {
    /// Its id.
    pub id: DeploymentTargetId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// On which target.
    pub target: TargetId,
    /// On which cluster.
    pub cluster: ClusterId,
    /// That cluster's name.
    pub cluster_name: Name,
    /// In which namespace.
    pub namespace: Name,
    /// In which wave, from 0.
    pub wave: u32,
    /// That wave's name.
    pub wave_name: String,
    /// Apply, roll back or clean.
    pub intent: Intent,
    /// The stored rendering.
    pub rendering: Digest,
    /// The target's generation, once work began.
    pub generation: Option<i64>,
    /// Where it stands.
    pub state: TargetState,
    /// Readiness as last seen.
    pub readiness: Readiness,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// When work began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}
