//! The component library.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Registers a component.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateComponent {
    /// Its unique name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "web")]
    pub name: String,
    /// `manifests`: a bundle of Kubernetes objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "manifests")]
    pub kind: Option<String>,
    /// The team that owns it (name or id).
    #[schema(example = "shop")]
    pub team: String,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub description: Option<String>,
}

/// A named part in the library.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Component {
    /// Its id.
    pub id: String,
    /// Its unique name.
    #[schema(example = "web")]
    pub name: String,
    /// What it is made of.
    #[schema(example = "manifests")]
    pub kind: String,
    /// The team that owns it.
    pub team: String,
    /// What it is.
    pub description: String,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// Where a version was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The repository.
    #[schema(min_length = 1, max_length = 500, example = "https://git.example/shop/web")]
    pub repository: String,
    /// The commit.
    #[schema(
        min_length = 1,
        max_length = 100,
        example = "9fceb02d0ae598e95dc970b74767f19372d61af8"
    )]
    pub commit: String,
}

/// Another component that is needed, in a range of versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its name.
    #[schema(example = "api")]
    pub component: String,
    /// A range, in Cargo's syntax.
    #[schema(example = "^1.2")]
    pub version: String,
}

/// An image, pinned to a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImagePin {
    /// Its name as it stands in the manifests, without tag.
    #[schema(example = "registry.example/shop/web")]
    pub image: String,
    /// The digest that runs.
    #[schema(example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    pub digest: String,
    /// A tag to show beside it, instead of the one in the manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Registers a version. It can never be changed; the same again answers with what is there.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVersion {
    /// Its semantic version.
    #[schema(example = "1.0.0")]
    pub version: String,
    /// Where it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What it needs to run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// Images pinned to digests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImagePin>,
    /// Kubernetes objects: a multi-document YAML text (JSON is YAML), at most 4 MiB and 1,000 objects.
    #[schema(example = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  colour: blue\n")]
    pub manifests: String,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectRef {
    /// Its API version.
    #[schema(example = "apps/v1")]
    pub api_version: String,
    /// Its kind.
    #[schema(example = "Deployment")]
    pub kind: String,
    /// Its namespace, if it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    #[schema(example = "web")]
    pub name: String,
}

/// Something to look at before it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// JSON pointer (RFC 6901) into this reply: which of `objects`, and which field of it.
    #[schema(example = "/objects/2/spec/replicas")]
    pub pointer: String,
    /// What about it, and what to do.
    pub detail: String,
}

/// An immutable version of a component.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Its id.
    pub id: String,
    /// Of which component.
    #[schema(example = "web")]
    pub component: String,
    /// Its semantic version.
    #[schema(example = "1.0.0")]
    pub version: String,
    /// Digest of everything in it.
    #[schema(example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    pub digest: String,
    /// `available`, `deprecated` or `recalled`.
    #[schema(example = "available")]
    pub state: String,
    /// Why it was deprecated or recalled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    /// Where it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What it needs to run.
    pub requires: Vec<Requirement>,
    /// Images pinned to digests.
    pub images: Vec<ImagePin>,
    /// The objects it holds, in order.
    pub objects: Vec<ObjectRef>,
    /// What is allowed in it and hardly meant, as a workload that says `replicas` beside an autoscaler for it.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Who registered it.
    pub created_by: String,
    /// When it was registered.
    pub created_at: Timestamp,
}
