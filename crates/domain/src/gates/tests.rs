use super::*;
use crate::{
    Digest,
    approval::{
        ApprovalState, Asked,
        quorum::{Missing, Place, Quorum},
    },
    deployment::StateName,
    evidence::Kind as EvidenceKind,
    identity::Role,
    ids::*,
    policy::{
        Effect, Kept, RuleVerdict,
        document::{EvidenceOf, RequiredEvidence},
    },
};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeMap;

pub(in crate::gates) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn environment() -> Source {
    Source::Environment {
        name: "production".parse().unwrap(),
    }
}

fn of_environment(count: u32) -> Vec<Merged> {
    merge(vec![(environment(), Requirement::new(Role::Authority, count))])
}

pub(in crate::gates) fn good() -> Facts {
    Facts {
        kind: Kind::Deploy,
        release_problem: None,
        promotion: Some(promotion::Facts {
            from: "staging".parse().unwrap(),
            soak: SignedDuration::ZERO,
            succeeded_at: Some(at(10)),
            undone_by: None,
            failing: Vec::new(),
            release: "storefront@1.0.0".into(),
        }),
        process: process::Facts {
            process: "default".parse().unwrap(),
            version: 1,
            stage: Some("production".parse().unwrap()),
            environment: "production".parse().unwrap(),
            before: Some(process::Before {
                stage: "staging".parse().unwrap(),
                soak: SignedDuration::ZERO,
                share: 100,
                environments: vec![process::Passed {
                    environment: "staging".parse().unwrap(),
                    succeeded_at: Some(at(10)),
                    succeeded: 1,
                    targets: 1,
                }],
                failing: Vec::new(),
            }),
            release: "storefront@1.0.0".into(),
        },
        policies: Judgement::default(),
        evidence: evidence::Facts::default(),
        approvals: vec![approval::Facts {
            id: ApprovalId::new(),
            asked: Asked::Before,
            state: ApprovalState::Approved,
            requirements: of_environment(1),
            judged: ApprovalState::Approved,
            quorum: Quorum::default(),
            expires_at: None,
            digest: Digest::of_bytes(b""),
            unchanged: true,
            changes: Vec::new(),
            rejected_by: None,
            names: BTreeMap::default(),
        }],
        asked_for: Vec::new(),
        overrides: Vec::new(),
        schedule: schedule::Facts {
            not_before: None,
            expires_at: at(1000),
        },
        rollback: rollback::Facts::default(),
        concurrency: concurrency::Facts::default(),
    }
}

#[test]
fn when_everything_holds_it_is_admitted() {
    assert!(all_satisfied(&evaluate(&good(), at(20))));
}

#[test]
fn no_gates_admit_nothing() {
    assert!(!all_satisfied(&[]));
}

#[test]
fn a_waiting_approval_says_who_can_give_it() {
    let mut facts = good();
    facts.approvals[0].state = ApprovalState::Pending;
    facts.approvals[0].quorum.missing = vec![Missing {
        requirement: 0,
        place: Place::Anybody(Role::Authority),
        people: 1,
        stand_ins: Vec::new(),
    }];
    let gates = evaluate(&facts, at(20));
    let gate = gates.iter().find(|g| g.name == GateName::Approval).unwrap();
    assert_eq!(
        gate.verdict.reason(),
        "waiting for approval by 1 more with the role authority, other than who authored, edited, sealed or requested it"
    );
}

fn says(kept: Kept, effect: Effect) -> Judgement {
    let policy: crate::Name = "careful".parse().unwrap();
    Judgement {
        rules: vec![RuleVerdict {
            policy: policy.clone(),
            version: 1,
            rule: "calm".parse().unwrap(),
            kept,
            effect,
            message: None,
            because: Vec::new(),
        }],
        policies: vec![(policy, 1)],
        break_glass: Vec::new(),
    }
}

fn asks_for(count: u32) -> Judgement {
    let role = Role::Authority;
    says(
        Kept::NotKept,
        Effect::RequireApproval(Requirement::new(role, count)),
    )
}

/// Beside what others say.
fn add(facts: &mut Facts, more: Judgement) {
    facts.policies.rules.extend(more.rules);
    facts.policies.policies.extend(more.policies);
}

#[test]
fn whom_a_policy_asks_for_and_nobody_asked_is_waited_for() {
    let mut facts = good();
    facts.approvals.clear();
    facts.policies = asks_for(1);
    let gates = evaluate(&facts, at(20));
    assert!(!all_satisfied(&gates));
    let gate = gates.iter().find(|g| g.name == GateName::Approval).unwrap();
    assert_eq!(
        gate.verdict.reason(),
        "approval is asked for by policy careful, version 1, rule calm; nobody was asked yet"
    );
}

fn failing() -> evidence::Failing {
    evidence::Failing {
        evidence: EvidenceId::new(),
        reason: "the tests failed".into(),
        unblocked_by: "better ones".into(),
    }
}

fn required() -> evidence::Required {
    evidence::Required {
        source: evidence::Source::Policy {
            name: "careful".parse().unwrap(),
            version: 1,
            rule: "tested".parse().unwrap(),
        },
        evidence: RequiredEvidence {
            kind: EvidenceKind::TestReport,
            name: None,
            of: EvidenceOf::Release,
            max_age: None,
            signed: false,
        },
    }
}

/// One way to break a fact, and the gate that must notice.
type Breakage = (fn(&mut Facts), GateName);

