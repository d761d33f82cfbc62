//! The compliance report of a release.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a release was asked to meet on its way, and what became of each requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComplianceReport {
    /// Database time of the state that it tells of.
    pub at: Timestamp,
    /// The release.
    pub release: ComplianceRelease,
    /// The process that it pinned.
    pub process: ComplianceVersion,
    /// `compliant`; `open`: something is not met yet, and nothing was refused; or `not_compliant`.
    #[schema(example = "compliant")]
    pub verdict: String,
    /// Each environment that is a stage of the process, in its order.
    pub environments: Vec<ComplianceEnvironment>,
}

/// The release that a report is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComplianceRelease {
    /// What it is called.
    #[schema(example = "storefront@1.0.0")]
    pub release: String,
    /// The digest that its seal fixed: what was approved, and what ran.
    pub digest: String,
    /// Its service.
    #[schema(example = "storefront")]
    pub service: String,
    /// The team that owns the service.
    #[schema(example = "shop")]
    pub team: String,
    /// How much depends on the service.
    #[schema(example = "high")]
    pub criticality: String,
    /// Who composed it.
    pub author: String,
    /// Who sealed it.
    pub sealed_by: String,
    /// When.
    pub sealed_at: Timestamp,
    /// Why it was withdrawn, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
    /// What of it was recalled, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recalled: Option<String>,
}

/// A version of a process or a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComplianceVersion {
    /// Its name.
    #[schema(example = "default")]
    pub name: String,
    /// Which version.
    #[schema(example = 1)]
    pub version: i64,
}

/// One environment on the way of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComplianceEnvironment {
    /// The stage that it is.
    #[schema(example = "anywhere")]
    pub stage: String,
    /// Its name.
    #[schema(example = "production")]
    pub environment: String,
    /// What kind it is.
    #[schema(example = "production")]
    pub tier: String,
    /// What its requirements come to.
    #[schema(example = "compliant")]
    pub verdict: String,
    /// The deployment that they were judged for, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<ComplianceDeployment>,
    /// Everything that is asked of the release here.
    pub requirements: Vec<ComplianceRequirement>,
}

/// The deployment of a release to an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComplianceDeployment {
    /// Which.
    pub id: String,
    /// Where it stands.
    #[schema(example = "succeeded")]
    pub state: String,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Who asked for it.
    pub requested_by: String,
    /// When it was admitted, and its gates were judged for the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it stands where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The versions of policies that it was judged by.
    pub policies: Vec<ComplianceVersion>,
}

/// One thing that is asked of a release, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComplianceRequirement {
    /// What is asked, for people.
    pub what: String,
    /// Who asks for it.
    pub source: ComplianceSource,
    /// Of what: the release, or a component of it.
    #[schema(example = "web@1.0.0")]
    pub about: String,
    /// `met`; `open`: it is not, and nobody said no; or `refused`: a gate, a person or what runs said no.
    #[schema(example = "met")]
    pub verdict: String,
    /// Since when that is so, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Where the record says so: the id of a statement (`evd_…`), a request for approval (`apr_…`) or a deployment (`dep_…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Why, for people.
    pub detail: String,
    /// Who or what can have it met, where somebody or something can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblocked_by: Option<String>,
}

/// Where a requirement comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"kind": "policy", "name": "production-proofs", "version": 1, "rule": "tested"}))]
pub struct ComplianceSource {
    /// `policy`, `process`, `environment` or `slipway`: what holds for every deployment.
    pub kind: String,
    /// The name of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which of its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The rule of a policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The stage of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}
