//! How far a release has come in an environment, and what that makes of a verdict.

use super::{DeploymentFacts, Facts, Requirement, RequirementSource, StageFacts, Verdict};
use crate::{
    deployment::StateName,
    gates::{self, Gate, GateName},
};
use jiff::Timestamp;

/// A release in an environment.
pub(super) struct Place<'f> {
    pub(super) facts: &'f Facts,
    pub(super) stage: &'f StageFacts,
    pub(super) standing: Standing<'f>,
}

/// How far it has come there.
#[derive(Clone, Copy)]
pub(super) enum Standing<'f> {
    /// Nobody asked for it.
    NotAskedFor,
    /// It waits for gates, or for an executor.
    Waits(&'f DeploymentFacts),
    /// The request is over, and nothing began.
    NeverBegan(&'f DeploymentFacts),
    /// It was admitted then, whatever became of it.
    Admitted(&'f DeploymentFacts, Timestamp),
}

impl<'f> Standing<'f> {
    fn of(stage: &'f StageFacts) -> Self {
        let Some(deployment) = &stage.deployment else {
            return Self::NotAskedFor;
        };
        match (deployment.started_at, deployment.state) {
            (Some(at), _) => Self::Admitted(deployment, at),
            (None, StateName::Pending | StateName::Queued) => Self::Waits(deployment),
            (None, _) => Self::NeverBegan(deployment),
        }
    }

    pub(super) const fn deployment(self) -> Option<&'f DeploymentFacts> {
        match self {
            Self::NotAskedFor => None,
            Self::Waits(deployment) | Self::NeverBegan(deployment) | Self::Admitted(deployment, _) => {
                Some(deployment)
            }
        }
    }
}

impl<'f> Place<'f> {
    pub(super) fn new(facts: &'f Facts, stage: &'f StageFacts) -> Self {
        Self {
            facts,
            stage,
            standing: Standing::of(stage),
        }
    }

    /// The stage of the process as what asks.
    pub(super) fn of_process(&self) -> RequirementSource {
        RequirementSource::Process {
            name: self.facts.process.clone(),
            version: self.facts.process_version,
            stage: self.stage.stage.clone(),
        }
    }

    /// What would bring it there.
    pub(super) fn a_deployment(&self) -> String {
        let (release, environment) = (&self.facts.release, &self.stage.environment);
        format!("a deployment of {release} to {environment}: slipway deploy create {release} {environment}")
    }

    /// Why nothing is met here, if nothing is.
    pub(super) fn not_there(&self) -> Option<String> {
        match self.standing {
            Standing::NotAskedFor => Some("not deployed there yet".to_owned()),
            Standing::NeverBegan(deployment) => Some(format!(
                "not deployed there yet: {}, and never began",
                deployment.stands()
            )),
            Standing::Waits(_) | Standing::Admitted(..) => None,
        }
    }

    /// Where the record says how gates were judged.
    pub(super) fn record(&self) -> Option<String> {
        self.standing
            .deployment()
            .map(|deployment| deployment.id.to_string())
    }

    pub(super) fn gate(&self, name: GateName) -> Option<&'f Gate> {
        let gates = &self.standing.deployment()?.gates;
        gates.iter().find(|gate| gate.name == name)
    }

    /// An open requirement of the release, of which nothing is known but this.
    pub(super) fn open(
        &self,
        what: &str,
        source: RequirementSource,
        detail: impl Into<String>,
    ) -> Requirement {
        Requirement {
            what: what.to_owned(),
            source,
            about: self.facts.release.clone(),
            verdict: Verdict::Open,
            since: None,
            evidence: None,
            detail: detail.into(),
            unblocked_by: None,
        }
    }

    /// A requirement that a gate judged.
    pub(super) fn judged(&self, what: &str, source: RequirementSource, said: &gates::Verdict) -> Requirement {
        use gates::Verdict as Said;
        let reason = said.reason();
        let open = Requirement {
            evidence: self.record(),
            ..self.open(what, source, reason)
        };
        match (self.standing, said) {
            (Standing::Admitted(_, at), Said::Satisfied { .. }) => Requirement {
                verdict: Verdict::Met,
                since: Some(at),
                ..open
            },
            (Standing::Admitted(_, at), _) => Requirement {
                verdict: Verdict::Refused,
                since: Some(at),
                detail: format!("it was admitted all the same: {reason}"),
                ..open
            },
            (Standing::Waits(_), Said::Satisfied { .. }) => Requirement {
                verdict: Verdict::Met,
                ..open
            },
            (Standing::Waits(_), Said::Waiting { unblocked_by, .. }) => Requirement {
                unblocked_by: Some(unblocked_by.clone()),
                ..open
            },
            (Standing::Waits(deployment), Said::Refused { .. }) => Requirement {
                verdict: Verdict::Refused,
                since: Some(deployment.since),
                ..open
            },
            (Standing::NeverBegan(deployment), Said::Refused { .. })
                if deployment.state == StateName::Rejected =>
            {
                Requirement {
                    verdict: Verdict::Refused,
                    since: Some(deployment.since),
                    unblocked_by: Some(self.a_deployment()),
                    ..open
                }
            }
            (Standing::NeverBegan(_) | Standing::NotAskedFor, _) => Requirement {
                detail: format!("{}; judged last: {reason}", self.not_there().unwrap_or_default()),
                unblocked_by: Some(self.a_deployment()),
                ..open
            },
        }
    }

    /// A requirement that no gate judged, and that one must have.
    pub(super) fn not_judged(&self, what: &str, source: RequirementSource) -> Requirement {
        let open = Requirement {
            evidence: self.record(),
            ..self.open(what, source, "it was not judged yet")
        };
        match self.standing {
            Standing::Admitted(_, at) => Requirement {
                verdict: Verdict::Refused,
                since: Some(at),
                detail: "it was admitted, and no verdict on this is on record".to_owned(),
                ..open
            },
            Standing::Waits(_) => open,
            Standing::NotAskedFor | Standing::NeverBegan(_) => Requirement {
                detail: self.not_there().unwrap_or_default(),
                unblocked_by: Some(self.a_deployment()),
                ..open
            },
        }
    }

    /// What was met when it was admitted, and is not so any more: refused, because of this.
    pub(super) fn contradicted(&self, requirement: Requirement, because: &str) -> Requirement {
        let detail = match self.standing {
            Standing::Admitted(_, at) if requirement.verdict == Verdict::Met => {
                format!("{}, and since then: {because}", met_at(at, &requirement.detail))
            }
            _ => because.to_owned(),
        };
        Requirement {
            verdict: Verdict::Refused,
            since: None,
            unblocked_by: None,
            detail,
            ..requirement
        }
    }
}

impl DeploymentFacts {
    /// `dep_01… is pending`, `dep_01… succeeded`.
    pub(super) fn stands(&self) -> String {
        let is = match self.state {
            StateName::Succeeded | StateName::Failed | StateName::Errored | StateName::Expired => "",
            StateName::Cancelled | StateName::Rejected | StateName::RolledBack | StateName::Superseded => {
                "was "
            }
            _ => "is ",
        };
        format!("{} {is}{}", self.id, self.state.as_str().replace('_', " "))
    }
}

/// That it was met when it was admitted, and why.
pub(super) fn met_at(at: Timestamp, why: &str) -> String {
    format!("it was met when it was admitted at {at} ({why})")
}
