//! What became of evidence since it was admitted with.

use super::*;

fn newer(mut older: Statement, hour: i64) -> Statement {
    older.id = EvidenceId::new();
    older.stated_at = at(hour);
    older
}

/// A statement in the place of the first of the stage.
fn instead(facts: &mut Facts, stage: usize, newer: Statement) -> Statement {
    let statements = &mut facts.stages[stage].evidence.statements;
    let mut older = statements.remove(0);
    older.superseded_by = Some(newer.id);
    statements.push(newer);
    older
}

#[test]
fn a_newer_statement_that_failed_refuses_what_was_met_and_revokes_what_was_shown_before() {
    let mut facts = good();
    let newest = failed(unit(40));
    let id = newest.id;
    let older = instead(&mut facts, 1, newest);
    let report = report(&facts, at(50));
    assert_eq!(report.verdict, Overall::NotCompliant);
    assert_eq!(
        not_met(&report, 1),
        ["process", "promotion", "evidence"].map(|what| (what, Verdict::Refused))
    );
    let admitted = format!("it was met when it was admitted at {} ", at(ADMITTED));
    let evidence = found(&report, 1, "evidence");
    assert_eq!(
        evidence.detail,
        format!(
            "{admitted}(by {}), and since then: the test report `unit` of web@1.2.0 did not pass (failed: 2), as was stated at {}",
            older.id,
            at(40)
        )
    );
    assert_eq!(evidence.evidence, Some(id.to_string()));
    assert_eq!(evidence.since, Some(at(40)));
    assert!(evidence.unblocked_by.is_some());
    let process = found(&report, 1, "process");
    assert!(
        process.detail.contains("passed the stage test")
            && process.detail.contains("and since then: revoked, "),
        "{}",
        process.detail
    );
    let promotion = found(&report, 1, "promotion");
    assert_eq!(
        promotion.detail,
        format!(
            "{admitted}(succeeded in test-eu at {}), and since then: revoked, the test report `unit` of web@1.2.0 did not pass \
             (failed: 2)",
            at(2)
        )
    );
    assert_eq!(promotion.evidence, Some(id.to_string()));
    assert_eq!(promotion.since, Some(at(40)));
}

#[test]
fn what_failed_and_nobody_required_revokes_what_was_shown_before_and_nothing_in_the_first_stage() {
    let mut facts = good();
    let scan = failed(stated("storefront@1.0.0", evidence::Kind::Scan, "trivy", 40));
    for stage in &mut facts.stages {
        stage.evidence.statements.push(scan.clone());
    }
    let report = report(&facts, at(50));
    assert!(not_met(&report, 0).is_empty());
    assert_eq!(
        not_met(&report, 1),
        ["process", "promotion"].map(|what| (what, Verdict::Refused))
    );
}

#[test]
fn what_was_taken_back_since_is_open_until_it_is_stated_again() {
    let mut facts = good();
    let statement = &mut facts.stages[1].evidence.statements[0];
    statement.withdrawn = Some(Withdrawal {
        by: PrincipalId::new(),
        at: at(30),
        reason: "the wrong file".to_owned(),
    });
    let id = statement.id;
    let taken_back = report(&facts, at(50));
    assert_eq!(taken_back.verdict, Overall::Open);
    let evidence = found(&taken_back, 1, "evidence");
    assert_eq!(
        evidence.detail,
        format!(
            "it was met when it was admitted at {} (by {id}), and since then: the test report `unit` of web@1.2.0 was withdrawn \
             (the wrong file) and not stated again",
            at(ADMITTED)
        )
    );
    assert_eq!(evidence.since, Some(at(30)));
    facts.stages[1].evidence.statements.push(unit(45));
    assert_eq!(report(&facts, at(50)).verdict, Overall::Compliant);
}

