use super::*;
use crate::{
    evidence::{Format, Normal, Signature, Subject as StatedOf, Withdrawal},
    ids::{EvidenceId, PrincipalId, ReleaseId},
};
use proptest::prelude::*;

mod findings;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour * 3_600).unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// What a rule of a policy asks of each component.
fn required(kind: Kind, named: Option<&str>) -> Required {
    Required {
        source: Source::Policy {
            name: name("production"),
            version: 3,
            rule: name("proven"),
        },
        evidence: RequiredEvidence {
            kind,
            name: named.map(name),
            of: EvidenceOf::EveryComponent,
            max_age: None,
            signed: false,
        },
    }
}

fn subject(of: Of, called: &str) -> Subject {
    Subject {
        of,
        called: called.to_owned(),
        digest: Digest::of_bytes(called.as_bytes()),
    }
}

fn stated(called: &str, kind: Kind, named: &str, hour: i64) -> Statement {
    Statement {
        id: EvidenceId::new(),
        subject: StatedOf::Release(ReleaseId::new()),
        digest: Digest::of_bytes(called.as_bytes()),
        normal: Normal {
            kind,
            name: name(named),
            format: Format::Json,
            passed: true,
            counts: BTreeMap::from([("failed".to_owned(), 0), ("passed".to_owned(), 7)]),
            subjects: Vec::new(),
            signature: Signature::NotSigned,
            builder: None,
            tool: None,
            produced_at: None,
        },
        payload: Digest::of_bytes(b""),
        stated_by: PrincipalId::new(),
        stated_at: at(hour),
        withdrawn: None,
        superseded_by: None,
    }
}

fn failed(mut statement: Statement) -> Statement {
    statement.normal.passed = false;
    statement.normal.counts.insert("failed".to_owned(), 2);
    statement
}

/// Two components and a release; nothing is required, and nothing is stated.
fn facts() -> Facts {
    Facts {
        required: Vec::new(),
        subjects: vec![
            subject(Of::Release, "shop@1.0.0"),
            subject(Of::Component, "web@1.2.0"),
            subject(Of::Component, "db@2.0.0"),
        ],
        statements: Vec::new(),
    }
}

/// Both components are tested, and that is required.
fn good() -> Facts {
    Facts {
        required: vec![required(Kind::TestReport, Some("unit"))],
        statements: vec![
            stated("web@1.2.0", Kind::TestReport, "unit", 0),
            stated("db@2.0.0", Kind::TestReport, "unit", 0),
        ],
        ..facts()
    }
}

fn satisfied(facts: &Facts, now: Timestamp) -> bool {
    matches!(judge(facts, now).0, Verdict::Satisfied { .. })
}

