//! The audit chain: every state change writes one entry in its own transaction; a sequencer numbers and chains committed
//! entries right after. Changing, removing or reordering any of them breaks every later digest.
//!
//! Over the digests stands a Merkle tree, whose head is signed now and then. Whoever keeps such a checkpoint can tell later,
//! without a server, that nothing that it covers was changed, and from a proof of a few hashes that an entry is in it.
//!
//! * [`chain`]: entries, and how they are linked
//! * [`merkle`]: the tree: heads, frontiers, proofs
//! * [`checkpoint`]: a signed head, as other tools read it too
//! * [`export`]: a chain as a file, and its verification line by line; `canonical`: what makes that fast

mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod export;
pub mod merkle;

pub use chain::{Broken, Entry, GENESIS, Verifier};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use merkle::{Frontier, TreeHead};
