//! What a tree grows from: the roots of its largest complete subtrees.

use super::{MAX_SIZE, Node, TreeHead, leaf, parent};
use crate::Digest;
use serde::{Deserialize, Serialize};

/// The roots of the complete subtrees that a tree falls apart into, from the left, which is from the largest: one for each
/// 1 in its size's binary digits. From it follow the root, and every later frontier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Frontier {
    size: u64,
    nodes: Vec<Digest>,
}

/// Why there is no such frontier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFrontier {
    /// There are too many hashes, or too few.
    #[error("the frontier of a tree of {size} entries has {} hashes, not {found}", size.count_ones())]
    Hashes {
        /// How many entries the tree has.
        size: u64,
        /// How many hashes there are.
        found: usize,
    },
    /// There cannot be such a tree.
    #[error("a tree of {0} entries is too large")]
    TooLarge(u64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    size: u64,
    nodes: Vec<Digest>,
}

impl TryFrom<Parts> for Frontier {
    type Error = NoFrontier;

    fn try_from(Parts { size, nodes }: Parts) -> Result<Self, NoFrontier> {
        Self::new(size, nodes)
    }
}

impl From<Frontier> for Parts {
    fn from(Frontier { size, nodes }: Frontier) -> Self {
        Self { size, nodes }
    }
}

impl Frontier {
    /// One that was kept.
    ///
    /// # Errors
    /// When there is no tree that it could be of. That it is the one of a tree, only the tree's root tells.
    pub fn new(size: u64, nodes: Vec<Digest>) -> Result<Self, NoFrontier> {
        if size > MAX_SIZE {
            return Err(NoFrontier::TooLarge(size));
        }
        if nodes.len() != size.count_ones() as usize {
            return Err(NoFrontier::Hashes {
                size,
                found: nodes.len(),
            });
        }
        Ok(Self { size, nodes })
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, from the left.
    #[must_use]
    pub fn nodes(&self) -> &[Digest] {
        &self.nodes
    }

    /// Adds the next entry, by its digest.
    pub fn push(&mut self, entry: Digest) {
        self.push_with(entry, |_, _| {});
    }

    /// Adds the next entry, and hands out every subtree that is complete with it, its leaf among them.
    pub fn push_with(&mut self, entry: Digest, mut complete: impl FnMut(Node, Digest)) {
        let mut node = Node {
            level: 0,
            index: self.size,
        };
        let mut hash = leaf(entry);
        complete(node, hash);
        while node.index & 1 == 1 {
            let Some(left) = self.nodes.pop() else { break };
            hash = parent(left, hash);
            node = node.parent();
            complete(node, hash);
        }
        self.nodes.push(hash);
        self.size += 1;
    }

    /// The head of the tree.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead {
            size: self.size,
            root: joined(&self.nodes).unwrap_or_else(|| Digest::of_bytes(b"")),
        }
    }
}

/// The root over subtrees beside each other, each larger than the next.
pub(super) fn joined(nodes: &[Digest]) -> Option<Digest> {
    nodes
        .iter()
        .copied()
        .rev()
        .reduce(|right, left| parent(left, right))
}

/// The root over the digests of entries: of a node, if they are those that it covers.
#[must_use]
pub fn root_of(entries: impl IntoIterator<Item = Digest>) -> Digest {
    let mut frontier = Frontier::default();
    entries.into_iter().for_each(|entry| frontier.push(entry));
    frontier.head().root
}
