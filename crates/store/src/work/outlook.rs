//! Knows how far back the queue goes, when it is worth knowing: see [`Horizon`].

use super::{Horizon, horizon};
use crate::{Database, Error};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How often it is looked for. A unit that was made due in the past (by hand, say) waits at most this long to be seen.
const EVERY: Duration = Duration::from_secs(1);
/// What is older is not used: everything is looked at then.
const MAX_AGE: Duration = Duration::from_secs(5);
/// Quicker than this nothing is in the way, and claims look at everything.
const WORTH_IT: Duration = Duration::from_millis(5);

/// The horizon as one process knows it; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    shared: Arc<Shared>,
    everything: bool,
}

#[derive(Debug, Default)]
struct Shared {
    last: Mutex<Option<(Instant, Horizon)>>,
    looking: AtomicBool,
}

impl Outlook {
    /// No horizon, ever.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    /// The horizon for a claim; when it gets old, the next one is looked for beside the claim.
    #[must_use]
    pub fn now(&self, database: &Database) -> Horizon {
        if self.everything {
            return Horizon::default();
        }
        let last = *self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
        let age = last.map(|(at, _)| at.elapsed());
        if age.is_none_or(|age| age >= EVERY) && !self.shared.looking.swap(true, Ordering::SeqCst) {
            let (shared, database) = (Arc::clone(&self.shared), database.clone());
            tokio::spawn(async move {
                let looked = look(&database).await;
                let mut last = shared.last.lock().unwrap_or_else(PoisonError::into_inner);
                *last = looked.ok().map(|horizon| (Instant::now(), horizon));
                shared.looking.store(false, Ordering::SeqCst);
            });
        }
        match last {
            Some((at, horizon)) if at.elapsed() < MAX_AGE => horizon,
            _ => Horizon::default(),
        }
    }
}

async fn look(database: &Database) -> Result<Horizon, Error> {
    // Each question sees what was committed before it: not one snapshot for both.
    let mut tx = database.begin().await?;
    let begun = Instant::now();
    let horizon = horizon(&mut tx).await?;
    let quick = begun.elapsed() < WORTH_IT;
    Ok(if quick { Horizon::default() } else { horizon })
}
