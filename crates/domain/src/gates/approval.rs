//! Every requirement is met by distinct, entitled, undisqualified people, on this very digest.

use super::Verdict;
use crate::{
    Digest,
    approval::{ApprovalState, Asked, Merged, document, merge::again, quorum::Quorum},
    counted,
    ids::{ApprovalId, PrincipalId},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One request for approval.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Which.
    pub id: ApprovalId,
    /// Whether it is to be answered before; one that is answered afterwards holds up nothing.
    pub asked: Asked,
    /// Where it stands.
    pub state: ApprovalState,
    /// What is asked for.
    pub requirements: Vec<Merged>,
    /// What the decisions on just this come to, by what people are entitled to now.
    pub judged: ApprovalState,
    /// Who fills what, and who is missing.
    pub quorum: Quorum,
    /// When it ends by itself, if it does.
    pub expires_at: Option<Timestamp>,
    /// The digest that is decided on.
    pub digest: Digest,
    /// The digest of what would be deployed now: release and plan must both be the same still.
    pub unchanged: bool,
    /// What has changed of the rest of what approvers saw.
    pub changes: Vec<String>,
    /// Who rejected it, by name.
    pub rejected_by: Option<String>,
    /// What people are called.
    pub names: BTreeMap<PrincipalId, String>,
}

/// Judges it. More may be asked for by now than the request says: that is missing too.
#[must_use]
pub fn judge(requests: &[Facts], raised: &[Merged], now: Timestamp) -> (Verdict, Value) {
    let requests: Vec<&Facts> = requests.iter().filter(|one| one.asked == Asked::Before).collect();
    let inputs = Value::Array(requests.iter().map(|request| request.inputs()).collect());
    if requests.is_empty() && !raised.is_empty() {
        let sources = raised.iter().flat_map(|one| &one.sources);
        let reason = format!(
            "approval is asked for by {}; nobody was asked yet",
            document::asked_by(sources)
        );
        return (
            Verdict::waiting(reason, None, "the next look at it, which asks"),
            inputs,
        );
    }
    for request in &requests {
        if let Some(verdict) = request.holds_up(raised, now) {
            return (verdict, inputs);
        }
    }
    let filled = requests
        .iter()
        .map(|request| request.quorum.filled.len())
        .sum::<usize>();
    let people = counted(filled, "person", "people");
    (Verdict::satisfied(format!("approved by {people}")), inputs)
}

impl Facts {
    fn inputs(&self) -> Value {
        let called = |id: &PrincipalId| self.names.get(id).cloned().unwrap_or_else(|| id.to_string());
        let filled = self.quorum.filled.iter().map(|filled| {
            let mut said = json!({"by": called(&filled.by)});
            if filled.of != filled.by {
                said["on_behalf_of"] = json!(called(&filled.of));
            }
            said
        });
        json!({
            "approval": self.id, "state": self.state.as_str(), "required": self.requirements,
            "filled": filled.collect::<Vec<_>>(),
            "missing": self.quorum.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "digest": self.digest, "unchanged": self.unchanged && self.changes.is_empty(), "expires_at": self.expires_at,
        })
    }

    fn holds_up(&self, raised: &[Merged], now: Timestamp) -> Option<Verdict> {
        if !self.unchanged {
            return Some(Verdict::refused(
                "what would be deployed is not what people were asked to approve",
            ));
        }
        match self.state {
            ApprovalState::Rejected => {
                let by = self.rejected_by.as_deref().unwrap_or("an approver");
                return Some(Verdict::refused(format!("rejected by {by}")));
            }
            ApprovalState::Withdrawn => {
                return Some(Verdict::refused("the request for approval was withdrawn"));
            }
            ApprovalState::Expired => {
                return Some(Verdict::refused(
                    "nobody decided on the request for approval in time",
                ));
            }
            ApprovalState::Pending | ApprovalState::Approved => {}
        }
        if !self.changes.is_empty() {
            let reason = format!(
                "what approvers saw has changed since: {}",
                self.changes.join("; ")
            );
            return Some(Verdict::waiting(
                reason,
                None,
                "the next look at it, which asks for decisions on what it is now",
            ));
        }
        let asked: Vec<Merged> = again(self.requirements.clone());
        if again(asked.iter().chain(raised).cloned()) != asked {
            let sources = raised.iter().flat_map(|one| &one.sources);
            let reason = format!(
                "more is asked for than people were asked: {}",
                document::asked_by(sources)
            );
            return Some(Verdict::waiting(reason, None, "the next look at it, which asks"));
        }
        let met = self.state == ApprovalState::Approved && self.judged == ApprovalState::Approved;
        // Once there are enough, time takes nothing away.
        if !met && let Some(at) = self.expires_at.filter(|at| *at <= now) {
            let reason = format!("nobody decided on the request for approval in time: it expired at {at}");
            return Some(Verdict::waiting(
                reason,
                None,
                "a new request: ask for the deployment again",
            ));
        }
        (!met).then(|| self.waiting())
    }

    fn waiting(&self) -> Verdict {
        let missing: Vec<_> = self.quorum.missing.iter().map(ToString::to_string).collect();
        let reason = if missing.is_empty() {
            "waiting for approval: the last decision is being counted".to_owned()
        } else {
            format!(
                "waiting for approval by {}, other than who authored, edited, sealed or requested it",
                missing.join(", and ")
            )
        };
        let unblocked_by = format!(
            "those who are missing: slipway approve {} --digest {}",
            self.id, self.digest
        );
        Verdict::waiting(reason, None, unblocked_by)
    }
}
