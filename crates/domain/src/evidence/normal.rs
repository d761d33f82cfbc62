//! The normal form: what is kept of a document besides the document itself, whatever its format.

use super::{Format, Kind};
use crate::{Digest, Name};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a document says. The document itself is kept elsewhere, by the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Normal {
    /// What kind of evidence it is.
    pub kind: Kind,
    /// What it is called among its kind: as it was given, or after its tool or its format.
    pub name: Name,
    /// How the document is written.
    pub format: Format,
    /// Whether it says that all is well. Skipped is not passed, and neither is what never ran.
    ///
    /// A scan passes when every run of it was completed: how many findings are too many is for policies to say, by
    /// `counts`.
    pub passed: bool,
    /// What was counted. Of a test report: `tests`, `passed`, `failed`, `errors`, `skipped`. Of a scan: `critical`,
    /// `high`, `medium`, `low`, `unknown`, `total`, and `suppressed`, which are in none of the others.
    pub counts: BTreeMap<String, i64>,
    /// What the document itself says that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Digest>,
    /// Whether it came signed.
    pub signature: Signature,
    /// What built it, by the id that its provenance names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// What wrote the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Tool>,
    /// When it was written, if it says so and with a time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced_at: Option<Timestamp>,
}

/// Whether a document came signed. One that came with signatures none of which verifies is refused, and never here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// It came without any.
    NotSigned,
    /// One of them was made with a configured key.
    Verified {
        /// The name of that key.
        by: Name,
    },
}

impl Signature {
    /// The key that it was verified with.
    #[must_use]
    pub const fn by(&self) -> Option<&Name> {
        match self {
            Self::NotSigned => None,
            Self::Verified { by } => Some(by),
        }
    }
}

/// What wrote a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Whether a document is about what it is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// It says so itself.
    Bound,
    /// It says that it is about something else.
    Other,
    /// It does not say.
    Unsaid,
}

impl Normal {
    /// Whether the document itself says that it is about one of these digests.
    #[must_use]
    pub fn about(&self, bound_to: &[Digest]) -> About {
        about(&self.subjects, bound_to)
    }
}

pub(super) fn about(subjects: &[Digest], bound_to: &[Digest]) -> About {
    if subjects.is_empty() {
        About::Unsaid
    } else if subjects.iter().any(|subject| bound_to.contains(subject)) {
        About::Bound
    } else {
        About::Other
    }
}

/// What a parser makes of a document, before it is known who signed it and what it is called.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) passed: bool,
    pub(super) counts: BTreeMap<String, i64>,
    pub(super) subjects: Vec<Digest>,
    pub(super) builder: Option<String>,
    pub(super) tool: Option<Tool>,
    pub(super) produced_at: Option<Timestamp>,
}

/// Counts under their names.
pub(super) fn counts<const N: usize>(of: [(&str, usize); N]) -> BTreeMap<String, i64> {
    of.into_iter()
        .map(|(name, count)| (name.to_owned(), i64::try_from(count).unwrap_or(i64::MAX)))
        .collect()
}

/// The earlier of two times that may be unknown: evidence is as old as the oldest part of it.
pub(super) fn older(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}
