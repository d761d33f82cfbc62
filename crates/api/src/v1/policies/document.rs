//! A policy's document, from the wire to the domain and back.

use crate::v1::requirement;
use slipway_api_types::policy::{
    PolicyBreakGlass, PolicyDocument, PolicyEffect, PolicyEvidence, PolicyExample, PolicyExpectation,
    PolicyMessage, PolicyRule, PolicyScope,
};
use slipway_domain::{
    Faults,
    deployment::Kind,
    duration, evidence,
    gates::{GateName, overrides::Clause},
    policy::{
        Document, Effect, Overall, Rule, Scope,
        document::{EvidenceOf, Example, Expected, Message, RequiredEvidence},
    },
};
use std::{fmt, str::FromStr};

/// Reads a document; what cannot be read is a fault below `/document`, and left out.
pub(super) fn read(given: PolicyDocument, faults: &mut Faults) -> Document {
    let mut inner = Faults::new();
    let document = Document {
        description: given.description,
        scope: scope(&given.scope, &mut inner),
        rules: entries(given.rules, "/rules", &mut inner, rule),
        examples: entries(given.examples, "/examples", &mut inner, example),
        break_glass: given.break_glass.and_then(|given| break_glass(given, &mut inner)),
    };
    faults.nest("/document", inner);
    document
}

/// Reads entries, each with its faults at its place; those that cannot be read are left out.
pub(crate) fn entries<W, D>(
    given: Vec<W>,
    pointer: &str,
    faults: &mut Faults,
    read: impl Fn(W, &mut Faults) -> Option<D>,
) -> Vec<D> {
    let mut all = Vec::with_capacity(given.len());
    for (i, one) in given.into_iter().enumerate() {
        let mut inner = Faults::new();
        all.extend(read(one, &mut inner));
        faults.nest(&format!("{pointer}/{i}"), inner);
    }
    all
}

fn texts<T>(given: &[String], pointer: &str, faults: &mut Faults) -> Vec<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let all = given.iter().enumerate();
    all.filter_map(|(i, text)| faults.take(&format!("{pointer}/{i}"), text.parse()))
        .collect()
}

fn scope(given: &PolicyScope, faults: &mut Faults) -> Scope {
    let mut kinds = Vec::new();
    for (i, kind) in given.kinds.iter().enumerate() {
        if kind == "deploy" {
            kinds.push(Kind::Deploy);
        } else {
            faults.add(
                format!("/scope/kinds/{i}"),
                "the kind is `deploy`: rollbacks and heals are never held up by policies",
            );
        }
    }
    Scope {
        tiers: texts(&given.tiers, "/scope/tiers", faults),
        environments: texts(&given.environments, "/scope/environments", faults),
        services: texts(&given.services, "/scope/services", faults),
        teams: texts(&given.teams, "/scope/teams", faults),
        criticalities: texts(&given.criticalities, "/scope/criticalities", faults),
        kinds,
    }
}

fn break_glass(given: PolicyBreakGlass, faults: &mut Faults) -> Option<Clause> {
    let gates = given.gates.iter().enumerate();
    let gates = gates
        .filter_map(|(i, gate)| faults.take(&format!("/break_glass/gates/{i}"), gate.parse::<GateName>()));
    let mut clause = Clause::new(gates.collect());
    if let Some(approval) = given.approval {
        clause.approval = requirement::read(approval, "/break_glass/approval", faults)?;
    }
    Some(clause)
}

fn rule(given: PolicyRule, faults: &mut Faults) -> Option<Rule> {
    let name = faults.take("/name", given.name.parse());
    let effect = match given.effect {
        PolicyEffect::Refuse => Some(Effect::Refuse),
        PolicyEffect::Warn => Some(Effect::Warn),
        PolicyEffect::RequireApproval(required) => {
            requirement::read(required, "/effect/require_approval", faults).map(Effect::RequireApproval)
        }
        PolicyEffect::RequireEvidence(required) => {
            let mut inner = Faults::new();
            let required = evidence(required, &mut inner);
            faults.nest("/effect/require_evidence", inner);
            required.map(Effect::RequireEvidence)
        }
    };
    Some(Rule {
        name: name?,
        when: given.when,
        expression: given.expression,
        message: match given.message {
            PolicyMessage::Text(text) => Message::Text(text),
            PolicyMessage::Expression(expression) => Message::Expression(expression),
        },
        effect: effect?,
    })
}

/// Reads evidence that is asked for.
pub(crate) fn evidence(given: PolicyEvidence, faults: &mut Faults) -> Option<RequiredEvidence> {
    let kind = faults.take("/kind", given.kind.parse::<evidence::Kind>());
    let name = given.name.map(|name| faults.take("/name", name.parse()));
    let of = match given.of.as_str() {
        "every_component" => Some(EvidenceOf::EveryComponent),
        "release" => Some(EvidenceOf::Release),
        _ => {
            faults.add("/of", "is `every_component` or `release`");
            None
        }
    };
    let max_age = given
        .max_age
        .map(|age| faults.take("/max_age", duration::parse(&age)));
    Some(RequiredEvidence {
        kind: kind?,
        name: match name {
            Some(name) => Some(name?),
            None => None,
        },
        of: of?,
        max_age: match max_age {
            Some(age) => Some(age?),
            None => None,
        },
        signed: given.signed,
    })
}

