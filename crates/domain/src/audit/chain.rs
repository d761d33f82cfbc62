//! The chain: each entry names the digest of the one before it.

use crate::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One link of the chain, as hashed and as published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the chain, from 1, without gaps.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// Database time of the change.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What was done, as `release.seal`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What there is to know of it, free of secrets.
    pub data: Value,
    /// Digest of the entry before; zeros for the first.
    pub previous: Digest,
}

impl Entry {
    /// The entry's digest: SHA-256 over its canonical JSON (RFC 8785), which includes the digest before it.
    ///
    /// # Errors
    /// When its data cannot be written as canonical JSON.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Digest::of_canonical(self)
    }
}

/// What the first entry names as the one before it.
pub const GENESIS: Digest = Digest::from_bytes([0; 32]);

/// What is wrong with a chain, at its first bad link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A number is missing or doubled.
    #[error("entry {found} follows entry {after}; {} was expected", after + 1)]
    Gap {
        /// The last good number.
        after: i64,
        /// What came.
        found: i64,
    },
    /// It does not continue the entry before.
    #[error("entry {seq} does not continue the entry before it")]
    Unlinked {
        /// Where.
        seq: i64,
    },
    /// Its content is not what was hashed.
    #[error("entry {seq} is not what was written: its digest is another")]
    Altered {
        /// Where.
        seq: i64,
    },
}

/// Checks a chain link by link, from any point that is trusted.
#[derive(Debug, Clone, Copy)]
pub struct Verifier {
    seq: i64,
    digest: Digest,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            seq: 0,
            digest: GENESIS,
        }
    }
}

impl Verifier {
    /// Goes on after an entry that is trusted, or to be trusted for the rest's sake.
    #[must_use]
    pub const fn after(seq: i64, digest: Digest) -> Self {
        Self { seq, digest }
    }

    /// Checks the next link: the entry, and the digest that is claimed for it.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn check(&mut self, entry: &Entry, claimed: Digest) -> Result<(), Broken> {
        if entry.seq != self.seq + 1 {
            return Err(Broken::Gap {
                after: self.seq,
                found: entry.seq,
            });
        }
        if entry.previous != self.digest {
            return Err(Broken::Unlinked { seq: entry.seq });
        }
        if entry.digest().ok() != Some(claimed) {
            return Err(Broken::Altered { seq: entry.seq });
        }
        self.seq = entry.seq;
        self.digest = claimed;
        Ok(())
    }

    /// How many entries were checked, and the digest of the last.
    #[must_use]
    pub const fn head(&self) -> (i64, Digest) {
        (self.seq, self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(subjects: &[String]) -> Vec<(Entry, Digest)> {
        let mut previous = GENESIS;
        let mut chain = Vec::new();
        for (i, subject) in subjects.iter().enumerate() {
            let entry = Entry {
                seq: i64::try_from(i).unwrap() + 1,
                id: format!("aud_{i}"),
                at: Timestamp::UNIX_EPOCH,
                actor: "ana".into(),
                action: "release.seal".into(),
                subject: subject.clone(),
                data: Value::Null,
                previous,
            };
            previous = entry.digest().unwrap();
            chain.push((entry, previous));
        }
        chain
    }

    fn verify(chain: &[(Entry, Digest)]) -> Result<(), Broken> {
        let mut verifier = Verifier::default();
        chain
            .iter()
            .try_for_each(|(entry, digest)| verifier.check(entry, *digest))
    }

    proptest! {
        #[test]
        fn a_chain_holds_and_any_change_to_it_is_found(
            subjects in proptest::collection::vec("[a-z]{1,6}", 2..20), at in any::<prop::sample::Index>(), how in 0..3
        ) {
            let good = chain(&subjects);
            prop_assert_eq!(verify(&good), Ok(()));
            let i = at.index(good.len() - 1);
            let mut bad = good.clone();
            match how {
                0 => bad[i].0.subject.push('x'),
                1 => { bad.remove(i); }
                _ => bad.swap(i, i + 1),
            }
            prop_assert!(verify(&bad).is_err());
        }

        #[test]
        fn an_entry_rehashed_to_fit_breaks_the_next(subjects in proptest::collection::vec("[a-z]{1,6}", 2..20)) {
            let mut bad = chain(&subjects);
            bad[0].0.actor = "mallory".into();
            bad[0].1 = bad[0].0.digest().unwrap();
            prop_assert_eq!(verify(&bad), Err(Broken::Unlinked { seq: 2 }));
        }
    }
}
