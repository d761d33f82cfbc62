use super::*;
use crate::{
    approval::ApprovalState,
    gates::{
        Facts, all_satisfied, evaluate,
        tests::{at, good},
    },
    policy::{Effect, Kept, RuleVerdict},
};
use proptest::prelude::*;

fn lets(policy: &str, gates: &[GateName]) -> Lets {
    Lets {
        policy: policy.parse().unwrap(),
        version: 1,
        clause: Clause::new(gates.to_vec()),
    }
}

fn by_otto(gate: GateName) -> Override {
    Override {
        gate,
        by: "otto".to_owned(),
        justification: "the shop is down".to_owned(),
        incident: "INC-7".to_owned(),
        at: at(15),
    }
}

fn refuses(facts: &mut Facts, policy: &str) {
    facts.policies.rules.push(RuleVerdict {
        policy: policy.parse().unwrap(),
        version: 1,
        rule: "freeze".parse().unwrap(),
        kept: Kept::NotKept,
        effect: Effect::Refuse,
        message: Some("not before the sale is over".to_owned()),
        because: Vec::new(),
    });
}

fn verdict(facts: &Facts, name: GateName) -> Gate {
    let gates = evaluate(facts, at(20));
    gates.into_iter().find(|gate| gate.name == name).unwrap()
}

/// Everything holds but the approval, which waits.
fn unapproved() -> Facts {
    let mut facts = good();
    facts.approvals[0].state = ApprovalState::Pending;
    facts
}

#[test]
fn a_gate_goes_when_a_policy_lets_it_and_somebody_says_so_and_it_is_told_loudly() {
    let mut facts = unapproved();
    facts.overrides = vec![by_otto(GateName::Approval)];
    assert!(!all_satisfied(&evaluate(&facts, at(20))), "no policy lets it go");
    facts.policies.break_glass = vec![lets("emergencies", &[GateName::Approval])];
    let gate = verdict(&facts, GateName::Approval);
    let reason = gate.verdict.reason();
    assert!(
        reason.starts_with("OVERRIDDEN by otto for INC-7: the shop is down (it waited: "),
        "{reason}"
    );
    assert!(is_overridden(&gate));
    assert_eq!(gate.inputs["overridden"]["verdict"]["verdict"], "waiting");
    assert!(all_satisfied(&evaluate(&facts, at(20))));
    facts.overrides = vec![by_otto(GateName::Evidence)];
    assert!(
        !all_satisfied(&evaluate(&facts, at(20))),
        "another gate was named"
    );
}

#[test]
fn what_holds_is_not_overridden_and_a_no_stays_a_no() {
    let mut facts = good();
    facts.policies.break_glass = vec![lets("emergencies", &MAY_GO)];
    facts.overrides = MAY_GO.map(by_otto).to_vec();
    assert!(!evaluate(&facts, at(20)).iter().any(is_overridden));
    for state in [
        ApprovalState::Rejected,
        ApprovalState::Withdrawn,
        ApprovalState::Expired,
    ] {
        facts.approvals[0].state = state;
        assert!(!all_satisfied(&evaluate(&facts, at(20))), "{state}");
    }
}

#[test]
fn a_policy_that_refuses_is_gone_on_without_only_if_it_lets_itself_go() {
    let mut facts = good();
    refuses(&mut facts, "freezes");
    facts.overrides = vec![by_otto(GateName::Policy)];
    facts.policies.break_glass = vec![lets("emergencies", &[GateName::Policy])];
    assert!(!allowed(&facts.policies).contains(&GateName::Policy));
    assert!(!verdict(&facts, GateName::Policy).verdict.is_satisfied());
    facts
        .policies
        .break_glass
        .push(lets("freezes", &[GateName::Policy]));
    assert!(verdict(&facts, GateName::Policy).verdict.is_satisfied());
}

#[test]
fn all_faults_of_a_clause_are_told_at_once() {
    let mut wrong = Clause::new(vec![
        GateName::Concurrency,
        GateName::Evidence,
        GateName::Evidence,
        GateName::Release,
    ]);
    wrong.approval.count = 0;
    let faults = wrong.faults();
    let at: Vec<_> = faults
        .as_slice()
        .iter()
        .map(|fault| fault.pointer.as_str())
        .collect();
    assert_eq!(at, ["/gates/0", "/gates/2", "/gates/3", "/approval/count"]);
    assert!(!Clause::new(Vec::new()).faults().is_empty());
    assert!(Clause::new(MAY_GO.to_vec()).faults().is_empty());
}

#[test]
fn a_clause_is_read_as_short_as_it_may_be_written_and_answers_are_due_within_a_day() {
    let clause: Clause = serde_json::from_str(r#"{"gates": ["evidence"]}"#).unwrap();
    assert_eq!(clause, Clause::new(vec![GateName::Evidence]));
    let judgement = Judgement {
        break_glass: vec![lets("a", &[GateName::Evidence]), lets("b", &[GateName::Evidence])],
        ..Judgement::default()
    };
    let asked = answers(&judgement);
    assert_eq!(asked.len(), 1, "whom both ask is asked once");
    assert_eq!(asked[0].requirement.expires_after, Some(ANSWERED_WITHIN));
    assert_eq!(asked[0].sources.len(), 2);
}

fn some_gates() -> impl Strategy<Value = Vec<GateName>> {
    prop::sample::subsequence(GateName::ALL.to_vec(), 0..=GateName::ALL.len())
}

proptest! {
    #[test]
    fn nothing_goes_that_not_every_clause_names_and_never_the_release_or_the_environment(
        clauses in prop::collection::vec(some_gates(), 0..4),
    ) {
        let judgement = Judgement {
            break_glass: clauses.iter().map(|gates| lets("p", gates)).collect(),
            ..Judgement::default()
        };
        let allowed = allowed(&judgement);
        prop_assert_eq!(clauses.is_empty() && !allowed.is_empty(), false);
        for gate in GateName::ALL {
            let all = !clauses.is_empty() && clauses.iter().all(|gates| gates.contains(&gate));
            prop_assert_eq!(allowed.contains(&gate), all && MAY_GO.contains(&gate));
        }
    }
}
