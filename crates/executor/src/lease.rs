//! A lease as its holder sees it: on this process's own monotonic clock, counted from when the claim was *asked for*,
//! and ended with a margin, so that nothing is begun that the next holder could meet.

use jiff::SignedDuration;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Mutex,
    task::Poll,
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// The lease ends, or has ended: nothing may be written any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease is ending")]
pub struct LeaseEnding;

/// Tells whether a lease still holds.
#[derive(Debug)]
pub struct LeaseClock {
    /// When to stop acting; none once it was taken away.
    stop_at: Mutex<Option<Instant>>,
}

/// A fifth of the lease, at most two seconds: time for a request under way to be given up.
fn margin(lease: Duration) -> Duration {
    (lease / 5).min(Duration::from_secs(2))
}

impl LeaseClock {
    /// A lease of this length, asked for at that instant.
    #[must_use]
    pub fn new(asked_at: Instant, lease: SignedDuration) -> Self {
        let clock = Self {
            stop_at: Mutex::new(Some(asked_at)),
        };
        clock.extend(asked_at, lease);
        clock
    }

    /// A heartbeat was answered: the lease runs from when the heartbeat was asked for.
    pub fn extend(&self, asked_at: Instant, lease: SignedDuration) {
        let lease = Duration::try_from(lease).unwrap_or_default();
        let mut stop_at = self.lock();
        if let Some(old) = *stop_at {
            *stop_at = Some(old.max(asked_at + lease.saturating_sub(margin(lease))));
        }
    }

    /// The queue says that somebody else holds it.
    pub fn revoke(&self) {
        *self.lock() = None;
    }

    /// Whether writes are still ours to make.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.left() > Duration::ZERO
    }

    /// How long writes are still ours to make.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.lock()
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }

    /// Runs work for as long as the lease holds, and drops it at the lease's end.
    ///
    /// The clock is read before every poll of the work: a process that was stopped and continued looks at the time
    /// before it goes on with a request, not after.
    ///
    /// # Errors
    /// [`LeaseEnding`] when the lease does not outlast the work.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Result<T, LeaseEnding> {
        let mut work = pin!(work);
        let mut alarm = pin!(sleep_until(Instant::now() + self.left()));
        poll_fn(|context| {
            loop {
                let left = self.left();
                if left.is_zero() {
                    return Poll::Ready(Err(LeaseEnding));
                }
                if alarm.as_mut().poll(context).is_pending() {
                    break;
                }
                // Rang, but heartbeats have moved the end.
                alarm.as_mut().reset(Instant::now() + left);
            }
            work.as_mut().poll(context).map(Ok)
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.stop_at
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::{advance, sleep};

    const LEASE: SignedDuration = SignedDuration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_lease_stops_before_its_end_counted_from_the_asking() {
        let asked_at = Instant::now();
        advance(Duration::from_secs(3)).await;
        let clock = LeaseClock::new(asked_at, LEASE);
        assert_eq!(clock.left(), Duration::from_secs(1));
        advance(Duration::from_secs(1)).await;
        assert!(!clock.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_extends_and_never_shortens() {
        let asked_at = Instant::now();
        let clock = LeaseClock::new(asked_at, LEASE);
        advance(Duration::from_secs(2)).await;
        clock.extend(Instant::now(), LEASE);
        assert_eq!(clock.left(), Duration::from_secs(4));
        clock.extend(asked_at, LEASE);
        assert_eq!(clock.left(), Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_taken_away_does_not_come_back() {
        let clock = LeaseClock::new(Instant::now(), LEASE);
        clock.revoke();
        clock.extend(Instant::now(), LEASE);
        assert!(!clock.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_dropped_when_heartbeats_stop_and_goes_on_while_they_come() {
        let clock = LeaseClock::new(Instant::now(), LEASE);
        let begun = Instant::now();
        assert_eq!(clock.run(pending::<()>()).await, Err(LeaseEnding));
        assert_eq!(begun.elapsed().as_secs(), 4);

        let clock = LeaseClock::new(Instant::now(), LEASE);
        let beat = async {
            for _ in 0..5 {
                sleep(Duration::from_secs(2)).await;
                clock.extend(Instant::now(), LEASE);
            }
        };
        let (done, ()) = tokio::join!(clock.run(sleep(Duration::from_secs(9))), beat);
        assert_eq!(done, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_ready_is_not_polled_after_the_end() {
        let clock = LeaseClock::new(Instant::now(), LEASE);
        let work = clock.run(async { panic!("polled after the lease ended") });
        advance(Duration::from_mins(1)).await;
        assert_eq!(work.await, Err(LeaseEnding));
    }
}
