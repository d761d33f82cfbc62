//! Releases: component versions, configuration and notes for one service.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> draft
//!     draft --> sealed: seal (fixes the digest)
//!     draft --> withdrawn: withdraw
//!     sealed --> withdrawn: withdraw
//! ```

use crate::{
    Digest, Name,
    ids::{ComponentVersionId, PrincipalId, ReleaseId, ServiceId, TeamId},
    render::Overlay,
};
use jiff::Timestamp;
use semver::Version;
use serde::Serialize;
use std::fmt;

/// A release package.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Of which service.
    pub service: ServiceId,
    /// That service's name.
    pub service_name: Name,
    /// The team that owns the service.
    pub team: TeamId,
    /// Its semantic version, unique within the service.
    pub version: Version,
    /// What it is made of, in order.
    pub components: Vec<ReleaseComponent>,
    /// Changes to objects of its components, in every environment.
    pub config: Vec<Overlay>,
    /// Notes for people.
    pub notes: String,
    /// Who composed it.
    pub author: PrincipalId,
    /// Who changed it since.
    pub editors: Vec<PrincipalId>,
    /// Draft, sealed or withdrawn.
    pub state: ReleaseState,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was composed.
    pub created_at: Timestamp,
}

/// One component version in a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseComponent {
    /// Which version.
    pub id: ComponentVersionId,
    /// The component's name.
    pub name: Name,
    /// The semantic version.
    pub version: Version,
    /// The version's digest.
    pub digest: Digest,
}

/// A release's seal: after it, nothing in the release changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Digest over everything the release contains.
    pub digest: Digest,
    /// Who sealed it.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
}

/// The state of a release, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseState {
    /// Being composed.
    Draft,
    /// Fixed; may be deployed.
    Sealed(Seal),
    /// Must not be deployed any more.
    Withdrawn {
        /// Its seal, when it had been sealed.
        seal: Option<Seal>,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
}

impl ReleaseState {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Sealed(_) => "sealed",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }

    /// The seal, if there is one.
    #[must_use]
    pub const fn seal(&self) -> Option<&Seal> {
        match self {
            Self::Draft => None,
            Self::Sealed(seal) => Some(seal),
            Self::Withdrawn { seal, .. } => seal.as_ref(),
        }
    }
}

/// Why a release cannot do this now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NotInState {
    /// How to call the release.
    pub release: String,
    /// Its state.
    pub state: &'static str,
    /// What was asked.
    pub verb: &'static str,
    /// What would be allowed.
    pub allowed: &'static str,
}

impl fmt::Display for NotInState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "release {} is {}, so it cannot be {}; {}",
            self.release, self.state, self.verb, self.allowed
        )
    }
}

/// What a release's digest is taken over: all it contains, and nothing that changes afterwards.
#[derive(Debug, Serialize)]
struct Content<'a> {
    schema: &'static str,
    service: &'a Name,
    version: &'a Version,
    components: Vec<ContentComponent<'a>>,
    config: &'a [Overlay],
    notes: &'a str,
}

#[derive(Debug, Serialize)]
struct ContentComponent<'a> {
    name: &'a Name,
    version: &'a Version,
    digest: Digest,
}

impl Release {
    /// How people call it: `storefront@1.0.0`.
    #[must_use]
    pub fn display_name(&self) -> String {
        format!("{}@{}", self.service_name, self.version)
    }

    fn refuse(&self, verb: &'static str) -> NotInState {
        let allowed = match self.state {
            ReleaseState::Draft => "a draft can be changed, sealed or withdrawn",
            ReleaseState::Sealed(_) => "a sealed release can be deployed or withdrawn",
            ReleaseState::Withdrawn { .. } => "a withdrawn release stays withdrawn; compose a new one",
        };
        NotInState {
            release: self.display_name(),
            state: self.state.as_str(),
            verb,
            allowed,
        }
    }

    /// The digest over everything it contains now (RFC 8785 canonical JSON, SHA-256).
    ///
    /// # Errors
    /// When the configuration cannot be written as canonical JSON.
    pub fn content_digest(&self) -> Result<Digest, serde_json::Error> {
        Digest::of_canonical(&Content {
            schema: "slipway.dev/release/v1",
            service: &self.service_name,
            version: &self.version,
            components: self
                .components
                .iter()
                .map(|c| ContentComponent {
                    name: &c.name,
                    version: &c.version,
                    digest: c.digest,
                })
                .collect(),
            config: &self.config,
            notes: &self.notes,
        })
    }

    /// Checks that it may be changed.
    ///
    /// # Errors
    /// When it is not a draft.
    pub fn check_editable(&self) -> Result<(), NotInState> {
        if self.state == ReleaseState::Draft {
            Ok(())
        } else {
            Err(self.refuse("changed"))
        }
    }

    /// Seals it.
    ///
    /// # Errors
    /// When it is not a draft.
    pub fn seal(self, seal: Seal) -> Result<Self, NotInState> {
        match self.state {
            ReleaseState::Draft => Ok(Self {
                state: ReleaseState::Sealed(seal),
                ..self
            }),
            _ => Err(self.refuse("sealed")),
        }
    }

    /// Withdraws it.
    ///
    /// # Errors
    /// When it is withdrawn already.
    pub fn withdraw(self, reason: String, at: Timestamp) -> Result<Self, NotInState> {
        let seal = match &self.state {
            ReleaseState::Draft => None,
            ReleaseState::Sealed(seal) => Some(seal.clone()),
            ReleaseState::Withdrawn { .. } => return Err(self.refuse("withdrawn")),
        };
        Ok(Self {
            state: ReleaseState::Withdrawn { seal, reason, at },
            ..self
        })
    }

    /// The seal of a release that may be deployed.
    ///
    /// # Errors
    /// When it is a draft or withdrawn.
    pub fn deployable(&self) -> Result<&Seal, NotInState> {
        match &self.state {
            ReleaseState::Sealed(seal) => Ok(seal),
            _ => Err(self.refuse("deployed")),
        }
    }
}
