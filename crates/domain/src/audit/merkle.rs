//! The Merkle tree over the chain: SHA-256, as RFC 9162 (section 2.1) has it, which is that of RFC 6962.
//!
//! Leaf n - 1 is the 32 bytes of the digest of entry n. A chain of millions is never hashed again: a [`Frontier`] grows by
//! one leaf at a time, and a [`Recipe`] says which complete subtrees a proof is made of. A complete subtree never changes,
//! so it can be kept as it is completed, or be made again of the digests that it covers ([`root_of`]).
//!
//! `ct-merkle` verifies proofs and says which nodes they take; of those the ones that are not complete yet are taken apart
//! here.

mod frontier;
mod recipe;
#[cfg(test)]
mod tests;

pub use frontier::{Frontier, NoFrontier, root_of};
pub use recipe::{NodeMissing, Recipe};

use crate::Digest;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, digest::Output};

/// Most leaves of a tree: as many as entries can be numbered.
pub const MAX_SIZE: u64 = i64::MAX.unsigned_abs();

/// How many leaves a tree has, and its root. That of an empty tree is the digest of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// Leaves, which is the number of the last entry.
    pub size: u64,
    /// The root.
    pub root: Digest,
}

/// The root of a complete subtree: of the leaves from `index << level` on, `1 << level` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// How high it stands; a leaf at 0.
    pub level: u32,
    /// Which one of its level, from the left, from 0.
    pub index: u64,
}

impl Node {
    /// The numbers of the first and the last entry that it covers.
    #[must_use]
    pub const fn entries(self) -> (u64, u64) {
        let first = self.index << self.level;
        (first + 1, first + (1 << self.level))
    }

    const fn parent(self) -> Self {
        Self {
            level: self.level + 1,
            index: self.index >> 1,
        }
    }
}

/// Why something is not proved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProved {
    /// There is no such entry in the tree.
    #[error("the tree has {size} entries, so entry {seq} is not in it")]
    NoEntry {
        /// Which entry.
        seq: i64,
        /// How many there are.
        size: u64,
    },
    /// The tree became smaller.
    #[error("the later tree has {size} entries and the earlier one {earlier}: entries were cut off")]
    Smaller {
        /// How many the earlier one has.
        earlier: u64,
        /// How many the later one has.
        size: u64,
    },
    /// There cannot be such a tree.
    #[error("a tree of {0} entries is too large")]
    TooLarge(u64),
    /// The proof is none of these trees.
    #[error("the proof has {found} hashes; {expected} were expected")]
    Length {
        /// How many hashes a proof of this has.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// The hashes do not lead to the root, or to the roots.
    #[error("the hashes of the proof do not lead to the root: the record is another one")]
    OtherRoot,
}

fn leaf(entry: Digest) -> Digest {
    let hash = Sha256::new_with_prefix([0]).chain_update(entry.as_bytes());
    Digest::from_bytes(hash.finalize().into())
}

fn parent(left: Digest, right: Digest) -> Digest {
    let hash = Sha256::new_with_prefix([1]);
    let hash = hash.chain_update(left.as_bytes()).chain_update(right.as_bytes());
    Digest::from_bytes(hash.finalize().into())
}

/// The index of the leaf of an entry.
fn leaf_of(seq: i64, size: u64) -> Result<u64, NotProved> {
    if size > MAX_SIZE {
        return Err(NotProved::TooLarge(size));
    }
    let index = seq.checked_sub(1).and_then(|index| u64::try_from(index).ok());
    index
        .filter(|index| *index < size)
        .ok_or(NotProved::NoEntry { seq, size })
}

/// Whether trees of these sizes may follow each other.
const fn ordered(earlier: u64, size: u64) -> Result<(), NotProved> {
    if size > MAX_SIZE {
        return Err(NotProved::TooLarge(size));
    }
    if earlier > size {
        return Err(NotProved::Smaller { earlier, size });
    }
    Ok(())
}

fn outputs(proof: &[Digest]) -> Vec<Output<Sha256>> {
    proof.iter().map(|hash| (*hash.as_bytes()).into()).collect()
}

const fn length(expected: usize, proof: &[Digest]) -> Result<(), NotProved> {
    if proof.len() == expected {
        return Ok(());
    }
    Err(NotProved::Length {
        expected,
        found: proof.len(),
    })
}

impl TreeHead {
    fn root_hash(self) -> RootHash<Sha256> {
        RootHash::new((*self.root.as_bytes()).into(), self.size)
    }

    /// Verifies that an entry, by its number and digest, is in this tree (RFC 9162, 2.1.3.2).
    ///
    /// # Errors
    /// [`NotProved`].
    pub fn verify_inclusion(self, seq: i64, entry: Digest, proof: &[Digest]) -> Result<(), NotProved> {
        let index = leaf_of(seq, self.size)?;
        length(Recipe::inclusion(seq, self.size)?.len(), proof)?;
        let proof = InclusionProof::from_digests(&outputs(proof));
        self.root_hash()
            .verify_inclusion(entry.as_bytes(), index, &proof)
            .map_err(|_| NotProved::OtherRoot)
    }

    /// Verifies that this tree is an earlier one with entries added to it (RFC 9162, 2.1.4.2).
    ///
    /// # Errors
    /// [`NotProved`].
    pub fn verify_consistency(self, earlier: Self, proof: &[Digest]) -> Result<(), NotProved> {
        ordered(earlier.size, self.size)?;
        length(Recipe::consistency(earlier.size, self.size)?.len(), proof)?;
        if earlier.size == 0 {
            // Everything begins with nothing, whose root is known.
            let empty = earlier.root == Frontier::default().head().root;
            return if empty { Ok(()) } else { Err(NotProved::OtherRoot) };
        }
        let proof = ConsistencyProof::from_digests(&outputs(proof));
        self.root_hash()
            .verify_consistency(&earlier.root_hash(), &proof)
            .map_err(|_| NotProved::OtherRoot)
    }
}
