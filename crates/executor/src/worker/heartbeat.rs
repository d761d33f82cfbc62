//! One loop extends all leases held. A heartbeat that is not answered extends nothing: the clocks run out, and acting
//! stops before the leases end.

use super::Settings;
use crate::lease::LeaseClock;
use jiff::SignedDuration;
use slipway_domain::{
    ids::WorkId,
    ports::{Heartbeat, WorkQueue},
    work::Lease,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// The leases held, with their clocks.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<WorkId, (Lease, Arc<LeaseClock>)>>);

/// Lets go of a lease when dropped.
pub(super) struct Holding<'a> {
    pub(super) held: &'a Held,
    pub(super) work: WorkId,
    pub(super) fence: i64,
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        // The same work may have been claimed again by now.
        if held
            .get(&self.work)
            .is_some_and(|(lease, _)| lease.fence == self.fence)
        {
            held.remove(&self.work);
        }
    }
}

impl Held {
    pub(super) fn add(&self, lease: Lease, clock: Arc<LeaseClock>) {
        self.lock().insert(lease.work, (lease, clock));
    }

    /// Extends until told to stop.
    pub(super) async fn beat<Q: WorkQueue>(&self, queue: &Q, settings: &Settings, stop: &CancellationToken) {
        let mut ticks = interval(settings.heartbeat_every.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let patience = Duration::try_from(settings.lease).unwrap_or(Duration::from_secs(5)) / 2;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let asked: Vec<(Lease, Arc<LeaseClock>)> = self.lock().values().cloned().collect();
            if asked.is_empty() {
                continue;
            }
            let asked_at = Instant::now();
            let leases: Vec<Lease> = asked.iter().map(|(lease, _)| lease.clone()).collect();
            match timeout(
                patience,
                queue.heartbeat(&settings.holder, &leases, settings.lease),
            )
            .await
            {
                Ok(Ok(answer)) => take(&asked, &answer, asked_at, settings.lease),
                Ok(Err(error)) => tracing::warn!(%error, leases = leases.len(), "heartbeat failed"),
                Err(_) => tracing::warn!(leases = leases.len(), "heartbeat was not answered"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkId, (Lease, Arc<LeaseClock>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets the clocks as a heartbeat was answered: what is busy goes on as it is, and what is not named is lost.
fn take(asked: &[(Lease, Arc<LeaseClock>)], answer: &Heartbeat, asked_at: Instant, by: SignedDuration) {
    let names = |leases: &[Lease], one: &Lease| {
        leases
            .iter()
            .any(|lease| lease.work == one.work && lease.fence == one.fence)
    };
    for (lease, clock) in asked {
        if names(&answer.extended, lease) {
            clock.extend(asked_at, by);
        } else if !names(&answer.busy, lease) {
            clock.revoke();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use slipway_domain::ids::Fresh as _;

    #[tokio::test(start_paused = true)]
    async fn what_is_extended_lasts_longer_what_is_busy_as_long_as_before_and_the_rest_is_lost() {
        let (began, duration) = (Instant::now(), SignedDuration::from_secs(15));
        let asked: Vec<_> = (0..3)
            .map(|fence| {
                let lease = Lease {
                    work: WorkId::fresh(),
                    fence,
                    claimed_at: Timestamp::UNIX_EPOCH,
                    duration,
                };
                (lease, Arc::new(LeaseClock::new(began, duration)))
            })
            .collect();
        let before = asked[0].1.left();
        let of = |i: usize| vec![asked[i].0.clone()];
        let answer = Heartbeat {
            extended: of(0),
            busy: of(1),
        };
        take(&asked, &answer, began + Duration::from_secs(3), duration);
        let left: Vec<_> = asked.iter().map(|(_, clock)| clock.left()).collect();
        assert_eq!(left, [before + Duration::from_secs(3), before, Duration::ZERO]);
        // The same work under another fence is another lease.
        let older = Lease {
            fence: 7,
            ..asked[0].0.clone()
        };
        let answer = Heartbeat {
            extended: vec![older],
            busy: of(1),
        };
        take(&asked, &answer, began + Duration::from_secs(6), duration);
        assert!(!asked[0].1.holds() && asked[1].1.holds());
    }
}
