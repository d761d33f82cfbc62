//! Evidence: what is stated about a component version or a release.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// States something about a component version or a release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "kind": "test_report", "name": "unit",
    "document": "<testsuites><testsuite name=\"cart\"><testcase name=\"adds\"/></testsuite></testsuites>",
}))]
pub struct CreateEvidence {
    /// `test_report`, `scan`, `sbom`, `provenance`, `signature`, `configuration_baseline`, `manual_check` or `generic`.
    #[schema(example = "test_report")]
    pub kind: String,
    /// What it is called among its kind; when absent, after its tool or its format. Generic evidence is called as its schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "unit")]
    pub name: Option<String>,
    /// `junit`, `sarif`, `trivy`, `cyclonedx`, `spdx`, `in_toto`, `cosign` or `json`; when absent, that is told from the
    /// document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "junit")]
    pub format: Option<String>,
    /// The document as the tool wrote it: XML or JSON, 8 MiB at most.
    pub document: String,
}

/// A statement: it never changes, but for being withdrawn or superseded.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Its id.
    pub id: String,
    /// What it is about.
    #[schema(example = "web@1.2.0")]
    pub about: String,
    /// The digest of that, which it is bound to.
    pub digest: String,
    /// What kind of evidence it is.
    #[schema(example = "test_report")]
    pub kind: String,
    /// What it is called among its kind.
    #[schema(example = "unit")]
    pub name: String,
    /// How the document is written.
    #[schema(example = "junit")]
    pub format: String,
    /// Whether it says that all is well. Skipped is not passed. A scan passed when it was completed: how many findings are too
    /// many is for policies to say.
    pub passed: bool,
    /// What was counted.
    #[schema(example = json!({"errors": 0, "failed": 0, "passed": 41, "skipped": 1, "tests": 42}))]
    pub counts: BTreeMap<String, i64>,
    /// The key that its signature was verified with; absent when it came without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<String>,
    /// What built it, as its provenance says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// What wrote the document: its name, and its version if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "trivy 0.57.0")]
    pub tool: Option<String>,
    /// When the document says that it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced_at: Option<Timestamp>,
    /// The digest of the document's bytes; `GET …/document` gives them.
    pub document: String,
    /// `counts`, `withdrawn` or `superseded`.
    #[schema(example = "counts")]
    pub standing: String,
    /// Who stated it.
    pub stated_by: String,
    /// When.
    pub stated_at: Timestamp,
    /// From when its age is counted: when it was stated, or written, if that is earlier.
    pub dates_from: Timestamp,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_reason: Option<String>,
    /// The statement that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
}

/// Registers a public key that signatures of evidence are verified with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEvidenceKey {
    /// Its unique name: statements that were verified with it carry it.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "ci-builder")]
    pub name: String,
    /// An Ed25519 or ECDSA P-256 public key, as PEM (`BEGIN PUBLIC KEY`).
    #[schema(
        max_length = 10000,
        example = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA…\n-----END PUBLIC KEY-----\n"
    )]
    pub pem: String,
}

/// A public key that signatures of evidence are verified with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EvidenceKey {
    /// Its id.
    pub id: String,
    /// Its unique name.
    #[schema(example = "ci-builder")]
    pub name: String,
    /// The key.
    pub pem: String,
    /// `trusted` or `revoked`: nothing that was signed with a revoked key counts.
    #[schema(example = "trusted")]
    pub state: String,
    /// Who registered it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Who revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
}

/// Registers what generic evidence of a name must conform to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "load-test", "schema": {"type": "object", "required": ["p99_ms", "passed"]}}))]
pub struct CreateEvidenceSchema {
    /// Its unique name, which is that of the evidence.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "load-test")]
    pub name: String,
    /// A JSON Schema (2020-12) of at most 64 KiB that refers to nothing outside of it.
    #[schema(value_type = Object)]
    pub schema: Value,
}

/// What generic evidence of a name must conform to. It never changes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EvidenceSchema {
    /// Its id.
    pub id: String,
    /// Its unique name, which is that of the evidence.
    #[schema(example = "load-test")]
    pub name: String,
    /// The JSON Schema.
    #[schema(value_type = Object)]
    pub schema: Value,
    /// Digest of it.
    pub digest: String,
    /// Who registered it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}
