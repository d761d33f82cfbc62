//! Things that happen: the stream that is watched, and the log of a deployment's activities.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that happened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place among all events: the id of the server-sent event, for `Last-Event-ID`.
    pub seq: i64,
    /// When (database time).
    pub at: Timestamp,
    /// What kind of thing.
    #[schema(example = "deployment.running")]
    pub kind: String,
    /// For people.
    pub message: String,
    /// Who did it; `slipway` for the server itself.
    pub actor: String,
    /// To what.
    pub subject: String,
    /// The service it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The environment it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The deployment it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The cluster it happened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// For machines.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Value)]
    pub data: serde_json::Value,
}
