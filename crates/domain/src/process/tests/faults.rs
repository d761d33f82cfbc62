use super::*;
use crate::registry::{Labels, Wave};

fn pointers(document: &Document) -> Vec<String> {
    let faults = document.faults();
    let pointers = faults.as_slice().iter().map(|fault| fault.pointer.clone());
    pointers.collect()
}

fn wave(called: &str) -> Wave {
    Wave {
        name: name(called),
        match_labels: Labels::new(),
        max_parallel: Some(0),
        max_failures: 0,
        soak: SignedDuration::from_secs(-1),
    }
}

#[test]
fn everything_that_is_wrong_with_a_process_is_told_at_once_and_where_it_is() {
    let mut wrong = document(vec![
        environment("eu"),
        Place::Tier(Tier::Production),
        environment("eu"),
        Place::Tier(Tier::Production),
    ]);
    wrong.description = "x".repeat(2_001);
    let [first, _, third, _] = &mut wrong.stages[..] else {
        panic!("there are four");
    };
    first.checklist = vec![check("looked-at", "it runs")];
    third.name = first.name.clone();
    third.soak = SignedDuration::from_hours(24 * 90 + 1);
    third.success_share = 0;
    third.evidence = vec![
        RequiredEvidence {
            max_age: Some(SignedDuration::ZERO),
            ..evidence(Kind::Scan)
        };
        2
    ];
    third.approvals = Some(Requirement::new(Role::Manager, 0));
    third.checklist = vec![
        Check {
            role: Role::Auditor,
            ..check("a", " ")
        },
        check("a", &"x".repeat(501)),
        Check {
            role: Role::Authority,
            ..check("looked-at", "it runs")
        },
    ];
    third.strategy.waves = Some(vec![wave("one"), wave("one")]);
    third.strategy.progress_deadline = Some(SignedDuration::ZERO);
    assert_eq!(
        pointers(&wrong),
        [
            "/description",
            "/stages/2/soak",
            "/stages/2/success_share",
            "/stages/2/evidence/0/max_age",
            "/stages/2/evidence/1/max_age",
            "/stages/2/evidence/1",
            "/stages/2/approvals/count",
            "/stages/2/approvals/role",
            "/stages/2/checklist/0/what",
            "/stages/2/checklist/0/role",
            "/stages/2/checklist/1/name",
            "/stages/2/checklist/1/what",
            "/stages/2/strategy/waves/0/max_parallel",
            "/stages/2/strategy/waves/0/soak",
            "/stages/2/strategy/waves/1/name",
            "/stages/2/strategy/waves/1/max_parallel",
            "/stages/2/strategy/waves/1/soak",
            "/stages/2/strategy/progress_deadline",
            "/stages/2/name",
            "/stages/2/place",
            "/stages/2/checklist/2/role",
            "/stages/3/place",
        ]
    );
}

#[test]
fn what_is_within_all_bounds_is_in_order() {
    let mut good = document((0..19).map(|i| environment(&format!("e{i}"))).collect());
    good.description = "ä".repeat(2_000);
    good.stages.push(full());
    for stage in &mut good.stages {
        stage.soak = SignedDuration::from_hours(24 * 90);
        stage.success_share = 1;
        stage.evidence = (0..50)
            .map(|i| RequiredEvidence {
                name: Some(name(&format!("scan-{i}"))),
                max_age: Some(SignedDuration::from_hours(24 * 3_650)),
                ..evidence(Kind::Scan)
            })
            .collect();
        stage.approvals = Some(people(10));
        stage.checklist = (0..50)
            .map(|i| check(&format!("check-{i}"), &"ä".repeat(500)))
            .collect();
    }
    assert_eq!(pointers(&good), Vec::<String>::new());
}

#[test]
fn what_is_too_many_is_said_of_the_list() {
    let mut many = document((0..21).map(|i| environment(&format!("e{i}"))).collect());
    many.stages[0].evidence = (0..51)
        .map(|i| RequiredEvidence {
            name: Some(name(&format!("scan-{i}"))),
            ..evidence(Kind::Scan)
        })
        .collect();
    many.stages[0].checklist = (0..51).map(|i| check(&format!("check-{i}"), "it runs")).collect();
    many.stages[0].strategy.waves = Some(
        (0..51)
            .map(|i| Wave {
                max_parallel: None,
                soak: SignedDuration::ZERO,
                ..wave(&format!("wave-{i}"))
            })
            .collect(),
    );
    assert_eq!(
        pointers(&many),
        [
            "/stages",
            "/stages/0/evidence",
            "/stages/0/checklist",
            "/stages/0/strategy/waves",
        ]
    );
    assert_eq!(pointers(&document(Vec::new())), ["/stages"]);
}

#[test]
fn a_stage_of_a_tier_may_stand_before_or_after_one_that_names_an_environment() {
    let production = || Place::Tier(Tier::Production);
    for places in [
        vec![environment("canary"), production()],
        vec![production(), environment("archive")],
    ] {
        assert!(document(places).faults().is_empty());
    }
}

#[test]
fn a_check_of_two_stages_has_the_same_role_in_both() {
    let mut twice = document(vec![Place::Tier(Tier::Test), Place::Tier(Tier::Production)]);
    for stage in &mut twice.stages {
        stage.checklist = vec![check("looked-at", "it runs")];
    }
    assert!(twice.faults().is_empty());
    // Whoever may tick it in one stage would decide in the other.
    twice.stages[1].checklist[0].role = Role::Authority;
    assert_eq!(pointers(&twice), ["/stages/1/checklist/0/role"]);
}
