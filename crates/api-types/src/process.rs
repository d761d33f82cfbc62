//! Processes: which stages a release goes through.

use crate::{Labels, approval::ApprovalRule, policy::PolicyEvidence};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Writes a process; its first version is a draft.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "storefront-way", "service": "storefront", "document": {"stages": [
    {"name": "staging", "place": {"environment": "staging"}, "soak": "PT1H"},
    {"name": "live", "place": {"tier": "production"}, "approvals": {"role": "authority", "count": 2}},
]}}))]
pub struct CreateProcess {
    /// Its unique name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "storefront-way")]
    pub name: String,
    /// The service whose releases go by it (name or id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "storefront")]
    pub service: Option<String>,
    /// Or the team whose services have none of their own (name or id). Neither: everything that has no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// What it says.
    pub document: ProcessDocument,
}

/// Writes a further version of a process, as a draft.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"document": {"stages": [
    {"name": "staging", "place": {"environment": "staging"}, "soak": "PT1H"},
    {"name": "live", "place": {"tier": "production"}, "approvals": {"role": "authority", "count": 2}},
]}}))]
pub struct CreateProcessVersion {
    /// What it says.
    pub document: ProcessDocument,
}

/// What a process says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessDocument {
    /// What it is for, for people.
    #[serde(default)]
    #[schema(max_length = 2000, example = "How the shop goes live.")]
    pub description: String,
    /// The stages that a release goes through, in this order.
    #[schema(min_items = 1, max_items = 20)]
    pub stages: Vec<ProcessStage>,
}

/// One stage.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessStage {
    /// Its name, unique in the process.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "live")]
    pub name: String,
    /// Which environments it is.
    pub place: ProcessPlace,
    /// `manual`, or `automatic`: whether a release that has passed the stage before is asked for here by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "manual")]
    pub promotion: Option<String>,
    /// How long a release must have been here, successfully, before it goes on (ISO 8601, 90 days at most).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "PT1H")]
    pub soak: Option<String>,
    /// How many percent of this stage's targets must have succeeded for a release to have passed it; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100, example = 100)]
    pub success_share: Option<u8>,
    /// What must have been stated before a release comes here.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub evidence: Vec<PolicyEvidence>,
    /// Who must approve it; never fewer than the environment wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ApprovalRule>,
    /// What people must have looked at before a release comes here.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub checklist: Vec<ProcessCheck>,
    /// How deployments are done here, where that is not as the environment has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ProcessStrategy>,
    /// Whether operations must accept a release after it has been here: a check `handover`, ticked by an operator who did not
    /// deploy it.
    #[serde(default)]
    pub handover: bool,
}

/// Which environments a stage is: one of the three. One that names an environment beats one of its tier, and that beats `any`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = json!({"environment": "staging"}))]
pub enum ProcessPlace {
    /// The one with this name.
    Environment(String),
    /// Every one of this tier: `development`, `test`, `staging`, `production`.
    Tier(String),
    /// Every one that is no other stage.
    Any,
}

/// Something that a person must have looked at: a manual check of the release, by its name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessCheck {
    /// Its name: `slipway evidence add --release … --kind manual_check --name NAME` ticks it.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "support-told")]
    pub name: String,
    /// What is to be looked at.
    #[schema(min_length = 1, max_length = 500, example = "support knows what is new")]
    pub what: String,
    /// The role that ticks it.
    #[schema(example = "operator")]
    pub role: String,
}

/// How deployments are done in a stage. What is absent is as the environment has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessStrategy {
    /// Waves in order; targets that match none come last, together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waves: Option<Vec<ProcessWave>>,
    /// How long workloads may take to become healthy (ISO 8601).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "PT10M")]
    pub progress_deadline: Option<String>,
    /// Roll back by itself when a deployment fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic_rollback: Option<bool>,
}

/// One wave of targets.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessWave {
    /// Its name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "canary")]
    pub name: String,
    /// Labels a target must all carry to be in it.
    #[serde(default)]
    pub match_labels: Labels,
    /// How many targets at once; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, example = 1)]
    pub max_parallel: Option<u32>,
    /// How many targets may fail before the deployment stops.
    #[serde(default)]
    pub max_failures: u32,
    /// How long it must have been healthy before the next wave starts (ISO 8601).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "PT5M")]
    pub soak: Option<String>,
}

/// A process.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Process {
    /// Its id.
    pub id: String,
    /// Its unique name.
    #[schema(example = "storefront-way")]
    pub name: String,
    /// The service whose releases go by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The team whose services have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The version that releases pin when they are sealed; absent while none is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<i64>,
    /// The newest version.
    #[schema(example = 1)]
    pub latest: i64,
    /// The version in force; while none is, the newest.
    pub version: ProcessVersion,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One version of a process. It never changes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProcessVersion {
    /// Of which process.
    #[schema(example = "storefront-way")]
    pub process: String,
    /// 1, 2, …
    #[schema(example = 1)]
    pub version: i64,
    /// `draft`, `in_force` or `retired`.
    #[schema(example = "draft")]
    pub state: String,
    /// Digest of the document.
    pub digest: String,
    /// What it says.
    pub document: ProcessDocument,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
    /// Who put it in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// Who took it out of force, or put another in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
}

/// A sealed release that goes by a process.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProcessRelease {
    /// Its id.
    pub id: String,
    /// What it is called.
    #[schema(example = "storefront@1.0.0")]
    pub release: String,
    /// The version that it pinned when it was sealed.
    #[schema(example = 1)]
    pub version: i64,
    /// Whether that version is in force.
    pub in_force: bool,
}
