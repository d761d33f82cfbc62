use super::*;
use serde_json::json;

fn withdrawn(mut statement: Statement) -> Statement {
    statement.withdrawn = Some(Withdrawal {
        by: PrincipalId::new(),
        at: at(3),
        reason: "the wrong file".to_owned(),
    });
    statement
}

fn signed(mut statement: Statement) -> Statement {
    statement.normal.signature = Signature::Verified { by: name("release") };
    statement
}

#[test]
fn each_requirement_is_told_of_each_subject_with_the_statement_that_meets_it() {
    let mut facts = good();
    facts.required[0].evidence.max_age = Some(hours(24));
    facts.statements[0] = signed(facts.statements[0].clone());
    facts.statements.pop();
    let findings = each(&facts, at(2));
    let [web, db] = &findings[..] else {
        panic!("{findings:?}");
    };
    assert!(web.met && web.about == "web@1.2.0" && web.unblocked_by.is_none());
    assert_eq!(web.statement, Some(facts.statements[0].id));
    assert_eq!(
        (web.since, &web.verified_by),
        (Some(at(0)), &Some(name("release")))
    );
    assert_eq!(
        web.detail,
        "the test report `unit` of web@1.2.0 passed (failed: 0, passed: 7), signed with the key `release`, 2h old of 24h at \
         most"
    );
    assert!(!db.met && db.about == "db@2.0.0");
    assert_eq!((db.statement, db.since), (None, None));
    assert_eq!(db.detail, "the test report `unit` of db@2.0.0 is missing");
    assert_eq!(
        db.unblocked_by.as_deref(),
        Some("slipway evidence add db@2.0.0 --kind test_report --name unit --file FILE")
    );
}

#[test]
fn the_statement_that_fails_a_requirement_is_told_too() {
    for (spoil, detail) in [
        (failed as fn(Statement) -> Statement, "did not pass"),
        (withdrawn, "was withdrawn (the wrong file)"),
        (|one| one, "is 30h old, and at most 24h is allowed"),
    ] {
        let mut facts = good();
        facts.required[0].evidence.max_age = Some(hours(24));
        facts.statements[0] = spoil(facts.statements[0].clone());
        let web = &each(&facts, at(30))[0];
        assert!(!web.met && web.detail.contains(detail), "{}", web.detail);
        assert_eq!(web.statement, Some(facts.statements[0].id));
        assert_eq!(web.since, Some(at(0)));
    }
}

#[test]
fn of_several_that_meet_it_the_first_is_told_and_of_an_earlier_time_no_age() {
    let mut facts = good();
    facts.required = vec![required(Kind::TestReport, None)];
    facts
        .statements
        .push(stated("web@1.2.0", Kind::TestReport, "e2e", -1));
    let web = &each(&facts, at(-2))[0];
    assert_eq!(web.since, Some(at(-1)));
    assert_eq!(
        web.detail,
        "the test report `e2e` of web@1.2.0 passed (failed: 0, passed: 7)"
    );
}

#[test]
fn what_is_required_of_nothing_is_told_and_not_met() {
    let mut facts = good();
    facts.required.push(required(Kind::Scan, None));
    facts.required[1].evidence.of = EvidenceOf::Release;
    facts.subjects.clear();
    let findings = each(&facts, at(1));
    let told: Vec<_> = findings.iter().map(|f| (f.about.as_str(), f.met)).collect();
    assert_eq!(told, [("every component", false), ("the release", false)]);
    assert_eq!(
        findings[1].unblocked_by.as_deref(),
        Some("a release that is sealed")
    );
}

#[test]
fn what_a_verdict_was_judged_on_reads_back_and_what_cannot_be_read_is_told() {
    let mut facts = good();
    facts.required[0].evidence.max_age = Some(hours(36));
    facts.required.push(Required {
        source: Source::Process {
            name: name("delivery"),
            version: 1,
            stage: name("production"),
        },
        ..required(Kind::Scan, None)
    });
    facts.statements[0] = signed(facts.statements[0].clone());
    let (_, mut inputs) = judge(&facts, at(1));
    let read = recorded(&inputs);
    for required in &facts.required {
        assert!(read.asks_for(required));
    }
    assert_eq!((read.required.len(), read.unread.len()), (2, 0));
    assert_eq!(read.required[0].evidence.max_age, Some(hours(36)));
    let web = read.seen.iter().find(|seen| seen.subject == "web@1.2.0").unwrap();
    assert_eq!(web.evidence, facts.statements[0].id);
    assert_eq!(web.verified_by, Some(name("release")));
    assert!(web.passed);
    assert!(!read.asks_for(&required(Kind::Sbom, None)));

    inputs["required"][0]["kind"] = json!("horoscope");
    let read = recorded(&inputs);
    assert_eq!(read.required.len(), 1);
    assert!(read.unread[0].contains("horoscope"));
    for nothing in [Value::Null, json!([]), json!({"required": 7})] {
        let read = recorded(&nothing);
        assert!(read.required.is_empty() && read.unread.is_empty() && read.seen.is_empty());
    }
}

/// Anything that may be stated about what is asked for here.
fn any_statement() -> impl Strategy<Value = Statement> {
    let about = prop::sample::select(vec!["shop@1.0.0", "web@1.2.0", "db@2.0.0", "other@1.0.0"]);
    let kind = prop::sample::select(vec![Kind::TestReport, Kind::Scan]);
    let called = prop::sample::select(vec!["unit", "e2e"]);
    (about, kind, called, 0_i64..20, any::<[bool; 4]>()).prop_map(
        |(about, kind, called, hour, [passed, is_signed, taken_back, followed])| {
            let mut statement = stated(about, kind, called, hour);
            if !passed {
                statement = failed(statement);
            }
            if is_signed {
                statement = signed(statement);
            }
            if taken_back {
                statement = withdrawn(statement);
            }
            statement.superseded_by = followed.then(EvidenceId::new);
            statement
        },
    )
}

fn any_requirement() -> impl Strategy<Value = Required> {
    let kind = prop::sample::select(vec![Kind::TestReport, Kind::Scan]);
    let called = prop::sample::select(vec![None, Some("unit")]);
    let max_age = prop::option::of(1_i64..20);
    (kind, called, max_age, any::<[bool; 2]>()).prop_map(
        |(kind, called, max_age, [is_signed, of_release])| {
            let mut required = required(kind, called);
            required.evidence.max_age = max_age.map(hours);
            required.evidence.signed = is_signed;
            if of_release {
                required.evidence.of = EvidenceOf::Release;
            }
            required
        },
    )
}

proptest! {
    #[test]
    fn the_gate_is_satisfied_exactly_when_every_requirement_of_every_subject_is_met(
        required in prop::collection::vec(any_requirement(), 0..3),
        statements in prop::collection::vec(any_statement(), 0..8),
        subjects in 0_usize..4,
        now in 0_i64..25,
    ) {
        let mut facts = Facts { required, statements, ..facts() };
        facts.subjects.truncate(subjects);
        let findings = each(&facts, at(now));
        prop_assert_eq!(satisfied(&facts, at(now)), findings.iter().all(|finding| finding.met));
        for required in &facts.required {
            let told = findings.iter().filter(|finding| finding.evidence == required.evidence).count();
            prop_assert!(told > 0, "none is left out");
        }
        for finding in &findings {
            prop_assert_eq!(finding.met, finding.unblocked_by.is_none());
            prop_assert_eq!(finding.statement.is_some(), finding.since.is_some());
            prop_assert!(!finding.met || finding.statement.is_some());
        }
    }
}
