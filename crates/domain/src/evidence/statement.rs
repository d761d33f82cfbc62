//! What somebody stated, and which of several statements counts.

use super::{Kind, Normal};
use crate::{
    Digest, Name,
    ids::{ComponentVersionId, EvidenceId, PrincipalId, ReleaseId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a statement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A version of a component.
    ComponentVersion(ComponentVersionId),
    /// A release.
    Release(ReleaseId),
}

/// Evidence, as it is kept. It never changes, but for being withdrawn or superseded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its id.
    pub id: EvidenceId,
    /// What it is about.
    pub subject: Subject,
    /// The digest of that, which it is bound to.
    pub digest: Digest,
    /// What it says.
    pub normal: Normal,
    /// The digest of the document's bytes.
    pub payload: Digest,
    /// Who stated it.
    pub stated_by: PrincipalId,
    /// When.
    pub stated_at: Timestamp,
    /// Whether somebody took it back.
    pub withdrawn: Option<Withdrawal>,
    /// The newer one of the same subject, kind and name.
    pub superseded_by: Option<EvidenceId>,
}

/// That a statement was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// By whom.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Statement {
    /// How old it is counted from: when it was stated, or when the document says that it was written, if that is earlier.
    /// Stating an old document again makes it no younger.
    #[must_use]
    pub fn dates_from(&self) -> Timestamp {
        let produced_at = self.normal.produced_at.unwrap_or(self.stated_at);
        produced_at.min(self.stated_at)
    }

    /// The key that its signature was verified with.
    #[must_use]
    pub const fn verified_by(&self) -> Option<&Name> {
        self.normal.signature.by()
    }
}

/// What statements of one subject, kind and name come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'s> {
    /// The newest counts.
    Counts(&'s Statement),
    /// The newest was withdrawn, and nothing counts until it is stated again: what it superseded is not what anybody
    /// stated last, and is not brought back by taking something away.
    Withdrawn(&'s Statement, &'s Withdrawal),
}

impl<'s> Standing<'s> {
    /// The newest statement, whether or not it counts.
    #[must_use]
    pub const fn of(self) -> &'s Statement {
        match self {
            Self::Counts(statement) | Self::Withdrawn(statement, _) => statement,
        }
    }

    /// The statement that counts, if one does.
    #[must_use]
    pub const fn counts(self) -> Option<&'s Statement> {
        match self {
            Self::Counts(statement) => Some(statement),
            Self::Withdrawn(..) => None,
        }
    }
}

/// What all statements come to: one standing for each digest, kind and name, in that order.
///
/// Of those that were stated at one moment the one with the later id is the newer. What is marked as superseded never
/// counts, though what supersedes it be not among these statements.
#[must_use]
pub fn standing<'s>(
    statements: impl IntoIterator<Item = &'s Statement>,
) -> BTreeMap<(Digest, Kind, &'s Name), Standing<'s>> {
    let mut newest: BTreeMap<_, &Statement> = BTreeMap::new();
    for statement in statements.into_iter().filter(|one| one.superseded_by.is_none()) {
        let key = (statement.digest, statement.normal.kind, &statement.normal.name);
        let kept = newest.entry(key).or_insert(statement);
        let age = |one: &Statement| (one.stated_at, one.id.uuid());
        if age(statement) > age(kept) {
            *kept = statement;
        }
    }
    newest
        .into_iter()
        .map(|(key, statement)| {
            let standing = match &statement.withdrawn {
                None => Standing::Counts(statement),
                Some(withdrawal) => Standing::Withdrawn(statement, withdrawal),
            };
            (key, standing)
        })
        .collect()
}

/// The statements that count: of each digest, kind and name the newest, if it was not withdrawn.
pub fn counting<'s>(
    statements: impl IntoIterator<Item = &'s Statement>,
) -> impl Iterator<Item = &'s Statement> {
    standing(statements).into_values().filter_map(Standing::counts)
}
