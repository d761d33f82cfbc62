//! A signed head of the tree: a C2SP tlog-checkpoint (<https://c2sp.org/tlog-checkpoint>) in a C2SP signed note
//! (<https://c2sp.org/signed-note>), which tools of transparency logs read as well.
//!
//! ```text
//! slipway.example.com/audit
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — slipway.example.com/audit Az3grlgtzPICa5OS8npVmf1Myq/5…
//! ```
//!
//! Lines after the third one, which the format allows and advises against, are refused: nobody could check them.

#[cfg(test)]
mod tests;

use super::merkle::{MAX_SIZE, TreeHead};
use crate::{
    Digest,
    signing::{KeyName, SigningKey, VerifyingKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{fmt, str::FromStr};

/// Most bytes of a signed checkpoint.
pub const MAX_CHECKPOINT: usize = 256 * 1024;
/// Most signatures of one. The format wants room for 16 at least: witnesses may add theirs.
pub const MAX_SIGNATURES: usize = 64;

/// Of which log the head of the tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log, which is that of the key that it signs with.
    pub origin: KeyName,
    /// The head.
    pub head: TreeHead,
}

/// Why a text is no signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCheckpoint {
    /// It is too long.
    #[error("a checkpoint has at most {MAX_CHECKPOINT} bytes")]
    TooLong,
    /// The text is no text of a checkpoint.
    #[error(
        "a checkpoint is three lines (the log's name, the number of entries, base64 of the root), an empty line, and signatures"
    )]
    Body,
    /// A line after the empty one is no signature.
    #[error("line {0} of the checkpoint is no signature: `— name base64` was expected")]
    Signature(usize),
    /// There are too many signatures, or none.
    #[error("a checkpoint has 1 to {MAX_SIGNATURES} signatures")]
    Signatures,
}

/// Why a checkpoint is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTrusted {
    /// None of its signatures is of a known key.
    #[error("the checkpoint is signed by {}, of which none is a key that is known here", .0.join(", "))]
    Unknown(Vec<String>),
    /// A signature in the name of a known key is not of that key.
    #[error("the checkpoint is forged or damaged: its signature by `{0}` does not verify")]
    Forged(KeyName),
}

impl Checkpoint {
    /// What is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.head.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.head.size)
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedCheckpoint {
        let signed = SignedCheckpoint {
            checkpoint: self,
            signatures: Vec::new(),
        };
        signed.signed_by(key)
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, digits, root) = (lines.next()?, lines.next()?, lines.next()?);
        if lines.next().is_some() {
            return None;
        }
        let size = digits.parse().ok().filter(|size| *size <= MAX_SIZE)?;
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        let head = TreeHead {
            size,
            root: Digest::from_bytes(root),
        };
        // One number is written in one way.
        let origin = origin.parse().ok()?;
        (size.to_string() == digits).then_some(Self { origin, head })
    }
}

/// One line of signature.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: KeyName,
    /// The id of the key, and the signature.
    bytes: Vec<u8>,
}

impl Signature {
    fn read(line: &str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(bytes).ok()?;
        let name = name.parse().ok()?;
        (bytes.len() > 4).then_some(Self { name, bytes })
    }

    fn is_by(&self, key: &VerifyingKey) -> bool {
        self.name == *key.name() && self.bytes.starts_with(&key.id())
    }
}

/// A checkpoint with signatures. Until they are verified it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<Signature>,
}

impl SignedCheckpoint {
    /// Adds a signature, as when one key follows another.
    #[must_use]
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        let verifying = key.verifying_key();
        let signature = key.sign(self.checkpoint.text().as_bytes());
        self.signatures.push(Signature {
            name: key.name().clone(),
            bytes: [&verifying.id()[..], &signature].concat(),
        });
        self
    }

    /// What it says, to whom does not need to trust it: what was just signed or is the server's own.
    #[must_use]
    pub const fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What it says, if a key that is known signed it, and the names of those that did. Signatures of others are ignored;
    /// one in the name and id of a known key that is not of that key spoils it.
    ///
    /// # Errors
    /// [`NotTrusted`].
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<(&Checkpoint, Vec<KeyName>), NotTrusted> {
        let text = self.checkpoint.text();
        let mut by = Vec::new();
        for signature in &self.signatures {
            let Some(key) = keys.iter().find(|key| signature.is_by(key)) else {
                continue;
            };
            if !signature
                .bytes
                .get(4..)
                .is_some_and(|bytes| key.verifies(text.as_bytes(), bytes))
            {
                return Err(NotTrusted::Forged(signature.name.clone()));
            }
            if !by.contains(key.name()) {
                by.push(key.name().clone());
            }
        }
        if by.is_empty() {
            let names = self
                .signatures
                .iter()
                .map(|signature| format!("`{}`", signature.name));
            return Err(NotTrusted::Unknown(names.collect()));
        }
        Ok((&self.checkpoint, by))
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.checkpoint.text())?;
        self.signatures.iter().try_for_each(|signature| {
            let bytes = STANDARD.encode(&signature.bytes);
            writeln!(f, "— {} {bytes}", signature.name)
        })
    }
}

impl FromStr for SignedCheckpoint {
    type Err = NoCheckpoint;

    fn from_str(note: &str) -> Result<Self, NoCheckpoint> {
        if note.len() > MAX_CHECKPOINT {
            return Err(NoCheckpoint::TooLong);
        }
        let (text, lines) = note.split_once("\n\n").ok_or(NoCheckpoint::Body)?;
        let checkpoint = Checkpoint::read(&format!("{text}\n")).ok_or(NoCheckpoint::Body)?;
        let lines = lines.strip_suffix('\n').ok_or(NoCheckpoint::Signatures)?;
        let signatures = lines.split('\n').enumerate().map(|(index, line)| {
            // Three lines and an empty one are before it.
            Signature::read(line).ok_or(NoCheckpoint::Signature(index + 5))
        });
        let signatures = signatures
            .take(MAX_SIGNATURES + 1)
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoCheckpoint::Signatures);
        }
        Ok(Self {
            checkpoint,
            signatures,
        })
    }
}
