//! An executor as the design describes it: the planner's next step, its effect on the cluster, its report; and what can
//! happen to it in between.

use crate::{
    cluster::{Guard, key},
    world::{Broken, DEADLINE, LEASE, World},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use slipway_domain::{
    plan::target::{self, Intent, Progress, Step, StepKey, StepRecord, Wait},
    registry::Inventory,
    render::{self, Rendering, apply_rank},
    work::{Ack, StepOutcome},
};

#[derive(Debug, Default)]
pub(crate) struct Executor {
    pub(crate) held: Vec<Held>,
}

/// What an executor knows of the work it claimed.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) unit: usize,
    pub(crate) fence: i64,
    pub(crate) deployment: usize,
    pub(crate) index: usize,
    pub(crate) place: usize,
    pub(crate) generation: i64,
    pub(crate) intent: Intent,
    pub(crate) rendering: Rendering,
    pub(crate) inventory: Inventory,
    pub(crate) progress: Progress,
    /// On its own clock: a margin before the lease ends.
    pub(crate) stops_at: Timestamp,
    /// Whether it took the guard under this claim.
    pub(crate) guarded: bool,
    /// What was sent, or is about to be, without another look at the clock.
    pub(crate) pending: Option<Pending>,
}

/// Something under way when the process was stopped, or whose answer was lost.
#[derive(Debug, Clone)]
pub(crate) enum Pending {
    Report(Step, StepOutcome, Option<Inventory>),
    Guard(Option<u64>),
    Write(Value, u64),
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Well,
    NotYet,
    Retry,
    AskedToWait,
    Unhealthy,
    Errored,
    DiesBefore,
    DiesHalfWay,
    DiesAfter,
    LosesTheAnswer,
    Stalls,
}

/// What acting came to.
enum Acted {
    Report(StepOutcome, Option<Inventory>),
    /// It waits with something under way.
    Pending(Pending),
    /// It is gone, or stops.
    Over,
}

const fn retry(free: bool) -> StepOutcome {
    StepOutcome::Retry {
        error: String::new(),
        after: SignedDuration::from_secs(2),
        free,
    }
}

impl World {
    /// One step of one piece of work that an executor holds.
    pub(crate) fn step(&mut self, executor: usize, which: usize, how: How) {
        let mut held = self.executors[executor].held.remove(which);
        if self.go_on(&mut held, how) {
            self.executors[executor].held.push(held);
        }
    }

    /// Says whether it still holds it.
    fn go_on(&mut self, held: &mut Held, how: How) -> bool {
        if let Some(pending) = held.pending.take() {
            return self.goes_through(held, pending);
        }
        if self.now >= held.stops_at && self.broken != Broken::LeaseClockIgnored {
            return false;
        }
        let all = target::steps(held.intent, &held.rendering);
        let last = *all.last().expect("a step");
        let Some(step) = target::next(held.intent, &held.rendering, &held.progress) else {
            return self.says(held, last, &StepOutcome::Succeeded, None);
        };
        let acted = self.acts(held, step, how);
        let (outcome, inventory) = match acted {
            Acted::Over => return false,
            Acted::Pending(pending) => {
                held.pending = Some(pending);
                return true;
            }
            Acted::Report(StepOutcome::Done(_), inventory) if step == last => {
                (StepOutcome::Succeeded, inventory)
            }
            Acted::Report(outcome, inventory) => (outcome, inventory),
        };
        if how == How::DiesAfter {
            return false;
        }
        if how == How::LosesTheAnswer {
            self.reported(held, step, &outcome, inventory.clone());
            held.pending = Some(Pending::Report(step, outcome, inventory));
            return true;
        }
        self.says(held, step, &outcome, inventory)
    }

    /// Reports, and says whether to go on.
    fn says(
        &mut self,
        held: &mut Held,
        step: Step,
        outcome: &StepOutcome,
        inventory: Option<Inventory>,
    ) -> bool {
        let done = matches!(outcome, StepOutcome::Done(_));
        if let Some(inventory) = &inventory {
            held.inventory.clone_from(inventory);
        }
        match self.reported(held, step, outcome, inventory) {
            Ack::Continue if done => {
                let record = StepRecord {
                    begun_at: self.now,
                    done_at: None,
                    output: Value::Null,
                };
                held.progress.0.entry(step.into()).or_insert(record).done_at = Some(self.now);
                true
            }
            Ack::Continue => true,
            Ack::Released | Ack::Lost => false,
        }
    }

