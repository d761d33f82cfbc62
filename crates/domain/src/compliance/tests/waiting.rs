//! Before anything is admitted.

use super::*;
use proptest::prelude::*;

#[test]
fn where_it_is_not_deployed_nothing_is_met_and_nothing_is_left_out() {
    let mut facts = good();
    facts.stages[1].deployment = None;
    facts.stages[1].handover = Some(HandoverFacts::default());
    let report = report(&facts, at(5));
    assert_eq!(report.verdict, Overall::Open);
    let open = [
        "release",
        "process",
        "promotion",
        "evidence",
        "deployment",
        "handover",
    ];
    assert_eq!(not_met(&report, 1), open.map(|what| (what, Verdict::Open)));
    for requirement in &report.environments[1].requirements {
        assert!(
            requirement.detail.starts_with("not deployed there yet"),
            "{requirement:?}"
        );
        assert_eq!(
            requirement.unblocked_by.as_deref(),
            Some(
                "a deployment of storefront@1.0.0 to production-eu: slipway deploy create storefront@1.0.0 production-eu"
            )
        );
    }
    let evidence = found(&report, 1, "evidence");
    let id = facts.stages[1].evidence.statements[0].id.to_string();
    assert_eq!((&evidence.evidence, evidence.since), (&Some(id), None));
    assert!(
        evidence
            .detail
            .contains("so far: the test report `unit` of web@1.2.0 passed"),
        "{}",
        evidence.detail
    );
}

#[test]
fn evidence_that_is_missing_before_a_deployment_says_how_to_state_it() {
    let mut facts = of_stages(vec![stage("test", Tier::Test)]);
    facts.stages[0].evidence.statements.clear();
    let report = report(&facts, at(5));
    let evidence = found(&report, 0, "evidence");
    assert_eq!(
        evidence.detail,
        "not deployed there yet; so far: the test report `unit` of web@1.2.0 is missing"
    );
    assert!(
        evidence
            .unblocked_by
            .as_deref()
            .unwrap()
            .starts_with("slipway evidence add")
    );
}

#[test]
fn what_waits_is_open_as_its_gates_are_and_its_evidence_is_as_of_now() {
    let mut facts = of_stages(vec![stage("test", Tier::Test)]);
    let mut judged = gate_facts(&facts.stages[0]);
    judged.schedule.not_before = Some(at(20));
    facts.stages[0].deployment = Some(waits(&judged, ADMITTED));
    let waiting = report(&facts, at(11));
    assert_eq!(waiting.verdict, Overall::Open);
    assert_eq!(
        not_met(&waiting, 0),
        [("schedule", Verdict::Open), ("deployment", Verdict::Open)]
    );
    let schedule = found(&waiting, 0, "schedule");
    assert!(schedule.detail.starts_with("not to be started before"));
    assert_eq!(schedule.unblocked_by.as_deref(), Some("time"));
    // Too old by now: that is not what the gate said last.
    let later = report(&facts, at(26));
    assert_eq!(
        not_met(&later, 0),
        [
            ("evidence", Verdict::Open),
            ("schedule", Verdict::Open),
            ("deployment", Verdict::Open)
        ]
    );
}

#[test]
fn a_request_that_was_rejected_is_refused_by_what_refused_it() {
    let mut facts = of_stages(vec![stage("test", Tier::Test)]);
    let mut judged = gate_facts(&facts.stages[0]);
    judged.policies.rules[0].kept = Kept::NotKept;
    facts.stages[0].deployment = Some(DeploymentFacts {
        state: StateName::Rejected,
        reason: Some("policy: pinned!".to_owned()),
        ..waits(&judged, ADMITTED)
    });
    let report = report(&facts, at(11));
    assert_eq!(report.verdict, Overall::NotCompliant);
    let refused: Vec<_> = not_met(&report, 0)
        .into_iter()
        .filter(|(_, verdict)| *verdict == Verdict::Refused)
        .collect();
    assert_eq!(
        refused,
        [("policy", Verdict::Refused), ("deployment", Verdict::Refused)]
    );
    let policy = found(&report, 0, "policy");
    assert_eq!(policy.detail, "rule pinned refuses: pinned!");
    assert_eq!(policy.since, Some(at(ADMITTED)));
    assert!(
        found(&report, 0, "deployment")
            .detail
            .ends_with("was rejected, and never began: policy: pinned!")
    );
}

