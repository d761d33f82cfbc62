//! Server processes.

use crate::Labels;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One process of this Slipway.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Server {
    /// Its name, unique to the process: host, process id and a part by chance. Leases are held under it.
    #[schema(example = "slipway-0-17-9f2c11aa")]
    pub name: String,
    /// What it does: `api`, `scheduler`, `executor`.
    #[schema(example = json!(["executor"]))]
    pub roles: Vec<String>,
    /// The version of its binary.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// Its executor works on clusters that carry all of these only; empty for every cluster.
    #[schema(example = json!({"region": "eu"}))]
    pub cluster_labels: Labels,
    /// Whether it is there: it was seen within the last 20 seconds, and has not said that it stops.
    pub alive: bool,
    /// When it was first seen.
    pub started_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// When it said that it stops; absent while it runs, and when it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
}

/// The processes of this Slipway.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Servers {
    /// The living first, then those seen last.
    pub items: Vec<Server>,
}
