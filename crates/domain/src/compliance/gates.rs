//! What Slipway itself asks of every deployment, as its gates were judged; and that it succeeds.

use super::{
    Requirement, RequirementSource, Verdict,
    standing::{Place, Standing},
};
use crate::{
    deployment::StateName,
    gates::{GateName, evidence},
};

/// Gates that every deployment has, and that say nothing of a release that nobody asks for.
const OF_EVERY_DEPLOYMENT: [GateName; 3] = [GateName::Schedule, GateName::Rollback, GateName::Concurrency];

/// What a gate asks for.
pub(super) const fn asked(name: GateName) -> &'static str {
    match name {
        GateName::Release => "release: sealed, not withdrawn, and nothing in it recalled",
        GateName::Process => "process: it is a stage of the process, and the stage before was passed",
        GateName::Promotion => "promotion: the environment before ran this digest",
        GateName::Evidence => "evidence: what must be stated was, passed, and is fresh",
        GateName::Policy => "policy: no rule of the policies in force refuses",
        GateName::Approval => "approval: enough people approved this digest",
        GateName::Schedule => "schedule: its time had come, and the request had not expired",
        GateName::Rollback => "rollback: it can be undone",
        GateName::Concurrency => "concurrency: nothing else of the service is at work there",
    }
}

impl Place<'_> {
    fn of_gate(&self, name: GateName, source: RequirementSource) -> Requirement {
        match self.gate(name) {
            Some(gate) => self.judged(asked(name), source, &gate.verdict),
            None => self.not_judged(asked(name), source),
        }
    }

    /// That the release is one that may be deployed: then, and still.
    pub(super) fn release(&self) -> Requirement {
        let requirement = self.of_gate(GateName::Release, RequirementSource::Slipway);
        match self.facts.unusable() {
            None => requirement,
            Some(why) => Requirement {
                unblocked_by: Some("another release".to_owned()),
                ..self.contradicted(requirement, &why)
            },
        }
    }

    /// That the stage before was passed. In the first there is none, and there it is told only if it was judged: what was
    /// admitted before there were processes was not.
    pub(super) fn process(&self) -> Option<Requirement> {
        let gate = self.gate(GateName::Process);
        let mut stages = self.facts.stages.iter();
        let is_first = stages.next().is_some_and(|first| first.stage == self.stage.stage);
        if is_first && gate.is_none() {
            return None;
        }
        let requirement = self.of_gate(GateName::Process, self.of_process());
        // Where there is nothing before, nothing is revoked.
        let has_before = gate.is_some_and(|gate| gate.inputs.get("before").is_some());
        Some(if has_before {
            self.unless_revoked(requirement)
        } else {
            requirement
        })
    }

    /// That the environment before ran it. Settings change: of what was admitted, the record says whether there was one.
    pub(super) fn promotion(&self) -> Option<Requirement> {
        let is_admitted = matches!(self.standing, Standing::Admitted(..));
        let asked_now = self.stage.promotes_from.is_some() && !is_admitted;
        if self.gate(GateName::Promotion).is_none() && !asked_now {
            return None;
        }
        let source = RequirementSource::Environment {
            name: self.stage.environment.clone(),
        };
        Some(self.unless_revoked(self.of_gate(GateName::Promotion, source)))
    }

    /// What was shown earlier on the way, as long as no statement says since that something is wrong.
    fn unless_revoked(&self, requirement: Requirement) -> Requirement {
        let was_met = matches!(self.standing, Standing::Admitted(..)) && requirement.verdict == Verdict::Met;
        let stated = &self.stage.evidence;
        let failing = evidence::failing(&stated.subjects, &stated.statements);
        // None was there when it was judged: the gate would not have held.
        let Some(first) = failing.first().filter(|_| was_met) else {
            return requirement;
        };
        let reasons: Vec<_> = failing.iter().map(|failing| failing.reason.as_str()).collect();
        let commands: Vec<_> = failing
            .iter()
            .map(|failing| failing.unblocked_by.as_str())
            .collect();
        let since = stated
            .statements
            .iter()
            .find(|statement| statement.id == first.evidence)
            .map(|statement| statement.stated_at);
        Requirement {
            since,
            evidence: Some(first.evidence.to_string()),
            unblocked_by: Some(commands.join("; ")),
            ..self.contradicted(requirement, &format!("revoked, {}", reasons.join("; ")))
        }
    }

    /// What is asked of every deployment besides.
    pub(super) fn of_every_deployment(&self) -> Vec<Requirement> {
        if self.standing.deployment().is_none() {
            return Vec::new();
        }
        let gates = OF_EVERY_DEPLOYMENT.into_iter();
        gates
            .map(|name| self.of_gate(name, RequirementSource::Slipway))
            .collect()
    }

    /// That it was deployed there, and succeeded.
    pub(super) fn deployment(&self) -> Requirement {
        let open = Requirement {
            evidence: self.record(),
            unblocked_by: Some(self.a_deployment()),
            ..self.open(
                "deployment: one that succeeds",
                self.of_process(),
                "not deployed there yet",
            )
        };
        let Some(deployment) = self.standing.deployment() else {
            return open;
        };
        let began = matches!(self.standing, Standing::Admitted(..));
        let verdict = match deployment.state {
            StateName::Succeeded if began => Verdict::Met,
            // It was judged: by its gates, by those who were asked, or by what ran.
            StateName::Rejected | StateName::Failed | StateName::RolledBack => Verdict::Refused,
            _ => Verdict::Open,
        };
        let unblocked_by = match (deployment.state, verdict) {
            (_, Verdict::Met) => None,
            (StateName::Pending, _) => Some("whatever its gates wait for".to_owned()),
            (StateName::Queued, _) => Some("an executor".to_owned()),
            (StateName::Running | StateName::Paused | StateName::RollingBack, _) => {
                Some(format!("the end of {}", deployment.id))
            }
            _ => Some(format!(
                "another deployment of {} to {}",
                self.facts.release, self.stage.environment
            )),
        };
        let mut detail = self.not_there().unwrap_or_else(|| deployment.stands());
        if let Some(reason) = &deployment.reason {
            detail = format!("{detail}: {reason}");
        }
        Requirement {
            verdict,
            since: Some(deployment.since),
            detail,
            unblocked_by,
            ..open
        }
    }
}
