//! What a component version needs of others.

use crate::Name;
use semver::VersionReq;
use serde::{Deserialize, Serialize};

/// Another component, in a range of versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Which component.
    pub component: Name,
    /// In which versions (Cargo's syntax of ranges: `^1.2`, `>=1, <3`).
    pub version: VersionReq,
}
