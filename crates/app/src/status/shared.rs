//! One reading of the status for all who may see the same, however many ask.
//!
//! A reading is shared until something happened and it is [`PAUSE`] old, and never beyond [`MAX_AGE`]: whoever asks
//! then waits for the next one, which one of them reads. While nobody asks, nothing is read. When the database is away,
//! nothing older than that is shown.

use super::{StatusView, read, visible};
use crate::{App, Error};
use slipway_domain::{
    identity::{Actor, Visible},
    ids::{EnvironmentId, TeamId},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A reading is never shown when it is older, by this process's monotonic clock.
pub(super) const MAX_AGE: Duration = Duration::from_secs(1);
/// Least time between two readings of the same: much going on costs ten readings a second.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How many readings are kept, each for others' eyes.
const MAX_READINGS: usize = 1_000;

/// What may be seen, so that the same comes out the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    everything: bool,
    teams: Vec<TeamId>,
    environments: Vec<EnvironmentId>,
}

impl From<Visible> for Key {
    fn from(visible: Visible) -> Self {
        if visible.everything {
            return Self {
                everything: true,
                teams: Vec::new(),
                environments: Vec::new(),
            };
        }
        let mut key = Self {
            everything: false,
            teams: visible.teams,
            environments: visible.environments,
        };
        key.teams.sort_unstable();
        key.teams.dedup();
        key.environments.sort_unstable();
        key.environments.dedup();
        key
    }
}

impl Key {
    fn visible(&self) -> Visible {
        Visible {
            everything: self.everything,
            teams: self.teams.clone(),
            environments: self.environments.clone(),
        }
    }
}

/// What has happened, as far as this process knows: the last event, and its own writes that are not numbered yet.
type News = (i64, u64);

struct Reading<T> {
    shown: Arc<T>,
    /// Before the transaction began, so that its age is not understated.
    begun: Instant,
    news: News,
}

struct Slot<T> {
    reading: Mutex<Option<Reading<T>>>,
    /// Held while the database is read: the others wait for the one reading.
    under_way: tokio::sync::Mutex<()>,
}

/// The status as it is shown, `T`, shared by all who may see the same.
pub struct Shared<T> {
    slots: Mutex<HashMap<Key, Arc<Slot<T>>>>,
    max_age: Duration,
    pause: Duration,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::new(MAX_AGE, PAUSE)
    }
}

impl<T> Shared<T> {
    /// With ages of one's own, for tests; servers take [`Shared::default`].
    #[must_use]
    pub fn new(max_age: Duration, pause: Duration) -> Self {
        Self {
            slots: Mutex::default(),
            max_age,
            pause,
        }
    }

    /// What the actor may see, made by `show` from the database or read a moment ago for somebody with the same rights.
    ///
    /// # Errors
    /// When the actor may read nothing; when there is no reading that is young enough and the database is unavailable;
    /// when `show` fails.
    pub async fn read<E>(
        &self,
        app: &App,
        actor: &Actor,
        show: impl FnOnce(StatusView) -> Result<T, E>,
    ) -> Result<Arc<T>, E>
    where
        E: From<Error>,
    {
        let key = Key::from(visible(actor)?);
        let slot = self.slot(&key);
        if let Some(shown) = self.young(&slot, app) {
            return Ok(shown);
        }
        let _under_way = slot.under_way.lock().await;
        if let Some(shown) = self.young(&slot, app) {
            return Ok(shown);
        }
        let (begun, news) = (Instant::now(), news(app));
        let mut tx = app.read().await?;
        let view = read(&mut tx, &key.visible()).await?;
        drop(tx);
        let shown = Arc::new(show(view)?);
        *lock(&slot.reading) = Some(Reading {
            shown: Arc::clone(&shown),
            begun,
            news,
        });
        Ok(shown)
    }

    fn young(&self, slot: &Slot<T>, app: &App) -> Option<Arc<T>> {
        let reading = lock(&slot.reading);
        let reading = reading.as_ref()?;
        let age = reading.begun.elapsed();
        let holds = age < self.max_age && (age < self.pause || reading.news == news(app));
        holds.then(|| Arc::clone(&reading.shown))
    }

    fn slot(&self, key: &Key) -> Arc<Slot<T>> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        if slots.len() >= MAX_READINGS {
            // What is too old to be shown makes room; a slot that somebody uses is kept by them.
            slots.retain(|_, slot| slot.age().is_some_and(|age| age < MAX_AGE));
            if slots.len() >= MAX_READINGS {
                slots.clear();
            }
        }
        let slot = Arc::new(Slot {
            reading: Mutex::default(),
            under_way: tokio::sync::Mutex::default(),
        });
        slots.insert(key.clone(), Arc::clone(&slot));
        slot
    }
}

impl<T> Slot<T> {
    fn age(&self) -> Option<Duration> {
        lock(&self.reading)
            .as_ref()
            .map(|reading| reading.begun.elapsed())
    }
}

fn news(app: &App) -> News {
    (app.feed().last(), app.database().changes().events())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_see_the_same_shares_and_nobody_else() {
        let (a, b, e) = (TeamId::new(), TeamId::new(), EnvironmentId::new());
        let key = |everything, teams: &[TeamId], environments: &[EnvironmentId]| {
            Key::from(Visible {
                everything,
                teams: teams.to_vec(),
                environments: environments.to_vec(),
            })
        };
        assert_eq!(key(false, &[a, b, a], &[e]), key(false, &[b, a], &[e, e]));
        assert_eq!(key(true, &[a], &[]), key(true, &[], &[e]));
        let different = [
            key(true, &[], &[]),
            key(false, &[], &[]),
            key(false, &[a], &[]),
            key(false, &[b], &[]),
            key(false, &[a, b], &[]),
            key(false, &[], &[e]),
        ];
        for (i, one) in different.iter().enumerate() {
            assert!(!different[..i].contains(one), "{one:?}");
            assert_eq!(*one, Key::from(one.visible()));
        }
    }
}
