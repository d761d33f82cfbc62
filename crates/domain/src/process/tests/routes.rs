use super::*;
use proptest::{prelude::*, strategy::Strategy};

const TIERS: [Tier; 4] = [Tier::Development, Tier::Test, Tier::Staging, Tier::Production];

fn at(called: &str, tier: Tier) -> Where {
    Where {
        name: name(called),
        tier,
    }
}

fn names<'a>(neighbour: &Neighbour<'a>) -> Vec<&'a str> {
    let all = neighbour.environments.iter();
    all.map(|environment| environment.name.as_str()).collect()
}

#[test]
fn a_stage_that_names_an_environment_beats_one_of_its_tier_wherever_it_stands() {
    let process = document(vec![
        Place::Tier(Tier::Production),
        environment("canary"),
        Place::Tier(Tier::Test),
    ]);
    let stage = |called, tier| process.stage_of(&at(called, tier)).map(|(i, _)| i);
    assert_eq!(stage("canary", Tier::Production), Some(1));
    assert_eq!(stage("eu", Tier::Production), Some(0));
    assert_eq!(stage("canary", Tier::Test), Some(1), "whatever its tier");
    assert_eq!(stage("eu", Tier::Staging), None, "nothing goes there");
}

#[test]
fn what_is_no_other_stage_is_the_one_that_any_is() {
    let process = document(vec![
        environment("lab"),
        Place::Any,
        Place::Tier(Tier::Production),
    ]);
    let all = [
        at("lab", Tier::Test),
        at("east", Tier::Test),
        at("eu", Tier::Production),
    ];
    let stages = all.each_ref().map(|one| process.stage_of(one).map(|(i, _)| i));
    assert_eq!(stages, [Some(0), Some(1), Some(2)]);
    assert_eq!(names(&process.before(2, &all).unwrap()), ["east"]);
    let none = [all[0].clone(), all[2].clone()];
    assert_eq!(names(&process.before(2, &none).unwrap()), ["lab"]);
}

#[test]
fn stages_of_tiers_that_nobody_has_are_passed_over() {
    let process = tiers();
    let all = [
        at("lab", Tier::Development),
        at("eu", Tier::Production),
        at("us", Tier::Production),
    ];
    let after = process.after(0, &all).unwrap();
    assert_eq!((after.index, after.stage.name.as_str()), (3, "production"));
    assert_eq!(names(&after), ["eu", "us"]);
    assert_eq!(names(&process.before(3, &all).unwrap()), ["lab"]);
    assert_eq!(process.before(3, &all[1..]), None, "nothing is before it");
    assert_eq!(process.after(3, &all), None);
    assert_eq!(process.before(0, &all), None);
}

#[test]
fn a_tier_whose_every_environment_is_another_stage_is_passed_over() {
    let process = document(vec![
        environment("lab"),
        Place::Tier(Tier::Test),
        Place::Tier(Tier::Production),
    ]);
    let all = [at("lab", Tier::Test), at("eu", Tier::Production)];
    assert_eq!(process.after(0, &all).unwrap().index, 2);
    assert_eq!(process.before(2, &all).unwrap().index, 0);
}

#[test]
fn a_stage_that_names_an_environment_that_is_not_there_is_not_passed_over() {
    let process = document(vec![
        Place::Tier(Tier::Test),
        environment("gone"),
        Place::Tier(Tier::Production),
    ]);
    let all = [at("lab", Tier::Test), at("eu", Tier::Production)];
    let before = process.before(2, &all).unwrap();
    assert_eq!((before.index, before.environments.len()), (1, 0));
    let after = process.after(0, &all).unwrap();
    assert_eq!((after.index, after.environments.len()), (1, 0));
}

#[test]
fn beside_a_stage_that_is_not_there_is_none() {
    let (process, all) = (tiers(), [at("lab", Tier::Development)]);
    for stage in [4, 5, usize::MAX] {
        assert_eq!(process.before(stage, &all), None);
        assert_eq!(process.after(stage, &all), None);
    }
}

/// Processes without fault, and environments, some of which have no stage.
fn worlds() -> impl Strategy<Value = (Document, Vec<Where>)> {
    let places: Vec<_> = TIERS
        .map(Place::Tier)
        .into_iter()
        .chain(["a", "b", "c"].map(environment))
        .chain([Place::Any])
        .collect();
    let places = prop::sample::subsequence(places, 1..=8).prop_shuffle();
    let there = prop::collection::vec(prop::option::of(prop::sample::select(&TIERS[..])), 5);
    (places, there).prop_map(|(places, there)| {
        let named = ["a", "b", "c", "d", "e"].into_iter().zip(there);
        let all = named.filter_map(|(called, tier)| Some(at(called, tier?)));
        (document(places), all.collect())
    })
}

/// Whether a release stops at this stage.
fn counts(process: &Document, stage: usize, all: &[Where]) -> bool {
    matches!(process.stages[stage].place, Place::Environment(_))
        || all
            .iter()
            .any(|environment| process.stage_of(environment).is_some_and(|(i, _)| i == stage))
}

proptest! {
    #[test]
    fn before_the_stage_after_is_the_stage_itself((process, all) in worlds()) {
        for stage in (0..process.stages.len()).filter(|stage| counts(&process, *stage, &all)) {
            if let Some(after) = process.after(stage, &all) {
                prop_assert_eq!(process.before(after.index, &all).map(|before| before.index), Some(stage));
            }
            if let Some(before) = process.before(stage, &all) {
                prop_assert_eq!(process.after(before.index, &all).map(|after| after.index), Some(stage));
            }
        }
    }

    /// Nobody gets round a stage: walking from the last to the first meets each that counts, and each environment in its own.
    #[test]
    fn the_way_meets_every_stage_that_counts_once_and_in_order((process, all) in worlds()) {
        let expected: Vec<_> =
            (0..process.stages.len()).filter(|stage| counts(&process, *stage, &all)).collect();
        let mut met: Vec<usize> = Vec::new();
        let mut places = 0;
        let mut stage = expected.last().copied();
        while let Some(i) = stage {
            met.push(i);
            let before = process.before(i, &all);
            if let Some(before) = &before {
                for environment in &before.environments {
                    prop_assert_eq!(process.stage_of(environment).map(|(i, _)| i), Some(before.index));
                }
                places += before.environments.len();
            }
            stage = before.map(|before| before.index);
        }
        met.reverse();
        let last = expected.last().copied();
        let elsewhere = all.iter().filter(|environment| {
            process.stage_of(environment).is_some_and(|(i, _)| Some(i) != last)
        });
        prop_assert_eq!(places, elsewhere.count());
        prop_assert_eq!(met, expected);
    }
}