    /// A report; a stale one must change no row.
    pub(crate) fn reported(
        &mut self,
        held: &Held,
        step: Step,
        outcome: &StepOutcome,
        inventory: Option<Inventory>,
    ) -> Ack {
        let stale = !self.holds(held);
        let before = stale.then(|| self.rows());
        let runs = !stale && *outcome == StepOutcome::Succeeded;
        let ack = self.report(held, &StepKey::from(step), outcome, inventory);
        if before.is_some_and(|before| before != self.rows()) || stale && ack != Ack::Lost {
            self.violated(
                3,
                format!("a stale report (fence {}) changed something", held.fence),
            );
        }
        if runs {
            self.must_run_what_was_approved(held);
        }
        ack
    }

    /// What was under way reaches its end, whatever has happened since.
    fn goes_through(&mut self, held: &mut Held, pending: Pending) -> bool {
        match pending {
            Pending::Report(step, outcome, inventory) => self.says(held, step, &outcome, inventory),
            Pending::Guard(seen) => {
                let guard = ours(held);
                let compare = self.broken != Broken::GuardNotCompared;
                let cluster = &mut self.places[held.place].cluster;
                let before = cluster.guard.map(|(guard, _)| guard);
                if cluster.swap(seen, guard, compare) {
                    held.guarded = true;
                    if before > Some(guard) {
                        self.violated(3, "an older guard was written over a newer one");
                    }
                }
                true
            }
            Pending::Write(object, seen) => {
                let compare = self.broken != Broken::ObjectVersionIgnored;
                let cluster = &mut self.places[held.place].cluster;
                if cluster.apply(&object, held.fence, Some(seen), compare) {
                    if cluster.objects[&key(&object)].fence > held.fence {
                        self.violated(3, "a stale write went over what its successor had written");
                    }
                    self.must_be_approved(held, &object);
                }
                true
            }
        }
    }

    fn acts(&mut self, held: &mut Held, step: Step, how: How) -> Acted {
        let say = |outcome| Acted::Report(outcome, None);
        match how {
            How::DiesBefore => return Acted::Over,
            How::Retry => return say(retry(false)),
            How::AskedToWait => return say(retry(true)),
            How::Errored => {
                return say(StepOutcome::Errored {
                    reason: "refused by the API server".to_owned(),
                });
            }
            _ => {}
        }
        if step != Step::Preflight {
            let inventory = held.inventory.union(&held.rendering.object_refs());
            held.inventory.clone_from(&inventory);
            if self.reported(held, step, &StepOutcome::Begun, Some(inventory)) != Ack::Continue {
                return Acted::Over;
            }
            let record = StepRecord {
                begun_at: self.now,
                done_at: None,
                output: Value::Null,
            };
            held.progress.0.entry(step.into()).or_insert(record);
        }
        let waits = matches!(step, Step::AwaitHealth | Step::AwaitDefinitions | Step::Hook(..));
        if how == How::NotYet && waits {
            let begun_at = held.progress.begun_at(step).unwrap_or(self.now);
            return say(match target::wait(false, begun_at, DEADLINE, self.now) {
                Wait::Again(after) => StepOutcome::NotYet(after),
                Wait::TooLong | Wait::Over => StepOutcome::Failed {
                    reason: "not in time".to_owned(),
                },
            });
        }
        if how == How::NotYet {
            // Told to stop: the step is given back before it has any effect.
            return say(StepOutcome::NotYet(SignedDuration::ZERO));
        }
        if how == How::Unhealthy && step != Step::Preflight {
            // A conflict, a hook that failed, a pod that is not ready: the judgement is the API server's or the nodes'.
            return say(StepOutcome::Failed {
                reason: "web: 0 of 1 pods ready".to_owned(),
            });
        }
        if matches!(step, Step::Guard | Step::Hook(..) | Step::Apply(_) | Step::Prune)
            && let Some(acted) = self.takes_the_guard(held, how)
        {
            return acted;
        }
        let mut inventory = None;
        match step {
            Step::Hook(phase, index) => {
                let name = held
                    .rendering
                    .hooks(phase)
                    .nth(index)
                    .map(key)
                    .unwrap_or_default()
                    .1;
                let runs = &mut self.places[held.place].cluster.runs;
                let run = runs.entry((name, phase.as_str(), held.generation)).or_default();
                if *run == 0 {
                    *run += 1;
                    self.must_hold(held, "a hook");
                }
            }
            Step::Apply(rank) => {
                if let Some(acted) = self.applies(held, rank, how) {
                    return acted;
                }
            }
            Step::Prune => {
                self.prunes(held);
                inventory = Some(Inventory::default().union(&held.rendering.object_refs()));
            }
            _ => {}
        }
        Acted::Report(StepOutcome::Done(Value::Null), inventory)
    }