fn breakage() -> impl Strategy<Value = Breakage> {
    let all: Vec<Breakage> = vec![
        (|f| add(f, says(Kept::NotKept, Effect::Refuse)), GateName::Policy),
        (|f| add(f, says(Kept::Unknown, Effect::Warn)), GateName::Policy),
        (|f| add(f, asks_for(2)), GateName::Approval),
        (
            |f| f.release_problem = Some("withdrawn".into()),
            GateName::Release,
        ),
        (
            |f| f.promotion.as_mut().unwrap().succeeded_at = None,
            GateName::Promotion,
        ),
        (
            |f| f.promotion.as_mut().unwrap().undone_by = Some("dep_x".into()),
            GateName::Promotion,
        ),
        (
            |f| f.promotion.as_mut().unwrap().soak = SignedDuration::from_secs(500),
            GateName::Promotion,
        ),
        (
            |f| f.promotion.as_mut().unwrap().failing.push(failing()),
            GateName::Promotion,
        ),
        (|f| f.evidence.required.push(required()), GateName::Evidence),
        (|f| f.process.stage = None, GateName::Process),
        (
            |f| f.process.before.as_mut().unwrap().environments[0].succeeded = 0,
            GateName::Process,
        ),
        (
            |f| f.approvals[0].state = ApprovalState::Pending,
            GateName::Approval,
        ),
        (
            |f| f.approvals[0].state = ApprovalState::Rejected,
            GateName::Approval,
        ),
        (
            |f| f.approvals[0].state = ApprovalState::Withdrawn,
            GateName::Approval,
        ),
        (
            |f| f.approvals[0].state = ApprovalState::Expired,
            GateName::Approval,
        ),
        (
            |f| f.approvals[0].judged = ApprovalState::Pending,
            GateName::Approval,
        ),
        (
            |f| f.approvals[0].changes.push("it lands elsewhere".into()),
            GateName::Approval,
        ),
        (
            |f| f.asked_for = vec![(environment(), Requirement::new(Role::Authority, 2))],
            GateName::Approval,
        ),
        (|f| f.approvals[0].unchanged = false, GateName::Approval),
        (
            |f| f.concurrency.overtaken_on.push("eu".into()),
            GateName::Concurrency,
        ),
        (
            |f| f.concurrency.landed_on.push("eu/shop".into()),
            GateName::Concurrency,
        ),
        (|f| f.schedule.not_before = Some(at(500)), GateName::Schedule),
        (|f| f.schedule.expires_at = at(15), GateName::Schedule),
        (
            |f| {
                f.rollback.targets.push(rollback::TargetFacts {
                    target: "eu".into(),
                    previous: Some("1.0.0".into()),
                    runs: None,
                    brings: Digest::of_bytes(b""),
                    rendering_kept: false,
                });
            },
            GateName::Rollback,
        ),
        (
            |f| {
                f.concurrency.holder = Some(concurrency::Holder {
                    id: DeploymentId::new(),
                    release: "storefront@0.9.0".into(),
                    state: StateName::Paused,
                    finishing: false,
                });
            },
            GateName::Concurrency,
        ),
    ];
    proptest::sample::select(all)
}

proptest! {
    #[test]
    fn whatever_else_holds_one_broken_fact_keeps_it_out(breakages in proptest::collection::vec(breakage(), 1..4)) {
        let mut facts = good();
        for (break_it, _) in &breakages {
            break_it(&mut facts);
        }
        let gates = evaluate(&facts, at(20));
        prop_assert!(!all_satisfied(&gates));
        for (_, name) in &breakages {
            let gate = gates.iter().find(|g| g.name == *name).unwrap();
            prop_assert!(!matches!(gate.verdict, Verdict::Satisfied { .. }), "{name} did not notice");
            prop_assert!(!gate.verdict.reason().is_empty());
        }
    }

    #[test]
    fn a_rollback_is_held_up_by_concurrency_alone((break_it, name) in breakage()) {
        let mut facts = good();
        facts.kind = Kind::RollBack;
        break_it(&mut facts);
        prop_assert_eq!(all_satisfied(&evaluate(&facts, at(20))), name != GateName::Concurrency);
    }

    #[test]
    fn a_gate_that_waits_for_time_holds_once_that_time_has_come(not_before in 21i64..900, soak in 11i64..900) {
        let mut facts = good();
        facts.schedule.not_before = Some(at(not_before));
        facts.promotion.as_mut().unwrap().soak = SignedDuration::from_secs(soak);
        let mut now = at(20);
        let mut rounds = 0;
        while let Some(boundary) = next_boundary(&evaluate(&facts, now)) {
            prop_assert!(boundary > now);
            now = boundary;
            rounds += 1;
            prop_assert!(rounds < 5);
        }
        prop_assert!(all_satisfied(&evaluate(&facts, now)));
    }
}

#[test]
fn what_a_newer_server_judged_is_left_out_and_what_is_no_gate_is_an_error() {
    let gates = evaluate(&good(), at(20));
    let mut stored = gates
        .iter()
        .map(|gate| serde_json::json!(gate))
        .collect::<Vec<_>>();
    stored.insert(
        1,
        serde_json::json!({"name": "horoscope", "verdict": "favourable", "inputs": {}}),
    );
    assert_eq!(super::stored(stored.clone()).unwrap(), gates);
    stored[0]["verdict"] = serde_json::json!("perhaps");
    assert!(super::stored(stored).is_err());
    assert!(super::stored(vec![serde_json::json!({"verdict": "satisfied"})]).is_err());
}
