//! What must hold, told without the rules under test: from the rows and the clusters alone.

use crate::{
    cluster::{key, unmarked},
    executor::Held,
    queue::Row,
    world::{SECRET, World},
};
use serde_json::Value;
use slipway_domain::{
    approval::Answer,
    deployment::{Kind, State, StateName},
    plan::target::Intent,
    release::ReleaseState,
};
use std::collections::{BTreeMap, BTreeSet};

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Its number in the design.
    pub(crate) invariant: u8,
    pub(crate) what: String,
}

impl World {
    /// Everything that the database holds.
    pub(crate) fn rows(&self) -> String {
        let places: Vec<_> = self
            .places
            .iter()
            .map(|p| (p.generation, &p.now, &p.inventory))
            .collect();
        format!(
            "{:?} {:?} {places:?} {}",
            self.work,
            self.deployments,
            self.entries.len()
        )
    }

    /// Invariant 1, at every write: the object is of the stored rendering, and the release is as it was sealed.
    pub(crate) fn must_be_approved(&mut self, held: &Held, object: &Value) {
        let deployment = &self.deployments[held.deployment];
        let digest = deployment.targets[held.index].rendering;
        let stored = self.renderings.get(&digest);
        let approved =
            stored.is_some_and(|stored| stored.objects.iter().any(|o| unmarked(o) == unmarked(object)));
        let sealed = held.intent != Intent::Apply
            || deployment
                .release
                .is_none_or(|r| self.releases[r].content_digest().ok() == deployment.digest);
        let asked = deployment
            .approval
            .as_ref()
            .is_none_or(|a| Some(a.digest) == deployment.digest);
        if !(approved && sealed && asked) {
            let what = format!(
                "{:?} was applied: of the plan: {approved}, as sealed: {sealed}",
                key(object)
            );
            self.violated(1, what);
        }
    }

    /// Invariant 1, at every success: exactly the stored rendering runs.
    pub(crate) fn must_run_what_was_approved(&mut self, held: &Held) {
        let digest = self.deployments[held.deployment].targets[held.index].rendering;
        let stored = self.renderings.get(&digest);
        let altered = stored.is_some_and(|stored| stored.digest() != digest);
        let objects = stored.map(|r| r.objects.as_slice()).unwrap_or_default();
        let wanted: BTreeMap<_, _> = objects.iter().map(|o| (key(o), unmarked(o))).collect();
        let live = &self.places[held.place].cluster.objects;
        let live: BTreeMap<_, _> = live
            .iter()
            .map(|(key, live)| (key.clone(), live.unmarked()))
            .collect();
        if altered || wanted != live {
            let what = format!("{:?} runs where {:?} was to", live.keys(), wanted.keys());
            self.violated(1, what);
        }
    }

    /// Invariant 2: told from the facts, not from the gates.
    pub(crate) fn must_be_admissible(&mut self, of: usize) {
        let d = &self.deployments[of];
        let mut problems = Vec::new();
        let holder = (0..self.deployments.len()).find(|&other| {
            let o = &self.deployments[other];
            let at_work = self
                .work
                .iter()
                .any(|u| u.deployment == other && matches!(u.row, Row::Leased { .. }));
            let holds = matches!(
                o.state,
                State::Running { .. } | State::Paused { .. } | State::RollingBack { .. }
            );
            other != of && d.rolls_back != Some(other) && o.environment == d.environment && (holds || at_work)
        });
        if let Some(holder) = holder {
            problems.push(format!("{holder} holds the environment"));
        }
        if d.kind == Kind::Deploy {
            let release = d.release.map(|r| &self.releases[r]);
            if !release
                .is_some_and(|r| matches!(&r.state, ReleaseState::Sealed(s) if Some(s.digest) == d.digest))
            {
                problems.push("its release is not sealed with this digest".to_owned());
            }
            if self.now >= d.expires_at || d.not_before.is_some_and(|at| at > self.now) {
                problems.push("it is not its time".to_owned());
            }
            let place = &self.environments[d.environment];
            if let Some(from) = place.promotes_from
                && !self.worked_before(of, from)
            {
                problems.push("the stage before does not have it, or not for long enough".to_owned());
            }
            if place.approvals > 0 {
                let decisions = d
                    .approval
                    .as_ref()
                    .map(|a| a.decisions.as_slice())
                    .unwrap_or_default();
                let person = |by| self.people.iter().position(|p| *p == by);
                // 0 composed it, 1 sealed it.
                let yes: BTreeSet<_> = decisions
                    .iter()
                    .filter(|x| x.answer == Answer::Approve && Some(x.subject.digest) == d.digest)
                    .filter_map(|x| person(x.by))
                    .filter(|person| *person > 1 && !self.disentitled.contains(person))
                    .collect();
                let no = decisions.iter().any(|x| x.answer == Answer::Reject);
                if no || yes.len() < place.approvals as usize {
                    problems.push(format!("{} of {} people approve", yes.len(), place.approvals));
                }
            }
        }
        if !problems.is_empty() {
            self.violated(2, format!("{of} was admitted although {}", problems.join(", ")));
        }
    }

