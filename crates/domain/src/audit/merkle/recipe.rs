//! Which complete subtrees a proof is made of.

use super::{Node, NotProved, frontier::joined, leaf_of, ordered};
use crate::Digest;
use ct_merkle::{indices_for_consistency_proof, indices_for_inclusion_proof};

/// What a proof is made of: for each of its hashes the complete subtrees that it is the root over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe(Vec<Vec<Node>>);

/// A node that a proof takes was not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the hash over the entries {} to {} is missing from the Merkle tree", .0.entries().0, .0.entries().1)]
pub struct NodeMissing(pub Node);

impl Recipe {
    /// Of the proof that an entry is in the tree of this size (RFC 9162, 2.1.3.1).
    ///
    /// # Errors
    /// When it is not, by its number.
    pub fn inclusion(seq: i64, size: u64) -> Result<Self, NotProved> {
        let index = leaf_of(seq, size)?;
        Ok(Self::over(&indices_for_inclusion_proof(size, index), size))
    }

    /// Of the proof that the tree of this size is an earlier one with entries added to it (RFC 9162, 2.1.4.1). Where one of
    /// them is empty or they are the same, there is nothing to prove, and it is empty.
    ///
    /// # Errors
    /// When the earlier one is larger.
    pub fn consistency(earlier: u64, size: u64) -> Result<Self, NotProved> {
        ordered(earlier, size)?;
        if earlier == 0 {
            return Ok(Self(Vec::new()));
        }
        Ok(Self::over(
            &indices_for_consistency_proof(earlier, size - earlier),
            size,
        ))
    }

    fn over(indices: &[u64], size: u64) -> Self {
        Self(indices.iter().map(|index| complete(*index, size)).collect())
    }

    /// How many hashes the proof has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to prove.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nodes that it takes: not more than twice as many as the tree is high.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.0.iter().flatten().copied()
    }

    /// Makes the proof.
    ///
    /// # Errors
    /// When a node is not there.
    pub fn assemble(&self, mut hash: impl FnMut(Node) -> Option<Digest>) -> Result<Vec<Digest>, NodeMissing> {
        let mut proof = Vec::with_capacity(self.0.len());
        for part in &self.0 {
            let hashes = part.iter().map(|node| hash(*node).ok_or(NodeMissing(*node)));
            let hashes = hashes.collect::<Result<Vec<_>, _>>()?;
            proof.extend(joined(&hashes));
        }
        Ok(proof)
    }
}

/// Takes a node of a tree apart into complete ones. It comes as RFC 9420 (appendix C) numbers nodes: its level is how many
/// ones its number ends with. It covers `1 << level` leaves, or as many of them as there are.
fn complete(number: u64, size: u64) -> Vec<Node> {
    let level = number.trailing_ones();
    let mut at = (number >> level >> 1) << level;
    let end = size.min(at + (1 << level));
    let mut nodes = Vec::new();
    while at < end {
        let level = (end - at).ilog2();
        nodes.push(Node {
            level,
            index: at >> level,
        });
        at += 1 << level;
    }
    nodes
}
