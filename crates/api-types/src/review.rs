//! Reviews after what went on without a gate.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A review: of a deployment that went on without a gate, in an emergency.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// Its id.
    pub id: String,
    /// The deployment that went on.
    pub deployment: String,
    /// Its release.
    #[schema(example = "storefront@1.0.1")]
    pub release: String,
    /// Where it went.
    #[schema(example = "production")]
    pub environment: String,
    /// Why it is reviewed.
    pub because: String,
    /// `open` or `closed`.
    #[schema(example = "open")]
    pub state: String,
    /// Since when it is open.
    pub opened_at: Timestamp,
    /// What was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<String>,
    /// Who closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

/// Closes a review.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseReview {
    /// What was found, and what is done about it.
    #[schema(
        min_length = 1,
        max_length = 10000,
        example = "The scanner was down; it has a second one now."
    )]
    pub findings: String,
}
