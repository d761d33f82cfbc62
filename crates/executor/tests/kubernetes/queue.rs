//! A queue for one process: the port's contract (leases, fences, progress) kept in memory, with everything reported
//! kept for looking at.

use jiff::{SignedDuration, Timestamp};
use slipway_domain::{
    clock::process_now,
    ids::{DeploymentTargetId, WorkId},
    plan::target::StepRecord,
    ports::{ClaimRequest, Heartbeat, QueueUnavailable, WorkQueue},
    work::{Ack, Assignment, Lease, Report, StepOutcome},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Fences grow for good, as a database's do: over queues of one test too.
static FENCES: AtomicI64 = AtomicI64::new(0);

#[derive(Clone, Default)]
pub(crate) struct Recorder(pub(crate) Arc<Inner>);

/// What becomes of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It is recorded and answered.
    Taken,
    /// It is recorded, and the worker hears that its lease is somebody else's.
    TakenAndLost,
    /// Nothing is recorded, and the worker hears that its lease is somebody else's.
    Dropped,
    /// All is recorded but that the step is done; the lease is given back.
    Undone,
    /// Nothing is recorded, and nothing is ever answered.
    Unanswered,
}

type Tamper = Arc<dyn Fn(&Report) -> Fate + Send + Sync>;

#[derive(Default)]
pub(crate) struct Inner {
    /// Decides what becomes of reports.
    tamper: Mutex<Option<Tamper>>,
    /// A report was not answered.
    pub(crate) unanswered: Notify,
    entries: Mutex<Vec<Entry>>,
    changed: Notify,
    /// Heartbeats fail.
    pub(crate) mute: AtomicBool,
    pub(crate) wakes: AtomicUsize,
    pub(crate) claims: AtomicUsize,
}

pub(crate) struct Entry {
    pub(crate) work: Assignment,
    pub(crate) state: State,
    pub(crate) reports: Vec<Report>,
    /// Reports that came with a fence that no longer holds.
    pub(crate) stale: usize,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum State {
    Ready(Timestamp),
    Leased(Timestamp),
    Parked,
    Over(StepOutcome),
}

impl Recorder {
    pub(crate) fn tamper(&self, with: impl Fn(&Report) -> Fate + Send + Sync + 'static) {
        *self.0.tamper.lock().unwrap() = Some(Arc::new(with));
    }

    pub(crate) fn add(&self, work: Assignment) {
        let entry = Entry {
            work,
            state: State::Ready(process_now()),
            reports: Vec::new(),
            stale: 0,
        };
        self.0.entries.lock().unwrap().push(entry);
        self.0.changed.notify_waiters();
    }

    pub(crate) fn with<T>(&self, target: DeploymentTargetId, look: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.0.entries.lock().unwrap();
        look(
            entries
                .iter_mut()
                .find(|e| e.work.deployment_target == target)
                .expect("work was added"),
        )
    }

    /// Waits until a condition holds for an entry; looks after every report.
    pub(crate) async fn until(&self, target: DeploymentTargetId, mut holds: impl FnMut(&mut Entry) -> bool) {
        let waited = async {
            loop {
                let changed = self.0.changed.notified();
                if self.with(target, &mut holds) {
                    return;
                }
                let _ = tokio::time::timeout(Duration::from_millis(200), changed).await;
            }
        };
        if tokio::time::timeout(Duration::from_mins(1), waited)
            .await
            .is_err()
        {
            let told = self.with(target, |e| format!("{:?}\n{:#?}", e.state, e.reports));
            panic!("waited 60 s in vain; {told}");
        }
    }
}

impl WorkQueue for Recorder {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Assignment>, QueueUnavailable> {
        self.0.claims.fetch_add(1, SeqCst);
        let now = process_now();
        let mut claimed = Vec::new();
        for entry in self.0.entries.lock().unwrap().iter_mut() {
            let due = match entry.state {
                State::Ready(at) | State::Leased(at) => at <= now,
                State::Parked | State::Over(_) => false,
            };
            if due && claimed.len() < request.max as usize {
                let fence = FENCES.fetch_add(1, SeqCst) + 1;
                entry.work.lease = Lease {
                    work: entry.work.lease.work,
                    fence,
                    claimed_at: now,
                    duration: request.lease,
                };
                entry.work.now = now;
                entry.state = State::Leased(now + request.lease);
                claimed.push(entry.work.clone());
            }
        }
        Ok(claimed)
    }

