//! What a step may use, and what it leaves to be reported.

use super::Stop;
use crate::{api::Cluster, lease::LeaseClock, watch::Watches};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use slipway_domain::{
    ids::DeploymentTargetId,
    plan::target::{self, Step, Wait},
    registry::Inventory,
    work::{Assignment, Note, Readiness},
};
use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// Records a step as begun; fails when the work is no longer ours.
type Begin<'a> = dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + 'a>> + Send + Sync + 'a;

/// What a step leaves to be reported.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) notes: Vec<Note>,
    pub(crate) inventory: Option<Inventory>,
    pub(crate) readiness: Option<Readiness>,
}

/// What was last said of targets, so that only changes are reported. Forgetting it costs a repetition, nothing more.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<DeploymentTargetId, Readiness>>);

/// More targets than one process works on at a time.
const REMEMBERED: usize = 20_000;

impl Memory {
    fn swap(&self, target: DeploymentTargetId, readiness: &Readiness) -> Option<Readiness> {
        let mut all = lock(&self.0);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(target, readiness.clone())
    }

    fn last(&self, target: DeploymentTargetId) -> Option<Readiness> {
        lock(&self.0).get(&target).cloned()
    }

    pub(crate) fn forget(&self, target: DeploymentTargetId) {
        lock(&self.0).remove(&target);
    }
}

/// What a step may use.
pub(crate) struct Context<'a> {
    pub(crate) cluster: &'a Arc<Cluster>,
    pub(crate) lease: &'a LeaseClock,
    pub(crate) watches: &'a Watches,
    pub(crate) memory: &'a Memory,
    /// Whether the guard object names this fence already.
    pub(crate) guarded: &'a std::sync::atomic::AtomicBool,
    /// When the claim was answered, for telling the database's time since.
    pub(crate) claimed_at: Instant,
    pub(crate) target: DeploymentTargetId,
    begin: &'a Begin<'a>,
    /// When this step was first begun, if it was; database time.
    begun_at: Mutex<Option<Timestamp>>,
    now: Timestamp,
    said: Mutex<Said>,
}

impl<'a> Context<'a> {
    /// For one step.
    #[expect(
        clippy::too_many_arguments,
        reason = "one for each thing a step may use; built in one place"
    )]
    pub(crate) fn new(
        cluster: &'a Arc<Cluster>,
        lease: &'a LeaseClock,
        watches: &'a Watches,
        memory: &'a Memory,
        guarded: &'a std::sync::atomic::AtomicBool,
        claimed_at: Instant,
        begin: &'a Begin<'a>,
        work: &Assignment,
        step: Step,
    ) -> Self {
        Self {
            cluster,
            lease,
            watches,
            memory,
            guarded,
            claimed_at,
            target: work.deployment_target,
            begin,
            begun_at: Mutex::new(work.progress.begun_at(step)),
            now: work.now,
            said: Mutex::default(),
        }
    }

    /// The database's time, carried on from the claim by this process's monotonic clock.
    pub(crate) fn now(&self) -> Timestamp {
        let since = SignedDuration::try_from(self.claimed_at.elapsed()).unwrap_or_default();
        self.now.checked_add(since).unwrap_or(self.now)
    }

    /// Records that the step begins, before its first effect or its first waiting; once. Says when that was.
    pub(crate) async fn begin(&self) -> Result<Timestamp, Stop> {
        let begun = *lock(&self.begun_at);
        if let Some(at) = begun {
            return Ok(at);
        }
        (self.begin)().await?;
        let now = self.now();
        *lock(&self.begun_at) = Some(now);
        Ok(now)
    }

    /// Something happened.
    pub(crate) fn note(&self, kind: &str, message: impl Into<String>, data: Value) {
        let note = Note {
            kind: kind.to_owned(),
            message: message.into(),
            data,
        };
        lock(&self.said).notes.push(note);
    }

    /// The inventory from now on.
    pub(crate) fn inventory(&self, inventory: Inventory) {
        lock(&self.said).inventory = Some(inventory);
    }

    /// How the target stands. Reported only when that changed; a new reason is noted too.
    pub(crate) fn readiness(&self, readiness: Readiness) {
        let before = self.memory.swap(self.target, &readiness);
        if before.as_ref() == Some(&readiness) {
            return;
        }
        let reason_before = before.and_then(|b| b.reason);
        // A hook that is over leaves nothing to wait for, and nothing to be ready yet: no news.
        let news = readiness.reason.is_some() || readiness.total > 0;
        if reason_before != readiness.reason && news {
            let message = match &readiness.reason {
                Some(reason) => reason.clone(),
                None => format!("{} of {} ready", readiness.ready, readiness.total),
            };
            let data = serde_json::json!({"ready": readiness.ready, "total": readiness.total});
            self.note("health.changed", message, data);
        }
        lock(&self.said).readiness = Some(readiness);
    }

    /// Something other than health is waited for.
    pub(crate) fn waiting(&self, reason: String) {
        let last = self.memory.last(self.target).unwrap_or_default();
        self.readiness(Readiness {
            reason: Some(reason),
            ..last
        });
    }

    /// Goes on waiting until the progress deadline; then it failed, and `late` says of what.
    pub(crate) fn until_deadline(
        &self,
        work: &Assignment,
        begun_at: Timestamp,
        late: impl FnOnce() -> String,
    ) -> Stop {
        match target::wait(false, begun_at, work.progress_deadline, self.now()) {
            Wait::Again(after) => Stop::NotYet(after),
            Wait::Over | Wait::TooLong => Stop::Failed(late()),
        }
    }

    /// Waits for something to be gone that is being deleted.
    pub(crate) async fn until_gone(&self, work: &Assignment, what: &str) -> Stop {
        let begun_at = match self.begin().await {
            Ok(begun_at) => begun_at,
            Err(stop) => return stop,
        };
        let reason = format!("{what} is being deleted");
        self.waiting(reason.clone());
        self.until_deadline(work, begun_at, || {
            format!("{reason}, and was not gone within {:#}", work.progress_deadline)
        })
    }

    /// What was waited for has come.
    pub(super) fn nothing_to_wait_for(&self) {
        if let Some(last) = self.memory.last(self.target).filter(|last| last.reason.is_some()) {
            self.readiness(Readiness { reason: None, ..last });
        }
    }

    /// What is to be reported.
    pub(crate) fn into_said(self) -> Said {
        self.said.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
