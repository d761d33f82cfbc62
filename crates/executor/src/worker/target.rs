//! One claimed target: the next step, act, report, until the lease is given back or gone.

use super::Shared;
use crate::{
    api::Cluster,
    fault::CallError,
    lease::LeaseClock,
    steps::{self, Acted, Context, Said, Stop},
};
use futures::FutureExt as _;
use jiff::SignedDuration;
use slipway_domain::{
    plan::target::{self, Step, StepKey, StepRecord},
    ports::{ClusterFault, WorkQueue},
    work::{Ack, Assignment, Report, StepOutcome},
};
use slipway_telemetry::{catalogue as names, trace};
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Acts on a claimed target until there is nothing more to do under this claim.
pub(super) async fn work<Q: WorkQueue>(
    shared: &Shared<Q>,
    work: Assignment,
    lease: &LeaseClock,
    claimed_at: Instant,
    shutdown: &CancellationToken,
) {
    let span = tracing::info_span!(
        "executor.target.work",
        deployment = %work.deployment,
        target = %work.target,
        cluster = %work.connection.name,
        fence = work.lease.fence,
    );
    trace::continue_from(&span, work.traceparent.as_deref());
    let run = Run {
        shared,
        lease,
        claimed_at,
        guarded: AtomicBool::new(false),
        news: AtomicBool::new(false),
    };
    run.all(work, shutdown).instrument(span.clone()).await;
    if !run.news.into_inner() {
        trace::idle(&span);
    }
}

struct Run<'a, Q> {
    shared: &'a Shared<Q>,
    lease: &'a LeaseClock,
    claimed_at: Instant,
    guarded: AtomicBool,
    /// Whether anything came of this claim, but looking once more at what was waited for.
    news: AtomicBool,
}

