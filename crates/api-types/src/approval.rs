//! Approvals: the approver's inbox and their decisions.

use crate::registry::ApprovalRule;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A request to people to approve one deployment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// The deployment.
    pub deployment: String,
    /// The service.
    #[schema(example = "storefront")]
    pub service: String,
    /// The release.
    #[schema(example = "storefront@1.0.0")]
    pub release: String,
    /// The environment.
    #[schema(example = "production")]
    pub environment: String,
    /// `pending`, `approved`, `rejected` or `withdrawn`.
    #[schema(example = "pending")]
    pub state: String,
    /// The digest to be decided on: the sealed release's.
    #[schema(example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    pub digest: String,
    /// Digest over targets and renderings; a decision is bound to it too.
    pub plan_digest: String,
    /// How many people, and which role each must hold.
    pub required: ApprovalRule,
    /// People who may not decide, and why not.
    pub excluded: Vec<Excluded>,
    /// Decisions so far.
    pub decisions: Vec<Decision>,
    /// Who asked for the deployment.
    pub requested_by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether whoever asks may decide on it.
    pub mine: bool,
    /// When people were asked.
    pub created_at: Timestamp,
}

/// Somebody who may not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Excluded {
    /// Who.
    #[schema(example = "ana")]
    pub who: String,
    /// What they did with it: `authored`, `edited`, `sealed`, `requested`.
    #[schema(example = "sealed")]
    pub because: String,
}

/// One person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Who.
    #[schema(example = "ada")]
    pub by: String,
    /// `approve` or `reject`.
    #[schema(example = "approve")]
    pub decision: String,
    /// The digest they decided on.
    pub digest: String,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Decides on a request for approval.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDecision {
    /// `approve` or `reject`.
    #[schema(pattern = "^(approve|reject)$", example = "approve")]
    pub decision: String,
    /// The digest that was looked at; any other than the one to be decided on is refused.
    #[schema(
        pattern = "^sha256:[0-9a-f]{64}$",
        example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )]
    pub digest: String,
    /// In one's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub comment: Option<String>,
}