/// Evidence that is asked for, as it is sent.
pub(crate) fn wire_evidence(required: &RequiredEvidence) -> PolicyEvidence {
    PolicyEvidence {
        kind: required.kind.to_string(),
        name: required.name.as_ref().map(ToString::to_string),
        of: match required.of {
            EvidenceOf::EveryComponent => "every_component",
            EvidenceOf::Release => "release",
        }
        .to_owned(),
        max_age: required.max_age.map(|age| age.to_string()),
        signed: required.signed,
    }
}

fn example(given: PolicyExample, faults: &mut Faults) -> Option<Example> {
    let verdict = [
        Overall::NotCovered,
        Overall::Allow,
        Overall::Warn,
        Overall::RequireEvidence,
        Overall::RequireApproval,
        Overall::Refuse,
    ]
    .into_iter()
    .find(|verdict| verdict.as_str() == given.expect.verdict);
    if verdict.is_none() {
        faults.add(
            "/expect/verdict",
            "is one of not_covered, allow, warn, require_evidence, require_approval, refuse",
        );
    }
    let rules = given
        .expect
        .rules
        .map(|rules| texts(&rules, "/expect/rules", faults));
    Some(Example {
        name: given.name,
        facts: given.facts,
        expect: Expected {
            verdict: verdict?,
            rules,
        },
    })
}

/// A document as it is sent.
pub(super) fn wire(document: &Document) -> PolicyDocument {
    PolicyDocument {
        description: document.description.clone(),
        scope: wire_scope(&document.scope),
        rules: document.rules.iter().map(wire_rule).collect(),
        examples: document.examples.iter().map(wire_example).collect(),
        break_glass: document.break_glass.as_ref().map(|clause| PolicyBreakGlass {
            gates: clause.gates.iter().map(ToString::to_string).collect(),
            approval: Some(requirement::wire(&clause.approval)),
        }),
    }
}

fn all<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn wire_scope(scope: &Scope) -> PolicyScope {
    PolicyScope {
        tiers: all(&scope.tiers),
        environments: all(&scope.environments),
        services: all(&scope.services),
        teams: all(&scope.teams),
        criticalities: scope
            .criticalities
            .iter()
            .map(|c| c.as_str().to_owned())
            .collect(),
        kinds: scope.kinds.iter().map(|_| "deploy".to_owned()).collect(),
    }
}

fn wire_rule(rule: &Rule) -> PolicyRule {
    PolicyRule {
        name: rule.name.to_string(),
        when: rule.when.clone(),
        expression: rule.expression.clone(),
        message: match &rule.message {
            Message::Text(text) => PolicyMessage::Text(text.clone()),
            Message::Expression(expression) => PolicyMessage::Expression(expression.clone()),
        },
        effect: match &rule.effect {
            Effect::Refuse => PolicyEffect::Refuse,
            Effect::Warn => PolicyEffect::Warn,
            Effect::RequireEvidence(required) => PolicyEffect::RequireEvidence(wire_evidence(required)),
            Effect::RequireApproval(required) => PolicyEffect::RequireApproval(requirement::wire(required)),
        },
    }
}

fn wire_example(example: &Example) -> PolicyExample {
    PolicyExample {
        name: example.name.clone(),
        facts: example.facts.clone(),
        expect: PolicyExpectation {
            verdict: example.expect.verdict.as_str().to_owned(),
            rules: example.expect.rules.as_ref().map(|rules| all(rules)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_domain::policy::Policy;

    /// What Slipway ships with.
    const SHIPPED: [&str; 3] = [
        include_str!("../../../../../deploy/policies/production-basics.yaml"),
        include_str!("../../../../../deploy/policies/deprecated-parts.yaml"),
        include_str!("../../../../../deploy/policies/production-proofs.yaml"),
    ];

    #[test]
    fn what_is_shipped_can_be_put_in_force_and_comes_back_as_it_was_written() {
        for text in SHIPPED {
            let given: PolicyDocument = serde_saphyr::from_str(text).unwrap();
            let sent = serde_json::to_value(&given).unwrap();
            let mut faults = Faults::new();
            let document = read(given, &mut faults);
            assert!(faults.is_empty(), "{faults}");
            assert_eq!(serde_json::to_value(wire(&document)).unwrap(), sent);
            let name = "shipped".parse().unwrap();
            let ready = Policy::new(name, 1, document).map(drop);
            assert_eq!(ready.map_err(|faults| faults.to_string()), Ok(()));
        }
    }
}
