//! One reader of the database for all watchers of this server: each event is read once, however many watch.

use slipway_app::{
    App,
    events::{self, Event, Filter},
};
use slipway_domain::{
    identity::{Actor, Grant, Principal, PrincipalKind, Proof, Rights, Role, Scope},
    ids::PrincipalId,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// How many events a watcher may be behind before it reads from the database by itself.
const BACKLOG: usize = 1024;
/// How many events are read at once.
pub(super) const BATCH: i64 = 200;
/// How long to wait after the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Hands new events to all watchers.
#[derive(Clone)]
pub(crate) struct Hub {
    sender: broadcast::Sender<Arc<Event>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(BACKLOG),
        }
    }

    /// Events from now on; whoever gets them looks after what may be seen.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.sender.subscribe()
    }

    /// Reads new events until shutdown.
    pub(crate) async fn run(self, app: App, shutdown: CancellationToken) {
        let mut news = app.feed().changed();
        let reader = everything();
        let mut seen = None;
        loop {
            let read = self.read(&app, &reader, seen);
            match app.while_the_database_answers(read).await {
                Ok(last) => seen = Some(last),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot read events for watchers"
                    );
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => continue,
                        () = shutdown.cancelled() => return,
                    }
                }
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Reads on from where it stands; from the end the first time.
    async fn read(&self, app: &App, reader: &Actor, seen: Option<i64>) -> Result<i64, slipway_app::Error> {
        let mut tx = app.read().await?;
        let Some(mut seen) = seen else {
            return events::last_seq(&mut tx).await;
        };
        // With nobody there, only the place is kept.
        if self.sender.receiver_count() == 0 {
            return events::last_seq(&mut tx).await;
        }
        loop {
            let batch = events::read_after(&mut tx, reader, &Filter::default(), seen, BATCH).await?;
            let count = batch.len();
            for event in batch {
                seen = event.seq.unwrap_or(seen);
                // Nobody listening any more is no error.
                let _ = self.sender.send(Arc::new(event));
            }
            if i64::try_from(count).unwrap_or(BATCH) < BATCH {
                return Ok(seen);
            }
        }
    }
}

/// The server itself, which reads everything, and tells each watcher only what that one may see.
fn everything() -> Actor {
    Actor {
        principal: Arc::new(Principal {
            id: PrincipalId::new(),
            kind: PrincipalKind::Machine,
            issuer: "slipway".to_owned(),
            subject: "slipway".to_owned(),
            name: "slipway".to_owned(),
        }),
        proof: Proof::System,
        rights: Arc::new(Rights::new(vec![Grant {
            role: Role::Viewer,
            scope: Scope::Everything,
        }])),
        request: String::new(),
        traceparent: None,
    }
}
