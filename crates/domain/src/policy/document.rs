//! What a policy says: whom it is for, its rules, and the examples that show what it means.

use super::{
    expression::{Condition, Sentence},
    facts::Facts,
};
use crate::{
    Faults, Name,
    approval::Requirement,
    deployment::Kind,
    evidence,
    gates::overrides::Clause,
    registry::{Criticality, Tier},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Most rules of one policy.
pub const MAX_RULES: usize = 50;
/// Most examples of one policy.
pub const MAX_EXAMPLES: usize = 50;
/// Most characters of a message that is written out.
pub const MAX_MESSAGE: usize = 500;

/// One version of a policy, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// What it is for, for people.
    pub description: String,
    /// Which deployments it covers.
    pub scope: Scope,
    /// Its rules. Each of them counts, whatever the others say.
    pub rules: Vec<Rule>,
    /// What it says of some facts: checked before it is put in force.
    pub examples: Vec<Example>,
    /// What it lets go in an emergency; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<Clause>,
}

/// Which deployments a policy covers: those that fit all of it. What is empty fits every one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Tiers of environments.
    #[serde(default)]
    pub tiers: Vec<Tier>,
    /// Environments by name.
    #[serde(default)]
    pub environments: Vec<Name>,
    /// Services by name.
    #[serde(default)]
    pub services: Vec<Name>,
    /// Teams by name: the services they own.
    #[serde(default)]
    pub teams: Vec<Name>,
    /// How much depends on the service.
    #[serde(default)]
    pub criticalities: Vec<Criticality>,
    /// What the deployment does.
    #[serde(default)]
    pub kinds: Vec<Kind>,
}

/// What a scope is compared with.
#[derive(Debug, Clone)]
pub struct Place {
    /// Tier of the environment.
    pub tier: Tier,
    /// The environment.
    pub environment: Name,
    /// The service.
    pub service: Name,
    /// Its team.
    pub team: Name,
    /// How much depends on it.
    pub criticality: Criticality,
    /// What the deployment does.
    pub kind: Kind,
}

impl Scope {
    /// Whether a policy with this scope has anything to say there.
    #[must_use]
    pub fn covers(&self, place: &Place) -> bool {
        fn fits<T: PartialEq>(all: &[T], one: &T) -> bool {
            all.is_empty() || all.contains(one)
        }
        fits(&self.tiers, &place.tier)
            && fits(&self.environments, &place.environment)
            && fits(&self.services, &place.service)
            && fits(&self.teams, &place.team)
            && fits(&self.criticalities, &place.criticality)
            && fits(&self.kinds, &place.kind)
    }
}

/// One rule: what must be so, and what happens where it is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, unique in the policy.
    pub name: Name,
    /// Where it applies at all; everywhere when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What must be so. Absent: the effect is there wherever the rule applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// What people are told where it is not so.
    pub message: Message,
    /// What happens then.
    pub effect: Effect,
}

/// What people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// As it is written.
    Text(String),
    /// As this expression comes out.
    Expression(String),
}

/// What happens where a rule's expression is not so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The deployment does not start.
    Refuse,
    /// These people must approve.
    RequireApproval(Requirement),
    /// This must have been stated.
    RequireEvidence(RequiredEvidence),
    /// People are told, and nothing else.
    Warn,
}

impl Effect {
    /// As written in the API.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::RequireApproval(_) => "require_approval",
            Self::RequireEvidence(_) => "require_evidence",
            Self::Warn => "warn",
        }
    }
}

/// Evidence that a rule of a policy, or a stage of a process, asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequiredEvidence {
    /// What kind.
    pub kind: evidence::Kind,
    /// What it must be called, if that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Of each component, or of the release.
    pub of: EvidenceOf,
    /// How old it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<SignedDuration>,
    /// Whether its signature must have been verified.
    #[serde(default)]
    pub signed: bool,
}

impl RequiredEvidence {
    /// Checks bounds.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let most = SignedDuration::from_hours(24) * 3650;
        if self
            .max_age
            .is_some_and(|age| age <= SignedDuration::ZERO || age > most)
        {
            faults.add("/max_age", "is more than nothing and at most ten years");
        }
        faults
    }
}

/// What evidence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceOf {
    /// Each of the release's components.
    EveryComponent,
    /// The release as a whole.
    Release,
}

/// What a policy says of some facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// What it shows; unique in the policy.
    pub name: String,
    /// The facts.
    pub facts: Value,
    /// What the policy must say of them.
    pub expect: Expected,
}

/// What a policy is expected to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// All in all.
    pub verdict: Overall,
    /// The rules that are not kept, if that is to be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Name>>,
}

