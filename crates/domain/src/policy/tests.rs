use super::{document::*, facts::tests::some, judge::*, *};
use crate::{Name, approval::Requirement, deployment::Kind, identity::Role, registry::Tier};
use proptest::prelude::*;
use serde_json::{Value, json};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn rule(called: &str, expression: &str, effect: Effect) -> Rule {
    Rule {
        name: name(called),
        when: None,
        expression: Some(expression.to_owned()),
        message: Message::Text(format!("{called} is not kept")),
        effect,
    }
}

fn document(rules: Vec<Rule>) -> Document {
    Document {
        description: String::new(),
        scope: Scope::default(),
        rules,
        examples: Vec::new(),
        break_glass: None,
    }
}

fn policy(called: &str, rules: Vec<Rule>) -> Policy {
    Policy::new(name(called), 1, document(rules)).unwrap()
}

fn two_people() -> Effect {
    Effect::RequireApproval(Requirement::new(Role::Authority, 2))
}

fn judged(policies: &[Policy]) -> Judgement {
    let facts = Facts::new(some()).unwrap();
    judge(policies, &place(&some()).unwrap(), &facts, Explained::All)
}

#[test]
fn every_policy_that_covers_a_deployment_counts_and_a_refusal_beats_all() {
    let lax = policy("lax", vec![rule("any", "true", Effect::Refuse)]);
    let loud = policy(
        "loud",
        vec![rule("quiet-hours", "calendar.hour < 8", Effect::Warn)],
    );
    let careful = policy("careful", vec![rule("small", "risk.score < 10", two_people())]);
    let strict = policy(
        "strict",
        vec![rule("weekend", "calendar.weekday == 'sunday'", Effect::Refuse)],
    );
    assert_eq!(judged(&[]).overall(), Overall::NotCovered);
    assert_eq!(judged(std::slice::from_ref(&lax)).overall(), Overall::Allow);
    assert_eq!(judged(&[lax.clone(), loud.clone()]).overall(), Overall::Warn);
    let all = judged(&[lax.clone(), loud.clone(), careful.clone()]);
    assert_eq!(all.overall(), Overall::RequireApproval);
    assert_eq!(all.approvals().next().unwrap().1.count, 2);
    assert_eq!(all.warnings().count(), 1);
    let refused = judged(&[lax, loud, careful, strict]);
    assert_eq!(refused.overall(), Overall::Refuse);
    let why = refused.refusals().next().unwrap();
    assert_eq!((why.policy.as_str(), why.rule.as_str()), ("strict", "weekend"));
    assert_eq!(why.message.as_deref(), Some("weekend is not kept"));
    assert_eq!(why.because[0].detail, r#"`calendar.weekday` is "monday""#);
    assert_eq!(refused.policies.len(), 4);
}

#[test]
fn what_cannot_be_judged_refuses_whatever_its_effect() {
    let missing = "deployment.reason == 'urgent'";
    for effect in [Effect::Refuse, Effect::Warn, two_people()] {
        let asks = policy("asks", vec![rule("reason", missing, effect.clone())]);
        let judgement = judged(&[asks]);
        assert_eq!(judgement.overall(), Overall::Refuse, "{effect:?}");
        assert!(
            judgement.rules[0]
                .message
                .as_ref()
                .unwrap()
                .contains("cannot be judged")
        );
        let mut when = rule("reason", "true", effect);
        when.when = Some(missing.to_owned());
        assert_eq!(judged(&[policy("when", vec![when])]).overall(), Overall::Refuse);
    }
}

#[test]
fn a_rule_applies_where_it_says_so() {
    let mut at_night = rule("night", "false", Effect::Refuse);
    at_night.when = Some("calendar.hour < 6".to_owned());
    let judgement = judged(&[policy("nights", vec![at_night])]);
    assert_eq!(judgement.rules[0].kept, Kept::DoesNotApply);
    assert_eq!(judgement.overall(), Overall::Allow);
    let mut always = rule("two-people", "true", two_people());
    always.expression = None;
    assert_eq!(
        judged(&[policy("people", vec![always])]).overall(),
        Overall::RequireApproval
    );
}

#[test]
fn a_scope_covers_what_fits_all_of_it() {
    let covers = |scope: Scope| {
        let mut document = document(vec![rule("no", "false", Effect::Refuse)]);
        document.scope = scope;
        let policy = Policy::new(name("scoped"), 1, document).unwrap();
        judged(&[policy]).overall() != Overall::NotCovered
    };
    assert!(covers(Scope::default()));
    let production = Scope {
        tiers: vec![Tier::Staging, Tier::Production],
        kinds: vec![Kind::Deploy],
        ..Scope::default()
    };
    assert!(covers(production.clone()));
    for other in [
        Scope {
            teams: vec![name("bank")],
            ..production.clone()
        },
        Scope {
            services: vec![name("ledger")],
            ..production.clone()
        },
        Scope {
            environments: vec![name("staging")],
            ..production.clone()
        },
        Scope {
            kinds: vec![Kind::RollBack],
            ..production.clone()
        },
        Scope {
            tiers: vec![Tier::Test],
            ..production
        },
    ] {
        assert!(!covers(other.clone()), "{other:?}");
    }
}

#[test]
fn everything_that_is_wrong_with_a_document_is_said_at_once() {
    let mut wrong = document(vec![
        rule("a", "environment.teir == 'x'", Effect::Refuse),
        rule("a", "risk.score >", Effect::Warn),
        Rule {
            expression: None,
            message: Message::Text(" ".to_owned()),
            ..rule("c", "", Effect::Refuse)
        },
        Rule {
            message: Message::Expression("relase.name".to_owned()),
            ..rule(
                "d",
                "true",
                Effect::RequireApproval(Requirement::new(Role::Viewer, 0)),
            )
        },
    ]);
    wrong.examples.push(Example {
        name: "an example".to_owned(),
        facts: json!({"risk": {"score": "high"}}),
        expect: Expected {
            verdict: Overall::Allow,
            rules: Some(vec![name("unknown")]),
        },
    });
    let faults = Policy::new(name("wrong"), 1, wrong).unwrap_err();
    let pointers: Vec<_> = faults
        .as_slice()
        .iter()
        .map(|fault| fault.pointer.as_str())
        .collect();
    for expected in [
        "/rules/1/name",
        "/rules/0/expression",
        "/rules/1/expression",
        "/rules/2/expression",
        "/rules/2/message",
        "/rules/3/message/expression",
        "/rules/3/effect/require_approval/count",
        "/rules/3/effect/require_approval/role",
        "/examples/0/facts/risk/score",
        "/examples/0/facts/release",
        "/examples/0/expect/rules/0",
    ] {
        assert!(pointers.contains(&expected), "{expected}: {pointers:?}");
    }
}

#[test]
fn an_example_that_a_policy_does_not_live_up_to_is_told_with_the_reason() {
    let example = |named: &str, facts: Value, verdict, rules: Option<Vec<&str>>| Example {
        name: named.to_owned(),
        facts,
        expect: Expected {
            verdict,
            rules: rules.map(|rules| rules.into_iter().map(name).collect()),
        },
    };
    let mut risky = some();
    risky["risk"]["score"] = json!(90);
    let mut document = document(vec![
        rule("risk", "risk.score < 50", Effect::Refuse),
        rule("day", "calendar.hour >= 8", Effect::Warn),
    ]);
    document.examples = vec![
        example("by day", some(), Overall::Allow, Some(vec![])),
        example("risky", risky.clone(), Overall::Refuse, Some(vec!["risk"])),
        example("wrong", risky.clone(), Overall::Warn, None),
        example("other rule", risky, Overall::Refuse, Some(vec!["day"])),
    ];
    let failed = Policy::new(name("shown"), 1, document).unwrap().failed_examples();
    let names: Vec<_> = failed.iter().map(|failed| failed.name.as_str()).collect();
    assert_eq!(names, ["wrong", "other rule"]);
    assert_eq!(failed[0].verdict, Overall::Refuse);
    assert_eq!(
        failed[0].judgement.rules[0].because[0].detail,
        "`risk.score` is 90"
    );
}

#[test]
fn a_document_is_kept_as_it_was_written() {
    let mut written = document(vec![rule("risk", "risk.score < 50", two_people())]);
    written.scope.tiers = vec![Tier::Production];
    let text = serde_json::to_string(&written).unwrap();
    assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), written);
}

proptest! {
    /// One policy more never makes it easier.
    #[test]
    fn another_policy_only_ever_hardens_the_verdict(scores in prop::collection::vec((0_i64..100, 0_usize..4), 0..6)) {
        let policies: Vec<_> = scores
            .iter()
            .enumerate()
            .map(|(i, (score, effect))| {
                let effect = [Effect::Refuse, Effect::Warn, two_people(), Effect::Refuse][*effect].clone();
                let expression = if *score == 7 { "deployment.reason == ''".to_owned() } else { format!("risk.score < {score}") };
                policy(&format!("p{i}"), vec![rule("risk", &expression, effect)])
            })
            .collect();
        for i in 0..policies.len() {
            let (fewer, more) = (judged(&policies[..i]), judged(&policies[..=i]));
            prop_assert!(more.overall() >= fewer.overall());
            prop_assert!(more.refusals().count() >= fewer.refusals().count());
        }
    }
}
