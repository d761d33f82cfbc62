//! Who has just proved who they are: for a second, so that a client that asks often costs one read of the database a
//! second and one check of a signature a token.
//!
//! What is remembered holds only
//! * for [`MAX_AGE`] from *before* it was asked for, by this process's monotonic clock; beyond that it is asked again, and
//!   when the database is away the answer is that it cannot be found out;
//! * while nothing changed who may do what: this server's own changes count at once, others' when they are heard of;
//! * while its issuer has the key that signed it, as far as was heard of it last: see [`super::issuers`];
//! * until the token ends, by the database's time carried on from the reading.
//!
//! Only tokens that were accepted are remembered, by hash: strangers take no room, and no token lies around here.

use super::{
    authenticate::{Unauthenticated, ask},
    jwt::{NoToken, Verified},
};
use crate::Database;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use slipway_domain::identity::{Principal, Proof, Rights};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long an answer of the database is believed.
pub(super) const MAX_AGE: Duration = Duration::from_secs(1);
/// How many tokens are remembered.
const MAX_TOKENS: usize = 10_000;
/// A token that was not used for so long makes room for others.
const UNUSED: Duration = Duration::from_mins(1);

/// The hash of a token.
pub(super) type Key = [u8; 32];

/// What a token says by itself, once that is checked.
pub(super) enum Claimed {
    /// It is signed by an issuer.
    SignedIn(Box<Verified>),
    /// It may be an API token with this hash.
    ApiToken([u8; 32]),
}

/// What the database said of it.
pub(super) struct Known {
    pub(super) principal: Arc<Principal>,
    pub(super) proof: Proof,
    pub(super) rights: Arc<Rights>,
    /// The database's time when it said so.
    pub(super) now: Timestamp,
}

/// One token.
pub(super) struct Slot {
    claimed: Claimed,
    answer: Mutex<Option<Answer>>,
    /// Held while the database is asked: the others with this token wait for the one answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Answer {
    known: Arc<Known>,
    asked_at: Instant,
    /// The count of changes when it was asked.
    changes: u64,
}

impl Answer {
    fn holds(&self, database: &Database) -> bool {
        self.asked_at.elapsed() < MAX_AGE && self.changes == database.changes().identity()
    }

    /// The database's time now, near enough: it was read at most [`MAX_AGE`] ago.
    fn now(&self) -> Timestamp {
        let since = SignedDuration::try_from(self.asked_at.elapsed()).unwrap_or_default();
        self.known.now.saturating_add(since).unwrap_or(self.known.now)
    }
}

impl Slot {
    pub(super) fn new(claimed: Claimed) -> Self {
        Self {
            claimed,
            answer: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    pub(super) const fn claimed(&self) -> &Claimed {
        &self.claimed
    }

    /// Who it is, with what they hold now.
    pub(super) async fn known(&self, database: &Database) -> Result<Arc<Known>, Unauthenticated> {
        let held = lock(&self.answer).clone();
        let answer = match held.filter(|answer| answer.holds(database)) {
            Some(answer) => answer,
            None => self.asked(database).await?,
        };
        self.claimed.check(&answer.known, answer.now())?;
        Ok(answer.known)
    }

    async fn asked(&self, database: &Database) -> Result<Answer, Unauthenticated> {
        let _asking = self.asking.lock().await;
        let held = lock(&self.answer).clone();
        if let Some(answer) = held.filter(|answer| answer.holds(database)) {
            return Ok(answer);
        }
        // Both from before the question: what changes meanwhile makes the answer old.
        let (asked_at, changes) = (Instant::now(), database.changes().identity());
        let known = ask(database, &self.claimed).await?;
        let answer = Answer {
            known: Arc::new(known),
            asked_at,
            changes,
        };
        *lock(&self.answer) = Some(answer.clone());
        Ok(answer)
    }

    fn was_used(&self) -> bool {
        lock(&self.answer)
            .as_ref()
            .is_some_and(|answer| answer.asked_at.elapsed() < UNUSED)
    }
}

impl Claimed {
    /// Whether the proof still holds at this time.
    fn check(&self, known: &Known, now: Timestamp) -> Result<(), NoToken> {
        match (self, &known.proof) {
            (Self::SignedIn(verified), _) => verified.until(now).map(|_| ()),
            (Self::ApiToken(_), Proof::ApiToken { until, .. }) if *until > now => Ok(()),
            (Self::ApiToken(_), _) => Err(NoToken::Expired),
        }
    }
}

/// The tokens that were accepted lately.
#[derive(Default)]
pub(super) struct Remembered {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

impl Remembered {
    pub(super) fn key(bearer: &str) -> Key {
        Sha256::digest(bearer.as_bytes()).into()
    }

    pub(super) fn find(&self, key: &Key) -> Option<Arc<Slot>> {
        lock(&self.slots).get(key).cloned()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        lock(&self.slots).len()
    }

    /// A token was accepted.
    pub(super) fn keep(&self, key: Key, slot: &Arc<Slot>) {
        let mut slots = lock(&self.slots);
        if slots.len() >= MAX_TOKENS {
            slots.retain(|_, slot| slot.was_used());
            if slots.len() >= MAX_TOKENS {
                slots.clear();
            }
        }
        slots.entry(key).or_insert_with(|| Arc::clone(slot));
    }

    /// A token is not accepted any more.
    pub(super) fn forget(&self, key: &Key) {
        lock(&self.slots).remove(key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