    fn worked_before(&self, of: usize, from: usize) -> bool {
        let d = &self.deployments[of];
        let soak = self.environments[d.environment].promotion_soak;
        let last = self
            .deployments
            .iter()
            .filter(|o| o.kind == Kind::Deploy && o.environment == from && o.digest == d.digest)
            .filter_map(|o| match &o.state {
                State::Succeeded(ended) => Some((ended.finished_at, o.rolled_back_by)),
                _ => None,
            })
            .max_by_key(|(at, _)| *at);
        last.is_some_and(|(at, by)| {
            use StateName::{Cancelled, Errored, Expired, Failed, Rejected};
            let undone = by.is_some_and(|by| {
                !matches!(
                    self.deployments[by].state.name(),
                    Failed | Errored | Cancelled | Rejected | Expired
                )
            });
            !undone && at + soak <= self.now
        })
    }

    /// Invariant 2: work goes out for what was admitted only.
    pub(crate) fn must_be_running(&mut self, of: usize) {
        if !matches!(self.deployments[of].state, State::Running { .. }) {
            self.violated(
                2,
                format!(
                    "work of {of} was given out, which is {}",
                    self.deployments[of].state.name()
                ),
            );
        }
    }

    /// Invariant 3, at every write to a cluster: it is made under the lease that the database knows.
    pub(crate) fn must_hold(&mut self, held: &Held, what: &str) {
        let unit = self.work.iter().find(|unit| unit.id == held.unit);
        let holds = unit.is_some_and(
            |unit| matches!(unit.row, Row::Leased { fence, until } if fence == held.fence && until > self.now),
        );
        if !holds {
            self.violated(
                3,
                format!("{what} was written under fence {}, which is stale", held.fence),
            );
        }
    }

    /// What must hold after every action.
    pub(crate) fn check(&mut self) {
        let mut places = BTreeSet::new();
        let mut problems = Vec::new();
        for unit in self.work.iter().filter(|unit| unit.is_leased()) {
            if !places.insert(unit.place) {
                problems.push((3, format!("two leases on target {}", unit.place)));
            }
        }
        for place in &self.places {
            let runs = place.cluster.runs.values();
            if runs.into_iter().any(|runs| *runs > 1) {
                problems.push((3, "a hook ran twice".to_owned()));
            }
        }
        if self.moves != self.entries {
            problems.push((
                4,
                "not one entry a change of state, in its transaction".to_owned(),
            ));
        }
        for (_, of, from, to) in self.moves.iter().filter(|change| change.0 == self.action) {
            if !is_drawn(*from, *to) {
                problems.push((4, format!("{of} went from {from} to {to}")));
            }
        }
        for (of, d) in self.deployments.iter().enumerate() {
            let last = self
                .entries
                .iter()
                .rfind(|entry| entry.1 == of)
                .map_or(StateName::Pending, |e| e.3);
            if last != d.state.name() {
                problems.push((
                    4,
                    format!("{of} is {}, and the record says {last}", d.state.name()),
                ));
            }
            let idle = self
                .work
                .iter()
                .any(|unit| unit.deployment == of && !unit.is_leased());
            if d.state.name().is_terminal() && idle {
                problems.push((5, format!("{of} has ended and keeps work that nobody acts on")));
            }
        }
        if self.told.iter().rev().take(20).any(|told| told.contains(SECRET)) {
            problems.push((7, "a secret was told".to_owned()));
        }
        for (invariant, what) in problems {
            self.violated(invariant, what);
        }
    }
}

/// Whether the diagram in the design has this arrow.
fn is_drawn(from: StateName, to: StateName) -> bool {
    use StateName::{
        Cancelled, Errored, Expired, Failed, Paused, Pending, Queued, Rejected, RolledBack, RollingBack,
        Running, Succeeded, Superseded,
    };
    match from {
        Pending => matches!(to, Queued | Cancelled | Rejected | Expired | Superseded),
        Queued => matches!(to, Pending | Running | Cancelled | Rejected | Expired),
        Running => matches!(
            to,
            Paused | RollingBack | Succeeded | Failed | Errored | Cancelled
        ),
        Paused => matches!(to, Running | RollingBack | Cancelled),
        RollingBack => matches!(to, RolledBack | Failed),
        _ => false,
    }
}