/// What a policy says all in all: the hardest of what its rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// It has nothing to say there.
    NotCovered,
    /// Every rule is kept.
    Allow,
    /// Something is to be told.
    Warn,
    /// Something must be stated first.
    RequireEvidence,
    /// Somebody must approve.
    RequireApproval,
    /// It does not start.
    Refuse,
}

impl Overall {
    /// As written in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotCovered => "not_covered",
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::RequireEvidence => "require_evidence",
            Self::RequireApproval => "require_approval",
            Self::Refuse => "refuse",
        }
    }
}

impl fmt::Display for Overall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule, ready to be judged.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) name: Name,
    pub(super) when: Option<Condition>,
    pub(super) expression: Option<Condition>,
    pub(super) message: Told,
    pub(super) effect: Effect,
}

#[derive(Debug, Clone)]
pub(super) enum Told {
    Text(String),
    Sentence(Box<Sentence>),
}

impl Rule {
    /// The rule, ready to be judged; or everything that is wrong with it, by pointers into it.
    pub(super) fn ready(&self, faults: &mut Faults) -> Option<Ready> {
        let before = faults.as_slice().len();
        let mut condition = |pointer: &str, source: &Option<String>| {
            source.as_ref().and_then(|source| match Condition::new(source) {
                Ok(condition) => Some(condition),
                Err(all) => {
                    for fault in all {
                        faults.add(pointer, fault);
                    }
                    None
                }
            })
        };
        let when = condition("/when", &self.when);
        let expression = condition("/expression", &self.expression);
        let message = match &self.message {
            Message::Text(text) => {
                if text.trim().is_empty() || text.chars().count() > MAX_MESSAGE {
                    faults.add("/message", format!("has 1 to {MAX_MESSAGE} characters"));
                }
                Some(Told::Text(text.clone()))
            }
            Message::Expression(source) => match Sentence::new(source) {
                Ok(sentence) => Some(Told::Sentence(Box::new(sentence))),
                Err(all) => {
                    for fault in all {
                        faults.add("/message/expression", fault);
                    }
                    None
                }
            },
        };
        match &self.effect {
            Effect::RequireApproval(required) => {
                faults.nest("/effect/require_approval", required.faults());
            }
            Effect::RequireEvidence(required) => {
                faults.nest("/effect/require_evidence", required.faults());
            }
            Effect::Refuse | Effect::Warn => {
                if self.expression.is_none() && self.effect == Effect::Refuse && self.when.is_none() {
                    faults.add(
                        "/expression",
                        "a rule with neither `when` nor `expression` refuses everything: use a freeze or a halt",
                    );
                }
            }
        }
        (faults.as_slice().len() == before).then_some(())?;
        Some(Ready {
            name: self.name.clone(),
            when,
            expression,
            message: message?,
            effect: self.effect.clone(),
        })
    }
}

impl Document {
    /// Everything that is wrong with it but its expressions.
    pub(super) fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if let Some(clause) = &self.break_glass {
            faults.nest("/break_glass", clause.faults());
        }
        if self.description.chars().count() > 2_000 {
            faults.add("/description", "has 2000 characters at most");
        }
        if self.rules.is_empty() || self.rules.len() > MAX_RULES {
            faults.add("/rules", format!("are 1 to {MAX_RULES}"));
        }
        if self.examples.len() > MAX_EXAMPLES {
            faults.add("/examples", format!("are {MAX_EXAMPLES} at most"));
        }
        // Each is looked at beside all before it: no more of them than there may be.
        for (i, rule) in self.rules.iter().enumerate().take(MAX_RULES) {
            if self.rules[..i].iter().any(|other| other.name == rule.name) {
                faults.add(
                    format!("/rules/{i}/name"),
                    format!("`{}` names an earlier rule too", rule.name),
                );
            }
        }
        for (i, example) in self.examples.iter().enumerate().take(MAX_EXAMPLES) {
            if example.name.trim().is_empty() || example.name.chars().count() > 200 {
                faults.add(format!("/examples/{i}/name"), "has 1 to 200 characters");
            }
            if self.examples[..i].iter().any(|other| other.name == example.name) {
                faults.add(
                    format!("/examples/{i}/name"),
                    format!("`{}` names an earlier example too", example.name),
                );
            }
            match Facts::new(example.facts.clone()) {
                Err(wrong) => faults.nest(&format!("/examples/{i}/facts"), wrong),
                Ok(facts) if super::judge::place(facts.json()).is_none() => faults.add(
                    format!("/examples/{i}/facts"),
                    "names an environment, a service or a team as none can be named",
                ),
                Ok(_) => {}
            }
            for (j, rule) in example.expect.rules.iter().flatten().enumerate() {
                if !self.rules.iter().any(|known| known.name == *rule) {
                    faults.add(
                        format!("/examples/{i}/expect/rules/{j}"),
                        format!("there is no rule `{rule}`"),
                    );
                }
            }
        }
        faults
    }
}
