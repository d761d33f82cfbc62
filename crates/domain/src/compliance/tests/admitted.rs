//! What was admitted, by what is on record.

use super::*;
use proptest::prelude::*;

#[test]
fn what_was_admitted_though_a_gate_did_not_hold_is_refused() {
    for (gate, what) in [
        (GateName::Release, "release"),
        (GateName::Process, "process"),
        (GateName::Promotion, "promotion"),
        (GateName::Evidence, "evidence"),
        (GateName::Policy, "policy: no rule of the policies"),
        (GateName::Schedule, "schedule"),
        (GateName::Rollback, "rollback"),
        (GateName::Concurrency, "concurrency"),
    ] {
        let mut facts = good();
        let mut gates = deployment(&mut facts, 1).gates.iter_mut();
        gates.find(|judged| judged.name == gate).unwrap().verdict =
            gates::Verdict::waiting("not yet", None, "somebody");
        let report = report(&facts, at(50));
        assert_eq!(report.verdict, Overall::NotCompliant, "{gate}");
        let requirement = found(&report, 1, what);
        assert_eq!(requirement.verdict, Verdict::Refused);
        assert_eq!(requirement.detail, "it was admitted all the same: not yet");
    }
}

#[test]
fn what_was_admitted_without_a_verdict_on_record_is_refused() {
    for (gate, what) in [
        (GateName::Release, "release"),
        (GateName::Process, "process"),
        (GateName::Policy, "policy"),
        (GateName::Schedule, "schedule"),
        (GateName::Rollback, "rollback"),
        (GateName::Concurrency, "concurrency"),
    ] {
        let mut facts = good();
        deployment(&mut facts, 1)
            .gates
            .retain(|judged| judged.name != gate);
        let report = report(&facts, at(50));
        assert_eq!(not_met(&report, 1), [(what, Verdict::Refused)]);
        assert_eq!(
            found(&report, 1, what).detail,
            "it was admitted, and no verdict on this is on record"
        );
    }
}

#[test]
fn of_what_was_admitted_the_record_says_whether_anything_was_to_come_before() {
    let asks = |report: &Report, environment: usize, what: &str| {
        let mut all = report.environments[environment].requirements.iter();
        all.any(|requirement| requirement.what.starts_with(what))
    };
    let mut facts = good();
    assert!(!asks(&report(&facts, at(50)), 0, "promotion"));
    // Since then the environment was set to promote from another.
    facts.stages[0].promotes_from = Some(name("dev"));
    // And it was admitted before there were processes: none has anything before its first stage.
    let first = deployment(&mut facts, 0);
    first.gates.retain(|gate| gate.name != GateName::Process);
    let old = report(&facts, at(50));
    assert_eq!(old.verdict, Overall::Compliant);
    assert!(!asks(&old, 0, "promotion") && !asks(&old, 0, "process"));
}

#[test]
fn a_deployment_must_have_succeeded() {
    for (state, verdict, stands) in [
        (StateName::Running, Verdict::Open, "is running"),
        (StateName::Paused, Verdict::Open, "is paused"),
        (StateName::RollingBack, Verdict::Open, "is rolling back"),
        (StateName::RolledBack, Verdict::Refused, "was rolled back"),
        (StateName::Failed, Verdict::Refused, "failed"),
        (StateName::Errored, Verdict::Open, "errored"),
        (StateName::Cancelled, Verdict::Open, "was cancelled"),
    ] {
        let mut facts = good();
        let deployment = deployment(&mut facts, 1);
        deployment.state = state;
        deployment.reason = Some("because".to_owned());
        let detail = format!("{} {stands}: because", deployment.id);
        let report = report(&facts, at(50));
        assert_eq!(not_met(&report, 1), [("deployment", verdict)], "{state}");
        let requirement = found(&report, 1, "deployment");
        assert_eq!(requirement.detail, detail);
        assert!(requirement.unblocked_by.is_some());
    }
}

