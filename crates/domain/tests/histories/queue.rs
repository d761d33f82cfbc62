//! The queue as the design describes it: holder, fence, lease end in the database's time; every later write names the fence.

use crate::{
    executor::Held,
    undo::nothing,
    world::{Broken, LEASE, Now, World},
};
use jiff::{SignedDuration, Timestamp};
use slipway_domain::{
    deployment::{Kind, State, StateName, TargetState},
    plan::target::{Intent, StepKey, StepRecord},
    registry::Inventory,
    work::{Ack, StepOutcome},
};

/// How often work is tried before it is given up.
const MAX_ATTEMPTS: u32 = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    Ready { run_at: Timestamp },
    Leased { fence: i64, until: Timestamp },
    Parked,
}

/// One deployment's work on one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) id: usize,
    pub(crate) deployment: usize,
    pub(crate) index: usize,
    pub(crate) place: usize,
    pub(crate) priority: i32,
    pub(crate) row: Row,
    pub(crate) attempts: u32,
}

impl Unit {
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        match self.row {
            Row::Ready { run_at } => Some(run_at),
            Row::Leased { until, .. } => Some(until + SignedDuration::from_secs(1)),
            Row::Parked => None,
        }
    }

    pub(crate) const fn is_leased(&self) -> bool {
        matches!(self.row, Row::Leased { .. })
    }
}

impl World {
    pub(crate) fn enqueue(&mut self, of: usize, index: usize) {
        let known = self
            .work
            .iter()
            .any(|unit| unit.deployment == of && unit.index == index);
        if known {
            return;
        }
        self.units += 1;
        self.work.push(Unit {
            id: self.units,
            deployment: of,
            index,
            place: self.deployments[of].targets[index].place,
            priority: if self.deployments[of].kind == Kind::RollBack {
                10
            } else {
                0
            },
            row: Row::Ready { run_at: self.now },
            attempts: 0,
        });
    }

    pub(crate) fn is_at_work(&self, of: usize) -> bool {
        self.work
            .iter()
            .any(|unit| unit.deployment == of && unit.is_leased())
    }

    pub(crate) fn drop_idle(&mut self, of: usize) {
        self.work.retain(|unit| unit.deployment != of || unit.is_leased());
    }

    pub(crate) fn park_all(&mut self, of: usize) {
        for unit in self
            .work
            .iter_mut()
            .filter(|unit| unit.deployment == of && !unit.is_leased())
        {
            unit.row = Row::Parked;
        }
    }

    pub(crate) fn unpark_all(&mut self, of: usize) {
        let run_at = self.now;
        for unit in self
            .work
            .iter_mut()
            .filter(|unit| unit.deployment == of && unit.row == Row::Parked)
        {
            unit.row = Row::Ready { run_at };
            unit.attempts = 0;
        }
    }

    /// Puts idle work away that must not be claimed now; says whether it did.
    fn put_away(&mut self, of: usize) -> bool {
        match self.deployments[of].state {
            State::Pending | State::Queued | State::Running { .. } => return false,
            State::Paused { .. } => self.park_all(of),
            _ => self.drop_idle(of),
        }
        true
    }

    /// Claims at most this much, with what is needed to act on it.
    pub(crate) fn claim(&mut self, executor: usize, most: usize) {
        let mut due: Vec<_> = self
            .work
            .iter()
            .filter_map(|unit| match unit.row {
                Row::Ready { run_at } if run_at <= self.now => Some((-unit.priority, run_at, unit.id)),
                _ => None,
            })
            .collect();
        due.sort_unstable();
        let mut claimed = 0;
        for (_, _, id) in due {
            // It may be gone, or its target at work, since others were claimed.
            let Some(at) = self.work.iter().position(|unit| unit.id == id) else {
                continue;
            };
            let (of, place) = (self.work[at].deployment, self.work[at].place);
            let busy = self
                .work
                .iter()
                .any(|unit| unit.place == place && unit.is_leased());
            if busy || claimed == most {
                continue;
            }
            let goes = match self.deployments[of].state.name() {
                StateName::Running => true,
                StateName::Queued => self.admit(of),
                _ => {
                    self.put_away(of);
                    false
                }
            };
            if goes {
                claimed += 1;
                self.lease(executor, id);
            }
        }
    }

    fn lease(&mut self, executor: usize, id: usize) {
        let Some(at) = self.work.iter().position(|unit| unit.id == id) else {
            return;
        };
        self.fence += 1;
        let (fence, until) = (self.fence, self.now + LEASE);
        self.work[at].row = Row::Leased { fence, until };
        let unit = self.work[at].clone();
        self.must_be_running(unit.deployment);
        let rendered = self.deployments[unit.deployment].release;
        let place = &mut self.places[unit.place];
        let target = &mut self.deployments[unit.deployment].targets[unit.index];
        if target.generation.is_none() {
            place.generation += 1;
            target.generation = Some(place.generation);
            target.previous.clone_from(&place.now);
        }
        let (intent, digest, generation) = (target.intent, target.rendering, place.generation);
        let mut rendering = self.renderings.get(&digest).cloned().unwrap_or_else(nothing);
        if let (Broken::RenderedAgainAtTheClaim, Some(release), Intent::Apply) =
            (self.broken, rendered, intent)
        {
            let environment = self.deployments[unit.deployment].environment;
            rendering = self.render(release, environment).unwrap_or(rendering);
        }
        let target = &self.deployments[unit.deployment].targets[unit.index];
        let held = Held {
            unit: id,
            fence,
            deployment: unit.deployment,
            index: unit.index,
            place: unit.place,
            generation: target.generation.unwrap_or(generation),
            intent,
            rendering,
            inventory: self.places[unit.place].inventory.clone(),
            progress: target.progress.clone(),
            stops_at: self.now + LEASE - SignedDuration::from_secs(2),
            guarded: false,
            pending: None,
        };
        self.executors[executor].held.push(held);
    }

