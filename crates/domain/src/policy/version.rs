//! Policies as they are kept: a name, and versions that never change once they are written.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> draft: written
//!     draft --> in_force: activated by an authority who did not write it
//!     in_force --> retired: another version is activated, or it is taken out of force
//! ```

use super::Document;
use crate::{
    Digest, Name,
    ids::{PolicyId, PrincipalId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: PolicyId,
    /// Its unique name.
    pub name: Name,
    /// The version that is in force, if one is.
    pub in_force: Option<i64>,
    /// The newest version.
    pub latest: i64,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One version of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Of which policy.
    pub policy: PolicyId,
    /// The policy's name.
    pub name: Name,
    /// Which version: 1, 2, …
    pub version: i64,
    /// What it says.
    pub document: Document,
    /// Digest of what it says.
    pub digest: Digest,
    /// Who wrote it.
    pub author: Person,
    /// When it was written.
    pub created_at: Timestamp,
    /// Who put it in force, and when.
    pub activated: Option<(Person, Timestamp)>,
    /// Who took it out of force, and when.
    pub retired: Option<(Person, Timestamp)>,
}

/// Somebody, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: PrincipalId,
    /// What they are called.
    pub name: String,
}

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Written, and never in force.
    Draft,
    /// Deployments are judged by it.
    InForce,
    /// It was in force.
    Retired,
}

impl VersionState {
    /// As written in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InForce => "in_force",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a version may not be put in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotActivated {
    /// Its author may not.
    #[error("whoever wrote a version does not put it in force: another authority has to look at it")]
    Author,
    /// It was in force before, or is.
    #[error("version {version} is {state}; what was in force once is written anew, as another version")]
    State {
        /// Which version.
        version: i64,
        /// Where it stands.
        state: VersionState,
    },
}

impl Version {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> VersionState {
        match (&self.activated, &self.retired) {
            (None, _) => VersionState::Draft,
            (Some(_), None) => VersionState::InForce,
            (Some(_), Some(_)) => VersionState::Retired,
        }
    }

    /// Whether this person may put it in force.
    ///
    /// # Errors
    /// Why not.
    pub fn may_be_activated(&self, by: PrincipalId) -> Result<(), NotActivated> {
        if self.state() != VersionState::Draft {
            return Err(NotActivated::State {
                version: self.version,
                state: self.state(),
            });
        }
        if self.author.id == by {
            return Err(NotActivated::Author);
        }
        Ok(())
    }
}