#[test]
fn each_policy_that_covered_it_is_told_with_its_rules_that_are_not_kept() {
    let mut facts = good();
    let mut judged = gate_facts(&facts.stages[1]);
    let mut other = rule("pinned", Kept::NotKept, two_people());
    other.policy = name("basics");
    other.version = 2;
    judged.policies.rules.push(other);
    judged.policies.policies.push((name("basics"), 2));
    judged.policies.policies.push((name("calm"), 1));
    let judged = waits(&judged, ADMITTED);
    let gate = judged
        .gates
        .into_iter()
        .find(|gate| gate.name == GateName::Policy);
    let deployment = deployment(&mut facts, 1);
    deployment.gates.retain(|gate| gate.name != GateName::Policy);
    deployment.gates.extend(gate);
    let report = report(&facts, at(50));
    let told: Vec<_> = report.environments[1]
        .requirements
        .iter()
        .filter(|requirement| requirement.what.starts_with("policy"))
        .map(|requirement| (requirement.source.to_string(), requirement.detail.as_str()))
        .collect();
    let expected = [
        (
            "policy careful, version 7",
            "no rule refuses; rule late warns: late!",
        ),
        (
            "policy basics, version 2",
            "no rule refuses; rule pinned asks for approval by 2 with the role authority: pinned!",
        ),
        ("policy calm, version 1", "every rule that applies is kept"),
    ];
    assert_eq!(told, expected.map(|(source, detail)| (source.to_owned(), detail)));
}

#[test]
fn a_policy_gate_whose_inputs_cannot_be_read_is_still_told() {
    let mut facts = good();
    let deployment = deployment(&mut facts, 1);
    let mut gates = deployment.gates.iter_mut();
    let gate = gates.find(|gate| gate.name == GateName::Policy).unwrap();
    gate.verdict = gates::Verdict::refused("no");
    gate.inputs = serde_json::json!({"policies": 7, "rules": [{}]});
    let report = report(&facts, at(50));
    let told: Vec<_> = report.environments[1]
        .requirements
        .iter()
        .filter(|requirement| requirement.what.starts_with("policy"))
        .map(|requirement| (requirement.source.to_string(), requirement.verdict))
        .collect();
    assert_eq!(
        told,
        [
            ("policy careful, version 7".to_owned(), Verdict::Met),
            ("Slipway".to_owned(), Verdict::Refused)
        ]
    );
}

proptest! {
    /// What was admitted is as it was judged then: no report differs by when it is asked for.
    #[test]
    fn time_alone_changes_nothing_of_what_was_admitted(now in ADMITTED..100_000, other in ADMITTED..100_000) {
        let facts = good();
        let (one, other) = (report(&facts, at(now)), report(&facts, at(other)));
        prop_assert_eq!(one.verdict, Overall::Compliant);
        prop_assert_eq!(one.environments, other.environments);
    }

    /// Whichever gates did not hold, or are not on record: it is not compliant. Of promotion alone, the record says whether it
    /// was asked for at all.
    #[test]
    fn a_release_is_compliant_only_if_every_gate_held(
        spoilt in prop::collection::btree_map(
            0_usize..8,
            prop::sample::select(vec!["waited", "refused", "gone"]),
            0..3,
        ),
    ) {
        let mut facts = good();
        let deployment = deployment(&mut facts, 1);
        let judged = std::mem::take(&mut deployment.gates);
        prop_assert_eq!(judged.len(), 8, "all but approval, for which nobody asked");
        let mut all_held = true;
        for (i, mut gate) in judged.into_iter().enumerate() {
            match spoilt.get(&i) {
                None => {}
                Some(&"waited") => gate.verdict = gates::Verdict::waiting("not yet", None, "somebody"),
                Some(&"refused") => gate.verdict = gates::Verdict::refused("no"),
                Some(_) => {
                    all_held &= gate.name == GateName::Promotion;
                    // What was stated before would be taken for it.
                    if gate.name == GateName::Evidence {
                        facts.stages[1].evidence.statements.clear();
                    }
                    continue;
                }
            }
            all_held &= !spoilt.contains_key(&i);
            facts.stages[1].deployment.as_mut().unwrap().gates.push(gate);
        }
        let verdict = report(&facts, at(50)).verdict;
        prop_assert_eq!(verdict, if all_held { Overall::Compliant } else { Overall::NotCompliant });
    }
}