fn waits(facts: &Facts, now: Timestamp) -> (String, String) {
    match judge(facts, now).0 {
        Verdict::Waiting {
            reason,
            until: None,
            unblocked_by,
        } => (reason, unblocked_by),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_there_and_passed_satisfies() {
    assert!(satisfied(&facts(), at(1)), "nothing is required");
    let (verdict, inputs) = judge(&good(), at(1));
    assert_eq!(verdict.reason(), "all evidence that is required is there: 1 of 1");
    assert_eq!(inputs["required"][0]["source"]["policy"]["rule"], "proven");
    assert_eq!(inputs["stated"][0]["age"], 3_600);
    assert_eq!(inputs["stated"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_missing_is_named_with_the_command_that_states_it() {
    let mut facts = good();
    facts.statements.pop();
    let (reason, unblocked_by) = waits(&facts, at(1));
    assert_eq!(
        reason,
        "the test report `unit` of db@2.0.0 is missing (asked for by policy production, version 3, rule proven)"
    );
    assert_eq!(
        unblocked_by,
        "slipway evidence add db@2.0.0 --kind test_report --name unit --file FILE"
    );
    facts.required[0].evidence.of = EvidenceOf::Release;
    facts.required[0].evidence.name = None;
    let (reason, unblocked_by) = waits(&facts, at(1));
    assert!(reason.starts_with("a test report of shop@1.0.0 is missing"));
    assert_eq!(
        unblocked_by,
        "slipway evidence add --release shop@1.0.0 --kind test_report --file FILE"
    );
}

#[test]
fn everything_that_is_missing_or_wrong_is_in_one_reason() {
    let mut facts = good();
    facts.statements[0] = failed(facts.statements[0].clone());
    facts.required.push(required(Kind::Scan, None));
    facts.required.push(Required {
        source: Source::Process {
            name: name("delivery"),
            version: 1,
            stage: name("production"),
        },
        ..required(Kind::Scan, None)
    });
    facts.required[1].evidence.max_age = Some(hours(24));
    facts.statements.push(stated("web@1.2.0", Kind::Scan, "trivy", 0));
    let (reason, unblocked_by) = waits(&facts, at(30));
    for expected in [
        "the test report `unit` of web@1.2.0 did not pass (failed: 2, passed: 7) (asked for by",
        "the scan `trivy` of web@1.2.0 is 30h old, and at most 24h is allowed (asked for by policy production",
        "a scan of db@2.0.0 is missing (asked for by policy production, version 3, rule proven; process delivery, version 1, \
         stage production)",
    ] {
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    assert_eq!(
        unblocked_by
            .matches("slipway evidence add db@2.0.0 --kind scan --file FILE")
            .count(),
        1
    );
    assert_eq!(unblocked_by.matches("slipway evidence add").count(), 3);
}

#[test]
fn a_newer_statement_that_passed_takes_the_place_of_one_that_failed() {
    let mut facts = good();
    facts
        .statements
        .push(failed(stated("web@1.2.0", Kind::TestReport, "unit", 2)));
    assert!(!satisfied(&facts, at(3)), "the newest failed");
    facts
        .statements
        .push(stated("web@1.2.0", Kind::TestReport, "unit", 3));
    assert!(satisfied(&facts, at(3)));
}

#[test]
fn what_was_withdrawn_waits_until_it_is_stated_again() {
    let mut facts = good();
    let mut newer = stated("web@1.2.0", Kind::TestReport, "unit", 2);
    newer.withdrawn = Some(Withdrawal {
        by: PrincipalId::new(),
        at: at(3),
        reason: "the wrong file".to_owned(),
    });
    facts.statements.push(newer);
    let (reason, _) = waits(&facts, at(4));
    assert!(
        reason.starts_with(
            "the test report `unit` of web@1.2.0 was withdrawn (the wrong file) and not stated again"
        ),
        "{reason}"
    );
}

#[test]
fn a_required_signature_must_have_been_verified() {
    let mut facts = good();
    facts.required[0].evidence.signed = true;
    facts.statements[1].normal.signature = Signature::Verified { by: name("release") };
    let (reason, _) = waits(&facts, at(1));
    assert!(
        reason.starts_with("the test report `unit` of web@1.2.0 is not signed with a key that was verified")
    );
    assert!(!reason.contains("db@2.0.0"));
    facts.statements[0].normal.signature = Signature::Verified { by: name("release") };
    assert!(satisfied(&facts, at(1)));
}

#[test]
fn without_a_name_none_may_have_failed_and_one_must_meet_the_rest() {
    let mut facts = good();
    facts.required = vec![required(Kind::TestReport, None)];
    facts.required[0].evidence.max_age = Some(hours(10));
    facts
        .statements
        .push(stated("web@1.2.0", Kind::TestReport, "e2e", -100));
    assert!(satisfied(&facts, at(1)), "one is fresh");
    facts
        .statements
        .push(failed(stated("web@1.2.0", Kind::TestReport, "load", -100)));
    assert!(
        waits(&facts, at(1))
            .0
            .contains("`load` of web@1.2.0 did not pass")
    );
}

#[test]
fn what_is_required_of_nothing_is_not_met() {
    let mut facts = good();
    facts.subjects.truncate(1);
    assert!(
        waits(&facts, at(1))
            .0
            .starts_with("there is nothing that a test report could be about")
    );
}

#[test]
fn evidence_of_another_digest_is_none() {
    let mut facts = good();
    facts.subjects[1].digest = Digest::of_bytes(b"built again");
    assert!(waits(&facts, at(1)).0.contains("of web@1.2.0 is missing"));
}

proptest! {
    /// The boundary is exact: it holds until a nanosecond before, and not from then on.
    #[test]
    fn it_is_satisfied_until_the_first_of_it_gets_too_old(
        stated_at in prop::collection::vec((0_i64..50, 0_usize..2), 0..6),
        max_ages in prop::collection::vec(prop::option::of(1_i64..100), 1..3),
        named in any::<bool>(),
        now in 50_i64..60,
    ) {
        let mut facts = good();
        for (hour, which) in stated_at {
            let called = ["unit", "e2e"][which];
            facts.statements.push(stated("web@1.2.0", Kind::TestReport, called, hour));
        }
        facts.required = max_ages
            .iter()
            .map(|max_age| {
                let mut required = required(Kind::TestReport, named.then_some("unit"));
                required.evidence.max_age = max_age.map(hours);
                required
            })
            .collect();
        let until = satisfied_until(&facts, at(now));
        match (satisfied(&facts, at(now)), until) {
            (true, Some(until)) => {
                prop_assert!(until > at(now));
                prop_assert!(satisfied(&facts, until - SignedDuration::from_nanos(1)));
                prop_assert!(!satisfied(&facts, until));
            }
            (true, None) => {
                prop_assert!(max_ages.iter().all(Option::is_none));
                prop_assert!(satisfied(&facts, Timestamp::MAX));
            }
            (false, until) => prop_assert_eq!(until, None),
        }
    }
}

#[test]
fn whatever_failed_is_told_with_what_would_mend_it_and_taking_it_back_mends_nothing() {
    let facts = facts();
    let mut statements = vec![
        failed(stated("web@1.2.0", Kind::TestReport, "unit", 0)),
        stated("web@1.2.0", Kind::TestReport, "e2e", 0),
        failed(stated("db@2.0.0", Kind::Scan, "trivy", 0)),
        failed(stated("other@1.0.0", Kind::Scan, "trivy", 0)),
        // Followed by a better one.
        failed(stated("shop@1.0.0", Kind::ManualCheck, "looked", 0)),
        stated("shop@1.0.0", Kind::ManualCheck, "looked", 1),
    ];
    let told = |statements: &[Statement]| {
        let failing = failing(&facts.subjects, statements);
        let said = failing.into_iter().map(|one| (one.reason, one.unblocked_by));
        said.collect::<Vec<_>>()
    };
    let unit = (
        "the test report `unit` of web@1.2.0 did not pass (failed: 2, passed: 7)".to_owned(),
        "slipway evidence add web@1.2.0 --kind test_report --name unit --file FILE".to_owned(),
    );
    let scan = (
        "the scan `trivy` of db@2.0.0 did not pass (failed: 2, passed: 7)".to_owned(),
        "slipway evidence add db@2.0.0 --kind scan --name trivy --file FILE".to_owned(),
    );
    assert_eq!(told(&statements), [unit.clone(), scan.clone()]);
    statements[0].withdrawn = Some(Withdrawal {
        by: PrincipalId::new(),
        at: at(2),
        reason: "inconvenient".to_owned(),
    });
    let withdrawn = (unit.0 + ", and was withdrawn without another one", unit.1);
    assert_eq!(told(&statements), [withdrawn, scan]);
}

#[test]
fn a_report_that_failed_and_was_withdrawn_cannot_be_passed_over_for_another() {
    let mut facts = good();
    facts.required = vec![required(Kind::TestReport, None)];
    assert!(matches!(judge(&facts, at(1)).0, Verdict::Satisfied { .. }));
    let mut worse = failed(stated("web@1.2.0", Kind::TestReport, "e2e", 0));
    worse.withdrawn = Some(Withdrawal {
        by: PrincipalId::new(),
        at: at(1),
        reason: "inconvenient".to_owned(),
    });
    facts.statements.push(worse);
    assert!(matches!(judge(&facts, at(1)).0, Verdict::Waiting { .. }));
}
