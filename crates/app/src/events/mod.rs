//! Events: one reader of the database for all watchers.

use crate::{Database, Error, Tx, teams};
use slipway_domain::identity::Actor;
use slipway_store::{changes, events};
use std::time::Duration;
use tokio::sync::watch;

pub use slipway_store::events::{Event, Filter};

/// News of events: the number of the last. Watchers wait for it to change, then read what they may see.
pub struct Feed {
    last: watch::Sender<i64>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            last: watch::Sender::new(0),
        }
    }

    /// Changes whenever there are new events.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<i64> {
        self.last.subscribe()
    }

    /// The number of the last event that was heard of; 0 before any was.
    pub(crate) fn last(&self) -> i64 {
        *self.last.borrow()
    }

    /// Keeps it current until dropped: listens for hints and polls, so that a dead listener costs latency only.
    pub async fn follow(&self, database: &Database) {
        const POLL: Duration = Duration::from_millis(500);
        let mut listener = None;
        loop {
            match last(database).await {
                Ok(seq) => {
                    self.last
                        .send_if_modified(|known| std::mem::replace(known, seq) != seq);
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot read events");
                    listener = None;
                }
            }
            if listener.is_none() {
                listener = database.listen(&[events::CHANNEL, changes::IDENTITY]).await.ok();
                // Whatever was said while nobody listened.
                database.changes().heard_of_identity();
            }
            let heard = async {
                match listener.as_mut() {
                    Some(listener) => listener.next().await.ok(),
                    None => std::future::pending().await,
                }
            };
            match tokio::time::timeout(POLL, heard).await {
                Ok(None) => {
                    listener = None;
                    tokio::time::sleep(POLL).await;
                }
                Ok(Some(channel)) if channel == changes::IDENTITY => database.changes().heard_of_identity(),
                Ok(Some(_)) | Err(_) => {}
            }
        }
    }
}

async fn last(database: &Database) -> Result<i64, slipway_store::Error> {
    let read = async {
        let mut tx = database.read().await?;
        events::last(&mut tx).await
    };
    database.while_it_answers(read).await?
}

/// Whether somebody may watch at all: whoever holds no role anywhere would never see anything.
///
/// # Errors
/// Without the permission to read, wherever that may be.
pub fn may_watch(actor: &Actor) -> Result<(), Error> {
    teams::require_reader(actor)
}

/// The last number: for the application itself.
///
/// # Errors
/// When the database is unavailable.
pub async fn last_seq(tx: &mut Tx) -> Result<i64, Error> {
    Ok(events::last(tx).await?)
}

/// The number after which somebody watches: the one they say, or the last.
///
/// # Errors
/// When the actor may read nothing.
pub async fn watch_after(tx: &mut Tx, actor: &Actor, after: Option<i64>) -> Result<i64, Error> {
    may_watch(actor)?;
    match after {
        Some(after) => Ok(after),
        None => last_seq(tx).await,
    }
}

/// Numbered events after a number, oldest first, as far as this actor may see them.
///
/// # Errors
/// When the database is unavailable.
pub async fn read_after(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    Ok(events::after(tx, after, filter, &actor.rights.visible(), limit).await?)
}
