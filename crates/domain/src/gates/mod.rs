//! Gates: `(facts, now) -> verdicts`, pure.
//!
//! They are evaluated whenever a fact changes and at each boundary in time, to show where a deployment stands, and again
//! inside the transaction that claims its work: only that one admits. A rollback has its own, lighter set.
//!
//! To add a gate: a file here with its facts and its function, a variant of [`GateName`], a field of [`Facts`], and its
//! line in [`evaluate`].

pub mod approval;
pub mod concurrency;
pub mod evidence;
pub mod overrides;
pub mod policy;
pub mod process;
pub mod promotion;
pub mod rollback;
pub mod schedule;

use crate::{
    Name,
    approval::{Merged, Requirement, Source, merge},
    deployment::Kind,
    policy::Judgement,
};
use jiff::Timestamp;
use overrides::Override;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

/// The gates there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateName {
    /// The release itself is sealed and not withdrawn, and none of its components is recalled.
    Release,
    /// The environment is a stage of the release's process, and the stage before was passed.
    Process,
    /// The environment that this one promotes from ran this same digest.
    Promotion,
    /// What must have been stated about this digest was, passed, and is fresh.
    Evidence,
    /// No rule of the policies in force refuses.
    Policy,
    /// Enough people approved this digest.
    Approval,
    /// `not_before` has passed, the request has not expired.
    Schedule,
    /// It can be undone.
    Rollback,
    /// No other deployment of the service holds the environment.
    Concurrency,
}

impl GateName {
    /// Every gate.
    pub const ALL: [Self; 9] = [
        Self::Release,
        Self::Process,
        Self::Promotion,
        Self::Evidence,
        Self::Policy,
        Self::Approval,
        Self::Schedule,
        Self::Rollback,
        Self::Concurrency,
    ];

    /// As written in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Process => "process",
            Self::Promotion => "promotion",
            Self::Evidence => "evidence",
            Self::Policy => "policy",
            Self::Approval => "approval",
            Self::Schedule => "schedule",
            Self::Rollback => "rollback",
            Self::Concurrency => "concurrency",
        }
    }
}

impl FromStr for GateName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|gate| gate.as_str() == text);
        found.ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|gate| gate.as_str()).collect();
            format!("a gate is one of {}", all.join(", "))
        })
    }
}

impl fmt::Display for GateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Satisfied {
        /// Why it holds, for people.
        reason: String,
    },
    /// It does not hold yet.
    Waiting {
        /// What it waits for, for people.
        reason: String,
        /// When it will hold by itself, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Who or what can make it hold.
        unblocked_by: String,
    },
    /// It will not hold.
    Refused {
        /// Why not, for people.
        reason: String,
    },
}

impl Verdict {
    /// Satisfied, with the reason.
    pub fn satisfied(reason: impl Into<String>) -> Self {
        Self::Satisfied {
            reason: reason.into(),
        }
    }

    /// Waiting for somebody or something.
    pub fn waiting(
        reason: impl Into<String>,
        until: Option<Timestamp>,
        unblocked_by: impl Into<String>,
    ) -> Self {
        Self::Waiting {
            reason: reason.into(),
            until,
            unblocked_by: unblocked_by.into(),
        }
    }

    /// Refused for good.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }

    /// Whether it holds.
    #[must_use]
    pub const fn is_satisfied(&self) -> bool {
        matches!(self, Self::Satisfied { .. })
    }

    /// The reason, whatever the verdict.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Satisfied { reason } | Self::Waiting { reason, .. } | Self::Refused { reason } => reason,
        }
    }
}

/// One gate's verdict, with the inputs it was judged on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Which gate.
    pub name: GateName,
    /// What it says.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What it was judged on.
    pub inputs: Value,
}

/// Everything the gates are judged on.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Deploy or roll back.
    pub kind: Kind,
    /// Why the release may not be deployed, if it may not.
    pub release_problem: Option<String>,
    /// The way that the release goes.
    pub process: process::Facts,
    /// The environment before; none when the environment promotes from nowhere.
    pub promotion: Option<promotion::Facts>,
    /// What the policies in force say of it.
    pub policies: Judgement,
    /// What must have been stated, and what was.
    pub evidence: evidence::Facts,
    /// The approvals that the environment and the process ask for; see [`Facts::raised`].
    pub asked_for: Vec<(Source, Requirement)>,
    /// Requests for approval; empty when nobody was asked.
    pub approvals: Vec<approval::Facts>,
    /// Gates that somebody took it on themselves to go on without.
    pub overrides: Vec<Override>,
    /// When it may start.
    pub schedule: schedule::Facts,
    /// What could be rolled back to.
    pub rollback: rollback::Facts,
    /// Who holds the environment.
    pub concurrency: concurrency::Facts,
}