    async fn heartbeat(
        &self,
        _: &str,
        leases: &[Lease],
        extend_by: SignedDuration,
    ) -> Result<Heartbeat, QueueUnavailable> {
        if self.0.mute.load(SeqCst) {
            return Err(QueueUnavailable("heartbeats fail".into()));
        }
        let mut entries = self.0.entries.lock().unwrap();
        let mut answer = Heartbeat::default();
        for lease in leases {
            for entry in entries.iter_mut().filter(|e| e.work.lease.work == lease.work) {
                if entry.work.lease.fence == lease.fence && matches!(entry.state, State::Leased(_)) {
                    entry.state = State::Leased(process_now() + extend_by);
                    answer.extended.push(lease.clone());
                }
            }
        }
        Ok(answer)
    }

    async fn report(&self, work: &Assignment, report: Report) -> Result<Ack, QueueUnavailable> {
        let tamper = self.0.tamper.lock().unwrap().clone();
        let fate = tamper.map_or(Fate::Taken, |tamper| tamper(&report));
        if fate == Fate::Unanswered {
            // As when a worker is gone: its lease ends, and somebody else may claim.
            self.with(work.deployment_target, |entry| {
                entry.state = State::Ready(process_now());
            });
            self.0.unanswered.notify_one();
            return std::future::pending().await;
        }
        let now = process_now();
        let mut entries = self.0.entries.lock().unwrap();
        let entry = entries
            .iter_mut()
            .find(|e| e.work.lease.work == work.lease.work)
            .expect("work was claimed");
        if fate == Fate::Dropped {
            entry.state = State::Ready(now);
            return Ok(Ack::Lost);
        }
        if entry.work.lease.fence != work.lease.fence || !matches!(entry.state, State::Leased(_)) {
            entry.stale += 1;
            return Ok(Ack::Lost);
        }
        if let Some(inventory) = &report.inventory {
            entry.work.inventory = inventory.clone();
        }
        let record = StepRecord {
            begun_at: now,
            done_at: None,
            output: serde_json::Value::Null,
        };
        let record = entry.work.progress.0.entry(report.step.clone()).or_insert(record);
        let ack = match &report.outcome {
            _ if fate == Fate::Undone => {
                entry.state = State::Ready(now);
                Ack::Released
            }
            StepOutcome::Begun => Ack::Continue,
            StepOutcome::Done(output) => {
                record.done_at = Some(now);
                record.output = output.clone();
                entry.work.attempts = 0;
                if fate == Fate::TakenAndLost {
                    entry.state = State::Ready(now);
                    Ack::Lost
                } else {
                    Ack::Continue
                }
            }
            StepOutcome::NotYet(after) => {
                entry.state = State::Ready(now + *after);
                Ack::Released
            }
            StepOutcome::Retry { after, free, .. } => {
                entry.work.attempts += u32::from(!free);
                entry.state = State::Ready(now + *after);
                Ack::Released
            }
            StepOutcome::Parked { .. } => {
                entry.state = State::Parked;
                Ack::Released
            }
            over => {
                entry.state = State::Over(over.clone());
                Ack::Released
            }
        };
        entry.reports.push(report);
        drop(entries);
        self.0.changed.notify_waiters();
        Ok(ack)
    }

    async fn wake(&self, targets: &[DeploymentTargetId]) -> Result<(), QueueUnavailable> {
        self.0.wakes.fetch_add(1, SeqCst);
        for entry in self.0.entries.lock().unwrap().iter_mut() {
            if targets.contains(&entry.work.deployment_target) && matches!(entry.state, State::Ready(_)) {
                entry.state = State::Ready(process_now());
            }
        }
        self.0.changed.notify_waiters();
        Ok(())
    }

    async fn hint(&self, at_most: SignedDuration) {
        let _ = tokio::time::timeout(Duration::try_from(at_most).unwrap(), self.0.changed.notified()).await;
    }
}

/// A lease that was not claimed yet.
pub(crate) fn unclaimed() -> Lease {
    Lease {
        work: WorkId::new(),
        fence: 0,
        claimed_at: process_now(),
        duration: SignedDuration::ZERO,
    }
}
