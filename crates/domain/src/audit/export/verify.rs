//! Verifies an export as it comes.

use super::{
    Footer, Header, VERSION,
    line::{Line, digits, hexadecimal},
    wrong::{MAX_LINE, Refused, Wrong},
};
use crate::{
    Digest,
    audit::{Broken, Checkpoint, Frontier, GENESIS, SignedCheckpoint, TreeHead},
    fault::excerpt,
    signing::{KeyName, VerifyingKey},
};
use sha2::{Digest as _, Sha256};

/// What an export was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which log it is of.
    pub origin: KeyName,
    /// The number of the first entry, if there is one.
    pub first: Option<i64>,
    /// The number of the last entry of the chain.
    pub last: i64,
    /// How many entries were verified.
    pub entries: u64,
    /// Digest of the last entry.
    pub head: Digest,
    /// The head of the tree that is signed.
    pub tree: TreeHead,
    /// The keys that signed it.
    pub signed_by: Vec<KeyName>,
    /// The kept checkpoint that it goes on from, if one was given: what that covers was not changed since.
    pub consistent_with: Option<TreeHead>,
}

/// Verifies an export that is fed to it piece by piece. It keeps no more than one line, and a hash for each doubling.
#[derive(Debug)]
pub struct ExportVerifier<'k> {
    keys: &'k [VerifyingKey],
    kept: Option<Checkpoint>,
    /// A line of which the end has not come yet.
    begun: Vec<u8>,
    /// The line that is being looked at.
    line: u64,
    at: At,
}

#[derive(Debug)]
enum At {
    Start,
    Entries(Box<Chain>),
    End(Box<Report>),
}

/// What there is so far.
#[derive(Debug)]
struct Chain {
    origin: KeyName,
    after: u64,
    seq: i64,
    /// The last digest, as it is written.
    digest: [u8; 64],
    frontier: Frontier,
}

impl<'k> ExportVerifier<'k> {
    /// Begins with the keys that the checkpoint may be signed with, and an earlier one that the auditor kept, if there is
    /// one.
    #[must_use]
    pub const fn new(keys: &'k [VerifyingKey], kept: Option<Checkpoint>) -> Self {
        Self {
            keys,
            kept,
            begun: Vec::new(),
            line: 1,
            at: At::Start,
        }
    }

    /// Takes the next piece, of any length.
    ///
    /// # Errors
    /// What is wrong first. Nothing is to be fed after that.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<(), Refused> {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, rest) = piece.split_at(end);
            piece = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() {
                self.take(line)?;
            } else {
                self.keep(line)?;
                let line = std::mem::take(&mut self.begun);
                self.take(&line)?;
            }
            self.line += 1;
        }
        self.keep(piece)
    }

    /// Says what it was, when all of it has come.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn finish(mut self) -> Result<Report, Refused> {
        if !self.begun.is_empty() {
            let line = std::mem::take(&mut self.begun);
            self.take(&line)?;
        }
        match self.at {
            At::End(report) => Ok(*report),
            At::Start => Err(self.refused(Wrong::NoHeader(String::new()))),
            At::Entries(_) => Err(self.refused(Wrong::CutOff)),
        }
    }

    fn refused(&self, wrong: Wrong) -> Refused {
        let after = match &self.at {
            At::Start => None,
            At::Entries(chain) => Some(chain.seq),
            At::End(report) => Some(report.last),
        };
        Refused {
            line: self.line,
            after: after.filter(|seq| *seq > 0),
            wrong,
        }
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), Refused> {
        if self.begun.len() + piece.len() > MAX_LINE {
            return Err(self.refused(Wrong::TooLong));
        }
        self.begun.extend_from_slice(piece);
        Ok(())
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Refused> {
        self.look_at(line).map_err(|wrong| self.refused(wrong))
    }

    fn look_at(&mut self, line: &[u8]) -> Result<(), Wrong> {
        if line.len() > MAX_LINE {
            return Err(Wrong::TooLong);
        }
        let line = std::str::from_utf8(line).map_err(|_| Wrong::NoText)?;
        let chain = match &mut self.at {
            At::Start => {
                let chain = Chain::begin(line)?;
                check_kept_before(self.kept.as_ref(), &chain)?;
                self.at = At::Entries(Box::new(chain));
                return Ok(());
            }
            At::Entries(chain) => chain,
            At::End(_) => return Err(Wrong::AfterEnd),
        };
        if line.starts_with("{\"checkpoint\":") {
            let report = chain.end(line, self.keys, self.kept.as_ref())?;
            self.at = At::End(Box::new(report));
            return Ok(());
        }
        chain.link(line)?;
        check_kept(self.kept.as_ref(), &chain.frontier)
    }
}

