//! What people are asked for: to approve, and to accept.

use super::{
    ApprovalFacts, DecisionFacts, Requirement, RequirementSource, Verdict,
    gates::asked,
    standing::{Place, Standing},
};
use crate::{
    approval::{Answer, ApprovalState},
    gates::GateName,
};
use jiff::Timestamp;

impl Place<'_> {
    /// The gate, and each request by each who asked for it.
    pub(super) fn approvals(&self) -> Vec<Requirement> {
        let gate = self.gate(GateName::Approval);
        let mut requirements: Vec<_> = gate
            .map(|gate| {
                self.judged(
                    asked(GateName::Approval),
                    RequirementSource::Slipway,
                    &gate.verdict,
                )
            })
            .into_iter()
            .collect();
        for approval in &self.stage.approvals {
            let nobody_known = approval.asked_by.is_empty().then_some(RequirementSource::Slipway);
            let sources = approval.asked_by.iter().cloned().chain(nobody_known);
            requirements.extend(sources.map(|source| self.approval(approval, source)));
        }
        requirements
    }

    fn approval(&self, approval: &ApprovalFacts, source: RequirementSource) -> Requirement {
        let what = format!(
            "approval: by {} with the role {}",
            approval.required, approval.role
        );
        let open = Requirement {
            evidence: Some(approval.id.to_string()),
            ..self.open(&what, source, approval.said())
        };
        if let Some(no) = approval.with(Answer::Reject).next() {
            return Requirement {
                verdict: Verdict::Refused,
                since: Some(no.at),
                ..open
            };
        }
        if approval.state == ApprovalState::Rejected {
            return Requirement {
                verdict: Verdict::Refused,
                ..open
            };
        }
        if let Some(not_there) = self.not_there() {
            return Requirement {
                detail: format!("{not_there}; {}", open.detail),
                unblocked_by: Some(self.a_deployment()),
                ..open
            };
        }
        match (approval.granted_at(), self.standing) {
            (Some(at), _) => Requirement {
                verdict: Verdict::Met,
                since: Some(at),
                ..open
            },
            (None, Standing::Admitted(_, at)) => Requirement {
                verdict: Verdict::Refused,
                since: Some(at),
                detail: format!("it was admitted all the same: {}", open.detail),
                ..open
            },
            (None, _) => Requirement {
                unblocked_by: Some(format!(
                    "slipway approve {} --digest {}",
                    approval.id, approval.digest
                )),
                ..open
            },
        }
    }

    /// That operations accepted it, where the stage asks for that.
    pub(super) fn handover(&self) -> Option<Requirement> {
        let handover = self.stage.handover.as_ref()?;
        let open = self.open(
            "handover: operations accept it",
            self.of_process(),
            "nobody accepted it yet",
        );
        let accepted = handover.accepted.as_ref();
        let said = accepted.map(|acceptance| format!("accepted by {} at {}", acceptance.by, acceptance.at));
        let evidence = accepted.map(|acceptance| acceptance.evidence.to_string());
        Some(match (self.standing, accepted) {
            (Standing::Admitted(..), Some(acceptance)) => Requirement {
                verdict: Verdict::Met,
                since: Some(acceptance.at),
                evidence,
                detail: said.unwrap_or_default(),
                ..open
            },
            (Standing::Admitted(..), None) => Requirement {
                unblocked_by: Some("somebody of operations who accepts it".to_owned()),
                ..open
            },
            _ => {
                let not_there = self.not_there();
                let not_there = not_there.unwrap_or_else(|| "not deployed there yet".to_owned());
                Requirement {
                    evidence,
                    detail: format!("{not_there}; {}", said.unwrap_or(open.detail)),
                    unblocked_by: Some(self.a_deployment()),
                    ..open
                }
            }
        })
    }
}

impl ApprovalFacts {
    /// Who said so, in the order in which they did.
    fn with(&self, answer: Answer) -> impl Iterator<Item = &DecisionFacts> {
        let mut decisions: Vec<_> = self
            .decisions
            .iter()
            .filter(|decision| decision.answer == answer)
            .collect();
        decisions.sort_by_key(|decision| decision.at);
        decisions.into_iter()
    }

    /// When the last of those approved that it takes, if they did.
    fn granted_at(&self) -> Option<Timestamp> {
        let last = usize::try_from(self.required.max(1)).ok()? - 1;
        let granted = self.with(Answer::Approve).nth(last)?;
        (self.state == ApprovalState::Approved).then_some(granted.at)
    }

    /// Who decided, when, in their words.
    fn said(&self) -> String {
        let mut said = format!(
            "{}, {} of {} approved",
            self.state,
            self.with(Answer::Approve).count(),
            self.required
        );
        let mut decisions: Vec<_> = self.decisions.iter().collect();
        decisions.sort_by_key(|decision| decision.at);
        for decision in decisions {
            let did = match decision.answer {
                Answer::Approve => "approved",
                Answer::Reject => "rejected",
            };
            said = format!("{said}; {} {did} at {}", decision.by, decision.at);
            if let Some(comment) = &decision.comment {
                // What they wrote ends where its marks do: nobody tells of others' decisions in their own.
                let comment = comment.replace(['\u{201c}', '\u{201d}'], "\"");
                said = format!("{said}: \u{201c}{comment}\u{201d}");
            }
        }
        said
    }
}
