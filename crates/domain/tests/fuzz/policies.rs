//! Policies as a whole: their documents, their rules judged on facts, their examples.

use crate::{
    cel::{condition, sentence},
    choices::{Choices, made},
    facts::facts,
    json,
    runner::{Came, Checked, run},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use slipway_domain::{
    deployment::Kind,
    policy::{
        Document, Effect, Explained, Facts, Judgement, Kept, Overall, Place, Policy, document::MAX_RULES,
        judge, judge::place, unjudged,
    },
    registry::{Criticality, Tier},
};

const WORDS: [&str; 20] = [
    "description",
    "scope",
    "tiers",
    "production",
    "kinds",
    "deploy",
    "rules",
    "name",
    "when",
    "expression",
    "message",
    "text",
    "effect",
    "refuse",
    "warn",
    "require_approval",
    "examples",
    "facts",
    "expect",
    "verdict",
];
/// Most characters of what people are told of a rule: what its author wrote, and what goes before it.
const MAX_TOLD: usize = 8_000;

/// A policy and the facts of a deployment.
#[derive(Debug)]
struct Asked {
    document: Value,
    facts: Value,
}

fn asked(choices: &mut Choices<'_>) -> Asked {
    let mut document = document(choices);
    if choices.one_in(3) {
        for _ in 0..=choices.below(3) {
            json::change(choices, &mut document, &WORDS);
        }
    }
    Asked {
        document,
        facts: facts(choices),
    }
}

fn document(choices: &mut Choices<'_>) -> Value {
    let rules: Vec<_> = (0..=choices.below(3)).map(|i| rule(choices, i)).collect();
    let examples: Vec<_> = (0..choices.below(3)).map(|i| example(choices, i)).collect();
    json!({"description": choices.text(), "scope": scope(choices), "rules": rules, "examples": examples})
}

fn scope(choices: &mut Choices<'_>) -> Value {
    let mut scope = json!({});
    for (field, values) in [
        ("tiers", ["production", "staging", "development"]),
        ("environments", ["shop", "eu", "web"]),
        ("criticalities", ["low", "high", "critical"]),
        ("kinds", ["deploy", "roll_back", "heal"]),
    ] {
        if choices.one_in(4) {
            let some: Vec<_> = (0..=choices.below(2)).map(|_| *choices.of(&values)).collect();
            scope[field] = json!(some);
        }
    }
    scope
}

fn rule(choices: &mut Choices<'_>, i: usize) -> Value {
    let effect = match choices.below(4) {
        0 => json!("refuse"),
        1 => json!("warn"),
        2 => json!({"require_approval": {"role": "authority", "count": choices.below(4)}}),
        _ => {
            json!({"require_evidence": {"kind": "scan", "of": "every_component", "max_age": "PT24H", "signed": true}})
        }
    };
    let message = if choices.one_in(2) {
        json!({"expression": sentence(choices)})
    } else {
        json!({"text": "it is not so"})
    };
    let mut rule = json!({"name": format!("rule-{i}"), "message": message, "effect": effect});
    if choices.one_in(3) {
        rule["when"] = json!(condition(choices));
    }
    if !choices.one_in(5) {
        rule["expression"] = json!(condition(choices));
    }
    rule
}

fn example(choices: &mut Choices<'_>, i: usize) -> Value {
    const VERDICTS: [&str; 6] = [
        "not_covered",
        "allow",
        "warn",
        "require_evidence",
        "require_approval",
        "refuse",
    ];
    let mut expect = json!({"verdict": choices.of(&VERDICTS)});
    if choices.one_in(2) {
        expect["rules"] = json!(["rule-0"]);
    }
    let mut facts = facts(choices);
    for name in ["/environment/name", "/service/name", "/service/team"] {
        *facts.pointer_mut(name).unwrap() = json!("shop");
    }
    json!({"name": format!("example {i}"), "facts": facts, "expect": expect})
}

/// Where a deployment is whose facts name what cannot be named.
fn somewhere() -> Place {
    Place {
        tier: Tier::Production,
        environment: "shop".parse().unwrap(),
        service: "shop".parse().unwrap(),
        team: "shop".parse().unwrap(),
        criticality: Criticality::High,
        kind: Kind::Deploy,
    }
}

#[test]
fn policies() {
    run("policies", &made(500, asked), |asked| {
        let Ok(document) = serde_json::from_value::<Document>(asked.document.clone()) else {
            return Ok(Came::Refused);
        };
        let kept = serde_json::to_string(&document).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Document>(&kept).unwrap(), &document);
        match Policy::new("tried".parse().unwrap(), 1, document.clone()) {
            Ok(policy) => is_judged(&policy, asked),
            Err(faults) => {
                prop_assert!(!faults.is_empty(), "it is refused, and nothing is wrong with it");
                for fault in faults.as_slice() {
                    prop_assert!(!fault.detail.trim().is_empty(), "{fault:?}");
                    let field = fault.pointer.split('/').nth(1);
                    prop_assert!(field.is_some_and(|field| WORDS.contains(&field)), "{fault:?}");
                }
                Ok(Came::Refused)
            }
        }
    });
}

