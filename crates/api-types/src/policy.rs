//! Policies: an organisation's own rules about what may go where.

use crate::approval::ApprovalRule;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Writes a policy; its first version is a draft.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "production-basics", "document": {"scope": {"tiers": ["production"]}, "rules": [{
        "name": "images-pinned", "expression": "components.all(c, c.images.all(i, i.pinned))",
        "message": {"text": "every image is named by its digest"}, "effect": "refuse",
    }]}}))]
pub struct CreatePolicy {
    /// Its unique name.
    #[schema(
        pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        example = "production-basics"
    )]
    pub name: String,
    /// What it says.
    pub document: PolicyDocument,
}

/// Writes a further version of a policy, as a draft.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"document": {"scope": {"tiers": ["production"]}, "rules": [{
        "name": "images-pinned", "expression": "components.all(c, c.images.all(i, i.pinned))",
        "message": {"text": "every image is named by its digest"}, "effect": "refuse",
    }]}}))]
pub struct CreatePolicyVersion {
    /// What it says.
    pub document: PolicyDocument,
}

/// What a policy says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// What it is for, for people.
    #[serde(default)]
    #[schema(
        max_length = 2000,
        example = "What must be so before anything goes to production."
    )]
    pub description: String,
    /// Which deployments it covers.
    #[serde(default)]
    pub scope: PolicyScope,
    /// Its rules: each of them counts.
    #[schema(min_items = 1, max_items = 50)]
    pub rules: Vec<PolicyRule>,
    /// What it says of some facts: checked before it is put in force.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub examples: Vec<PolicyExample>,
    /// What it lets go in an emergency; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<PolicyBreakGlass>,
}

/// What a policy lets go in an emergency, by people with the permission `deployment.override`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"gates": ["evidence", "approval"], "approval": {"role": "authority", "count": 1, "expires_after": "PT24H"}}))]
pub struct PolicyBreakGlass {
    /// Which gates: `process`, `promotion`, `evidence`, `policy`, `approval`, `schedule` or `rollback`.
    #[schema(min_items = 1, max_items = 7)]
    pub gates: Vec<String>,
    /// Who must answer for it afterwards, and by when (`expires_after`, a day unless given); one authority when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRule>,
}

/// Which deployments a policy covers: those that fit all of it. What is empty fits every one.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyScope {
    /// `development`, `test`, `staging`, `production`.
    #[serde(default)]
    #[schema(example = json!(["production"]))]
    pub tiers: Vec<String>,
    /// Environments by name.
    #[serde(default)]
    pub environments: Vec<String>,
    /// Services by name.
    #[serde(default)]
    pub services: Vec<String>,
    /// Teams by name: the services they own.
    #[serde(default)]
    pub teams: Vec<String>,
    /// `low`, `medium`, `high`, `critical`.
    #[serde(default)]
    pub criticalities: Vec<String>,
    /// `deploy`: rollbacks and heals are never held up by policies.
    #[serde(default)]
    pub kinds: Vec<String>,
}

/// One rule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyRule {
    /// Its name, unique in the policy.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "images-pinned")]
    pub name: String,
    /// Where it applies at all (CEL over the facts); everywhere when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What must be so (CEL over the facts). Absent: the effect is there wherever the rule applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "components.all(c, c.images.all(i, i.pinned))")]
    pub expression: Option<String>,
    /// What people are told where it is not so.
    pub message: PolicyMessage,
    /// What happens then.
    pub effect: PolicyEffect,
}

/// What people are told: one of the two.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = json!({"text": "every image is named by its digest"}))]
pub enum PolicyMessage {
    /// As it is written.
    Text(String),
    /// As this expression (CEL) comes out, as text.
    Expression(String),
}

/// What happens where a rule is not kept.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "refuse")]
pub enum PolicyEffect {
    /// The deployment does not start.
    Refuse,
    /// People are told, and nothing else.
    Warn,
    /// These people must approve.
    RequireApproval(ApprovalRule),
    /// This must have been stated.
    RequireEvidence(PolicyEvidence),
}

/// Evidence that a rule asks for: it must be there, count, have passed, and be fresh enough.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyEvidence {
    /// `test_report`, `scan`, `sbom`, `provenance`, `signature`, `configuration_baseline`, `manual_check` or `generic`.
    #[schema(example = "test_report")]
    pub kind: String,
    /// What it must be called. When absent, none of the kind may say that something is wrong, and one must meet the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "unit")]
    pub name: Option<String>,
    /// `every_component` or `release`: what it must be about.
    #[schema(example = "every_component")]
    pub of: String,
    /// How old it may be (ISO 8601), counted from when the document says that it was written, or was stated, if that is
    /// earlier; any age when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "P7D")]
    pub max_age: Option<String>,
    /// Whether its signature must have been verified with a registered key.
    #[serde(default)]
    pub signed: bool,
}

/// What a policy says of some facts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyExample {
    /// What it shows; unique in the policy.
    #[schema(max_length = 200, example = "an image by tag is refused")]
    pub name: String,
    /// The facts: the shape is at `/v1/schemas/policy-facts`.
    #[schema(value_type = Object)]
    pub facts: Value,
    /// What the policy must say of them.
    pub expect: PolicyExpectation,
}

