use super::*;
use crate::{
    drift::heal::Policy,
    process::Strategy,
    registry::{Labels, Wave, environment::Settings},
};
use proptest::prelude::*;
use serde_json::json;

fn wave(called: &str) -> Wave {
    Wave {
        name: name(called),
        match_labels: Labels::new(),
        max_parallel: None,
        max_failures: 0,
        soak: SignedDuration::ZERO,
    }
}

fn settings() -> Settings {
    Settings {
        waves: vec![wave("canary")],
        promotion_soak: SignedDuration::from_hours(5),
        drift: Policy::Heal,
        ..Settings::default()
    }
}

#[test]
fn every_check_is_required_as_a_manual_check_of_the_release() {
    let stage = full();
    let required = stage.required();
    assert_eq!(required[..2], stage.evidence);
    let ticked = RequiredEvidence {
        name: Some(name("looked-at")),
        of: EvidenceOf::Release,
        ..evidence(Kind::ManualCheck)
    };
    assert_eq!(required[2..], *std::slice::from_ref(&ticked));
    let mut twice = full();
    twice.evidence = vec![ticked.clone()];
    assert_eq!(twice.required(), [ticked], "asked for twice, required once");
}

#[test]
fn a_strategy_says_what_it_says_and_the_rest_is_the_environments() {
    let stage = |strategy| Stage {
        strategy,
        ..Stage::new(name("production"), Place::Tier(Tier::Production))
    };
    assert_eq!(stage(Strategy::default()).apply(&settings()), settings());
    let applied = stage(Strategy {
        waves: Some(vec![wave("eu"), wave("us")]),
        progress_deadline: Some(SignedDuration::from_hours(1)),
        automatic_rollback: Some(false),
    })
    .apply(&settings());
    let expected = Settings {
        waves: vec![wave("eu"), wave("us")],
        progress_deadline: SignedDuration::from_hours(1),
        automatic_rollback: false,
        ..settings()
    };
    assert_eq!(applied, expected);
    let at_once = stage(Strategy {
        waves: Some(Vec::new()),
        ..Strategy::default()
    });
    assert_eq!(at_once.apply(&settings()).waves, []);
}

#[test]
fn a_stage_that_says_only_what_and_where_it_is_asks_for_nothing() {
    let read: Document = serde_json::from_value(json!({
        "description": "",
        "stages": [{"name": "eu", "place": {"environment": "eu"}}],
    }))
    .unwrap();
    assert_eq!(read.stages, [Stage::new(name("eu"), environment("eu"))]);
}

#[test]
fn a_document_is_kept_as_it_was_written() {
    let mut written = document(vec![environment("eu")]);
    written.stages.push(full());
    let kept = serde_json::to_value(&written).unwrap();
    assert_eq!(kept["stages"][1]["place"], json!({"tier": "production"}));
    assert_eq!(kept["stages"][1]["evidence"][0]["kind"], "test_report");
    assert_eq!(kept["stages"][1]["soak"], "PT36H");
    assert_eq!(serde_json::from_value::<Document>(kept).unwrap(), written);
}

/// As documents of policies are: two servers side by side, in an upgrade, read what either has written.
#[test]
fn what_a_newer_server_says_beside_is_passed_over() {
    let written = document(vec![environment("eu")]);
    let mut newer = serde_json::to_value(&written).unwrap();
    newer["stages"][0]["moon"] = json!("full");
    assert_eq!(serde_json::from_value::<Document>(newer).unwrap(), written);
}

proptest! {
    #[test]
    fn a_stage_changes_nothing_of_what_an_environment_wants_of_people(
        environment in prop::option::of(1_u32..=10),
        stage in prop::option::of(1_u32..=10),
    ) {
        let settings = Settings { approvals: environment.map(people), ..settings() };
        let mut asking = full();
        asking.approvals = stage.map(people);
        let applied = asking.apply(&settings);
        prop_assert_eq!(applied.approvals.as_ref().map(|rule| rule.count), environment);
        prop_assert!(applied.faults().is_empty());
        let untouched = Settings {
            approvals: settings.approvals.clone(),
            waves: settings.waves.clone(),
            progress_deadline: settings.progress_deadline,
            automatic_rollback: settings.automatic_rollback,
            ..applied
        };
        prop_assert_eq!(untouched, settings);
    }
}
