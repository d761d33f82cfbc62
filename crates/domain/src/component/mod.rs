//! The library: components and their immutable versions.

pub mod bundle;
mod image_pin;
mod requirement;

pub use image_pin::ImagePin;
pub use requirement::Requirement;

use crate::{
    Digest, Name,
    ids::{ComponentId, ComponentVersionId, PrincipalId, TeamId},
};
use bundle::{ObjectRef, Warning};
use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a component is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// A bundle of Kubernetes objects.
    Manifests,
}

impl ComponentKind {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifests => "manifests",
        }
    }
}

impl FromStr for ComponentKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "manifests" => Ok(Self::Manifests),
            _ => Err("the kind of a component is `manifests`".to_owned()),
        }
    }
}

/// A named part in the library.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its id.
    pub id: ComponentId,
    /// Its unique name.
    pub name: Name,
    /// What it is made of.
    pub kind: ComponentKind,
    /// Who owns it.
    pub team: TeamId,
    /// The owning team's name.
    pub team_name: Name,
    /// What it is, for people.
    pub description: String,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// Whether a version may still be used.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> available
///     available --> deprecated
///     available --> recalled
///     deprecated --> recalled
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// May be used.
    Available,
    /// May be used; something better is there.
    Deprecated,
    /// Must not be used in new releases or deployments.
    Recalled,
}

impl VersionState {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Deprecated => "deprecated",
            Self::Recalled => "recalled",
        }
    }

    /// Whether `self` may become `next`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Available, Self::Deprecated | Self::Recalled) | (Self::Deprecated, Self::Recalled)
        )
    }
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VersionState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Available, Self::Deprecated, Self::Recalled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state of a component version"))
    }
}

/// Where a version was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The repository, as its users name it.
    pub repository: String,
    /// The commit.
    pub commit: String,
}

/// An immutable version of a component.
#[derive(Debug, Clone)]
pub struct ComponentVersion {
    /// Its id.
    pub id: ComponentVersionId,
    /// Of which component.
    pub component: ComponentId,
    /// That component's name.
    pub component_name: Name,
    /// Its semantic version.
    pub version: Version,
    /// Digest of everything in it.
    pub digest: Digest,
    /// Where it was built from.
    pub source: Option<Source>,
    /// What it needs to run.
    pub requires: Vec<Requirement>,
    /// Images pinned to digests.
    pub images: Vec<ImagePin>,
    /// What objects it holds.
    pub objects: Vec<ObjectRef>,
    /// What is allowed in it and hardly meant.
    pub warnings: Vec<Warning>,
    /// Whether it may still be used.
    pub state: VersionState,
    /// Why it was deprecated or recalled.
    pub state_reason: Option<String>,
    /// Who registered it.
    pub created_by: PrincipalId,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// What a version's digest is taken over.
#[derive(Debug, Serialize)]
pub struct VersionContent<'a> {
    /// The component's name.
    pub component: &'a Name,
    /// The version.
    pub version: &'a Version,
    /// Digest of the bundle.
    pub bundle: Digest,
    /// Where it was built from.
    pub source: Option<&'a Source>,
    /// What it needs.
    pub requires: &'a [Requirement],
    /// Pinned images.
    pub images: &'a [ImagePin],
}
