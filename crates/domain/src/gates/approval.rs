//! Every requirement is met by distinct, entitled, undisqualified people, on this very digest.

use super::Verdict;
use crate::{Digest, approval::ApprovalState, identity::Role, ids::ApprovalId};
use serde_json::{Value, json};

/// One request for approval.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Which.
    pub id: ApprovalId,
    /// Where it stands.
    pub state: ApprovalState,
    /// How many people it takes.
    pub required: u32,
    /// The role each of them must hold.
    pub role: Role,
    /// Distinct, uninvolved people who approved exactly this, and still hold the role.
    pub approvers: u32,
    /// The digest they were asked about.
    pub digest: Digest,
    /// The digest of what would be deployed now: release and plan must both be the same still.
    pub unchanged: bool,
    /// Who sealed it, by name, for the reason.
    pub sealed_by: String,
    /// Who rejected it, by name.
    pub rejected_by: Option<String>,
}

/// Judges it. Policies may ask for more people than the request did when it was made: those are missing too.
#[must_use]
pub fn judge(requests: &[Facts], asked_for: u32) -> (Verdict, Value) {
    let inputs = requests.iter().map(|r| {
        json!({
            "approval": r.id, "state": r.state.as_str(), "required": r.required, "approvers": r.approvers,
            "role": r.role, "digest": r.digest, "unchanged": r.unchanged,
        })
    });
    let inputs = Value::Array(inputs.collect());
    if requests.is_empty() && asked_for > 0 {
        let reason =
            format!("policies ask for approval by {asked_for} with the role authority; nobody was asked yet");
        return (
            Verdict::waiting(reason, None, "the next look at it, which asks"),
            inputs,
        );
    }
    for request in requests {
        if !request.unchanged {
            return (
                Verdict::refused("what would be deployed is not what people were asked to approve"),
                inputs,
            );
        }
        match request.state {
            ApprovalState::Rejected => {
                let by = request.rejected_by.as_deref().unwrap_or("an approver");
                return (Verdict::refused(format!("rejected by {by}")), inputs);
            }
            ApprovalState::Withdrawn => {
                return (Verdict::refused("the request for approval was withdrawn"), inputs);
            }
            ApprovalState::Expired => {
                return (
                    Verdict::refused("nobody decided on the request for approval in time"),
                    inputs,
                );
            }
            ApprovalState::Pending | ApprovalState::Approved => {}
        }
        let required = request.required.max(asked_for);
        if request.state != ApprovalState::Approved || request.approvers < required {
            return (waiting(request, required), inputs);
        }
    }
    (
        Verdict::satisfied(format!(
            "approved: {} of {} requests",
            requests.len(),
            requests.len()
        )),
        inputs,
    )
}

fn waiting(request: &Facts, required: u32) -> Verdict {
    let article = if request.role.as_str().starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    let reason = if required == 1 {
        format!(
            "waiting for approval by {article} {} other than the one who sealed it",
            request.role
        )
    } else {
        format!(
            "waiting for approval by {} more of {} people with the role {}, other than the one who sealed it",
            required.saturating_sub(request.approvers),
            required,
            request.role
        )
    };
    let unblocked_by = format!(
        "{article} {} other than {}: slipway approve {} --digest {}",
        request.role, request.sealed_by, request.id, request.digest
    );
    Verdict::waiting(reason, None, unblocked_by)
}
