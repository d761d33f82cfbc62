//! What the policies ask for that covered a deployment, each by its version.

use super::{
    Requirement, RequirementSource,
    gates::asked,
    standing::{Place, Standing},
};
use crate::{
    Name,
    gates::{self, Gate, GateName},
    policy::{Effect, Kept, RuleVerdict},
};
use serde::Deserialize;
use serde_json::Value;

impl Place<'_> {
    /// One requirement for each policy that covered the deployment; the gate's own where there is none, and where it says no
    /// though none of them does. What was admitted before there were policies has neither.
    pub(super) fn policies(&self) -> Vec<Requirement> {
        let Some(deployment) = self.standing.deployment() else {
            return Vec::new();
        };
        let gate = self.gate(GateName::Policy);
        let judged = gate.map(Judged::of).unwrap_or_default();
        let mut versions = deployment.policies.clone();
        for version in judged.versions {
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        let mut any_refuses = false;
        let mut requirements = Vec::with_capacity(versions.len() + 1);
        for (name, version) in versions {
            let of_it = |rule: &&RuleVerdict| rule.policy == name && rule.version == version;
            let rules: Vec<_> = judged.rules.iter().filter(of_it).collect();
            let source = RequirementSource::Policy {
                name: name.clone(),
                version,
                rule: None,
            };
            requirements.push(match gate {
                Some(_) => {
                    any_refuses |= rules.iter().any(|rule| rule.refuses());
                    self.judged("policy: no rule of it refuses", source, &verdict(&rules))
                }
                None => self.not_judged("policy: no rule of it refuses", source),
            });
        }
        let holds = |gate: &Gate| matches!(gate.verdict, gates::Verdict::Satisfied { .. });
        if let Some(gate) = gate
            && (requirements.is_empty() || (!holds(gate) && !any_refuses))
        {
            let own = self.judged(asked(GateName::Policy), RequirementSource::Slipway, &gate.verdict);
            requirements.push(own);
        } else if requirements.is_empty() && matches!(self.standing, Standing::Waits(_)) {
            requirements.push(self.not_judged(asked(GateName::Policy), RequirementSource::Slipway));
        }
        requirements
    }
}

/// What the gate was judged on: the policies, and their rules that are not kept.
#[derive(Default)]
struct Judged {
    versions: Vec<(Name, i64)>,
    rules: Vec<RuleVerdict>,
}

#[derive(Deserialize)]
struct Version {
    policy: Name,
    version: i64,
}

impl Judged {
    fn of(gate: &Gate) -> Self {
        fn list<'v, T: Deserialize<'v>>(inputs: &'v Value, key: &str) -> impl Iterator<Item = T> {
            let entries = inputs.get(key).and_then(Value::as_array).into_iter().flatten();
            entries.filter_map(|entry| T::deserialize(entry).ok())
        }
        Self {
            versions: list::<Version>(&gate.inputs, "policies")
                .map(|of| (of.policy, of.version))
                .collect(),
            rules: list(&gate.inputs, "rules").collect(),
        }
    }
}

/// What one policy says, by its rules that are not kept.
fn verdict(rules: &[&RuleVerdict]) -> gates::Verdict {
    let (refusing, others): (Vec<_>, Vec<_>) = rules.iter().copied().partition(|rule| rule.refuses());
    let all = |rules: &[&RuleVerdict]| rules.iter().map(|rule| said(rule)).collect::<Vec<_>>().join("; ");
    if !refusing.is_empty() {
        return gates::Verdict::refused(all(&refusing));
    }
    gates::Verdict::satisfied(if others.is_empty() {
        "every rule that applies is kept".to_owned()
    } else {
        format!("no rule refuses; {}", all(&others))
    })
}

fn said(rule: &RuleVerdict) -> String {
    let does = match (&rule.kept, &rule.effect) {
        (Kept::Unknown, _) => "could not be judged, which refuses".to_owned(),
        (_, Effect::Refuse) => "refuses".to_owned(),
        (_, Effect::Warn) => "warns".to_owned(),
        (_, Effect::RequireApproval(asked)) => {
            format!(
                "asks for approval by {} with the role {}",
                asked.count, asked.role
            )
        }
        (_, Effect::RequireEvidence(asked)) => format!("asks for evidence, {}", asked.kind.words()),
    };
    match &rule.message {
        Some(message) => format!("rule {} {does}: {message}", rule.rule),
        None => format!("rule {} {does}", rule.rule),
    }
}
