//! Drift: what runs is not what was applied.

use crate::component::ObjectRef;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An object that is not as it was applied.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Drift {
    /// Its id.
    pub id: String,
    /// The service.
    #[schema(example = "storefront")]
    pub service: String,
    /// The environment.
    #[schema(example = "production")]
    pub environment: String,
    /// The cluster.
    #[schema(example = "eu")]
    pub cluster: String,
    /// The namespace.
    #[schema(example = "storefront")]
    pub namespace: String,
    /// The target.
    #[schema(example = "tgt_01kq3m2x5vf9tb2t7w3c7b8d9e")]
    pub target: String,
    /// The deployment that put there what runs.
    #[schema(example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")]
    pub deployment: String,
    /// The object.
    pub object: ObjectRef,
    /// `changed`: a field that was applied has another value or is gone. `missing`: the whole object is gone.
    #[schema(example = "changed")]
    pub kind: String,
    /// The fields, secrets redacted; none for an object that is gone.
    pub fields: Vec<DriftedField>,
    /// How many more fields there are than are listed.
    #[serde(default)]
    pub omitted: u32,
    /// Who did it, as the object itself says; absent when it does not: nobody owns a field that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand: Option<Hand>,
    /// Why what was applied could not be applied again as it is, in the API server's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// `open`, or `resolved`.
    #[schema(example = "open")]
    pub state: String,
    /// When it was seen first.
    pub seen_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Why it was over: `reverted` (set back on the cluster), `healed`, `redeployed` or `retired` (the target was taken
    /// back).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Why it is not healed although the environment says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_alone: Option<String>,
}

/// One field that is not as it was applied.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DriftedField {
    /// JSON pointer (RFC 6901) into the object.
    #[schema(example = "/spec/replicas")]
    pub pointer: String,
    /// What was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>, example = json!(3))]
    pub applied: Option<serde_json::Value>,
    /// What is there; absent when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>, example = json!(5))]
    pub found: Option<serde_json::Value>,
    /// The field manager that set it, where the object says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "kubectl-scale")]
    pub manager: Option<String>,
}

/// Who set a field, as the object's `managedFields` say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hand {
    /// The field manager.
    #[schema(example = "kubectl-scale")]
    pub manager: String,
    /// `Apply` or `Update`.
    #[schema(example = "Update")]
    pub operation: String,
    /// The subresource that it was written through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "scale")]
    pub subresource: Option<String>,
    /// When, by the API server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}
