//! One cheap read of everything a wall dashboard shows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What runs where, what is under way, what waits.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Every service and environment with something to show.
    pub services: Vec<ServiceStatus>,
    /// How many deployments are in each state that has not ended.
    pub active: ActiveCounts,
    /// How many requests for approval are pending.
    pub pending_approvals: u64,
    /// What went on without a gate, in an emergency, and is not done with.
    #[serde(default)]
    pub emergencies: Emergencies,
    /// When this was read (database time).
    pub at: Timestamp,
}

/// What went on without a gate, in an emergency, and is not done with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Emergencies {
    /// How many deployments nobody has answered for yet.
    pub unanswered: u64,
    /// How many of these are late.
    pub overdue: u64,
    /// How many reviews are open.
    pub open_reviews: u64,
}

/// Deployments that have not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActiveCounts {
    /// Waiting for a gate.
    pub pending: u64,
    /// Waiting for an executor.
    pub queued: u64,
    /// Under way.
    pub running: u64,
    /// Paused by a person.
    pub paused: u64,
    /// Being undone.
    pub rolling_back: u64,
}

/// One service in one environment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServiceStatus {
    /// The service.
    #[schema(example = "storefront")]
    pub service: String,
    /// The environment.
    #[schema(example = "production")]
    pub environment: String,
    /// What runs there: one entry when all targets agree.
    pub runs: Vec<RunningRelease>,
    /// The latest deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<LatestDeployment>,
}

/// A release and on how many targets it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningRelease {
    /// The release.
    #[schema(example = "storefront@1.0.0")]
    pub release: String,
    /// On these clusters.
    pub clusters: Vec<String>,
}

/// The latest deployment of a service to an environment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LatestDeployment {
    /// Its id.
    pub id: String,
    /// Its release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Its state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
