use super::*;
use crate::{
    Digest, Name,
    approval::{Answer, ApprovalState},
    deployment::{Kind, StateName},
    evidence::{self, Format, Normal, Signature, Statement, Withdrawal},
    gates::{
        self, GateName, approval, concurrency,
        evidence::{Of, Required, Source, Subject},
        process, promotion, rollback, schedule,
    },
    identity::Role,
    ids::*,
    policy::{
        Effect, Judgement, Kept, RuleVerdict,
        document::{EvidenceOf, RequiredEvidence},
    },
    registry::{Criticality, Tier},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

mod admitted;
mod evidence_since;
mod pages;
mod people;
mod waiting;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + hour * 3_600).unwrap()
}

/// When everything in these tests was admitted.
const ADMITTED: i64 = 10;

fn stated(called: &str, kind: evidence::Kind, named: &str, hour: i64) -> Statement {
    Statement {
        id: EvidenceId::new(),
        subject: evidence::Subject::Release(ReleaseId::new()),
        digest: Digest::of_bytes(called.as_bytes()),
        normal: Normal {
            kind,
            name: name(named),
            format: Format::Json,
            passed: true,
            counts: BTreeMap::from([("failed".to_owned(), 0)]),
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

fn unit(hour: i64) -> Statement {
    stated("web@1.2.0", evidence::Kind::TestReport, "unit", hour)
}

fn failed(mut statement: Statement) -> Statement {
    statement.normal.passed = false;
    statement.normal.counts.insert("failed".to_owned(), 2);
    statement
}

/// What the stage asks of each component.
fn tested(stage: &str) -> Required {
    Required {
        source: Source::Process {
            name: name("delivery"),
            version: 3,
            stage: name(stage),
        },
        evidence: RequiredEvidence {
            kind: evidence::Kind::TestReport,
            name: Some(name("unit")),
            of: EvidenceOf::EveryComponent,
            max_age: Some(SignedDuration::from_hours(24)),
            signed: false,
        },
    }
}

fn rule(called: &str, kept: Kept, effect: Effect) -> RuleVerdict {
    RuleVerdict {
        policy: name("careful"),
        version: 7,
        rule: name(called),
        kept,
        effect,
        message: Some(format!("{called}!")),
        because: Vec::new(),
    }
}

fn two_people() -> Effect {
    Effect::RequireApproval(crate::approval::Requirement::new(Role::Authority, 2))
}

fn stage(called: &str, tier: Tier) -> StageFacts {
    let subject = |of, called: &str| Subject {
        of,
        called: called.to_owned(),
        digest: Digest::of_bytes(called.as_bytes()),
    };
    StageFacts {
        stage: name(called),
        environment: name(&format!("{called}-eu")),
        tier,
        promotes_from: (tier == Tier::Production).then(|| name("test-eu")),
        evidence: gates::evidence::Facts {
            required: vec![tested(called)],
            subjects: vec![
                subject(Of::Release, "storefront@1.0.0"),
                subject(Of::Component, "web@1.2.0"),
            ],
            statements: vec![unit(1)],
        },
        deployment: None,
        approvals: Vec::new(),
        handover: None,
    }
}

/// What gates are judged on when all of them hold, but for evidence.
fn gate_facts(stage: &StageFacts) -> gates::Facts {
    let approvals = stage.approvals.iter().map(|approval| approval::Facts {
        id: approval.id,
        state: approval.state,
        asked: crate::approval::Asked::Before,
        requirements: Vec::new(),
        judged: ApprovalState::Approved,
        quorum: crate::approval::quorum::Quorum::default(),
        expires_at: None,
        changes: Vec::new(),
        names: BTreeMap::default(),
        digest: Digest::of_bytes(b""),
        unchanged: true,
        rejected_by: None,
    });
    gates::Facts {
        asked_for: Vec::new(),
        overrides: Vec::new(),
        kind: Kind::Deploy,
        release_problem: None,
        process: process::Facts {
            process: name("delivery"),
            version: 3,
            stage: Some(stage.stage.clone()),
            environment: stage.environment.clone(),
            before: (stage.tier == Tier::Production).then(|| process::Before {
                stage: name("test"),
                soak: SignedDuration::ZERO,
                share: 100,
                environments: vec![process::Passed {
                    environment: name("test-eu"),
                    succeeded_at: Some(at(2)),
                    succeeded: 1,
                    targets: 1,
                }],
                failing: Vec::new(),
            }),
            release: "storefront@1.0.0".to_owned(),
        },
        promotion: (stage.tier == Tier::Production).then(|| promotion::Facts {
            from: name("test-eu"),
            soak: SignedDuration::ZERO,
            succeeded_at: Some(at(2)),
            undone_by: None,
            failing: Vec::new(),
            release: "storefront@1.0.0".to_owned(),
        }),
        policies: Judgement {
            break_glass: Vec::new(),
            rules: vec![
                rule("pinned", Kept::Kept, Effect::Refuse),
                rule("late", Kept::NotKept, Effect::Warn),
            ],
            policies: vec![(name("careful"), 7)],
        },
        evidence: stage.evidence.clone(),
        approvals: approvals.collect(),
        schedule: schedule::Facts {
            not_before: None,
            expires_at: at(100),
        },
        rollback: rollback::Facts::default(),
        concurrency: concurrency::Facts::default(),
    }
}

/// A deployment that waits, as judged then.
fn waits(facts: &gates::Facts, hour: i64) -> DeploymentFacts {
    DeploymentFacts {
        id: DeploymentId::new(),
        state: StateName::Pending,
        requested_by: "cy".to_owned(),
        since: at(hour),
        started_at: None,
        finished_at: None,
        reason: None,
        gates: gates::evaluate(facts, at(hour)),
        policies: facts.policies.policies.clone(),
    }
}

/// One that was admitted, and succeeded.
fn succeeded(facts: &gates::Facts) -> DeploymentFacts {
    let deployment = waits(facts, ADMITTED);
    assert!(gates::all_satisfied(&deployment.gates), "{:?}", deployment.gates);
    DeploymentFacts {
        state: StateName::Succeeded,
        since: at(ADMITTED + 1),
        started_at: Some(at(ADMITTED)),
        finished_at: Some(at(ADMITTED + 1)),
        ..deployment
    }
}

fn deployed(called: &str, tier: Tier) -> StageFacts {
    let stage = stage(called, tier);
    StageFacts {
        deployment: Some(succeeded(&gate_facts(&stage))),
        ..stage
    }
}

fn of_stages(stages: Vec<StageFacts>) -> Facts {
    Facts {
        release: "storefront@1.0.0".to_owned(),
        digest: Digest::of_bytes(b"storefront@1.0.0"),
        service: name("storefront"),
        team: name("shop"),
        criticality: Criticality::High,
        author: "ana".to_owned(),
        sealed_by: "bo".to_owned(),
        sealed_at: at(0),
        withdrawn: None,
        recalled: None,
        process: name("delivery"),
        process_version: 3,
        stages,
    }
}

/// A release that has gone all its way.
fn good() -> Facts {
    of_stages(vec![
        deployed("test", Tier::Test),
        deployed("production", Tier::Production),
    ])
}

fn deployment(facts: &mut Facts, stage: usize) -> &mut DeploymentFacts {
    facts.stages[stage].deployment.as_mut().unwrap()
}

/// What became, in an environment, of what begins so.
fn found<'r>(report: &'r Report, environment: usize, what: &str) -> &'r Requirement {
    let mut all = report.environments[environment].requirements.iter();
    all.find(|requirement| requirement.what.starts_with(what))
        .unwrap_or_else(|| panic!("{what}: {:?}", report.environments[environment].requirements))
}

/// What is not met in an environment, by its beginning.
fn not_met(report: &Report, environment: usize) -> Vec<(&str, Verdict)> {
    let all = report.environments[environment].requirements.iter();
    all.filter(|requirement| requirement.verdict != Verdict::Met)
        .map(|requirement| {
            let (what, _) = requirement.what.split_once(':').unwrap();
            (what, requirement.verdict)
        })
        .collect()
}

#[test]
fn a_release_that_has_gone_all_its_way_is_compliant_and_every_requirement_says_whose_it_is_and_since_when() {
    let facts = good();
    let report = report(&facts, at(9_000));
    assert_eq!(report.verdict, Overall::Compliant, "{report:#?}");
    let production = &report.environments[1];
    let told: Vec<_> = production
        .requirements
        .iter()
        .map(|requirement| {
            let (what, _) = requirement.what.split_once(':').unwrap();
            (what, requirement.source.to_string(), requirement.since.unwrap())
        })
        .collect();
    let process = "process delivery, version 3, stage production";
    let expected = [
        ("release", "Slipway", ADMITTED),
        ("process", process, ADMITTED),
        ("promotion", "environment production-eu", ADMITTED),
        ("policy", "policy careful, version 7", ADMITTED),
        ("evidence", process, 1),
        ("schedule", "Slipway", ADMITTED),
        ("rollback", "Slipway", ADMITTED),
        ("concurrency", "Slipway", ADMITTED),
        ("deployment", process, ADMITTED + 1),
    ];
    assert_eq!(
        told,
        expected.map(|(what, source, hour)| (what, source.to_owned(), at(hour)))
    );
    let id = facts.stages[1].deployment.as_ref().unwrap().id.to_string();
    for requirement in &production.requirements {
        let evidence = requirement.evidence.as_deref().unwrap();
        if requirement.what.starts_with("evidence") {
            assert_eq!(evidence, facts.stages[1].evidence.statements[0].id.to_string());
            assert_eq!(requirement.about, "web@1.2.0");
            assert_eq!(
                requirement.detail,
                "the test report `unit` of web@1.2.0 passed (failed: 0), 9h old of 24h at most"
            );
        } else {
            assert_eq!(
                (evidence, requirement.about.as_str()),
                (id.as_str(), "storefront@1.0.0")
            );
        }
    }
    assert_eq!(
        found(&report, 1, "policy").detail,
        "no rule refuses; rule late warns: late!"
    );
}

#[test]
fn a_report_reads_back_as_it_was_written() {
    let mut facts = good();
    facts.withdrawn = Some("leaks".to_owned());
    facts.stages.push(stage("end", Tier::Production));
    let report = report(&facts, at(50));
    let written = serde_json::to_value(&report).unwrap();
    assert_eq!(written["verdict"], "not_compliant");
    assert_eq!(written["environments"][0]["deployment"]["state"], "succeeded");
    let policy = &written["environments"][1]["requirements"][3];
    assert_eq!(
        policy["source"],
        serde_json::json!({"kind": "policy", "name": "careful", "version": 7})
    );
    assert_eq!(serde_json::from_value::<Report>(written).unwrap(), report);
}

#[test]
fn a_report_of_no_environment_shows_nothing_and_is_open() {
    let mut facts = of_stages(Vec::new());
    assert_eq!(report(&facts, at(0)).verdict, Overall::Open);
    facts.withdrawn = Some("leaks".to_owned());
    assert_eq!(report(&facts, at(0)).verdict, Overall::NotCompliant);
}

#[test]
fn one_refusal_beats_what_is_open_and_that_beats_what_is_met() {
    use Verdict::{Met, Open, Refused};
    assert_eq!(Overall::of([Met, Met]), Overall::Compliant);
    assert_eq!(Overall::of([Met, Open]), Overall::Open);
    assert_eq!(Overall::of([Open, Refused, Met]), Overall::NotCompliant);
    assert_eq!(Overall::of([]), Overall::Open);
}