/// What can be said of a kept checkpoint at the beginning.
fn check_kept_before(kept: Option<&Checkpoint>, chain: &Chain) -> Result<(), Wrong> {
    let Some(kept) = kept else { return Ok(()) };
    if kept.origin != chain.origin {
        return Err(Wrong::KeptOrigin {
            kept: kept.origin.clone(),
            export: chain.origin.clone(),
        });
    }
    if kept.head.size < chain.after {
        return Err(Wrong::KeptBefore {
            kept: kept.head.size,
            after: chain.after,
        });
    }
    check_kept(Some(kept), &chain.frontier)
}

/// The tree, as it comes by the size of the kept one, is the kept one.
fn check_kept(kept: Option<&Checkpoint>, frontier: &Frontier) -> Result<(), Wrong> {
    let Some(kept) = kept.filter(|kept| kept.head.size == frontier.size()) else {
        return Ok(());
    };
    let found = frontier.head().root;
    if found == kept.head.root {
        return Ok(());
    }
    Err(Wrong::KeptRoot {
        size: kept.head.size,
        kept: kept.head.root,
        found,
    })
}

impl Chain {
    fn begin(line: &str) -> Result<Self, Wrong> {
        let version: Version = serde_json::from_str(line).map_err(|_| Wrong::NoHeader(excerpt(line)))?;
        if version.slipway_audit_export != VERSION {
            return Err(Wrong::Version(version.slipway_audit_export));
        }
        let header: Header = serde_json::from_str(line).map_err(|_| Wrong::NoHeader(excerpt(line)))?;
        let mut chain = Self {
            origin: header.origin,
            after: 0,
            seq: header.after,
            digest: hexadecimal(GENESIS.as_bytes()),
            frontier: Frontier::default(),
        };
        if let Some(before) = header.before {
            chain.frontier = before.frontier;
            chain.frontier.push(before.digest);
            chain.digest = hexadecimal(before.digest.as_bytes());
        }
        chain.after = chain.frontier.size();
        if u64::try_from(header.after) != Ok(chain.after) {
            return Err(Wrong::Before(header.after));
        }
        Ok(chain)
    }

    fn link(&mut self, line: &str) -> Result<(), Wrong> {
        let entry = Line::read(line)?;
        if entry.seq != self.seq + 1 {
            return Err(Wrong::Broken(Broken::Gap {
                after: self.seq,
                found: entry.seq,
            }));
        }
        let seq = entry.seq;
        if digits(entry.previous) != Some(&self.digest) {
            return Err(Wrong::Broken(Broken::Unlinked { seq }));
        }
        let hash = Sha256::new_with_prefix(entry.before_digest);
        let hash: [u8; 32] = hash.chain_update(entry.after_digest).finalize().into();
        let digest = hexadecimal(&hash);
        if digits(entry.digest) != Some(&digest) {
            return Err(Wrong::Broken(Broken::Altered { seq }));
        }
        self.seq = seq;
        self.digest = digest;
        self.frontier.push(Digest::from_bytes(hash));
        Ok(())
    }

    fn end(&self, line: &str, keys: &[VerifyingKey], kept: Option<&Checkpoint>) -> Result<Report, Wrong> {
        let footer: Footer = serde_json::from_str(line).map_err(|error| Wrong::Footer(error.to_string()))?;
        let signed: SignedCheckpoint = footer.checkpoint.parse()?;
        let (checkpoint, signed_by) = signed.verify(keys)?;
        if checkpoint.origin != self.origin {
            return Err(Wrong::Origin {
                export: self.origin.clone(),
                checkpoint: checkpoint.origin.clone(),
            });
        }
        let (signed, found) = (checkpoint.head, self.frontier.head());
        if signed.size != found.size {
            return Err(Wrong::Size {
                signed: signed.size,
                found: found.size,
            });
        }
        if signed.root != found.root {
            return Err(Wrong::Root {
                signed: signed.root,
                found: found.root,
            });
        }
        if let Some(kept) = kept.filter(|kept| kept.head.size > found.size) {
            return Err(Wrong::KeptAfter {
                kept: kept.head.size,
                found: found.size,
            });
        }
        let entries = found.size - self.after;
        Ok(Report {
            origin: self.origin.clone(),
            first: (entries > 0).then(|| self.seq - i64::try_from(entries).unwrap_or(0) + 1),
            last: self.seq,
            entries,
            head: self.head(),
            tree: found,
            signed_by,
            consistent_with: kept.map(|kept| kept.head),
        })
    }

    fn head(&self) -> Digest {
        let text = String::from_utf8_lossy(&self.digest);
        format!("sha256:{text}").parse().unwrap_or(GENESIS)
    }
}

/// All that is looked at of the first line before the version is known.
#[derive(serde::Deserialize)]
struct Version {
    slipway_audit_export: u32,
}
