//! What can happen, and histories of it. An action that makes no sense at its time is refused, or does nothing.

use crate::{
    executor::How,
    world::{Broken, Setup, World},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use slipway_domain::{deployment::StateName, plan::target::Step, work::StepOutcome};

/// One thing that happens. Numbers choose among what there is at that time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Compose,
    Edit(u8),
    Seal(u8),
    Withdraw(u8),
    Repaint(u8),
    Ask(u8, u8, Option<u8>),
    Decide(u8, u8, bool),
    Disentitle(u8),
    Entitle(u8),
    Pause(u8),
    Resume(u8),
    Cancel(u8),
    RollBack(u8),
    Retry(u8),
    Claim(u8, u8),
    Step(u8, u8, How),
    /// An executor claims and carries out everything that it can, without trouble.
    Work(u8),
    Heartbeat(u8),
    Restart(u8),
    /// An executor stalls at what it holds, and once its lease has ended another takes over, as far as so many steps.
    Overtaken(u8, u8),
    /// A report that was sent long ago arrives now.
    Ghost(u8, u8),
    Look,
    Rescue,
    Tick(u8),
}

/// What a history is mostly about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Focus {
    Releases,
    People,
    Faults,
    Everything,
}

pub(crate) fn setups() -> impl Strategy<Value = Setup> {
    let few = proptest::option::of(1u32..3);
    (few, 0u32..2, 0i64..8, 0u32..3, any::<bool>(), 0i64..20).prop_map(
        |(max_parallel, max_failures, soak, approvals, automatic_rollback, promotion_soak)| Setup {
            max_parallel,
            max_failures,
            soak,
            approvals,
            automatic_rollback,
            promotion_soak,
        },
    )
}

fn hows() -> impl Strategy<Value = How> {
    prop_oneof![
        12 => Just(How::Well),
        2 => Just(How::NotYet),
        1 => Just(How::Retry),
        1 => Just(How::AskedToWait),
        2 => Just(How::Unhealthy),
        1 => Just(How::Errored),
        1 => Just(How::DiesBefore),
        1 => Just(How::DiesHalfWay),
        1 => Just(How::DiesAfter),
        2 => Just(How::LosesTheAnswer),
        3 => Just(How::Stalls),
    ]
}

fn actions(focus: Focus) -> impl Strategy<Value = Action> {
    use Action as A;
    let (releases, people, faults) = match focus {
        Focus::Releases => (8, 2, 1),
        Focus::People => (2, 8, 1),
        Focus::Faults => (1, 1, 8),
        Focus::Everything => (2, 3, 3),
    };
    let n = any::<u8>;
    let about_releases = prop_oneof![
        2 => Just(A::Compose),
        2 => n().prop_map(A::Edit),
        2 => n().prop_map(A::Seal),
        1 => n().prop_map(A::Withdraw),
        1 => n().prop_map(A::Repaint),
    ];
    let by_people = prop_oneof![
        3 => (n(), n(), any::<bool>()).prop_map(|(d, p, yes)| A::Decide(d, p, yes || p % 3 > 0)),
        1 => n().prop_map(A::Disentitle),
        1 => n().prop_map(A::Entitle),
        1 => n().prop_map(A::Pause),
        2 => n().prop_map(A::Resume),
        1 => n().prop_map(A::Cancel),
        2 => n().prop_map(A::RollBack),
        1 => n().prop_map(A::Retry),
    ];
    let trouble = prop_oneof![
        4 => (n(), n(), hows()).prop_map(|(e, w, how)| A::Step(e, w, how)),
        1 => n().prop_map(A::Restart),
        1 => (n(), n()).prop_map(|(e, w)| A::Ghost(e, w)),
        2 => (n(), n()).prop_map(|(e, steps)| A::Overtaken(e, steps)),
        1 => (5u8..30).prop_map(A::Tick),
        2 => Just(A::Rescue),
    ];
    let course = prop_oneof![
        3 => (n(), n(), proptest::option::weighted(0.2, 0u8..40)).prop_map(|(r, e, at)| A::Ask(r, e, at)),
        2 => (n(), 1u8..4).prop_map(|(e, most)| A::Claim(e, most)),
        6 => (n(), n()).prop_map(|(e, w)| A::Step(e, w, How::Well)),
        2 => n().prop_map(A::Work),
        1 => n().prop_map(A::Heartbeat),
        2 => Just(A::Look),
        2 => (1u8..12).prop_map(A::Tick),
    ];
    prop_oneof![releases => about_releases, people => by_people, faults => trouble, 8 => course]
}

/// A history that begins with a release that is sealed and asked for.
pub(crate) fn histories(focus: Focus, longest: usize) -> impl Strategy<Value = Vec<Action>> {
    let begins = [
        Action::Compose,
        Action::Seal(0),
        Action::Ask(0, 0, None),
        Action::Work(0),
    ];
    proptest::collection::vec(actions(focus), 10..longest)
        .prop_map(move |rest| begins.iter().copied().chain(rest).collect())
}