    /// Whether the lease that an executor names is the one that the database knows.
    pub(crate) fn holds(&self, held: &Held) -> bool {
        let unit = self.work.iter().find(|unit| unit.id == held.unit);
        unit.is_some_and(|unit| matches!(unit.row, Row::Leased { fence, .. } if fence == held.fence))
    }

    /// Records a report, if the lease still holds.
    pub(crate) fn report(
        &mut self,
        held: &Held,
        step: &StepKey,
        outcome: &StepOutcome,
        inventory: Option<Inventory>,
    ) -> Ack {
        use StepOutcome::{Begun, Done, Errored, Failed, NotYet, Retry, Succeeded};
        if !self.holds(held) && self.broken != Broken::StaleReportsCount {
            return Ack::Lost;
        }
        let Some(at) = self.work.iter().position(|unit| unit.id == held.unit) else {
            return Ack::Lost;
        };
        if let Some(inventory) = inventory {
            self.places[held.place].inventory = inventory;
        }
        let now = self.now;
        let target = &mut self.deployments[held.deployment].targets[held.index];
        let record = target.progress.0.entry(step.clone());
        let record = record.or_insert(StepRecord {
            begun_at: now,
            done_at: None,
            output: serde_json::Value::Null,
        });
        if matches!(outcome, Done(_)) {
            record.done_at = Some(now);
            self.work[at].attempts = 0;
        }
        let attempts = self.work[at].attempts;
        let end = match outcome {
            Succeeded => Some((TargetState::Succeeded, None)),
            Failed { reason } => Some((TargetState::Failed, Some(reason.clone()))),
            Errored { reason } => Some((TargetState::Errored, Some(reason.clone()))),
            Retry {
                error, free: false, ..
            } if attempts + 1 >= MAX_ATTEMPTS => {
                Some((TargetState::Errored, Some(format!("given up: {error}"))))
            }
            _ => None,
        };
        if let Some((state, reason)) = end {
            self.work.remove(at);
            self.look_again();
            self.end_target(held, state, reason);
            return Ack::Released;
        }
        let state = self.deployments[held.deployment].state.name();
        if state.is_terminal() || state == StateName::RollingBack {
            self.work.remove(at);
            self.look_again();
            return Ack::Released;
        }
        if state == StateName::Paused && *outcome != Begun {
            self.work[at].row = Row::Parked;
            return Ack::Released;
        }
        match outcome {
            NotYet(after) => self.work[at].row = Row::Ready { run_at: now + *after },
            Retry { after, free, .. } => {
                self.work[at].row = Row::Ready { run_at: now + *after };
                self.work[at].attempts += u32::from(!free);
            }
            _ => return Ack::Continue,
        }
        Ack::Released
    }

    fn end_target(&mut self, held: &Held, state: TargetState, reason: Option<String>) {
        let (of, index, now) = (held.deployment, held.index, self.now);
        if state == TargetState::Succeeded {
            // What runs there is true even when the deployment was stopped a moment ago.
            let target = &self.deployments[of].targets[index];
            let rendering = target.rendering;
            let release = target.release.filter(|_| held.intent != Intent::Clean);
            let deployment = of;
            self.places[held.place].now = release.map(|release| Now {
                release,
                deployment,
                rendering,
            });
        }
        let deployment = self.deployments[of].state.name();
        let target = &mut self.deployments[of].targets[index];
        if deployment.is_terminal() || deployment == StateName::RollingBack || target.state.is_terminal() {
            return;
        }
        target.state = state;
        target.reason = reason;
        target.finished_at = Some(now);
        self.advance(of);
    }

    /// Takes back what nobody reported on before its lease ended.
    pub(crate) fn rescue(&mut self) {
        if self.broken == Broken::NothingIsRescued {
            return;
        }
        let mut poison = Vec::new();
        for at in 0..self.work.len() {
            let (now, ignores) = (self.now, self.broken == Broken::RescueIgnoresTheLease);
            let Some(unit) = self.work.get_mut(at) else { break };
            if !matches!(unit.row, Row::Leased { until, .. } if until < now || ignores) {
                continue;
            }
            let held_still = matches!(unit.row, Row::Leased { until, .. } if until >= now);
            unit.row = Row::Ready { run_at: now };
            unit.attempts += 1;
            let (of, index, id) = (unit.deployment, unit.index, unit.id);
            let poisonous = unit.attempts >= MAX_ATTEMPTS;
            if held_still {
                self.violated(3, "a lease was taken from its holder before its end");
            }
            if poisonous {
                poison.push((id, of, index));
            }
            if !matches!(
                self.deployments[of].state,
                State::Pending | State::Queued | State::Running { .. }
            ) {
                self.look_again();
            }
        }
        for of in 0..self.deployments.len() {
            self.put_away(of);
        }
        for (id, of, index) in poison {
            if matches!(
                self.deployments[of].state,
                State::Running { .. } | State::Paused { .. }
            ) {
                self.work.retain(|unit| unit.id != id);
                let target = &mut self.deployments[of].targets[index];
                target.state = TargetState::Errored;
                target.reason = Some("given up".to_owned());
                target.finished_at = Some(self.now);
                self.advance(of);
            }
        }
    }
}
