//! Deployments.

use crate::release::ObjectDiff;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a deployment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDeployment {
    /// The release (id or `service@version`).
    #[schema(example = "storefront@1.0.0")]
    pub release: String,
    /// Where to (name or id).
    #[schema(example = "staging")]
    pub environment: String,
    /// Not to be started before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Why, for those who read the record later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub reason: Option<String>,
    /// Take over fields that other field managers own.
    #[serde(default)]
    pub force_conflicts: bool,
    /// Go on without every gate that policies let go, in an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<Emergency>,
}

/// Why somebody goes on without what is asked for: read by those who answer for it afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// Why, in their words.
    #[schema(min_length = 1, max_length = 2000)]
    pub justification: String,
    /// What it is about: a reference to an incident.
    #[schema(min_length = 1, max_length = 200)]
    pub incident: String,
}

/// Has a deployment go on without one gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOverride {
    /// Which gate.
    #[schema(example = "evidence")]
    pub gate: String,
    /// Why, in their words.
    #[schema(
        min_length = 1,
        max_length = 2000,
        example = "The scanner is down, and the shop is."
    )]
    pub justification: String,
    /// What it is about: a reference to an incident.
    #[schema(min_length = 1, max_length = 200, example = "INC-42")]
    pub incident: String,
}

/// One gate's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gate {
    /// `release`, `promotion`, `approval`, `schedule`, `rollback` or `concurrency`.
    #[schema(example = "approval")]
    pub name: String,
    /// `satisfied`, `waiting` or `refused`.
    #[schema(example = "waiting")]
    pub verdict: String,
    /// Why, for people.
    #[schema(example = "waiting for approval by an authority other than the one who sealed it")]
    pub reason: String,
    /// When it will hold by itself, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who or what can make it hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblocked_by: Option<String>,
    /// What it was judged on.
    #[schema(value_type = Value)]
    pub inputs: serde_json::Value,
}

/// Something that keeps a deployment from going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blocker {
    /// What kind: a gate's name, or `target`, `pause`, `executor`, `rollback`.
    #[schema(example = "approval")]
    pub kind: String,
    /// What is being waited for.
    pub reason: String,
    /// When it will move by itself, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who or what can make it move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblocked_by: Option<String>,
}

