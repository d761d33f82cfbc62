//! Proofs from the tree: that an entry is under a signed head, and that one head continues another.

use crate::{Error, Tx};
use slipway_domain::{
    Digest,
    audit::merkle::{Node, NotProved, Recipe, root_of},
    identity::{Actor, Permission, Place},
};
use slipway_store::audit_tree::{self, KEPT_FROM, Signed};
use std::collections::HashMap;

/// What is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// That this entry is in the record.
    Entry(i64),
    /// That the record of so many entries is the beginning of the record.
    Continues(u64),
}

/// A proof, with the signed head that it leads to.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The entry's digest, or the root of the earlier tree.
    pub of: Digest,
    /// Hashes (RFC 9162, 2.1.3.1 and 2.1.4.1).
    pub hashes: Vec<Digest>,
    /// The head.
    pub checkpoint: Signed,
}

/// Proves it under a signed head: the newest, or the one of this size.
///
/// # Errors
/// Without the permission `audit.read` on everything; when nothing is claimed; when there is no such head, or it does not
/// reach as far.
pub async fn prove(
    tx: &mut Tx,
    actor: &Actor,
    claim: Option<Claim>,
    size: Option<u64>,
) -> Result<Proof, Error> {
    actor.require(Permission::AuditRead, &Place::everywhere())?;
    let claim =
        claim.ok_or_else(|| Error::invalid("", "say what is to be proved: either `entry` or `from`"))?;
    let checkpoint = signed(tx, size).await?;
    let refused = |error: NotProved| Error::conflict("not-in-the-record", error);
    let (recipe, of) = match claim {
        Claim::Entry(seq) => {
            let recipe = Recipe::inclusion(seq, checkpoint.size).map_err(refused)?;
            let seq = u64::try_from(seq).unwrap_or_default();
            let digest = audit_tree::digests(tx, seq, seq).await?.pop();
            (
                recipe,
                digest.ok_or_else(|| Error::not_found("audit entry", seq))?,
            )
        }
        Claim::Continues(earlier) => {
            let recipe = Recipe::consistency(earlier, checkpoint.size).map_err(refused)?;
            (recipe, root(tx, earlier).await?)
        }
    };
    let wanted: Vec<Node> = recipe.nodes().collect();
    let hashes = hashes(tx, &wanted).await?;
    Ok(Proof {
        of,
        hashes: recipe
            .assemble(|node| hashes.get(&node).copied())
            .map_err(Error::internal)?,
        checkpoint,
    })
}

/// The newest signed head, or the one of this size.
pub(super) async fn signed(tx: &mut Tx, size: Option<u64>) -> Result<Signed, Error> {
    let found = match size {
        Some(size) => audit_tree::checkpoint_over(tx, size).await?,
        None => audit_tree::last_checkpoint(tx).await?,
    };
    found.ok_or_else(|| {
        let detail = match size {
            Some(size) => format!("no head of the record over {size} entries was signed"),
            None => "nothing of the record is signed yet; that takes a few seconds".to_owned(),
        };
        Error::conflict("not-signed", detail)
    })
}

/// The root of an earlier tree.
async fn root(tx: &mut Tx, size: u64) -> Result<Digest, Error> {
    // What it falls apart into, from the left, from the largest.
    let (mut nodes, mut at) = (Vec::new(), 0);
    for level in (0..63).rev().filter(|level| size >> level & 1 == 1) {
        nodes.push(Node {
            level,
            index: at >> level,
        });
        at += 1 << level;
    }
    let hashes = hashes(tx, &nodes).await?;
    let parts: Option<Vec<Digest>> = nodes.iter().map(|node| hashes.get(node).copied()).collect();
    let parts = parts.ok_or_else(|| Error::internal("a node of the tree over the audit chain is missing"))?;
    let frontier = slipway_domain::audit::Frontier::new(size, parts).map_err(Error::internal)?;
    Ok(frontier.head().root)
}

/// Nodes as they are kept; those that are not are made of the entries that they cover.
async fn hashes(tx: &mut Tx, wanted: &[Node]) -> Result<HashMap<Node, Digest>, Error> {
    let mut hashes = audit_tree::nodes(tx, wanted).await?;
    for node in wanted.iter().filter(|node| node.level < KEPT_FROM) {
        if hashes.contains_key(node) {
            continue;
        }
        let (first, last) = node.entries();
        let entries = audit_tree::digests(tx, first, last).await?;
        if entries.len() as u64 == last + 1 - first {
            hashes.insert(*node, root_of(entries));
        }
    }
    Ok(hashes)
}
