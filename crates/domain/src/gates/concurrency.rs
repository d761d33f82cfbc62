//! No other deployment of the service holds that environment. A waiting approval holds nothing. And none has been at work
//! on what a rollback is to undo, nor does the service land again on what is to be cleaned.

use super::Verdict;
use crate::{deployment::StateName, ids::DeploymentId};
use serde_json::{Value, json};

/// Who holds the environment.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The other deployment, if there is one. The one that this rolls back does not count.
    pub holder: Option<Holder>,
    /// Targets of a rollback on which another deployment has been at work since what it undoes: it would undo more than
    /// it was asked to.
    pub overtaken_on: Vec<String>,
    /// Targets to be cleaned that the service lands on again: what runs there is in use.
    pub landed_on: Vec<String>,
}

/// A deployment that holds the environment.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Which.
    pub id: DeploymentId,
    /// Of which release.
    pub release: String,
    /// Its state.
    pub state: StateName,
    /// It has ended, but an executor is still finishing its step.
    pub finishing: bool,
}

/// Judges it.
#[must_use]
pub fn judge(facts: &Facts) -> (Verdict, Value) {
    if !facts.overtaken_on.is_empty() {
        let reason = format!(
            "another deployment has been at work on {} since",
            facts.overtaken_on.join(", ")
        );
        return (
            Verdict::refused(reason),
            json!({"overtaken_on": facts.overtaken_on}),
        );
    }
    if !facts.landed_on.is_empty() {
        let reason = format!("{} is a target again", facts.landed_on.join(", "));
        return (Verdict::refused(reason), json!({"landed_on": facts.landed_on}));
    }
    match &facts.holder {
        None => (
            Verdict::satisfied("nothing else of the service runs here"),
            Value::Null,
        ),
        Some(holder) => {
            let inputs = json!({"deployment": holder.id, "state": holder.state.as_str()});
            let reason = if holder.finishing {
                format!(
                    "{} ({}) has ended and finishes its last step",
                    holder.release, holder.id
                )
            } else {
                format!("{} ({}) is {} here", holder.release, holder.id, holder.state)
            };
            (
                Verdict::waiting(
                    reason,
                    None,
                    format!("the end of {0}: slipway deploy watch {0}", holder.id),
                ),
                inputs,
            )
        }
    }
}
