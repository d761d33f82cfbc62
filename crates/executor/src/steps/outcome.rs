//! From what stopped a step to what is reported.

use crate::fault::{Answer, CallError, scrub};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use jiff::SignedDuration;
use serde_json::Value;
use slipway_domain::{
    ports::ClusterFault,
    work::{Assignment, StepOutcome},
};
use std::time::Duration;

/// What acting on a step came to.
#[derive(Debug)]
pub(crate) enum Acted {
    /// To be reported.
    Outcome(StepOutcome),
    /// The work is somebody else's, or was given back already: nothing more is to be said or done.
    Over {
        /// Whether that is because the lease ran out.
        lease_lost: bool,
    },
}

/// Why a step ended before it was done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something has to become true first.
    NotYet(SignedDuration),
    /// It was judged, and it is not good.
    Failed(String),
    /// It could not be judged, and trying again would not help.
    Errored(String),
    /// A technical fault of our own making, or somebody else is at work: try again.
    Retry(String),
    /// A request did not do what it was for.
    Call(CallError),
    /// The queue says to stop acting.
    Over,
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Stop {
    /// What the API server said about an object: a conflict, or that it is not acceptable.
    pub(crate) fn of_object(error: CallError, object: &Value) -> Self {
        match &error {
            CallError::Answer(answer) => match judged(answer, object) {
                Some(reason) => Self::Failed(reason),
                None => Self::Call(error),
            },
            _ => Self::Call(error),
        }
    }

    /// As reported.
    pub(crate) fn into_acted(self, work: &Assignment) -> Acted {
        let retry = |error: String, after, free| StepOutcome::Retry { error, after, free };
        Acted::Outcome(match self {
            Self::NotYet(after) => StepOutcome::NotYet(after),
            Self::Failed(reason) => StepOutcome::Failed { reason },
            Self::Errored(reason) => StepOutcome::Errored { reason },
            Self::Retry(error) => retry(error, backoff(work.attempts), false),
            Self::Over => return Acted::Over { lease_lost: false },
            Self::Call(CallError::LeaseEnding) => return Acted::Over { lease_lost: true },
            Self::Call(CallError::Open { fault, after }) => {
                // A little later than the breaker: of many that wait, one tries first.
                let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::from_secs(1));
                retry(fault.to_string(), after + SignedDuration::from_millis(200), true)
            }
            Self::Call(CallError::Fault(fault @ ClusterFault::TooManyRequests { after, .. })) => {
                retry(fault.to_string(), after.max(SignedDuration::from_secs(1)), true)
            }
            Self::Call(CallError::Fault(fault)) => retry(fault.to_string(), backoff(work.attempts), false),
            Self::Call(CallError::Answer(answer)) => {
                let error = format!("cluster {}: {answer}", work.connection.name);
                retry(error, backoff(work.attempts), false)
            }
        })
    }
}

/// Whether an answer is a judgement on the object, in words for a person.
pub(crate) fn judged(answer: &Answer, object: &Value) -> Option<String> {
    let title = crate::object::title(object);
    let conflicts: Vec<String> = answer
        .field_conflicts()
        .map(|cause| format!("{} is owned by {}", cause.field, manager(&cause.message)))
        .collect();
    if !conflicts.is_empty() {
        return Some(format!(
            "{title}: {}; it is not taken over unless the deployment says to force conflicts",
            conflicts.join(", ")
        ));
    }
    answer
        .is_invalid()
        .then(|| format!("{title} was refused: {}", scrub(&answer.message, object)))
}

/// `conflict with "kubectl-edit" using apps/v1` → `"kubectl-edit"`.
fn manager(message: &str) -> &str {
    let name = message.strip_prefix("conflict with ").unwrap_or(message);
    match name.strip_prefix('"').and_then(|rest| rest.find('"')) {
        Some(end) => &name[..end + 2],
        None => name,
    }
}

/// 1 s, 2 s, 4 s, … 60 s, each up to as much again later, so that not all come back at once.
pub(crate) fn backoff(attempts: u32) -> SignedDuration {
    let mut waits = ExponentialBuilder::new()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_mins(1))
        .with_jitter()
        .without_max_times()
        .build();
    let wait = waits
        .nth(attempts.min(16) as usize)
        .unwrap_or(Duration::from_mins(1));
    SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Cause;
    use serde_json::json;

    fn answer(code: u16, causes: Vec<Cause>) -> Answer {
        Answer {
            code,
            reason: String::new(),
            message: "spec.replicas: Invalid value: -1".to_owned(),
            causes,
        }
    }

    #[test]
    fn a_conflict_names_object_field_and_manager() {
        let cause = Cause {
            reason: "FieldManagerConflict".to_owned(),
            message: "conflict with \"kubectl-scale\" using apps/v1".to_owned(),
            field: ".spec.replicas".to_owned(),
        };
        let object = json!({"kind": "Deployment", "metadata": {"name": "web"}});
        let told = judged(&answer(409, vec![cause]), &object).unwrap();
        assert!(
            told.starts_with("Deployment web: .spec.replicas is owned by \"kubectl-scale\";"),
            "{told}"
        );
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words_and_a_race_is_no_refusal() {
        let object = json!({"kind": "Deployment", "metadata": {"name": "web"}});
        let told = judged(&answer(422, Vec::new()), &object).unwrap();
        assert_eq!(
            told,
            "Deployment web was refused: spec.replicas: Invalid value: -1"
        );
        assert_eq!(judged(&answer(409, Vec::new()), &object), None);
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        for attempts in [0, 3, 10, u32::MAX] {
            let wait = backoff(attempts).as_secs();
            assert!((1..=120).contains(&wait), "{attempts}: {wait}");
        }
        assert!(backoff(5).as_secs() >= 32);
    }
}