impl Facts {
    /// Every approval that is asked for now, by whatever asks for it: the environment, the process, rules of policies.
    #[must_use]
    pub fn raised(&self) -> Vec<Merged> {
        let by_policies = self.policies.approvals().map(|(rule, requirement)| {
            let source = Source::Policy {
                name: rule.policy.clone(),
                version: rule.version,
                rule: rule.rule.clone(),
            };
            (source, requirement.clone())
        });
        merge(self.asked_for.iter().cloned().chain(by_policies).collect())
    }
}

/// What shows that a release works in an environment, with the command to ask for it.
fn a_success(release: &str, environment: &Name) -> String {
    format!(
        "a deployment of {release} to {environment} that succeeds: slipway deploy create {release} {environment}"
    )
}

/// Judges every gate that guards this kind of deployment.
#[must_use]
pub fn evaluate(facts: &Facts, now: Timestamp) -> Vec<Gate> {
    let gate = |name, (verdict, inputs)| Gate {
        name,
        verdict,
        inputs,
    };
    let mut gates = Vec::with_capacity(9);
    if facts.kind == Kind::Deploy {
        gates.push(gate(
            GateName::Release,
            match &facts.release_problem {
                None => (Verdict::satisfied("sealed"), Value::Null),
                Some(problem) => (Verdict::refused(problem.clone()), Value::Null),
            },
        ));
        gates.push(gate(GateName::Process, process::judge(&facts.process, now)));
        if let Some(promotion) = &facts.promotion {
            gates.push(gate(GateName::Promotion, promotion::judge(promotion, now)));
        }
        gates.push(gate(GateName::Policy, policy::judge(&facts.policies)));
        gates.push(gate(GateName::Evidence, evidence::judge(&facts.evidence, now)));
        let raised = facts.raised();
        if !facts.approvals.is_empty() || !raised.is_empty() {
            gates.push(gate(
                GateName::Approval,
                approval::judge(&facts.approvals, &raised, now),
            ));
        }
        gates.push(gate(GateName::Schedule, schedule::judge(&facts.schedule, now)));
        gates.push(gate(GateName::Rollback, rollback::judge(&facts.rollback)));
    }
    gates.push(gate(
        GateName::Concurrency,
        concurrency::judge(&facts.concurrency),
    ));
    overrides::apply(&mut gates, &facts.overrides, &facts.policies);
    gates
}

/// Gates as they were stored. One that a newer server judged, and that this one does not know, is left out: side by side in an
/// upgrade, either shows the deployment, and neither takes the other's word for its own.
///
/// # Errors
/// When they are no list of gates.
pub fn stored(gates: Vec<Value>) -> Result<Vec<Gate>, serde_json::Error> {
    let known = |gate: &Value| {
        gate.get("name")
            .is_none_or(|name| GateName::deserialize(name).is_ok())
    };
    gates
        .into_iter()
        .filter(known)
        .map(serde_json::from_value)
        .collect()
}

/// Until when gates that are all satisfied now go on being so by themselves.
#[must_use]
pub fn satisfied_until(facts: &Facts, now: Timestamp) -> Option<Timestamp> {
    match facts.kind {
        Kind::Deploy => evidence::satisfied_until(&facts.evidence, now),
        Kind::RollBack | Kind::Heal => None,
    }
}

/// Whether all of them are satisfied: what admits.
#[must_use]
pub fn all_satisfied(gates: &[Gate]) -> bool {
    !gates.is_empty()
        && gates
            .iter()
            .all(|gate| matches!(gate.verdict, Verdict::Satisfied { .. }))
}

/// The first refusal, if any.
#[must_use]
pub fn refusal(gates: &[Gate]) -> Option<&Gate> {
    gates
        .iter()
        .find(|gate| matches!(gate.verdict, Verdict::Refused { .. }))
}

/// The next moment at which a waiting gate may change by itself.
#[must_use]
pub fn next_boundary(gates: &[Gate]) -> Option<Timestamp> {
    gates
        .iter()
        .filter_map(|gate| match &gate.verdict {
            Verdict::Waiting { until, .. } => *until,
            _ => None,
        })
        .min()
}

#[cfg(test)]
mod tests;
