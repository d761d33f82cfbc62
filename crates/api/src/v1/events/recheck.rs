//! Whether the tokens of open streams still hold: asked once for all streams of one token, however many there are, and again
//! as soon as it is heard that somebody's rights changed.

use crate::middleware::authenticate::Bearer;
use sha2::{Digest as _, Sha256};
use slipway_app::{App, RequestInfo, Unauthenticated};
use slipway_domain::identity::Actor;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What is known of one token.
#[derive(Clone)]
enum Answer {
    Holds(Arc<Actor>),
    Ended,
}

type Slot = Arc<tokio::sync::Mutex<Option<Given>>>;

/// An answer, and what it was given under.
struct Given {
    at: Instant,
    /// The count of changes before it was asked for.
    changes: u64,
    answer: Answer,
}

/// Answers that are young enough to be shared.
#[derive(Clone, Default)]
pub(crate) struct Rechecks {
    // By hash, so that no token lies around here.
    slots: Arc<Mutex<HashMap<[u8; 32], Slot>>>,
}

impl Rechecks {
    /// Who the token stands for now; `None` when it does not hold any more, or that cannot be found out.
    pub(super) async fn check(
        &self,
        app: &App,
        bearer: &Bearer,
        request: &RequestInfo,
        max_age: Duration,
    ) -> Option<Arc<Actor>> {
        let slot = self.slot(bearer, max_age);
        // Held while asking: the others with this token wait for the one answer.
        let mut known = slot.lock().await;
        let changes = app.database().changes().identity();
        let holds = |given: &&Given| given.at.elapsed() < max_age && given.changes == changes;
        let answer = if let Some(given) = known.as_ref().filter(holds) {
            given.answer.clone()
        } else {
            let answer = ask(app, bearer, request).await?;
            *known = Some(Given {
                at: Instant::now(),
                changes,
                answer: answer.clone(),
            });
            answer
        };
        match answer {
            Answer::Holds(actor) => Some(actor),
            Answer::Ended => None,
        }
    }

    fn slot(&self, bearer: &Bearer, max_age: Duration) -> Slot {
        let key: [u8; 32] = Sha256::digest(bearer.0.as_bytes()).into();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots.contains_key(&key) {
            // What is too old to be shared makes room for the new one; a slot that is locked is in use.
            slots.retain(|_, slot| {
                slot.try_lock().map_or(true, |known| {
                    known.as_ref().is_some_and(|given| given.at.elapsed() < max_age)
                })
            });
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

/// `None` when it cannot be found out: a stream must not outlive its token, and clients come back.
async fn ask(app: &App, bearer: &Bearer, request: &RequestInfo) -> Option<Answer> {
    match app.authenticate(&bearer.0, request).await {
        Ok(actor) => Some(Answer::Holds(Arc::new(actor))),
        Err(Unauthenticated::Refused { detail }) => {
            tracing::info!(detail, "event streams end with their token");
            Some(Answer::Ended)
        }
        Err(Unauthenticated::Failed(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "event streams end: their token cannot be checked"
            );
            None
        }
    }
}
