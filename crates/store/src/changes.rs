//! What was changed through this process, told to whoever keeps in memory what was read from the database.
//!
//! A count moves when a transaction that changed something has ended, in whatever way, and before whoever ended it hears
//! of it. So what was read under one count, and is used only while the count is still the same, is never older than the
//! last change that this process has acknowledged. Changes of other processes are heard of by [`IDENTITY`] and by the
//! events; both are hints, so that whatever is kept needs an age at which it is read again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;

/// The channel on which a change of who may do what is hinted at; triggers of the tables send it, whoever writes.
pub const IDENTITY: &str = "slipway_identity";

/// Counts of changes; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    identity: watch::Sender<u64>,
    events: AtomicU64,
}

impl Changes {
    /// Moves when somebody's rights, tokens or name may have changed. To be read *before* what depends on it is.
    #[must_use]
    pub fn identity(&self) -> u64 {
        *self.counts.identity.borrow()
    }

    /// The same count, for those who wait until it moves.
    #[must_use]
    pub fn identity_moves(&self) -> watch::Receiver<u64> {
        self.counts.identity.subscribe()
    }

    /// Moves when this process wrote an event. To be read *before* what depends on it is.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.counts.events.load(Ordering::SeqCst)
    }

    /// Somebody else changed who may do what, or that cannot be told.
    pub fn heard_of_identity(&self) {
        self.counts.identity.send_modify(|count| *count += 1);
    }

    /// Notes what one transaction changes.
    pub(crate) fn noting(&self) -> Noted {
        Noted {
            counts: Arc::clone(&self.counts),
            identity: false,
            events: false,
        }
    }
}

/// What one transaction changes; the counts move when this is dropped.
#[derive(Debug)]
pub(crate) struct Noted {
    counts: Arc<Counts>,
    identity: bool,
    events: bool,
}

impl Noted {
    /// It changes who may do what.
    pub(crate) const fn identity(&mut self) {
        self.identity = true;
    }

    /// It writes events.
    pub(crate) const fn events(&mut self) {
        self.events = true;
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if self.identity {
            self.counts.identity.send_modify(|count| *count += 1);
        }
        if self.events {
            self.counts.events.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_moves_when_its_transaction_is_over_and_not_before() {
        let changes = Changes::default();
        let mut noted = changes.noting();
        noted.identity();
        assert_eq!((changes.identity(), changes.events()), (0, 0));
        let moves = changes.identity_moves();
        assert!(!moves.has_changed().unwrap());
        drop(noted);
        assert!(moves.has_changed().unwrap());
        assert_eq!((changes.identity(), changes.events()), (1, 0));
        drop(changes.noting());
        assert_eq!((changes.identity(), changes.events()), (1, 0));
        let mut noted = changes.noting();
        noted.events();
        drop(noted);
        changes.clone().heard_of_identity();
        assert_eq!((changes.identity(), changes.events()), (2, 1));
    }
}
