//! Release packages.

use crate::{component::ObjectRef, registry::Overlay};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One component version, by names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentRef {
    /// The component's name.
    #[schema(example = "web")]
    pub name: String,
    /// The version.
    #[schema(example = "1.0.0")]
    pub version: String,
}

/// Composes a release, as a draft.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRelease {
    /// The service (name or id).
    #[schema(example = "storefront")]
    pub service: String,
    /// Its semantic version, unique within the service.
    #[schema(example = "1.0.0")]
    pub version: String,
    /// What it is made of.
    #[schema(min_items = 1, max_items = 200)]
    pub components: Vec<ComponentRef>,
    /// Notes for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20000)]
    pub notes: Option<String>,
    /// Changes to objects of its components, in every environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Vec<Overlay>>,
}

/// Changes a draft; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRelease {
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 200)]
    pub components: Option<Vec<ComponentRef>>,
    /// Notes for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20000)]
    pub notes: Option<String>,
    /// Changes to objects of its components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Vec<Overlay>>,
}

/// One component version in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseComponent {
    /// The component's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The version's digest.
    pub digest: String,
}

/// A release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// Its id.
    pub id: String,
    /// Its unique name: service and version.
    #[schema(example = "storefront@1.0.0")]
    pub name: String,
    /// The service.
    #[schema(example = "storefront")]
    pub service: String,
    /// Its semantic version.
    #[schema(example = "1.0.0")]
    pub version: String,
    /// `draft`, `sealed` or `withdrawn`.
    #[schema(example = "sealed")]
    pub state: String,
    /// Digest over all it contains; fixed by sealing, absent on a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    pub digest: Option<String>,
    /// What it is made of.
    pub components: Vec<ReleaseComponent>,
    /// Changes to objects of its components.
    pub config: Vec<Overlay>,
    /// Notes for people.
    pub notes: String,
    /// Who composed it.
    pub author: String,
    /// Who changed it since.
    pub editors: Vec<String>,
    /// Who sealed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_by: Option<String>,
    /// When it was sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_at: Option<Timestamp>,
    /// The process that it pinned when it was sealed, and which of its versions: the way that it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ReleaseProcess>,
    /// Why it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_reason: Option<String>,
    /// When it was composed.
    pub created_at: Timestamp,
}

/// The process that a release goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseProcess {
    /// Its name.
    #[schema(example = "default")]
    pub name: String,
    /// Which version.
    #[schema(example = 1)]
    pub version: i64,
}

/// What differs between two releases, before any environment's configuration.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReleaseDiff {
    /// The release.
    #[schema(example = "storefront@1.1.0")]
    pub release: String,
    /// What it is compared with.
    #[schema(example = "storefront@1.0.0")]
    pub against: String,
    /// Components that differ.
    pub components: Vec<ComponentChange>,
    /// Objects that differ, secrets redacted.
    pub objects: Vec<ObjectDiff>,
}

/// A component that differs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ComponentChange {
    /// Its name.
    pub name: String,
    /// The version in `against`; absent when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version in the release; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// How an object differs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ObjectDiff {
    /// Which object.
    pub object: ObjectRef,
    /// `created`, `updated`, `unchanged`, `pruned`, or `replaced` (deleted and made anew).
    #[schema(example = "updated")]
    pub change: String,
    /// What in it differs; values of Secrets are redacted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathChange>,
}

/// One difference inside an object.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PathChange {
    /// JSON pointer (RFC 6901) into the object.
    #[schema(example = "/spec/template/spec/containers/0/image")]
    pub pointer: String,
    /// What is there; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub from: Option<serde_json::Value>,
    /// What would be; absent when it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub to: Option<serde_json::Value>,
}