    /// Compares and swaps the guard before the first write of a claim.
    fn takes_the_guard(&mut self, held: &mut Held, how: How) -> Option<Acted> {
        if held.guarded {
            return None;
        }
        let guard = ours(held);
        let live = self.places[held.place].cluster.guard;
        if let Some((there, _)) = live {
            if there.generation > guard.generation {
                let reason = "a newer deployment acts on this target".to_owned();
                return Some(Acted::Report(StepOutcome::Errored { reason }, None));
            }
            if there.generation == guard.generation && there.fence > guard.fence {
                return Some(Acted::Report(retry(false), None));
            }
        }
        let seen = live.map(|(_, version)| version);
        if how == How::Stalls {
            return Some(Acted::Pending(Pending::Guard(seen)));
        }
        self.places[held.place].cluster.swap(seen, guard, true);
        self.must_hold(held, "the guard");
        held.guarded = true;
        None
    }

    fn applies(&mut self, held: &Held, rank: u8, how: How) -> Option<Acted> {
        let text = |object: &Value, name: &str| object[name].as_str().unwrap_or_default().to_owned();
        let of_rank =
            |object: &&Value| apply_rank(&text(object, "apiVersion"), &text(object, "kind")) == rank;
        let objects: Vec<Value> = held.rendering.objects.iter().filter(of_rank).cloned().collect();
        let half = objects.len().div_ceil(2);
        for (n, object) in objects.iter().enumerate() {
            if how == How::DiesHalfWay && n == half {
                return Some(Acted::Over);
            }
            let mut wanted = object.clone();
            render::stamp(
                &mut wanted,
                held.generation,
                &self.deployments[held.deployment].id.to_string(),
            );
            let cluster = &self.places[held.place].cluster;
            let before = cluster.objects.get(&key(&wanted)).cloned();
            if before
                .as_ref()
                .is_some_and(|live| live.generation() > held.generation)
            {
                let reason = "applied by a newer deployment".to_owned();
                return Some(Acted::Report(StepOutcome::Errored { reason }, None));
            }
            let seen = cluster.version_of(&wanted);
            if let (How::Stalls, Some(seen)) = (how, seen) {
                return Some(Acted::Pending(Pending::Write(wanted, seen)));
            }
            let diff = render::diff(before.as_ref().map(|live| &live.content), Some(&wanted));
            self.tell(&format!("{}: {diff:?}", held.deployment));
            if self.broken == Broken::ReasonsTellValues {
                self.tell(&wanted.to_string());
            }
            self.places[held.place]
                .cluster
                .apply(&wanted, held.fence, seen, true);
            self.must_hold(held, "an object");
            self.must_be_approved(held, &wanted);
        }
        (how == How::DiesHalfWay).then_some(Acted::Over)
    }

    fn prunes(&mut self, held: &Held) {
        let kept = held.rendering.object_refs();
        for item in &held.inventory.0 {
            if kept.iter().any(|kept| kept.identity() == item.object.identity()) {
                continue;
            }
            let key = (item.object.kind.clone(), item.object.name.clone());
            if self.places[held.place].cluster.objects.remove(&key).is_some() {
                self.must_hold(held, "an object's removal");
            }
        }
    }

    /// Extends every lease that is still held, and learns which are not.
    pub(crate) fn heartbeat(&mut self, executor: usize) {
        let mut held = std::mem::take(&mut self.executors[executor].held);
        held.retain(|held| self.holds(held));
        for held in &mut held {
            let until = self.now + LEASE;
            let unit = self
                .work
                .iter_mut()
                .find(|unit| unit.id == held.unit)
                .expect("it is held");
            unit.row = crate::queue::Row::Leased {
                fence: held.fence,
                until,
            };
            held.stops_at = until - SignedDuration::from_secs(2);
        }
        self.executors[executor].held = held;
    }
}

const fn ours(held: &Held) -> Guard {
    Guard {
        generation: held.generation,
        fence: held.fence,
    }
}