fn is_judged(policy: &Policy, asked: &Asked) -> Checked {
    let document = policy.document();
    prop_assert!((1..=MAX_RULES).contains(&document.rules.len()));
    let facts = Facts::new(asked.facts.clone()).unwrap();
    let place = place(&asked.facts).unwrap_or_else(somewhere);
    let covers = document.scope.covers(&place);
    let same = Facts::new(asked.facts.clone()).unwrap();
    let judged = |explained| judge([policy], &place, &facts, explained);
    let (briefly, judgement) = (judged(Explained::No), judged(Explained::All));
    prop_assert_eq!(&judgement, &judge([policy], &place, &same, Explained::All));
    for judgement in [&briefly, &judgement, &judged(Explained::NotKept)] {
        holds(judgement, document, covers)?;
        let came = |judgement: &Judgement| judgement.rules.iter().map(|rule| rule.kept).collect::<Vec<_>>();
        prop_assert_eq!(came(judgement), came(&briefly), "what is told changes what is so");
    }
    let refused = unjudged([policy], &place, "nothing is known");
    holds(&refused, document, covers)?;
    prop_assert_eq!(
        refused.overall(),
        if covers {
            Overall::Refuse
        } else {
            Overall::NotCovered
        }
    );
    let failed = policy.failed_examples();
    prop_assert_eq!(&failed, &policy.failed_examples());
    for example in &failed {
        prop_assert!(document.examples.iter().any(|known| known.name == example.name));
        prop_assert_eq!(example.verdict, example.judgement.overall());
    }
    Ok(Came::Accepted)
}

/// What every judgement of a policy is, whatever it says.
fn holds(judgement: &Judgement, document: &Document, covers: bool) -> Result<(), TestCaseError> {
    let rules = if covers { document.rules.len() } else { 0 };
    prop_assert_eq!(
        (judgement.policies.len(), judgement.rules.len()),
        (usize::from(covers), rules)
    );
    prop_assert_eq!(judgement.overall() == Overall::NotCovered, !covers);
    prop_assert_eq!(
        judgement.overall() == Overall::Refuse,
        judgement.refusals().next().is_some()
    );
    for (verdict, rule) in judgement.rules.iter().zip(&document.rules) {
        prop_assert_eq!((&verdict.rule, &verdict.effect), (&rule.name, &rule.effect));
        let in_the_way = matches!(verdict.kept, Kept::NotKept | Kept::Unknown);
        prop_assert_eq!(verdict.message.is_some(), in_the_way);
        prop_assert!(
            verdict
                .message
                .iter()
                .all(|told| told.chars().count() <= MAX_TOLD)
        );
        let refuses =
            verdict.kept == Kept::Unknown || (verdict.kept == Kept::NotKept && rule.effect == Effect::Refuse);
        prop_assert_eq!(verdict.refuses(), refuses);
    }
    let kept = serde_json::to_string(judgement).unwrap();
    prop_assert_eq!(&serde_json::from_str::<Judgement>(&kept).unwrap(), judgement);
    Ok(())
}
