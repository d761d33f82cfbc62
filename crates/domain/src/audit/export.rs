//! A chain as a file: JSON Lines, verified line by line, offline and in little memory.
//!
//! ```text
//! {"slipway_audit_export":1,"origin":"slipway.example.com/audit","after":0}
//! {"action":…,"actor":…,"at":…,"data":…,"digest":"sha256:…","id":…,"previous":"sha256:…","seq":1,"subject":…}
//! …
//! {"checkpoint":"slipway.example.com/audit\n2\n…\n\n— slipway.example.com/audit …\n"}
//! ```
//!
//! A line of an entry is the canonical JSON of the entry with its digest, as the API shows it. Cutting the digest's field
//! out of those bytes leaves the canonical JSON of the entry, which is what was hashed. So the bytes that came are hashed as
//! they are, once it is known that they are in canonical form (`canonical` tells that in one pass): a line of any other
//! form is refused, and what is accepted is exactly what reading, writing again and hashing would accept.
//!
//! An export that begins in the middle brings the frontier of the tree before entry `after`, and the digest of that entry.
//! Neither is believed: the tree that grows from them has to end in the root that is signed, and from others it does not.

mod line;
#[cfg(test)]
mod tests;
mod verify;
mod wrong;

pub use verify::{ExportVerifier, Report};
pub use wrong::{MAX_LINE, Refused, Wrong};

use super::{Entry, SignedCheckpoint, merkle::Frontier};
use crate::{Digest, digest::canonical, signing::KeyName};
use serde::{Deserialize, Serialize};

/// The version of the format.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    slipway_audit_export: u32,
    origin: KeyName,
    after: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Before>,
}

/// What an export that begins in the middle goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The tree without the last entry that is not in the export.
    pub frontier: Frontier,
    /// The digest of that entry.
    pub digest: Digest,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    checkpoint: String,
}

/// An entry with its digest, in the order of canonical JSON.
#[derive(Serialize)]
struct Published<'e> {
    #[serde(flatten)]
    entry: &'e Entry,
    digest: Digest,
}

/// Writes the first line, without its end. `before` is none for an export from the beginning.
///
/// # Errors
/// Never, for it has a canonical form; the type says otherwise.
pub fn header(origin: &KeyName, before: Option<Before>) -> Result<String, serde_json::Error> {
    let after = before.as_ref().map_or(0, |before| before.frontier.size() + 1);
    serde_json::to_string(&Header {
        slipway_audit_export: VERSION,
        origin: origin.clone(),
        after: i64::try_from(after).unwrap_or(i64::MAX),
        before,
    })
}

/// Writes the line of an entry, without its end.
///
/// # Errors
/// When its data cannot be written as canonical JSON.
pub fn line(entry: &Entry, digest: Digest) -> Result<Vec<u8>, serde_json::Error> {
    canonical(&Published { entry, digest })
}

/// Writes the last line, without its end: the checkpoint over exactly the entries before it.
///
/// # Errors
/// Never, as [`header`].
pub fn footer(checkpoint: &SignedCheckpoint) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Footer {
        checkpoint: checkpoint.to_string(),
    })
}
