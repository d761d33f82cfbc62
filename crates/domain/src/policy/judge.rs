//! What policies say of a deployment: every rule of every policy that covers it, with its reasons.

use super::{
    document::{Document, Effect, Example, MAX_RULES, Overall, Place, Ready, RequiredEvidence, Told},
    expression::{Because, Condition, Outcome},
    facts::Facts,
};
use crate::{
    Faults, Name,
    approval::Requirement,
    deployment::Kind,
    gates::overrides::Lets,
    registry::{Criticality, Tier},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A version of a policy, checked and ready to be judged.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub name: Name,
    /// Which version.
    pub version: i64,
    document: Document,
    rules: Vec<Ready>,
}

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It does not apply: its `when` is not so.
    DoesNotApply,
    /// It is kept.
    Kept,
    /// It is not: its effect is there.
    NotKept,
    /// That cannot be said: it refuses, whatever its effect.
    Unknown,
}

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVerdict {
    /// Of which policy.
    pub policy: Name,
    /// Of which of its versions.
    pub version: i64,
    /// Which rule.
    pub rule: Name,
    /// How it came out.
    pub kept: Kept,
    /// What happens where it is not kept.
    pub effect: Effect,
    /// What people are told where it is not kept, or could not be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The parts that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Because>,
}

impl RuleVerdict {
    /// Whether it lets no deployment start.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.kept == Kept::Unknown || (self.kept == Kept::NotKept && self.effect == Effect::Refuse)
    }

    fn overall(&self) -> Overall {
        match (self.kept, &self.effect) {
            (Kept::DoesNotApply | Kept::Kept, _) => Overall::Allow,
            (Kept::Unknown, _) | (Kept::NotKept, Effect::Refuse) => Overall::Refuse,
            (Kept::NotKept, Effect::RequireApproval(_)) => Overall::RequireApproval,
            (Kept::NotKept, Effect::RequireEvidence(_)) => Overall::RequireEvidence,
            (Kept::NotKept, Effect::Warn) => Overall::Warn,
        }
    }
}

/// What all policies say that cover a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Each rule, by policy, in the order in which they were written.
    pub rules: Vec<RuleVerdict>,
    /// The policies that cover it, with the versions that were judged by.
    pub policies: Vec<(Name, i64)>,
    /// What those among them that say so let go in an emergency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub break_glass: Vec<Lets>,
}

impl Judgement {
    fn covered_by(&mut self, policy: &Policy) {
        self.policies.push((policy.name.clone(), policy.version));
        let lets = policy.document.break_glass.as_ref().map(|clause| Lets {
            policy: policy.name.clone(),
            version: policy.version,
            clause: clause.clone(),
        });
        self.break_glass.extend(lets);
    }

    /// The rules that let no deployment start.
    pub fn refusals(&self) -> impl Iterator<Item = &RuleVerdict> {
        self.rules.iter().filter(|rule| rule.refuses())
    }

    /// What people are to be told, though it may start.
    pub fn warnings(&self) -> impl Iterator<Item = &RuleVerdict> {
        self.not_kept().filter(|rule| rule.effect == Effect::Warn)
    }

    /// The approvals that are asked for, with the rule that asks.
    pub fn approvals(&self) -> impl Iterator<Item = (&RuleVerdict, &Requirement)> {
        self.not_kept().filter_map(|rule| match &rule.effect {
            Effect::RequireApproval(required) => Some((rule, required)),
            _ => None,
        })
    }

    /// The evidence that is asked for, with the rule that asks.
    pub fn evidence(&self) -> impl Iterator<Item = (&RuleVerdict, &RequiredEvidence)> {
        self.not_kept().filter_map(|rule| match &rule.effect {
            Effect::RequireEvidence(required) => Some((rule, required)),
            _ => None,
        })
    }

    /// All in all.
    #[must_use]
    pub fn overall(&self) -> Overall {
        if self.policies.is_empty() {
            return Overall::NotCovered;
        }
        let hardest = self.rules.iter().map(RuleVerdict::overall).max();
        hardest.unwrap_or(Overall::Allow)
    }

    fn not_kept(&self) -> impl Iterator<Item = &RuleVerdict> {
        self.rules.iter().filter(|rule| rule.kept == Kept::NotKept)
    }
}

/// How much is told beside the verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explained {
    /// Nothing: what a claim needs.
    No,
    /// Why rules are not kept.
    NotKept,
    /// Why each rule came out as it did.
    All,
}

/// Judges a deployment by all policies that cover it. Each counts; the hardest verdict is what holds.
#[must_use]
pub fn judge<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    place: &Place,
    facts: &Facts,
    explained: Explained,
) -> Judgement {
    let mut judgement = Judgement::default();
    for policy in policies
        .into_iter()
        .filter(|policy| policy.document.scope.covers(place))
    {
        judgement.covered_by(policy);
        for rule in &policy.rules {
            judgement.rules.push(policy.verdict(rule, facts, explained));
        }
    }
    judgement
}

