//! How long transactions wait for a connection, measured where they do.

use crate::Database;
use slipway_telemetry::catalogue as names;
use std::time::Instant;

/// The connections that a process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Most that it may have.
    pub max: u32,
    /// In somebody's hands.
    pub in_use: u32,
    /// Open, and nobody's.
    pub idle: u32,
}

impl Database {
    /// The connections that are open now.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let pool = self.pool();
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        Connections {
            max: pool.options().get_max_connections(),
            in_use: pool.size().saturating_sub(idle),
            idle,
        }
    }
}

/// Counted as waiting until dropped, also when the caller gives up.
struct Waiting;

impl Waiting {
    fn begin() -> Self {
        metrics::gauge!(names::DATABASE_WAITING).increment(1.0);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        metrics::gauge!(names::DATABASE_WAITING).decrement(1.0);
    }
}

/// Measures beginning a transaction.
pub(crate) async fn measured<T>(
    begin: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let asked = Instant::now();
    let waiting = Waiting::begin();
    let taken = begin.await;
    drop(waiting);
    metrics::histogram!(names::DATABASE_ACQUIRE).record(asked.elapsed().as_secs_f64());
    if matches!(taken, Err(sqlx::Error::PoolTimedOut)) {
        metrics::counter!(names::DATABASE_TIMEOUTS).increment(1);
    }
    taken
}
