//! The circuit breaker of one cluster: after some technical faults in a row nobody asks it anything for a while, then
//! one request at a time tries whether it is back. One bad cluster must not keep workers waiting that others need.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> closed
//!     closed --> open: N faults in a row
//!     open --> trial: the pause is over, one request goes through
//!     trial --> closed: it was answered
//!     trial --> open: it was not, the next pause is twice as long
//! ```

use std::{sync::Mutex, time::Duration};
use tokio::time::Instant;

/// How a breaker behaves.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// It opens after this many faults in a row.
    pub faults: u32,
    /// Length of the first pause.
    pub pause: Duration,
    /// Length of the longest pause.
    pub longest: Duration,
    /// A trial that has not ended after this long is given up for lost.
    pub trial: Duration,
}

impl Default for BreakerSettings {
    /// Opens after 5 faults, for 1 s, 2 s, … 30 s.
    fn default() -> Self {
        Self {
            faults: 5,
            pause: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            trial: Duration::from_secs(20),
        }
    }
}

/// What a breaker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests go through.
    Closed,
    /// Nothing goes through for this long.
    Open {
        /// Until the next trial.
        remaining: Duration,
    },
    /// One request is trying.
    Trial,
}

#[derive(Debug, Clone, Copy)]
enum Inner {
    Closed { faults: u32 },
    Open { until: Instant, pause: Duration },
    Trial { until: Instant, pause: Duration },
}

/// A circuit breaker.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    inner: Mutex<(Inner, String)>,
}

impl Breaker {
    /// Closed.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            inner: Mutex::new((Inner::Closed { faults: 0 }, String::new())),
        }
    }

    /// Asks to let a request through.
    ///
    /// # Errors
    /// How long to stay away, and the fault that opened the breaker.
    pub fn admit(&self) -> Result<(), (Duration, String)> {
        let now = Instant::now();
        let mut guard = self.lock();
        match guard.0 {
            Inner::Closed { .. } => Ok(()),
            Inner::Open { until, .. } | Inner::Trial { until, .. } if now < until => {
                Err((until - now, guard.1.clone()))
            }
            Inner::Open { pause, .. } | Inner::Trial { pause, .. } => {
                guard.0 = Inner::Trial {
                    until: now + self.settings.trial,
                    pause,
                };
                Ok(())
            }
        }
    }

    /// The cluster answered.
    pub fn answered(&self) {
        self.lock().0 = Inner::Closed { faults: 0 };
    }

    /// The cluster did not answer, and this is why.
    pub fn faulted(&self, detail: &str) {
        let now = Instant::now();
        let mut guard = self.lock();
        detail.clone_into(&mut guard.1);
        guard.0 = match guard.0 {
            Inner::Closed { faults } if faults + 1 < self.settings.faults => {
                Inner::Closed { faults: faults + 1 }
            }
            Inner::Closed { .. } => Inner::Open {
                until: now + self.settings.pause,
                pause: self.settings.pause,
            },
            // A request that was under way when the breaker opened says nothing new.
            open @ Inner::Open { .. } => open,
            Inner::Trial { pause, .. } => {
                let pause = (pause * 2).min(self.settings.longest);
                Inner::Open {
                    until: now + pause,
                    pause,
                }
            }
        };
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match self.lock().0 {
            Inner::Closed { .. } => BreakerState::Closed,
            Inner::Open { until, .. } => BreakerState::Open {
                remaining: until.saturating_duration_since(Instant::now()),
            },
            Inner::Trial { .. } => BreakerState::Trial,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Inner, String)> {
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn opened() -> Breaker {
        let breaker = Breaker::new(BreakerSettings::default());
        for _ in 0..5 {
            assert!(breaker.admit().is_ok());
            breaker.faulted("connection refused");
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_faults_in_a_row_and_says_why_and_until_when() {
        let breaker = Breaker::new(BreakerSettings::default());
        for _ in 0..4 {
            breaker.faulted("x");
        }
        breaker.answered();
        for _ in 0..4 {
            breaker.faulted("x");
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert_eq!(
            opened().admit(),
            Err((Duration::from_secs(1), "connection refused".to_owned()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_request_tries_and_its_success_closes() {
        let breaker = opened();
        advance(Duration::from_secs(1)).await;
        assert!(breaker.admit().is_ok());
        assert!(breaker.admit().is_err(), "only one at a time");
        breaker.answered();
        assert!(breaker.admit().is_ok());
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_longest() {
        let breaker = opened();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let BreakerState::Open { remaining } = breaker.state() else {
                panic!("not open")
            };
            pauses.push(remaining.as_secs());
            advance(remaining).await;
            assert!(breaker.admit().is_ok());
            breaker.faulted("x");
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_never_ends_does_not_keep_it_open() {
        let breaker = opened();
        advance(Duration::from_secs(1)).await;
        assert!(breaker.admit().is_ok());
        advance(Duration::from_secs(20)).await;
        assert!(breaker.admit().is_ok());
    }
}
