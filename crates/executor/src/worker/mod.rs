//! The worker: claims work, acts on it step by step, reports every step, and lets go in time.
//!
//! * `mod.rs`: claiming, and draining when told to stop
//! * `heartbeat`: one loop for all leases held
//! * `target`: one claimed target, from claim to release

mod heartbeat;
mod target;

use crate::{api::Clients, lease::LeaseClock, steps::Memory, watch::Watches};
use heartbeat::Held;
use jiff::SignedDuration;
#[cfg(debug_assertions)]
use slipway_domain::plan::target::StepKey;
use slipway_domain::{
    ports::{ClaimRequest, WorkQueue},
    work::Assignment,
};
use slipway_telemetry::catalogue as names;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// How long to wait before something is tried again that did not work: twice as long with every attempt, and up to as
/// much again so that not all come back at once.
#[derive(Debug, Clone, Copy)]
pub struct RetryDelays {
    /// Before the second attempt.
    pub first: Duration,
    /// Before any attempt, at most.
    pub longest: Duration,
}

impl Default for RetryDelays {
    /// 1 s, 2 s, … 60 s: eight attempts take some four minutes.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_mins(1),
        }
    }
}

/// Called before a step is acted on and after it, within what is taken for the step: what panics there panics in the
/// step. For tests; release builds have no such thing.
#[cfg(debug_assertions)]
pub type Seam = Arc<dyn Fn(&Assignment, &StepKey, Moment) + Send + Sync>;

/// When a [`Seam`] is called.
#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the step's first effect.
    Before,
    /// After its last.
    After,
}

/// How a worker works.
#[derive(Clone)]
pub struct Settings {
    /// Who it is: unique to the process.
    pub holder: String,
    /// Targets acted on at once.
    pub max_in_flight: usize,
    /// Length of a lease; acting stops a fifth of it (at most two seconds) before its end.
    pub lease: SignedDuration,
    /// Time between heartbeats; several must fit into a lease.
    pub heartbeat_every: Duration,
    /// Longest time between two looks at the queue.
    pub poll: SignedDuration,
    /// Only clusters that carry all of these labels; empty for every cluster.
    pub cluster_labels: BTreeMap<String, String>,
    /// How long to wait before something is tried again.
    pub retry: RetryDelays,
    /// Called before and after every step.
    #[cfg(debug_assertions)]
    pub seam: Option<Seam>,
}

impl Settings {
    /// 64 targets at once, leases of 15 s, a heartbeat every 3 s, a look at the queue every second.
    #[must_use]
    pub fn new(holder: impl Into<String>) -> Self {
        Self {
            holder: holder.into(),
            max_in_flight: 64,
            lease: SignedDuration::from_secs(15),
            heartbeat_every: Duration::from_secs(3),
            poll: SignedDuration::from_secs(1),
            cluster_labels: BTreeMap::new(),
            retry: RetryDelays::default(),
            #[cfg(debug_assertions)]
            seam: None,
        }
    }
}

/// Claims and carries out work on clusters.
pub struct Executor<Q> {
    shared: Arc<Shared<Q>>,
}

/// What every claimed target needs.
struct Shared<Q> {
    queue: Q,
    clients: Clients,
    settings: Settings,
    watches: Watches,
    memory: Memory,
    held: Held,
}

impl<Q: WorkQueue> Executor<Q> {
    /// Does nothing until [`Executor::run`].
    pub fn new(queue: Q, clients: Clients, settings: Settings) -> Self {
        let shared = Shared {
            queue,
            clients,
            settings,
            watches: Watches::default(),
            memory: Memory::default(),
            held: Held::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Works until told to stop; then finishes the steps under way, gives everything back, and returns.
    pub async fn run(self, shutdown: CancellationToken) {
        let shared = self.shared;
        let stop = CancellationToken::new();
        let heartbeat = {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            tokio::spawn(async move { shared.held.beat(&shared.queue, &shared.settings, &stop).await })
        };
        let deliver = {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            tokio::spawn(async move { shared.watches.deliver(&shared.queue, &stop).await })
        };
        let mut tasks = JoinSet::new();
        claim(&shared, &shutdown, &mut tasks).await;
        tracing::info!(in_flight = tasks.len(), "executor drains");
        while let Some(ended) = tasks.join_next().await {
            noticed(ended);
        }
        // Only now: the steps that were under way needed their leases.
        stop.cancel();
        for task in [heartbeat, deliver] {
            noticed(task.await);
        }
    }
}

/// Claims for as long as there is room and nobody says to stop.
async fn claim<Q: WorkQueue>(shared: &Arc<Shared<Q>>, shutdown: &CancellationToken, tasks: &mut JoinSet<()>) {
    let settings = &shared.settings;
    let mut faults = 0;
    while !shutdown.is_cancelled() {
        while let Some(ended) = tasks.try_join_next() {
            noticed(ended);
        }
        in_flight(tasks.len());
        let room = settings.max_in_flight.saturating_sub(tasks.len());
        if room == 0 {
            tokio::select! {
                Some(ended) = tasks.join_next() => noticed(ended),
                () = shutdown.cancelled() => {}
            }
            continue;
        }
        let request = ClaimRequest {
            holder: settings.holder.clone(),
            max: u32::try_from(room).unwrap_or(u32::MAX),
            lease: settings.lease,
            cluster_labels: settings.cluster_labels.clone(),
        };
        let asked_at = Instant::now();
        // Not to be abandoned half-way: what a claim brings is ours to give back.
        match shared.queue.claim(&request).await {
            Ok(work) if work.is_empty() => {
                faults = 0;
                tokio::select! {
                    () = shared.queue.hint(settings.poll) => {}
                    () = shutdown.cancelled() => {}
                }
            }
            Ok(work) => {
                faults = 0;
                for one in work {
                    begin(shared, one, asked_at, shutdown, tasks);
                }
            }
            Err(error) => {
                faults += 1;
                tracing::warn!(%error, faults, "no work can be claimed");
                let wait = Duration::from_millis(100 * (1 << faults.min(6)));
                tokio::select! {
                    () = sleep(wait) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }
}

fn begin<Q: WorkQueue>(
    shared: &Arc<Shared<Q>>,
    work: Assignment,
    asked_at: Instant,
    shutdown: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    count(&work);
    let lease = Arc::new(LeaseClock::new(asked_at, work.lease.duration));
    shared.held.add(work.lease.clone(), Arc::clone(&lease));
    let (shared, shutdown) = (Arc::clone(shared), shutdown.clone());
    tasks.spawn(async move {
        // Also when the work panics, or the heartbeat would keep the lease alive that nobody acts under.
        let _held = heartbeat::Holding {
            held: &shared.held,
            work: work.lease.work,
            fence: work.lease.fence,
        };
        target::work(&shared, work, &lease, asked_at, &shutdown).await;
    });
}

/// Counts a claim; what may be counted of it later begins at 0.
fn count(work: &Assignment) {
    let cluster = work.connection.name.to_string();
    metrics::counter!(names::LEASE_LOSSES, "cluster" => cluster.clone()).increment(0);
    metrics::counter!(names::STALE_REPORTS, "cluster" => cluster.clone()).increment(0);
    metrics::counter!(names::CLAIMED, "cluster" => cluster).increment(1);
}

fn in_flight(tasks: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a count for a gauge")]
    metrics::gauge!(names::IN_FLIGHT).set(tasks as f64);
}

fn noticed(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a task of the executor ended before its time");
    }
}