#[test]
fn what_expired_was_refused_by_nobody() {
    let mut facts = of_stages(vec![stage("test", Tier::Test)]);
    let judged = gate_facts(&facts.stages[0]);
    facts.stages[0].deployment = Some(DeploymentFacts {
        state: StateName::Expired,
        ..waits(&judged, 101)
    });
    let report = report(&facts, at(102));
    assert_eq!(report.verdict, Overall::Open);
    let schedule = found(&report, 0, "schedule");
    assert_eq!(schedule.verdict, Verdict::Open);
    assert!(
        schedule
            .detail
            .contains("expired, and never began; judged last: it expired at"),
        "{}",
        schedule.detail
    );
}

#[test]
fn a_policy_that_was_not_judged_yet_is_open() {
    let mut facts = of_stages(vec![stage("test", Tier::Test)]);
    let judged = gate_facts(&facts.stages[0]);
    let mut deployment = waits(&judged, ADMITTED);
    deployment.gates.retain(|gate| gate.name != GateName::Policy);
    facts.stages[0].deployment = Some(deployment);
    let report = report(&facts, at(11));
    let policy = found(&report, 0, "policy");
    assert_eq!(
        (policy.verdict, policy.detail.as_str()),
        (Verdict::Open, "it was not judged yet")
    );
}

#[test]
fn where_no_policy_covers_it_that_is_told() {
    let mut facts = of_stages(vec![stage("test", Tier::Test)]);
    let mut judged = gate_facts(&facts.stages[0]);
    judged.policies = Judgement::default();
    facts.stages[0].deployment = Some(succeeded(&judged));
    let report = report(&facts, at(11));
    let policy = found(&report, 0, "policy");
    assert_eq!(
        (policy.verdict, policy.source.to_string(), policy.detail.as_str()),
        (Verdict::Met, "Slipway".to_owned(), "no policy in force covers it")
    );
}

#[test]
fn a_release_that_was_withdrawn_or_of_which_something_was_recalled_is_compliant_nowhere() {
    for spoil in [
        (|facts| facts.withdrawn = Some("leaks".to_owned())) as fn(&mut Facts),
        |facts| facts.recalled = Some("web@1.2.0 was recalled: leaks".to_owned()),
    ] {
        let mut facts = good();
        facts.stages.push(stage("end", Tier::Production));
        spoil(&mut facts);
        let report = report(&facts, at(50));
        assert_eq!(report.verdict, Overall::NotCompliant);
        for environment in 0..3 {
            let release = found(&report, environment, "release");
            assert_eq!(release.verdict, Verdict::Refused);
            assert!(release.detail.ends_with(": leaks"), "{}", release.detail);
            let then = format!(
                "it was met when it was admitted at {} (sealed), and since then: ",
                at(ADMITTED)
            );
            assert_eq!(release.detail.starts_with(&then), environment < 2);
        }
    }
}

proptest! {
    /// Whatever was stated, judged and decided: what never began there has met nothing.
    #[test]
    fn what_never_began_is_met_nowhere(
        state in prop::sample::select(vec![
            None,
            Some(StateName::Cancelled),
            Some(StateName::Rejected),
            Some(StateName::Expired),
            Some(StateName::Superseded),
            // No state machine leads there; a row that says so is believed as little.
            Some(StateName::Succeeded),
        ]),
        tier in prop::sample::select(vec![Tier::Test, Tier::Production]),
        refuses in any::<bool>(),
        is_accepted in any::<bool>(),
        hour in 5_i64..200,
    ) {
        let mut facts = of_stages(vec![deployed("test", Tier::Test), stage("production", tier)]);
        let place = &mut facts.stages[1];
        let mut judged = gate_facts(place);
        if refuses {
            judged.policies.rules[0].kept = Kept::NotKept;
        }
        place.deployment = state.map(|state| DeploymentFacts { state, ..waits(&judged, hour) });
        place.approvals = vec![people::approved()];
        place.handover = Some(HandoverFacts { accepted: is_accepted.then(people::accepted) });
        let report = report(&facts, at(hour));
        for requirement in &report.environments[1].requirements {
            prop_assert_ne!(requirement.verdict, Verdict::Met, "{:?}", requirement);
            prop_assert!(requirement.unblocked_by.is_some(), "{:?}", requirement);
        }
        prop_assert_eq!(
            report.environments[1].verdict == Overall::NotCompliant,
            state == Some(StateName::Rejected)
        );
    }
}
