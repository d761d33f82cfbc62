//! The Merkle tree over the chain: it grows after the chain, and its heads are signed.

use super::keys;
use crate::{App, Error, Tx};
use jiff::SignedDuration;
use slipway_domain::audit::{Checkpoint, Frontier};
use slipway_store::audit_tree::{self, KEPT_FROM, Signed};

/// Entries of one round.
const ROUND: u64 = 5_000;
/// How long an entry waits for a signed head that covers it, about.
pub const SIGNED_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Adds chained entries to the tree, and signs its head if the last was signed as long ago; says how many entries.
///
/// # Errors
/// When the database is unavailable, or there is no key to sign with.
pub async fn grow(app: &App, every: SignedDuration) -> Result<u64, Error> {
    let mut tx = app.begin().await?;
    let Some(tree) = audit_tree::try_lock(&mut tx).await? else {
        return Ok(0);
    };
    let mut frontier = tree.frontier;
    let from = frontier.size();
    let entries = audit_tree::digests(&mut tx, from + 1, from + ROUND).await?;
    let mut completed = Vec::new();
    for entry in &entries {
        frontier.push_with(*entry, |node, hash| {
            if node.level >= KEPT_FROM {
                completed.push((node, hash));
            }
        });
    }
    if !entries.is_empty() {
        audit_tree::grow(&mut tx, from, &frontier, &completed).await?;
    }
    let grown = frontier.size() - from;
    // The chain goes on in the next round.
    if grown < ROUND {
        sign(app, &mut tx, &frontier, every).await?;
    }
    tx.commit().await?;
    Ok(grown)
}

async fn sign(app: &App, tx: &mut Tx, frontier: &Frontier, every: SignedDuration) -> Result<(), Error> {
    let last = audit_tree::last_checkpoint(tx).await?;
    let is_due =
        last.is_none_or(|last| last.size < frontier.size() && tx.now.duration_since(last.at) >= every);
    if frontier.size() == 0 || !is_due {
        return Ok(());
    }
    let key = keys::signing(app, tx).await?;
    let head = frontier.head();
    let checkpoint = Checkpoint {
        origin: keys::origin(tx).await?,
        head,
    };
    let signed = Signed {
        size: head.size,
        root: head.root,
        note: checkpoint.sign(&key).to_string(),
        at: tx.now,
    };
    Ok(audit_tree::insert_checkpoint(tx, &signed).await?)
}
