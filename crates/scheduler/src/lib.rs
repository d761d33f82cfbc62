//! Timers: one small duty each, all of them taking no input but the database.
//!
//! A duty runs on its period and does as much as there is; any number of servers may run all of them, since each guards
//! itself by locks and `WHERE` clauses in the database (there is no leader). What a duty does is a use-case in
//! `slipway_app::timers`; this crate only says when.
//!
//! To add a duty: a function in `slipway_app::timers`, and its line in [`Duty::ALL`] and [`Duty::run`].

use slipway_app::{App, Error, timers};
use slipway_telemetry::catalogue as names;
use std::time::{Duration, Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Something that happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duty {
    /// Judges gates whose time has come; starts waves.
    Look,
    /// Takes back work whose lease has ended.
    Rescue,
    /// Asks for heals of what has drifted.
    Heal,
    /// Asks for what processes promote by themselves.
    Promote,
    /// Numbers events.
    Number,
    /// Chains audit entries.
    Chain,
    /// Has the tree over the audit entries grow, and signs its head.
    Grow,
    /// Tells people that they are asked for approval: reminders, and the next group.
    Tell,
    /// Deletes what is kept for a while only.
    Sweep,
    /// Measures the queue.
    Measure,
}

impl Duty {
    const ALL: [Self; 10] = [
        Self::Look,
        Self::Rescue,
        Self::Heal,
        Self::Promote,
        Self::Number,
        Self::Chain,
        Self::Grow,
        Self::Tell,
        Self::Sweep,
        Self::Measure,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Rescue => "rescue",
            Self::Heal => "heal",
            Self::Promote => "promote",
            Self::Number => "number",
            Self::Chain => "chain",
            Self::Grow => "grow",
            Self::Tell => "tell",
            Self::Sweep => "sweep",
            Self::Measure => "measure",
        }
    }

    const fn period(self) -> Duration {
        match self {
            Self::Number => Duration::from_millis(100),
            Self::Look | Self::Chain | Self::Rescue => Duration::from_millis(200),
            Self::Tell => Duration::from_millis(500),
            Self::Heal | Self::Promote | Self::Grow => Duration::from_secs(2),
            Self::Measure => Duration::from_secs(5),
            Self::Sweep => Duration::from_mins(10),
        }
    }

    async fn run(self, app: &App) -> Result<u64, Error> {
        match self {
            Self::Look => timers::look(app).await,
            Self::Rescue => timers::rescue(app).await,
            Self::Heal => timers::heal(app).await,
            Self::Promote => timers::promote(app).await,
            Self::Number => timers::number(app).await,
            Self::Chain => timers::chain(app).await,
            Self::Grow => timers::grow(app).await,
            Self::Tell => timers::tell(app).await,
            Self::Sweep => timers::sweep(app).await,
            Self::Measure => timers::measure(app).await,
        }
    }
}

/// Longest time between two tries while the database is unavailable.
const BACK_OFF: Duration = Duration::from_secs(5);

/// Runs every duty until told to stop; returns when the rounds under way have ended.
pub async fn run(app: App, shutdown: CancellationToken) {
    let tasks = TaskTracker::new();
    for duty in Duty::ALL {
        tasks.spawn(keep(duty, app.clone(), shutdown.clone()));
    }
    tasks.close();
    tasks.wait().await;
}

async fn keep(duty: Duty, app: App, shutdown: CancellationToken) {
    let mut failures = 0u32;
    metrics::counter!(names::DUTY_FAILURES, "duty" => duty.name()).increment(0);
    loop {
        let begun = Instant::now();
        let pause = match app.while_the_database_answers(duty.run(&app)).await {
            Ok(done) => {
                failures = 0;
                metrics::histogram!(names::DUTY_SECONDS, "duty" => duty.name())
                    .record(begun.elapsed().as_secs_f64());
                // A full round means that there may be more: go on at once.
                if done >= 500 {
                    Duration::ZERO
                } else {
                    duty.period()
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                metrics::counter!(names::DUTY_FAILURES, "duty" => duty.name()).increment(1);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    duty = duty.name(),
                    failures,
                    "a duty failed"
                );
                duty.period()
                    .saturating_mul(1 << failures.min(6))
                    .min(BACK_OFF.max(duty.period()))
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
