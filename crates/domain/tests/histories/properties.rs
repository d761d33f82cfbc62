//! The invariants of the design, each over generated histories.

use crate::{
    cluster::{key, unmarked},
    history::{Action, Focus, histories, run, setups},
    oracle::Violation,
    world::{Broken, SECRET, Setup, World},
};
use base64::Engine as _;
use proptest::prelude::*;
use slipway_domain::{
    deployment::{Kind, StateName},
    release::ReleaseState,
    render,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Where histories begin, in seconds since 1970.
pub(crate) const START: i64 = 1_000_000_000;

/// Nothing that must hold at any time is violated by a history.
pub(crate) fn at_any_time(setup: &Setup, history: &[Action], broken: Broken) -> Result<World, Violation> {
    let world = run(setup, history, START, broken);
    world.violation.clone().map_or(Ok(world), Err)
}

/// And when faults stop, everything ends.
pub(crate) fn ends(setup: &Setup, history: &[Action], broken: Broken) -> Result<World, Violation> {
    let mut world = at_any_time(setup, history, broken)?;
    world.settle();
    world.violation.clone().map_or(Ok(world), Err)
}

/// And then, with the library and the renderer gone, every release withdrawn and nobody left who could approve, what
/// succeeded last is rolled back. Says how many targets went back to something.
pub(crate) fn can_be_undone(setup: &Setup, history: &[Action], broken: Broken) -> Result<usize, Violation> {
    let mut world = ends(setup, history, broken)?;
    world.library_lost = true;
    world.disentitled.extend(0..5);
    for release in 0..world.releases.len() {
        world.withdraw(release);
    }
    let violation = |what: String| Violation { invariant: 6, what };
    let newest = (0..world.deployments.len()).rev().find(|&of| {
        let d = &world.deployments[of];
        let newest = d
            .targets
            .iter()
            .all(|t| t.generation == Some(world.places[t.place].generation));
        d.kind == Kind::Deploy && newest && d.state.name() == StateName::Succeeded
    });
    let Some(newest) = newest else { return Ok(0) };
    let undoing = world.roll_back_by_hand(newest);
    let undoing = undoing.ok_or_else(|| violation(format!("{newest} cannot be rolled back")))?;
    world.settle();
    if let Some(violation) = world.violation {
        return Err(violation);
    }
    let d = &world.deployments[undoing];
    if d.state.name() != StateName::Succeeded {
        return Err(violation(format!(
            "the rollback of {newest} is {}: {:?}",
            d.state.name(),
            d.gates
        )));
    }
    for target in &d.targets {
        let stored = &world.renderings[&target.rendering];
        let wanted: BTreeMap<_, _> = stored.objects.iter().map(|o| (key(o), unmarked(o))).collect();
        let live = world.places[target.place].cluster.objects.iter();
        let live: BTreeMap<_, _> = live.map(|(key, live)| (key.clone(), live.unmarked())).collect();
        if live != wanted {
            return Err(violation(format!("after the rollback {live:?} runs")));
        }
    }
    Ok(d.targets
        .iter()
        .filter(|target| target.previous.is_some())
        .count())
}

/// What a history tells, at times counted from its start, does not depend on when it starts.
pub(crate) fn knows_no_clock(setup: &Setup, history: &[Action], broken: Broken) -> Result<(), Violation> {
    let mut told = Vec::new();
    for start in [START, START + 987_654_321] {
        let mut world = run(setup, history, start, broken);
        world.settle();
        let ended = world.deployments.iter().map(|d| {
            let at = d
                .state
                .ended()
                .map(|ended| ended.finished_at.duration_since(world.start));
            format!("{:?} {at:?}", d.state.name())
        });
        told.push((ended.collect::<Vec<_>>(), world.told));
    }
    if told[0] == told[1] {
        return Ok(());
    }
    let what = "the same facts at another time of day gave another history".to_owned();
    Err(Violation { invariant: 8, what })
}

macro_rules! holds {
    ($check:expr) => {
        prop_assert!($check.is_ok(), "{:?}", $check.err())
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn invariant_1_what_runs_is_what_was_sealed(setup in setups(), history in histories(Focus::Releases, 120)) {
        holds!(at_any_time(&setup, &history, Broken::Nothing));
    }

    #[test]
    fn invariant_2_nothing_is_dispatched_without_every_gate_at_the_claim(
        setup in setups(), history in histories(Focus::People, 120),
    ) {
        holds!(at_any_time(&setup, &history, Broken::Nothing));
    }

    #[test]
    fn invariant_3_one_executor_a_target_and_a_stale_one_writes_nothing(
        setup in setups(), history in histories(Focus::Faults, 160),
    ) {
        holds!(at_any_time(&setup, &history, Broken::Nothing));
    }

    #[test]
    fn invariant_4_every_change_of_state_has_one_entry_and_is_one_the_diagram_has(
        setup in setups(), history in histories(Focus::Everything, 160),
    ) {
        holds!(at_any_time(&setup, &history, Broken::Nothing));
    }

    #[test]
    fn invariant_5_when_faults_stop_everything_that_was_asked_for_ends(
        setup in setups(), history in histories(Focus::Faults, 160),
    ) {
        holds!(ends(&setup, &history, Broken::Nothing));
    }

    #[test]
    fn invariant_6_a_rollback_needs_stored_renderings_and_nothing_else(
        setup in setups(), history in histories(Focus::Everything, 120),
    ) {
        holds!(can_be_undone(&setup, &history, Broken::Nothing));
    }

    #[test]
    fn invariant_7_what_is_told_never_holds_a_secret(setup in setups(), history in histories(Focus::Releases, 80)) {
        let world = ends(&setup, &history, Broken::Nothing);
        let world = world.map_err(|violation| TestCaseError::fail(format!("{violation:?}")))?;
        let mut told = world.told.join("\n");
        let objects: Vec<_> = world.renderings.values().flat_map(|r| &r.objects).collect();
        for pair in objects.windows(2) {
            for other in [Some(pair[1]), None] {
                let diff = render::diff(Some(pair[0]), other);
                write!(told, "{diff:?}").unwrap();
            }
        }
        let encoded = base64::engine::general_purpose::STANDARD.encode(SECRET);
        for secret in [SECRET, &encoded[..16]] {
            prop_assert!(!told.contains(secret));
            let applied = objects.iter().any(|object| object.to_string().contains(secret));
            prop_assert!(applied || secret != &encoded[..16] || objects.iter().any(|o| o.to_string().contains(SECRET)));
        }
    }

    #[test]
    fn invariant_8_the_same_history_at_another_time_goes_the_same_way(
        setup in setups(), history in histories(Focus::Everything, 100),
    ) {
        holds!(knows_no_clock(&setup, &history, Broken::Nothing));
    }

    #[test]
    fn a_release_is_sealed_once_and_what_is_sealed_keeps_its_digest(history in histories(Focus::Releases, 80)) {
        let setup = Setup { max_parallel: None, max_failures: 0, soak: 0, approvals: 0, automatic_rollback: true, promotion_soak: 0 };
        let world = run(&setup, &history, START, Broken::Nothing);
        for release in &world.releases {
            if let Some(seal) = release.state.seal() {
                prop_assert_eq!(release.content_digest().unwrap(), seal.digest);
            }
            let draft = matches!(release.state, ReleaseState::Draft);
            prop_assert_eq!(draft, release.check_editable().is_ok());
            prop_assert_eq!(matches!(release.state, ReleaseState::Sealed(_)), release.deployable().is_ok());
        }
    }
}
