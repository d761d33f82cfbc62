//! Knows how far back the queue goes, when it is worth knowing: see [`Horizon`].
//!
//! A look at everything passes all that has left the queue and is still in its indexes. Where that took long, claims begin
//! at what it found, and looks that begin there too, and so are cheap, follow the queue. What such a look cannot find is a
//! unit that became due further back than where it began; only by hand, or by a clock that was set back, does one come to
//! be. That is what everything is looked at for again, as often as it costs little beside the claims.

use super::{Horizon, horizon};
use crate::{Database, Error};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How often everything is looked at. A unit that was made due in the past waits this long to be seen, or [`REST`].
const EVERYTHING: Duration = Duration::from_secs(1);
/// How often the queue is followed from where the last look found it.
const ON: Duration = Duration::from_millis(100);
/// After a look there is none of its kind for this many times as long as it took.
const REST: u32 = 20;
/// What is older is not used: claims look at everything then.
const MAX_AGE: Duration = Duration::from_secs(5);
/// Quicker than this nothing is in the way, and claims look at everything.
const WORTH_IT: Duration = Duration::from_millis(5);

/// The horizon as one process knows it; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    shared: Arc<Mutex<Seen>>,
    everything: bool,
}

#[derive(Debug, Default)]
struct Seen {
    /// None while there is nothing in the way.
    horizon: Option<Horizon>,
    /// When the last look began.
    at: Option<Instant>,
    /// Not before, for each kind of look.
    everything: Option<Instant>,
    on: Option<Instant>,
    looking: bool,
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
        let now = Instant::now();
        let mut seen = lock(&self.shared);
        if let Some(from) = seen.next(now) {
            let (shared, database) = (Arc::clone(&self.shared), database.clone());
            tokio::spawn(async move {
                let looked = look(&database, from).await;
                lock(&shared).looked(now, from, looked.ok());
            });
        }
        seen.for_claims(now)
    }
}

impl Seen {
    /// From where to look now, if at all. Who is told so looks.
    fn next(&mut self, now: Instant) -> Option<Horizon> {
        let due = |at: Option<Instant>| at.is_none_or(|at| at <= now);
        if self.looking {
            return None;
        }
        let from = if due(self.everything) {
            Some(Horizon::default())
        } else {
            self.horizon.filter(|_| due(self.on))
        };
        self.looking = from.is_some();
        from
    }

    /// What a look that began then and there found, and how long it took; nothing if it failed.
    fn looked(&mut self, begun: Instant, from: Horizon, found: Option<(Horizon, Duration)>) {
        self.looking = false;
        self.at = Some(begun);
        let Some((horizon, took)) = found else {
            self.horizon = None;
            self.everything = Some(begun + EVERYTHING);
            return;
        };
        let rest = |least: Duration| Some(begun + took + least.max(took * REST));
        if from == Horizon::default() {
            self.everything = rest(EVERYTHING);
            self.horizon = (took >= WORTH_IT).then_some(horizon);
        } else {
            self.on = rest(ON);
            self.horizon = Some(horizon);
        }
    }

    fn for_claims(&self, now: Instant) -> Horizon {
        let young = self.at.is_some_and(|at| now - at < MAX_AGE);
        self.horizon.filter(|_| young).unwrap_or_default()
    }
}

async fn look(database: &Database, from: Horizon) -> Result<(Horizon, Duration), Error> {
    // Each question sees what was committed before it: not one snapshot for both.
    let mut tx = database.begin().await?;
    let begun = Instant::now();
    let horizon = horizon(&mut tx, from).await?;
    Ok((horizon, begun.elapsed()))
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(second: i64) -> Horizon {
        Horizon {
            ready: Timestamp::from_second(second).unwrap(),
            leased: second,
        }
    }

    #[test]
    fn where_nothing_is_in_the_way_everything_is_looked_at() {
        let (begun, mut seen) = (Instant::now(), Seen::default());
        assert_eq!(seen.next(begun), Some(Horizon::default()));
        assert_eq!(seen.next(begun + ms(9000)), None, "one looks already");
        seen.looked(begun, Horizon::default(), Some((at(7), ms(1))));
        assert_eq!(seen.for_claims(begun + ms(2)), Horizon::default());
        assert_eq!(seen.next(begun + ms(900)), None);
        assert_eq!(seen.next(begun + ms(1001)), Some(Horizon::default()));
    }

    #[test]
    fn where_much_is_in_the_way_the_queue_is_followed_and_everything_looked_at_when_that_costs_little() {
        let (begun, mut seen) = (Instant::now(), Seen::default());
        seen.next(begun);
        seen.looked(begun, Horizon::default(), Some((at(7), ms(300))));
        assert_eq!(seen.for_claims(begun + ms(300)), at(7));
        assert_eq!(seen.next(begun + ms(300)), Some(at(7)));
        seen.looked(begun + ms(300), at(7), Some((at(8), ms(2))));
        assert_eq!(seen.for_claims(begun + ms(303)), at(8));
        assert_eq!(seen.next(begun + ms(400)), None, "it is followed now and then");
        assert_eq!(seen.next(begun + ms(402)), Some(at(8)));
        // So slow that it would be half of what goes on.
        seen.looked(begun + ms(402), at(8), Some((at(9), ms(100))));
        assert_eq!(seen.next(begun + ms(2501)), None);
        assert_eq!(seen.next(begun + ms(2502)), Some(at(9)));
        seen.looked(begun + ms(2502), at(9), Some((at(10), ms(2))));
        // Twenty times three hundred milliseconds after the first.
        assert_eq!(seen.next(begun + ms(6300)), Some(Horizon::default()));
        seen.looked(begun + ms(6300), Horizon::default(), Some((at(3), ms(1))));
        assert_eq!(
            seen.for_claims(begun + ms(6301)),
            Horizon::default(),
            "it is over"
        );
    }

    #[test]
    fn what_is_old_or_failed_is_not_used() {
        let (begun, mut seen) = (Instant::now(), Seen::default());
        seen.next(begun);
        seen.looked(begun, Horizon::default(), Some((at(7), ms(300))));
        assert_eq!(seen.for_claims(begun + ms(4999)), at(7));
        assert_eq!(seen.for_claims(begun + ms(5000)), Horizon::default());
        seen.next(begun + ms(400));
        seen.looked(begun + ms(400), at(7), None);
        assert_eq!(seen.for_claims(begun + ms(401)), Horizon::default());
    }
}