/// What a policy is expected to say.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyExpectation {
    /// `not_covered`, `allow`, `warn`, `require_evidence`, `require_approval` or `refuse`.
    #[schema(example = "refuse")]
    pub verdict: String,
    /// The rules that are not kept, if that is to be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<String>>,
}

/// A policy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Its id.
    pub id: String,
    /// Its unique name.
    #[schema(example = "production-basics")]
    pub name: String,
    /// The version that deployments are judged by; absent while none is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force: Option<i64>,
    /// The newest version.
    #[schema(example = 1)]
    pub latest: i64,
    /// The version in force; while none is, the newest.
    pub version: PolicyVersion,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One version of a policy. It never changes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyVersion {
    /// Of which policy.
    #[schema(example = "production-basics")]
    pub policy: String,
    /// 1, 2, …
    #[schema(example = 1)]
    pub version: i64,
    /// `draft`, `in_force` or `retired`.
    #[schema(example = "draft")]
    pub state: String,
    /// Digest of the document.
    pub digest: String,
    /// What it says.
    pub document: PolicyDocument,
    /// Who wrote it.
    #[schema(example = "Petra")]
    pub author: String,
    /// When.
    pub created_at: Timestamp,
    /// Who put it in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activated_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// Who took it out of force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
}

/// Tries policies on a deployment. Changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"document": {"scope": {"tiers": ["production"]}, "rules": [{
        "name": "images-pinned", "expression": "components.all(c, c.images.all(i, i.pinned))",
        "message": {"text": "every image is named by its digest"}, "effect": "refuse",
    }]}}))]
pub struct EvaluatePolicies {
    /// A draft to try; absent: every policy in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<PolicyDocument>,
    /// A deployment, past or waiting, as it was judged last. Either this or `facts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Facts that are made up: the shape is at `/v1/schemas/policy-facts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub facts: Option<Value>,
}

/// What policies say.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyJudgement {
    /// All in all: `not_covered`, `allow`, `warn`, `require_evidence`, `require_approval` or `refuse`.
    #[schema(example = "refuse")]
    pub verdict: String,
    /// What each rule says.
    pub rules: Vec<PolicyRuleVerdict>,
    /// The examples of the draft that it does not live up to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_examples: Vec<FailedPolicyExample>,
}

/// What one rule says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyRuleVerdict {
    /// Of which policy; `draft` for a draft.
    #[schema(example = "production-basics")]
    pub policy: String,
    /// Of which of its versions; 0 for a draft.
    pub version: i64,
    /// Which rule.
    #[schema(example = "images-pinned")]
    pub rule: String,
    /// `kept`, `not_kept`, `does_not_apply` or `unknown`, which refuses.
    #[schema(example = "not_kept")]
    pub kept: String,
    /// `refuse`, `require_approval`, `require_evidence` or `warn`.
    #[schema(example = "refuse")]
    pub effect: String,
    /// What people are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The parts that decided, with what they saw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<PolicyBecause>,
}

/// A part of an expression that decided.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyBecause {
    /// The part, as it would be written.
    #[schema(example = "i.pinned")]
    pub expression: String,
    /// What it came out as; absent when that could not be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<bool>,
    /// What it saw, in a sentence.
    pub detail: String,
    /// What would have made it come out the other way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_change: Option<String>,
    /// The facts it read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saw: Vec<PolicySaw>,
}

/// A fact, as a part of an expression saw it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicySaw {
    /// Its path.
    #[schema(example = "components[0].images[0].pinned")]
    pub fact: String,
    /// Its value; cut off where it is long.
    #[schema(value_type = Object)]
    pub value: Value,
}

/// An example that a draft does not live up to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FailedPolicyExample {
    /// Its name.
    pub name: String,
    /// What it expects.
    pub expected: String,
    /// What the draft says.
    pub verdict: String,
}

/// Asks what a draft would have said of what was judged lately.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"document": {"scope": {"tiers": ["production"]}, "rules": [{
        "name": "images-pinned", "expression": "components.all(c, c.images.all(i, i.pinned))",
        "message": {"text": "every image is named by its digest"}, "effect": "refuse",
    }]}, "days": 90}))]
pub struct PolicyReportRequest {
    /// The draft.
    pub document: PolicyDocument,
    /// How many days back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 366, example = 90)]
    pub days: Option<u32>,
}

/// What a draft would have said.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyReport {
    /// Since when.
    pub since: Timestamp,
    /// How many deployments were looked at.
    pub looked_at: u64,
    /// Whether there were more than can be looked at: the newest were.
    pub cut_off: bool,
    /// How many there were of each verdict.
    #[schema(example = json!({"allow": 40, "refuse": 2}))]
    pub verdicts: std::collections::BTreeMap<String, u64>,
    /// Those that it would not have let pass as they were, newest first, 200 at most.
    pub deployments: Vec<PolicyReportEntry>,
}

/// One deployment in a report.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyReportEntry {
    /// Which.
    pub deployment: String,
    /// Of which release.
    #[schema(example = "storefront@1.0.0")]
    pub release: String,
    /// Where to.
    #[schema(example = "production")]
    pub environment: String,
    /// When it was judged.
    pub judged_at: Timestamp,
    /// What the draft says.
    #[schema(example = "refuse")]
    pub verdict: String,
    /// Why: what people would be told.
    pub reasons: Vec<String>,
}