#[test]
fn a_newer_statement_that_passed_leaves_on_record_what_it_was_admitted_with() {
    let mut facts = good();
    let newest = newer(facts.stages[1].evidence.statements[0].clone(), 40);
    let older = instead(&mut facts, 1, newest);
    let without = report(&facts, at(50));
    facts.stages[1].evidence.statements.push(older.clone());
    let with = report(&facts, at(50));
    for (told, since) in [(without, ADMITTED), (with, 1)] {
        assert_eq!(told.verdict, Overall::Compliant);
        let evidence = found(&told, 1, "evidence");
        assert_eq!(evidence.evidence, Some(older.id.to_string()));
        // Since when, the superseded statement tells, if the caller has it.
        assert_eq!(evidence.since, Some(at(since)));
        assert_eq!(
            evidence.detail,
            format!(
                "it was met when it was admitted at {} (by {}), and is met now: the test report `unit` of web@1.2.0 passed \
                 (failed: 0)",
                at(ADMITTED),
                older.id
            )
        );
    }
}

#[test]
fn what_gave_way_to_less_is_open() {
    let mut facts = good();
    for stage in &mut facts.stages {
        stage.evidence.required[0].evidence.signed = true;
        stage.evidence.statements[0].normal.signature = Signature::Verified { by: name("ci") };
        stage.deployment = Some(succeeded(&gate_facts(stage)));
    }
    assert_eq!(report(&facts, at(50)).verdict, Overall::Compliant);
    instead(&mut facts, 1, unit(40));
    let report = report(&facts, at(50));
    assert_eq!(not_met(&report, 1), [("evidence", Verdict::Open)]);
    assert!(
        found(&report, 1, "evidence")
            .detail
            .contains("and since then: the test report `unit` of web@1.2.0 is not signed")
    );
}

#[test]
fn what_is_on_record_as_required_is_told_though_nobody_names_it_any_more() {
    let mut facts = good();
    facts.stages[1].evidence.required.clear();
    assert_eq!(report(&facts, at(50)).verdict, Overall::Compliant);
    assert_eq!(
        found(&report(&facts, at(50)), 1, "evidence").verdict,
        Verdict::Met
    );
    instead(&mut facts, 1, failed(unit(40)));
    assert_eq!(
        found(&report(&facts, at(50)), 1, "evidence").verdict,
        Verdict::Refused
    );
}

#[test]
fn what_is_required_and_not_on_record_is_met_only_by_what_was_stated_before() {
    for (hour, verdict, said) in [
        (
            5,
            Verdict::Met,
            "that it was asked for when it was admitted is not on record",
        ),
        (
            15,
            Verdict::Refused,
            "is not on record: the scan `trivy` of web@1.2.0 passed",
        ),
        (
            -30,
            Verdict::Refused,
            "is not on record: the scan `trivy` of web@1.2.0 is 40h old",
        ),
    ] {
        let mut facts = good();
        let mut scanned = tested("production");
        scanned.evidence.kind = evidence::Kind::Scan;
        scanned.evidence.name = None;
        let stated = stated("web@1.2.0", evidence::Kind::Scan, "trivy", hour);
        facts.stages[1].evidence.required.push(scanned);
        facts.stages[1].evidence.statements.push(stated);
        let report = report(&facts, at(50));
        let scan = found(&report, 1, "evidence: scan");
        assert_eq!(scan.verdict, verdict);
        assert!(scan.detail.contains(said), "{}", scan.detail);
    }
}

#[test]
fn a_requirement_on_record_that_cannot_be_read_is_told_and_open() {
    let mut facts = good();
    facts.stages[1].evidence.required.clear();
    let mut gates = deployment(&mut facts, 1).gates.iter_mut();
    let gate = gates.find(|gate| gate.name == GateName::Evidence).unwrap();
    gate.inputs["required"][0]["kind"] = serde_json::json!("horoscope");
    let report = report(&facts, at(50));
    assert_eq!(not_met(&report, 1), [("evidence", Verdict::Open)]);
    assert!(found(&report, 1, "evidence").detail.contains("horoscope"));
}