/// One deployment's work on one target.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeploymentTarget {
    /// Its id.
    pub id: String,
    /// The cluster.
    #[schema(example = "eu")]
    pub cluster: String,
    /// The namespace.
    #[schema(example = "storefront")]
    pub namespace: String,
    /// The wave.
    #[schema(example = "eu")]
    pub wave: String,
    /// `apply`, `roll_back`, `clean` or `heal`.
    #[schema(example = "apply")]
    pub intent: String,
    /// `waiting`, `running`, `succeeded`, `failed`, `errored`, `cancelled` or `skipped`.
    #[schema(example = "running")]
    pub state: String,
    /// The step under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "await_health")]
    pub step: Option<String>,
    /// How many are ready.
    pub ready: u32,
    /// How many there should be.
    pub total: u32,
    /// What is being waited for, or why it ended so: the real reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Digest of the stored rendering that is applied.
    pub rendering: String,
    /// The target's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// While this deployment is what runs there: how many objects are not as they were applied (`GET /v1/drift`).
    #[serde(default)]
    pub drift: u32,
    /// When work began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// A deployment: one release going to one environment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// `deploy`, `roll_back`, or `heal` (takes back what has drifted, asked for by Slipway itself).
    #[schema(example = "deploy")]
    pub kind: String,
    /// The service.
    #[schema(example = "storefront")]
    pub service: String,
    /// The environment.
    #[schema(example = "production")]
    pub environment: String,
    /// The release; absent when a rollback cleans what never ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "storefront@1.0.0")]
    pub release: Option<String>,
    /// The release's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_id: Option<String>,
    /// The release's digest, as sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_digest: Option<String>,
    /// Digest over targets and renderings.
    pub plan_digest: String,
    /// `pending`, `queued`, `running`, `paused`, `rolling_back`, `succeeded`, `rolled_back`, `failed`, `errored`,
    /// `cancelled`, `rejected`, `expired` or `superseded`.
    #[schema(example = "pending")]
    pub state: String,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// Why it is in that state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was asked for, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    /// Who asked for it.
    pub requested_by: String,
    /// Not to be started before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When the request expires.
    pub expires_at: Timestamp,
    /// The gates, as last judged.
    pub gates: Vec<Gate>,
    /// What keeps it from going on, while it has not ended.
    pub blockers: Vec<Blocker>,
    /// Where it lands.
    pub targets: Vec<DeploymentTarget>,
    /// Where the service landed in this environment before, and still is; only where one deployment is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_targets: Vec<FormerTarget>,
    /// Gates that it goes, or went, on without, as somebody took on themselves: each gate's reason says who, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overridden: Vec<String>,
    /// The request for approval, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The request that is to be answered afterwards, if it goes on without a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_afterwards: Option<String>,
    /// What it rolls back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back: Option<String>,
    /// What rolls it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<String>,
    /// What it tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<String>,
    /// Whether it takes over fields of other managers.
    pub force_conflicts: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When work began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// Where a service no longer lands, and still is: it stays until somebody cleans it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormerTarget {
    /// Its id.
    pub id: String,
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The release that succeeded on it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1.0.0")]
    pub runs: Option<String>,
    /// In a sentence, with what to do.
    #[schema(example = "eu/shop-old still runs 1.0.0 and is no target any more")]
    pub message: String,
}

/// Why a deployment is not moving, who can move it, and when it will move by itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The deployment.
    pub deployment: String,
    /// Its state.
    pub state: String,
    /// In one or two sentences.
    pub summary: String,
    /// What keeps it from going on.
    pub blockers: Vec<Blocker>,
    /// What is allowed in this state.
    pub allowed: Vec<String>,
}

/// What a deployment would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// The deployment.
    pub deployment: String,
    /// One entry a target.
    pub targets: Vec<TargetPreview>,
}

/// What a deployment would do to one target.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetPreview {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// Whether the namespace would be created.
    pub creates_namespace: bool,
    /// How many objects would be created.
    pub created: u32,
    /// How many would be updated.
    pub updated: u32,
    /// How many would stay as they are (but for Slipway's own annotations).
    pub unchanged: u32,
    /// How many would be pruned.
    pub pruned: u32,
    /// How many would be deleted and made anew, because a field that cannot be changed has changed.
    #[serde(default)]
    pub replaced: u32,
    /// What there is to say beside: what could not be asked in advance, what is kept, what is hardly meant.
    #[serde(default)]
    pub notes: Vec<String>,
    /// One entry an object.
    pub objects: Vec<ObjectPreview>,
}

/// What a deployment would do to one object.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ObjectPreview {
    /// The difference (server-side dry run), secrets redacted.
    #[serde(flatten)]
    pub diff: ObjectDiff,
    /// Whether it is a hook that would run.
    pub hook: bool,
    /// What stands in the way, as a conflict with another field manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The exact objects that a deployment applies to one target, secrets redacted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetManifests {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// Digest of the stored rendering (over the objects with their secrets).
    pub rendering: String,
    /// The objects, in the order of applying; `slipway.dev/generation` and `slipway.dev/deployment` are added on applying.
    #[schema(value_type = Vec<Object>)]
    pub objects: Vec<serde_json::Value>,
    /// Hooks.
    #[schema(value_type = Vec<Object>)]
    pub hooks: Vec<serde_json::Value>,
}

/// The manifests of every target.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Manifests {
    /// The deployment.
    pub deployment: String,
    /// One entry a target.
    pub targets: Vec<TargetManifests>,
}
