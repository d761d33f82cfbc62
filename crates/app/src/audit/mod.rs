//! The audit chain: read, checked, grown into a tree, signed, proved and exported.
//!
//! * `tree`: growing the Merkle tree after the chain, and signing its head
//! * `keys`: the keys that sign
//! * `rotate`: another key from now on
//! * `prove`: proofs from the tree
//! * `export`: the chain as a file that is verified without the server

mod export;
mod keys;
mod prove;
mod rotate;
mod tree;

pub use export::{Export, export};
pub(crate) use keys::existing as signing_key;
pub(crate) use keys::known as known_keys;
pub use keys::{PublicKey, keys};
pub use prove::{Claim, Proof, prove};
pub use rotate::rotate;
pub use tree::{SIGNED_EVERY, grow};

use crate::{Error, Tx};
use slipway_domain::{
    Digest,
    audit::{Entry, Verifier},
    identity::{Actor, Permission, Place},
};
use slipway_store::{audit, audit_tree};

pub use slipway_store::{audit::Filter, audit_tree::Signed};

/// Chained entries after a number, oldest first.
///
/// # Errors
/// Without the permission `audit.read` on everything: the chain is one, and shows everything.
pub async fn entries(
    tx: &mut Tx,
    actor: &Actor,
    after: i64,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<(Entry, Digest)>, Error> {
    actor.require(Permission::AuditRead, &Place::everywhere())?;
    Ok(audit::after(tx, after, filter, limit).await?)
}

/// The head of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries there are.
    pub entries: i64,
    /// Digest of the last.
    pub digest: Digest,
    /// Entries written but not chained yet.
    pub unchained: i64,
    /// The newest head of the tree that is signed; none in the first seconds.
    pub signed: Option<Signed>,
}

/// The head, as it was written. With `verified` every link of the chain before it is checked, which takes as long as the
/// chain is.
///
/// # Errors
/// Without the permission `audit.read` on everything; when a link is broken, with its number.
pub async fn checkpoint(tx: &mut Tx, actor: &Actor, verified: bool) -> Result<Checkpoint, Error> {
    actor.require(Permission::AuditRead, &Place::everywhere())?;
    let (entries, digest) = if verified {
        verify(tx).await?
    } else {
        audit::head(tx).await?
    };
    let (unchained, _) = audit::unchained(tx).await?;
    Ok(Checkpoint {
        entries,
        digest,
        unchained,
        signed: audit_tree::last_checkpoint(tx).await?,
    })
}

/// Checks every link.
async fn verify(tx: &mut Tx) -> Result<(i64, Digest), Error> {
    let mut verifier = Verifier::default();
    loop {
        let batch = audit::after(tx, verifier.head().0, &Filter::default(), 1000).await?;
        if batch.is_empty() {
            return Ok(verifier.head());
        }
        for (entry, digest) in &batch {
            verifier
                .check(entry, *digest)
                .map_err(|broken| Error::conflict("audit-chain-broken", broken))?;
        }
    }
}
