//! What can be wrong with an export.

use super::VERSION;
use crate::{
    Digest,
    audit::{
        Broken,
        canonical::NotCanonical,
        checkpoint::{NoCheckpoint, NotTrusted},
    },
    signing::KeyName,
};
use std::fmt;

/// Most bytes of a line.
pub const MAX_LINE: usize = 8 * 1024 * 1024;

/// What is wrong with an export, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The line, from 1.
    pub line: u64,
    /// The last entry that was good, if there was one.
    pub after: Option<i64>,
    /// What is wrong.
    pub wrong: Wrong,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(after) = self.after {
            write!(f, ", after entry {after}")?;
        }
        write!(f, ": {}", self.wrong)
    }
}

impl std::error::Error for Refused {}

/// What can be wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A line is too long.
    #[error("the line has more than {MAX_LINE} bytes")]
    TooLong,
    /// A line is no text.
    #[error("the line is not UTF-8")]
    NoText,
    /// The first line is none of an export.
    #[error(
        "this is no audit export: its first line was expected to begin with {{\"slipway_audit_export\":{VERSION}, not `{0}`"
    )]
    NoHeader(String),
    /// It is written in a later form.
    #[error("the export is of version {0}, and this program reads version {VERSION}: use a newer one")]
    Version(u32),
    /// The first line says what cannot be.
    #[error(
        "the first line is damaged: it begins after entry {0}, and what it says of the tree before that does not fit"
    )]
    Before(i64),
    /// A line is no entry in its canonical form.
    #[error("the entry is not in canonical form, {0} was expected")]
    NotCanonical(#[from] NotCanonical),
    /// Its time is none, or is not written as it was hashed.
    #[error("the entry's time `{0}` is not written in the one form that there is")]
    Time(String),
    /// The chain does not hold.
    #[error("{0}")]
    Broken(#[from] Broken),
    /// It goes on after its end.
    #[error("something follows the checkpoint, which is the last line of an export")]
    AfterEnd,
    /// It has no end.
    #[error("the export was cut off: its last line is no checkpoint")]
    CutOff,
    /// The last line is damaged.
    #[error("the line of the checkpoint is damaged: {0}")]
    Footer(String),
    /// There is no checkpoint in the last line.
    #[error("{0}")]
    NoCheckpoint(#[from] NoCheckpoint),
    /// The checkpoint is not signed by whom it must be.
    #[error("{0}")]
    NotTrusted(#[from] NotTrusted),
    /// The checkpoint is of another log.
    #[error("the export says that it is of `{export}`, and its checkpoint is of `{checkpoint}`")]
    Origin {
        /// The one of the first line.
        export: KeyName,
        /// The one of the last.
        checkpoint: KeyName,
    },
    /// The checkpoint covers more or less.
    #[error("the signed checkpoint covers {signed} entries, and the export ends with entry {found}")]
    Size {
        /// How many are covered.
        signed: u64,
        /// How many there are.
        found: u64,
    },
    /// The checkpoint is over other entries.
    #[error(
        "the entries are not those that were signed: their Merkle root is {found}, and that of the checkpoint {signed}"
    )]
    Root {
        /// What was signed.
        signed: Digest,
        /// What was found.
        found: Digest,
    },
    /// The kept checkpoint is of another log.
    #[error("the checkpoint that you kept is of `{kept}`, and the export of `{export}`")]
    KeptOrigin {
        /// The one of the kept checkpoint.
        kept: KeyName,
        /// The one of the export.
        export: KeyName,
    },
    /// The kept checkpoint covers less than what the export begins after.
    #[error(
        "the checkpoint that you kept covers {kept} entries, and the export begins after entry {after}: take one that begins there or before"
    )]
    KeptBefore {
        /// How many entries it covers.
        kept: u64,
        /// What the export begins after.
        after: u64,
    },
    /// The kept checkpoint covers more than there is.
    #[error(
        "the checkpoint that you kept covers {kept} entries, and the export ends with entry {found}: entries were cut off, or the export is older"
    )]
    KeptAfter {
        /// How many entries it covers.
        kept: u64,
        /// How many there are.
        found: u64,
    },
    /// The first entries are others than those that the kept checkpoint covers.
    #[error(
        "the record was written anew: the first {size} entries have the Merkle root {found}, and the checkpoint that you kept over as many {kept}"
    )]
    KeptRoot {
        /// How many entries it covers.
        size: u64,
        /// The root that was kept.
        kept: Digest,
        /// The root that was found.
        found: Digest,
    },
}