/// Runs a history until something does not hold.
pub(crate) fn run(setup: &Setup, history: &[Action], start: i64, broken: Broken) -> World {
    let mut world = World::new(setup, Timestamp::from_second(start).unwrap(), broken);
    for action in history {
        world.action += 1;
        act(&mut world, *action);
        world.check();
        if world.violation.is_some() {
            break;
        }
    }
    world
}

fn act(world: &mut World, action: Action) {
    use Action as A;
    let (releases, deployments) = (world.releases.len(), world.deployments.len());
    let of = |n: u8, among: usize| usize::from(n) % among.max(1);
    match action {
        A::Compose if releases < 6 => world.compose(),
        A::Tick(seconds) => world.now += SignedDuration::from_secs(i64::from(seconds)),
        A::Look => world.look(),
        A::Rescue => world.rescue(),
        A::Claim(e, most) => world.claim(of(e, 2), usize::from(most)),
        A::Work(e) => world.works(of(e, 2)),
        A::Heartbeat(e) => world.heartbeat(of(e, 2)),
        A::Restart(e) => world.executors[of(e, 2)].held.clear(),
        A::Disentitle(p) => drop(world.disentitled.insert(of(p, 5))),
        A::Entitle(p) => drop(world.disentitled.remove(&of(p, 5))),
        A::Repaint(e) => world.repaint(of(e, 2)),
        A::Edit(r) if releases > 0 => world.edit(of(r, releases)),
        A::Seal(r) if releases > 0 => world.seal(of(r, releases)),
        A::Withdraw(r) if releases > 0 => world.withdraw(of(r, releases)),
        A::Ask(r, e, at) if releases > 0 && deployments < 14 => {
            world.ask(of(r, releases), of(e, 2), at.map(i64::from));
        }
        A::Decide(d, p, yes) if deployments > 0 => world.decide(of(d, deployments), of(p, 5), yes),
        A::Pause(d) if deployments > 0 => world.pause(of(d, deployments)),
        A::Resume(d) if deployments > 0 => world.resume(of(d, deployments)),
        A::Cancel(d) if deployments > 0 => world.cancel(of(d, deployments)),
        A::RollBack(d) if deployments > 0 => drop(world.roll_back_by_hand(of(d, deployments))),
        A::Retry(d) if deployments > 0 && deployments < 14 => world.retry(of(d, deployments)),
        A::Step(e, w, how) => {
            let held = world.executors[of(e, 2)].held.len();
            if held > 0 {
                world.step(of(e, 2), of(w, held), how);
            }
        }
        A::Overtaken(e, steps) => {
            let (one, other) = (of(e, 2), 1 - of(e, 2));
            if !world.executors[one].held.is_empty() {
                world.step(one, 0, How::Stalls);
            }
            world.now += SignedDuration::from_secs(12);
            world.rescue();
            world.claim(other, 1);
            for _ in 0..steps % 8 {
                if let Some(last) = world.executors[other].held.len().checked_sub(1) {
                    world.step(other, last, How::Well);
                }
            }
        }
        A::Ghost(e, w) => {
            let held = &world.executors[of(e, 2)].held;
            let Some(held) = held.get(of(w, held.len())).cloned() else {
                return;
            };
            // What an executor sent under a lease that it has still is what it waits for: no ghost.
            if world.holds(&held) {
                return;
            }
            let outcome = match w % 3 {
                0 => StepOutcome::Succeeded,
                1 => StepOutcome::Done(serde_json::Value::Null),
                _ => StepOutcome::Failed {
                    reason: "long ago".to_owned(),
                },
            };
            world.reported(&held, Step::Guard, &outcome, None);
        }
        _ => {}
    }
}

impl World {
    /// An executor without trouble: claims what is due and carries it out.
    pub(crate) fn works(&mut self, executor: usize) {
        for _ in 0..30 {
            self.look();
            self.claim(executor, 100);
            if self.executors[executor].held.is_empty() {
                return;
            }
            // More than the steps of any target: each ends, is given back, or is lost.
            for _ in 0..400 {
                if self.executors[executor].held.is_empty() {
                    break;
                }
                self.step(executor, 0, How::Well);
            }
        }
    }

    /// Faults stop, people resume what they paused, time goes on: everything that was admitted ends (invariant 5).
    pub(crate) fn settle(&mut self) {
        for executor in &mut self.executors {
            executor.held.clear();
        }
        for _ in 0..100 + 30 * self.deployments.len() {
            self.action += 1;
            for of in 0..self.deployments.len() {
                if self.deployments[of].state.name() == StateName::Paused {
                    self.resume(of);
                }
            }
            self.rescue();
            self.works(0);
            self.check();
            let open: Vec<usize> = (0..self.deployments.len())
                .filter(|&of| !self.deployments[of].state.name().is_terminal())
                .collect();
            if open.is_empty() && self.work.is_empty() || self.violation.is_some() {
                return;
            }
            match self.next_time() {
                Some(at) => self.now = at,
                None => return self.violated(5, format!("nothing will ever happen to {open:?}")),
            }
        }
        let open: Vec<_> = self.deployments.iter().map(|d| d.state.name().as_str()).collect();
        self.violated(5, format!("it goes on and on: {open:?}"));
    }
}
