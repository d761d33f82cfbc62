//! Documents that an organisation writes about itself, as they are kept: a name, and versions that never change once they
//! are written. Policies and processes are kept like this.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> draft: written
//!     draft --> in_force: activated by somebody entitled who did not write it
//!     in_force --> retired: another version is activated, or it is taken out of force
//! ```

use crate::{Digest, Name, ids::PrincipalId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What has versions, by its kind of id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<I> {
    /// Its id.
    pub id: I,
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

/// One version of a document, by the kind of id of what it is a version of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version<I, D> {
    /// Of what.
    pub of: I,
    /// The name of that.
    pub name: Name,
    /// Which version: 1, 2, …
    pub version: i64,
    /// What it says.
    pub document: D,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Written, and never in force.
    Draft,
    /// It is what holds.
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

impl<I, D> Version<I, D> {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> VersionState {
        match (&self.activated, &self.retired) {
            (None, _) => VersionState::Draft,
            (Some(_), None) => VersionState::InForce,
            (Some(_), Some(_)) => VersionState::Retired,
        }
    }

    /// Whether this person may put it in force, as far as that depends on the version: what they are entitled to is asked
    /// elsewhere.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::ProcessId, process};

    fn person(name: &str) -> Person {
        Person {
            id: PrincipalId::new(),
            name: name.to_owned(),
        }
    }

    fn draft() -> process::Version {
        let document = process::default_document();
        Version {
            of: ProcessId::new(),
            name: "delivery".parse().unwrap(),
            version: 2,
            digest: Digest::of_canonical(&document).unwrap(),
            document,
            author: person("ada"),
            created_at: Timestamp::UNIX_EPOCH,
            activated: None,
            retired: None,
        }
    }

    #[test]
    fn nobody_puts_in_force_what_they_wrote_and_anybody_else_may() {
        let draft = draft();
        assert_eq!(draft.may_be_activated(draft.author.id), Err(NotActivated::Author));
        assert_eq!(draft.may_be_activated(PrincipalId::new()), Ok(()));
    }

    #[test]
    fn what_was_in_force_once_is_never_put_in_force_again() {
        let mut version = draft();
        let did = Some((person("abe"), Timestamp::UNIX_EPOCH));
        version.activated.clone_from(&did);
        let refused = version.may_be_activated(PrincipalId::new()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "version 2 is in_force; what was in force once is written anew, as another version"
        );
        version.retired = did;
        // That it is retired is told first: its author learns what is to be done about it.
        let state = VersionState::Retired;
        assert_eq!(
            version.may_be_activated(version.author.id),
            Err(NotActivated::State { version: 2, state })
        );
    }
}
