//! The audit chain.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One link of the chain. `digest` is SHA-256 over the canonical JSON (RFC 8785) of all other fields.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain, from 1, without gaps.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// When (database time).
    pub at: Timestamp,
    /// Who did it.
    #[schema(example = "ana")]
    pub actor: String,
    /// What was done.
    #[schema(example = "release.seal")]
    pub action: String,
    /// To what.
    #[schema(example = "storefront@1.0.0")]
    pub subject: String,
    /// What there is to know of it.
    #[schema(value_type = Value)]
    pub data: serde_json::Value,
    /// Digest of the entry before; zeros for the first.
    pub previous: String,
    /// Digest of this entry.
    pub digest: String,
}

/// A part of the chain, in its order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The entries, oldest first.
    pub items: Vec<AuditEntry>,
    /// Give it as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// The head of the chain as the server sees it, after checking every link.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditCheckpoint {
    /// How many entries there are.
    pub entries: i64,
    /// Digest of the last.
    pub digest: String,
    /// Entries that are written but not chained yet.
    pub unchained: i64,
}
