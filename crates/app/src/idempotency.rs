//! Idempotency keys: the first answer is kept in the transaction of its change, and replayed.

use crate::{Error, Tx};
use slipway_domain::identity::Actor;
use slipway_store::idempotency::{self as store, Key};

pub use slipway_store::idempotency::Answer;

/// What a key says about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// The first of its kind: do it, then [`keep`] the answer.
    Fresh,
    /// It was done already: answer the same.
    Replay(Answer),
    /// The key was used for another body.
    OtherBody,
}

fn key<'a>(actor: &Actor, operation: &'a str, key: &'a str) -> Key<'a> {
    Key {
        principal: actor.principal.id,
        operation,
        key,
    }
}

/// Takes a key. Waits for a request under the same key that is under way, and then replays its answer.
///
/// # Errors
/// When the other request takes too long.
pub async fn begin(
    tx: &mut Tx,
    actor: &Actor,
    method_path: &str,
    name: &str,
    body_sha256: [u8; 32],
) -> Result<Begin, Error> {
    let Some(kept) = store::take(tx, key(actor, method_path, name), body_sha256).await? else {
        return Ok(Begin::Fresh);
    };
    if kept.body_sha256 != body_sha256 {
        return Ok(Begin::OtherBody);
    }
    kept.answer
        .map(Begin::Replay)
        .ok_or_else(|| Error::internal("an idempotency key was taken and has no answer"))
}

/// Keeps the answer of a request whose key was [`Begin::Fresh`].
///
/// # Errors
/// When the key was not taken in this transaction.
pub async fn keep(
    tx: &mut Tx,
    actor: &Actor,
    method_path: &str,
    name: &str,
    answer: &Answer,
) -> Result<(), Error> {
    Ok(store::keep(tx, key(actor, method_path, name), answer).await?)
}

/// Deletes answers older than 24 hours; says how many.
///
/// # Errors
/// When the database is unavailable.
pub async fn sweep(tx: &mut Tx) -> Result<u64, Error> {
    Ok(store::sweep(tx).await?)
}
