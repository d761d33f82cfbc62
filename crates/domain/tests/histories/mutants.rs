//! Every rule that a property guards, broken once: the property must notice, and name the invariant.

use crate::{
    history::{Action, Focus, histories, setups},
    oracle::Violation,
    properties::{at_any_time, can_be_undone, ends, knows_no_clock},
    world::{Broken, Setup},
};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

type Property = fn(&Setup, &[Action], Broken) -> Result<(), Violation>;

const AT_ANY_TIME: Property = |setup, history, broken| at_any_time(setup, history, broken).map(drop);
const ENDS: Property = |setup, history, broken| ends(setup, history, broken).map(drop);
const UNDONE: Property = |setup, history, broken| can_be_undone(setup, history, broken).map(drop);

/// Histories enough to find any of them; the same ones at every run.
const HISTORIES: usize = 1500;

#[track_caller]
fn is_noticed(broken: Broken, invariant: u8, focus: Focus, property: Property) {
    let mut runner = runner();
    let strategy = (setups(), histories(focus, 160));
    for tried in 1..=HISTORIES {
        let (setup, history) = strategy.new_tree(&mut runner).unwrap().current();
        if let Err(violation) = property(&setup, &history, broken) {
            assert_eq!(
                violation.invariant, invariant,
                "{broken:?} shows as {violation:?}"
            );
            println!("{broken:?}: noticed in history {tried}: {}", violation.what);
            return;
        }
    }
    panic!("nothing notices {broken:?}");
}

fn runner() -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    TestRunner::new_with_rng(Config::default(), rng)
}

#[test]
fn invariant_1_notices() {
    is_noticed(Broken::SealedReleaseEdited, 1, Focus::Releases, AT_ANY_TIME);
    is_noticed(Broken::RenderedAgainAtTheClaim, 1, Focus::Releases, AT_ANY_TIME);
}

#[test]
fn invariant_2_notices() {
    is_noticed(Broken::NotJudgedAtTheClaim, 2, Focus::People, AT_ANY_TIME);
    is_noticed(Broken::ApprovalGateLeftOut, 2, Focus::People, AT_ANY_TIME);
    is_noticed(Broken::ConcurrencyGateLeftOut, 2, Focus::Everything, AT_ANY_TIME);
}

#[test]
fn invariant_3_notices() {
    is_noticed(Broken::StaleReportsCount, 3, Focus::Faults, AT_ANY_TIME);
    is_noticed(Broken::RescueIgnoresTheLease, 3, Focus::Faults, AT_ANY_TIME);
    is_noticed(Broken::LeaseClockIgnored, 3, Focus::Faults, AT_ANY_TIME);
    is_noticed(Broken::GuardNotCompared, 3, Focus::Faults, AT_ANY_TIME);
    is_noticed(Broken::ObjectVersionIgnored, 3, Focus::Faults, AT_ANY_TIME);
}

#[test]
fn invariant_4_notices() {
    is_noticed(Broken::PauseNotRecorded, 4, Focus::People, AT_ANY_TIME);
    is_noticed(Broken::RecordedTwice, 4, Focus::People, AT_ANY_TIME);
    is_noticed(Broken::CancelledIsRevived, 4, Focus::People, AT_ANY_TIME);
}

#[test]
fn invariant_5_notices() {
    is_noticed(Broken::NothingIsRescued, 5, Focus::Faults, ENDS);
    is_noticed(Broken::ResumeLeavesWorkParked, 5, Focus::People, ENDS);
    is_noticed(Broken::SoakHasNoEnd, 5, Focus::Everything, ENDS);
    is_noticed(Broken::UndoneIsForgotten, 5, Focus::Everything, ENDS);
}

#[test]
fn invariant_6_notices() {
    is_noticed(Broken::RollbackRendersAgain, 6, Focus::Everything, UNDONE);
    is_noticed(Broken::RollbackNeedsTheRelease, 6, Focus::Everything, UNDONE);
}

#[test]
fn invariants_7_and_8_notice() {
    is_noticed(Broken::ReasonsTellValues, 7, Focus::Everything, AT_ANY_TIME);
    is_noticed(Broken::ClockOfItsOwn, 8, Focus::Everything, knows_no_clock);
}

/// The histories are about something: releases run, are undone and go back to what ran before.
#[test]
fn generated_histories_reach_what_they_are_about() {
    let mut runner = runner();
    let (mut undone, mut production, mut ways) = (0, 0, std::collections::BTreeSet::new());
    for _ in 0..300 {
        let tree = (setups(), histories(Focus::Everything, 160)).new_tree(&mut runner);
        let (setup, history) = tree.unwrap().current();
        undone += can_be_undone(&setup, &history, Broken::Nothing).unwrap();
        let world = ends(&setup, &history, Broken::Nothing).unwrap();
        production += world.places[1..]
            .iter()
            .filter(|place| place.generation > 1)
            .count();
        ways.extend(world.moves.iter().map(|change| (change.2, change.3)));
    }
    println!("{undone} targets went back, {production} of production were deployed to again, ways: {ways:?}");
    assert!(undone > 5 && production > 50);
    assert!(ways.len() >= 20, "only {ways:?}");
}
