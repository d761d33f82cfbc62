//! Reading and checking the audit chain.

use crate::{Error, Tx};
use slipway_domain::{
    Digest,
    audit::{Entry, Verifier},
    identity::{Actor, Permission, Place},
};
use slipway_store::audit;

pub use slipway_store::audit::Filter;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries there are.
    pub entries: i64,
    /// Digest of the last.
    pub digest: Digest,
    /// Entries written but not chained yet.
    pub unchained: i64,
}

/// Checks every link of the chain, and answers with its head.
///
/// # Errors
/// Without the permission; when a link is broken, with its number.
pub async fn checkpoint(tx: &mut Tx, actor: &Actor) -> Result<Checkpoint, Error> {
    actor.require(Permission::AuditRead, &Place::everywhere())?;
    let mut verifier = Verifier::default();
    loop {
        let batch = audit::after(tx, verifier.head().0, &Filter::default(), 1000).await?;
        if batch.is_empty() {
            break;
        }
        for (entry, digest) in &batch {
            verifier
                .check(entry, *digest)
                .map_err(|broken| Error::conflict("audit-chain-broken", broken))?;
        }
    }
    let (entries, digest) = verifier.head();
    let (unchained, _) = audit::unchained(tx).await?;
    Ok(Checkpoint {
        entries,
        digest,
        unchained,
    })
}
