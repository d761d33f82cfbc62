//! Going on without a gate: in an emergency, by those who are entitled, as far as policies let it, and answered for afterwards.
//!
//! A policy lets gates go by its clause `break_glass`. Of several policies that cover a deployment and have one, each must name
//! the gate. What another policy refuses is refused all the same, unless that policy lets itself go. A person's no, and
//! what cannot be undone by anybody's word (a release that was withdrawn, an environment that is held), stay what they are.

use super::{Gate, GateName, Verdict};
use crate::{
    Faults, Name,
    approval::{Merged, Requirement, Source, merge},
    identity::Role,
    policy::Judgement,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Gates that a policy may let go.
pub const MAY_GO: [GateName; 7] = [
    GateName::Process,
    GateName::Promotion,
    GateName::Evidence,
    GateName::Policy,
    GateName::Approval,
    GateName::Schedule,
    GateName::Rollback,
];
/// When it must have been answered for, where a policy does not say.
pub const ANSWERED_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// What the approvals are asked for by, as a rule of its policy.
pub const RULE: &str = "break-glass";
/// Most characters of a justification.
pub const MAX_JUSTIFICATION: usize = 2_000;
/// Most characters of a reference to an incident.
pub const MAX_INCIDENT: usize = 200;

/// What a policy lets go in an emergency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// Which gates.
    pub gates: Vec<GateName>,
    /// Who must answer for it afterwards; `expires_after` is by when.
    #[serde(default = "one_authority")]
    pub approval: Requirement,
}

// Serde takes the name of a function.
fn one_authority() -> Requirement {
    Requirement::new(Role::Authority, 1)
}

impl Clause {
    /// These gates, answered for by one person with authority.
    #[must_use]
    pub fn new(gates: Vec<GateName>) -> Self {
        Self {
            gates,
            approval: one_authority(),
        }
    }

    /// Checks it; every fault at once.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if self.gates.is_empty() || self.gates.len() > MAY_GO.len() {
            faults.add("/gates", format!("are 1 to {}", MAY_GO.len()));
        }
        for (i, gate) in self.gates.iter().enumerate().take(MAY_GO.len()) {
            if !MAY_GO.contains(gate) {
                let may: Vec<_> = MAY_GO.iter().map(|gate| gate.as_str()).collect();
                faults.add(
                    format!("/gates/{i}"),
                    format!(
                        "no emergency goes on without `{gate}`; these may be named: {}",
                        may.join(", ")
                    ),
                );
            }
            if self.gates.iter().take(i).any(|other| other == gate) {
                faults.add(format!("/gates/{i}"), format!("`{gate}` is named earlier too"));
            }
        }
        faults.nest("/approval", self.approval.faults());
        faults
    }
}

/// A policy that covers a deployment and lets gates go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lets {
    /// Which.
    pub policy: Name,
    /// Which of its versions.
    pub version: i64,
    /// What it lets go.
    pub clause: Clause,
}

/// Somebody took it on themselves that a deployment goes on without a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Which gate.
    pub gate: GateName,
    /// Who, by name.
    pub by: String,
    /// Why.
    pub justification: String,
    /// What it is about: a reference to an incident.
    pub incident: String,
    /// When.
    pub at: Timestamp,
}

/// The gates that may be let go by what policies say now.
#[must_use]
pub fn allowed(judgement: &Judgement) -> BTreeSet<GateName> {
    let mut each = judgement.break_glass.iter().map(|lets| {
        let gates: BTreeSet<GateName> = lets
            .clause
            .gates
            .iter()
            .copied()
            .filter(|gate| MAY_GO.contains(gate))
            .collect();
        gates
    });
    let Some(first) = each.next() else {
        return BTreeSet::new();
    };
    let mut all = each.fold(first, |all, gates| all.intersection(&gates).copied().collect());
    let lets_itself_go = |policy: &Name| {
        let mut lets = judgement.break_glass.iter();
        lets.any(|lets| lets.policy == *policy && lets.clause.gates.contains(&GateName::Policy))
    };
    if judgement.refusals().any(|rule| !lets_itself_go(&rule.policy)) {
        all.remove(&GateName::Policy);
    }
    all
}

/// Who must answer for it afterwards, by each policy that let it go.
#[must_use]
pub fn answers(judgement: &Judgement) -> Vec<Merged> {
    let Ok(rule) = RULE.parse::<Name>() else {
        return Vec::new();
    };
    let each = judgement.break_glass.iter().map(|lets| {
        let source = Source::Policy {
            name: lets.policy.clone(),
            version: lets.version,
            rule: rule.clone(),
        };
        let mut approval = lets.clause.approval.clone();
        approval.expires_after.get_or_insert(ANSWERED_WITHIN);
        (source, approval)
    });
    merge(each.collect())
}

/// Lets gates go that were overridden, as far as policies still let them.
pub(super) fn apply(gates: &mut [Gate], overrides: &[Override], judgement: &Judgement) {
    if overrides.is_empty() {
        return;
    }
    let allowed = allowed(judgement);
    for gate in gates.iter_mut().filter(|gate| allowed.contains(&gate.name)) {
        let Some(by) = overrides.iter().find(|one| one.gate == gate.name) else {
            continue;
        };
        let was = match &gate.verdict {
            Verdict::Waiting { reason, .. } => format!("it waited: {reason}"),
            Verdict::Refused { reason } if gate.name == GateName::Policy => format!("it refused: {reason}"),
            // What holds needs no word; and what somebody said no to, or what is too late, is not let go.
            Verdict::Satisfied { .. } | Verdict::Refused { .. } => continue,
        };
        let overridden = json!({
            "by": by.by, "at": by.at, "incident": by.incident, "justification": by.justification, "verdict": gate.verdict,
        });
        match &mut gate.inputs {
            Value::Object(inputs) => {
                inputs.insert("overridden".to_owned(), overridden);
            }
            other => *other = json!({"judged_on": other.take(), "overridden": overridden}),
        }
        gate.verdict = Verdict::satisfied(format!(
            "OVERRIDDEN by {} for {}: {} ({was})",
            by.by, by.incident, by.justification
        ));
    }
}

/// Whether a gate was let go.
#[must_use]
pub fn is_overridden(gate: &Gate) -> bool {
    gate.inputs.get("overridden").is_some()
}

#[cfg(test)]
mod tests;