/// What policies come to that cover a deployment whose facts cannot be had: each of their rules refuses, and says why.
#[must_use]
pub fn unjudged<'p>(policies: impl IntoIterator<Item = &'p Policy>, place: &Place, why: &str) -> Judgement {
    let mut judgement = Judgement::default();
    for policy in policies
        .into_iter()
        .filter(|policy| policy.document.scope.covers(place))
    {
        judgement.covered_by(policy);
        judgement
            .rules
            .extend(policy.rules.iter().map(|rule| RuleVerdict {
                policy: policy.name.clone(),
                version: policy.version,
                rule: rule.name.clone(),
                kept: Kept::Unknown,
                effect: rule.effect.clone(),
                message: Some(format!("it cannot be judged, which refuses: {why}")),
                because: Vec::new(),
            }));
    }
    judgement
}

impl Policy {
    /// Checks a document and makes it ready.
    ///
    /// # Errors
    /// Everything that is wrong with it, by pointers into it.
    pub fn new(name: Name, version: i64, document: Document) -> Result<Self, Faults> {
        let mut faults = document.faults();
        let mut rules = Vec::with_capacity(document.rules.len());
        for (i, rule) in document.rules.iter().enumerate().take(MAX_RULES) {
            let mut of_rule = Faults::new();
            rules.extend(rule.ready(&mut of_rule));
            faults.nest(&format!("/rules/{i}"), of_rule);
        }
        faults.check()?;
        Ok(Self {
            name,
            version,
            document,
            rules,
        })
    }

    /// As its author wrote it.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }

    fn verdict(&self, rule: &Ready, facts: &Facts, explained: Explained) -> RuleVerdict {
        let outcome = |condition: &Option<Condition>, absent| {
            condition
                .as_ref()
                .map_or(absent, |condition| condition.judge(facts))
        };
        let (kept, asked) = match outcome(&rule.when, Outcome::True) {
            Outcome::False => (Kept::DoesNotApply, &rule.when),
            Outcome::Unknown(_) => (Kept::Unknown, &rule.when),
            // Without an expression nothing keeps it.
            Outcome::True => match outcome(&rule.expression, Outcome::False) {
                Outcome::True => (Kept::Kept, &rule.expression),
                Outcome::False => (Kept::NotKept, &rule.expression),
                Outcome::Unknown(_) => (Kept::Unknown, &rule.expression),
            },
        };
        let in_the_way = matches!(kept, Kept::NotKept | Kept::Unknown);
        let explain = match explained {
            Explained::No => false,
            Explained::NotKept => in_the_way,
            Explained::All => true,
        };
        let because = match asked {
            Some(condition) if explain => condition.explain(facts),
            _ => Vec::new(),
        };
        RuleVerdict {
            policy: self.name.clone(),
            version: self.version,
            rule: rule.name.clone(),
            kept,
            effect: rule.effect.clone(),
            message: in_the_way.then(|| told(rule, kept, facts)),
            because,
        }
    }

    /// What it says of its own examples, where that is not what they expect.
    #[must_use]
    pub fn failed_examples(&self) -> Vec<FailedExample> {
        self.document
            .examples
            .iter()
            .filter_map(|example| self.tried(example))
            .collect()
    }

    fn tried(&self, example: &Example) -> Option<FailedExample> {
        // Both were checked when it was made ready; if they were not, this is no example that passed.
        let of = Facts::new(example.facts.clone()).ok().zip(place(&example.facts));
        let judgement = of.map_or_else(Judgement::default, |(facts, place)| {
            judge([self], &place, &facts, Explained::NotKept)
        });
        let (overall, expected) = (judgement.overall(), example.expect.verdict);
        let not_kept: Vec<_> = judgement
            .rules
            .iter()
            .filter(|rule| matches!(rule.kept, Kept::NotKept | Kept::Unknown))
            .map(|rule| rule.rule.clone())
            .collect();
        let as_expected = overall == expected
            && example.expect.rules.as_ref().is_none_or(|rules| {
                rules.len() == not_kept.len() && rules.iter().all(|rule| not_kept.contains(rule))
            });
        (!as_expected).then(|| FailedExample {
            name: example.name.clone(),
            expected,
            verdict: overall,
            judgement,
        })
    }
}

/// An example that a policy does not live up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedExample {
    /// Its name.
    pub name: String,
    /// What it expects.
    pub expected: Overall,
    /// What the policy says instead, or as well, by other rules.
    pub verdict: Overall,
    /// Why.
    pub judgement: Judgement,
}

fn told(rule: &Ready, kept: Kept, facts: &Facts) -> String {
    let said = match &rule.message {
        Told::Text(text) => text.clone(),
        Told::Sentence(sentence) => sentence
            .say(facts)
            .unwrap_or_else(|why| format!("its message: {why}")),
    };
    if kept == Kept::Unknown {
        return format!("it cannot be judged, which refuses; it would say: {said}");
    }
    said
}

/// Where facts are about.
#[must_use]
pub fn place(facts: &Value) -> Option<Place> {
    let text = |pointer: &str| facts.pointer(pointer).and_then(Value::as_str);
    let name = |pointer: &str| text(pointer)?.parse::<Name>().ok();
    Some(Place {
        tier: text("/environment/tier")?.parse::<Tier>().ok()?,
        environment: name("/environment/name")?,
        service: name("/service/name")?,
        team: name("/service/team")?,
        criticality: text("/service/criticality")?.parse::<Criticality>().ok()?,
        kind: match text("/deployment/kind")? {
            "roll_back" => Kind::RollBack,
            "heal" => Kind::Heal,
            _ => Kind::Deploy,
        },
    })
}