impl<Q: WorkQueue> Run<'_, Q> {
    async fn all(&self, mut work: Assignment, shutdown: &CancellationToken) {
        let cluster = match self.shared.clients.get(&work.connection) {
            Ok(cluster) => cluster,
            Err(fault) => return self.unusable(&work, &fault).await,
        };
        loop {
            let all = target::steps(work.intent, &work.rendering);
            let Some(step) = target::next(work.intent, &work.rendering, &work.progress) else {
                // All done, and a crash before that was recorded.
                let last = all.last().copied().unwrap_or(Step::Preflight);
                self.report(&work, last, StepOutcome::Succeeded, Said::default())
                    .await;
                return;
            };
            if shutdown.is_cancelled() {
                let give_back = StepOutcome::NotYet(SignedDuration::ZERO);
                self.report(&work, step, give_back, Said::default()).await;
                return;
            }
            let look_began = Instant::now();
            let (acted, said) = self.act(&cluster, &work, step).await;
            let outcome = match acted {
                Acted::Outcome(StepOutcome::Done(_)) if all.last() == Some(&step) => StepOutcome::Succeeded,
                Acted::Outcome(outcome) => outcome,
                Acted::Over { lease_lost } => {
                    if lease_lost {
                        Self::lost(&work, step);
                    }
                    return;
                }
            };
            let done = matches!(outcome, StepOutcome::Done(_));
            let waits = matches!(outcome, StepOutcome::NotYet(_));
            if !done && !waits {
                self.shared.memory.forget(work.deployment_target);
            }
            let inventory = said.inventory.clone();
            match self.report(&work, step, outcome, said).await {
                Some(Ack::Continue) if done => {
                    if let Some(inventory) = inventory {
                        work.inventory = inventory;
                    }
                    self.remember(&mut work, step);
                }
                Some(Ack::Lost) => return Self::lost(&work, step),
                _ if waits => return self.shared.watches.given_back(work.deployment_target, look_began),
                _ => return,
            }
        }
    }

    /// Acts on one step; a panic in it is a fault like any other.
    async fn act(&self, cluster: &Arc<Cluster>, work: &Assignment, step: Step) -> (Acted, Said) {
        let started = Instant::now();
        let span = tracing::info_span!("executor.step", step = %StepKey::from(step));
        let begin = || {
            async move {
                match self.report(work, step, StepOutcome::Begun, Said::default()).await {
                    Some(Ack::Continue) => Ok(()),
                    _ => Err(Stop::Over),
                }
            }
            .boxed() as std::pin::Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + '_>>
        };
        let context = Context::new(
            cluster,
            self.lease,
            &self.shared.watches,
            &self.shared.memory,
            &self.guarded,
            self.claimed_at,
            &begin,
            work,
            step,
        );
        let acted = AssertUnwindSafe(async {
            #[cfg(debug_assertions)]
            self.seam(work, step, super::Moment::Before);
            let acted = steps::act(&context, work, step, self.shared.settings.retry).await;
            #[cfg(debug_assertions)]
            self.seam(work, step, super::Moment::After);
            acted
        })
        .catch_unwind()
        .instrument(span.clone())
        .await;
        let acted = acted.unwrap_or_else(|_| {
            tracing::error!(step = %StepKey::from(step), "a step panicked");
            Stop::Retry(format!("an internal fault in step {}", StepKey::from(step)))
                .into_acted(work, self.shared.settings.retry)
        });
        let seconds = metrics::histogram!(names::STEP_SECONDS, "step" => kind_of(step));
        seconds.record(started.elapsed().as_secs_f64());
        if step == Step::AwaitHealth && matches!(acted, Acted::Outcome(StepOutcome::Done(_))) {
            // Begun when everything was applied; never begun when all was healthy at the first look.
            let waited = match work.progress.begun_at(step) {
                Some(since) => context.now().duration_since(since).as_secs_f64(),
                None => started.elapsed().as_secs_f64(),
            };
            let cluster = work.connection.name.to_string();
            metrics::histogram!(names::HEALTH_SECONDS, "cluster" => cluster).record(waited.max(0.0));
        }
        let said = context.into_said();
        let waits_on = matches!(acted, Acted::Outcome(StepOutcome::NotYet(_)))
            && work.progress.begun_at(step).is_some()
            && said.notes.is_empty();
        if waits_on {
            trace::idle(&span);
        } else {
            self.news.store(true, Ordering::Relaxed);
        }
        (acted, said)
    }

    /// Reports, again and again while the queue is away and the lease holds.
    async fn report(&self, work: &Assignment, step: Step, outcome: StepOutcome, said: Said) -> Option<Ack> {
        match &outcome {
            StepOutcome::Retry { error, .. } => {
                tracing::info!(%error, step = %StepKey::from(step), "to be tried again");
            }
            StepOutcome::Parked { error } => {
                tracing::warn!(%error, step = %StepKey::from(step), "parked until a person has done something about it");
            }
            _ => {}
        }
        let report = Report {
            step: step.into(),
            outcome,
            notes: said.notes,
            inventory: said.inventory,
            readiness: said.readiness,
        };
        let mut wait = Duration::from_millis(50);
        loop {
            match self
                .lease
                .run(self.shared.queue.report(work, report.clone()))
                .await
            {
                Ok(Ok(ack)) => return Some(ack),
                Ok(Err(error)) => {
                    tracing::warn!(%error, step = %report.step, "a step could not be reported");
                    sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(1));
                }
                Err(_) => {
                    Self::lost(work, step);
                    return None;
                }
            }
        }
    }

    /// The details cannot be made into a client: nothing was sent.
    async fn unusable(&self, work: &Assignment, fault: &ClusterFault) {
        let step = target::next(work.intent, &work.rendering, &work.progress).unwrap_or(Step::Preflight);
        let cannot = Stop::Call(CallError::Fault(fault.clone()));
        if let Acted::Outcome(outcome) = cannot.into_acted(work, self.shared.settings.retry) {
            self.report(work, step, outcome, Said::default()).await;
        }
    }

    /// What the queue recorded, so that the next step can be told here too.
    fn remember(&self, work: &mut Assignment, step: Step) {
        let since = SignedDuration::try_from(self.claimed_at.elapsed()).unwrap_or_default();
        let now = work.now.checked_add(since).unwrap_or(work.now);
        let key = StepKey::from(step);
        let record = StepRecord {
            begun_at: now,
            done_at: None,
            output: serde_json::Value::Null,
        };
        work.progress.0.entry(key).or_insert(record).done_at = Some(now);
        // The count is of tries since the last step that succeeded.
        work.attempts = 0;
    }

    #[cfg(debug_assertions)]
    fn seam(&self, work: &Assignment, step: Step, moment: super::Moment) {
        if let Some(seam) = &self.shared.settings.seam {
            seam(work, &StepKey::from(step), moment);
        }
    }

    fn lost(work: &Assignment, step: Step) {
        let cluster = work.connection.name.to_string();
        metrics::counter!(names::LEASE_LOSSES, "cluster" => cluster).increment(1);
        tracing::warn!(step = %StepKey::from(step), "the lease is lost; stopped acting");
    }
}

/// A step's kind, for metrics: of few values.
const fn kind_of(step: Step) -> &'static str {
    match step {
        Step::Preflight => "preflight",
        Step::Namespace => "namespace",
        Step::Guard => "guard",
        Step::Hook(..) => "hook",
        Step::Apply(_) => "apply",
        Step::AwaitDefinitions => "await_definitions",
        Step::AwaitHealth => "await_health",
        Step::Prune => "prune",
    }
}
