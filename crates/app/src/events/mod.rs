//! Events: one reader of the database for all watchers.

use crate::{Database, Error, Tx};
use slipway_domain::identity::Actor;
use slipway_store::events;
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
                listener = database.listen(&[events::CHANNEL]).await.ok();
            }
            let heard = async {
                match listener.as_mut() {
                    Some(listener) => listener.next().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            if tokio::time::timeout(POLL, heard).await == Ok(false) {
                listener = None;
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

async fn last(database: &Database) -> Result<i64, slipway_store::Error> {
    let mut tx = database.read().await?;
    events::last(&mut tx).await
}

/// The last number.
///
/// # Errors
/// When the database is unavailable.
pub async fn last_seq(tx: &mut Tx) -> Result<i64, Error> {
    Ok(events::last(tx).await?)
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
