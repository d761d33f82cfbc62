//! The only place that reads a clock of this process, for what is never recorded, and that knows what time it is at the
//! database (invariant 8), for what is.
//!
//! What is recorded, compared or decided on in a transaction uses the transaction's time, which arrives as an argument.
//! What happens outside of one and meets recorded times (the age in an id, the end of a token under an open stream) uses
//! [`database_now`]: the time that the database told last, and how long that is ago by this process's monotonic clock. The
//! wall clock of the machine may be wrong by hours, and be set while the process runs; nothing here hears of it.

use jiff::{SignedDuration, Timestamp};
use std::{
    sync::{PoisonError, RwLock},
    time::Instant,
};

/// What the database told last, and when that was.
static TOLD: RwLock<Option<(Instant, Timestamp)>> = RwLock::new(None);

/// This process's idea of now. Never stored, never compared with a stored time.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that may read the wall clock"
)]
pub fn process_now() -> Timestamp {
    Timestamp::now()
}

/// The database has just told that it is this time there.
pub fn database_told(now: Timestamp) {
    *TOLD.write().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), now));
}

/// The time at the database, as far as can be known without asking it: right within the time that an answer takes. Before
/// it has told any, this process's own.
#[must_use]
pub fn database_now() -> Timestamp {
    let told = *TOLD.read().unwrap_or_else(PoisonError::into_inner);
    told.and_then(|(at, now)| {
        let since = SignedDuration::try_from(at.elapsed()).ok()?;
        now.checked_add(since).ok()
    })
    .unwrap_or_else(process_now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DeploymentId, Fresh as _};

    #[test]
    fn ids_sort_by_the_databases_time_whatever_the_machines_clock_says() {
        let there: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        database_told(there);
        let first = DeploymentId::fresh();
        let second = DeploymentId::fresh();
        assert!(first.uuid() < second.uuid());
        let (seconds, _) = second.uuid().get_timestamp().unwrap().to_unix();
        let ahead = i64::try_from(seconds).unwrap() - there.as_second();
        assert!((0..60).contains(&ahead), "{ahead} s after what the database told");
        assert!(database_now() >= there);
    }
}
