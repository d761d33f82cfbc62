//! From what stopped a step to what is reported.

use super::refusal::judged;
use crate::{fault::CallError, worker::RetryDelays};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use jiff::SignedDuration;
use serde_json::Value;
use slipway_domain::{
    ports::ClusterFault,
    work::{Assignment, StepOutcome},
};

/// A credential that is refused this often in a row is taken for a bad one: not every member of a control plane need be
/// of one mind at every moment.
const REFUSALS: u32 = 3;

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
    pub(crate) fn into_acted(self, work: &Assignment, delays: RetryDelays) -> Acted {
        let backoff = |attempts| backoff(attempts, delays);
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
            Self::Call(CallError::Fault(fault)) if needs_a_person(&fault, work.attempts) => {
                StepOutcome::Parked {
                    error: fault.to_string(),
                }
            }
            Self::Call(CallError::Fault(fault)) => retry(fault.to_string(), backoff(work.attempts), false),
            Self::Call(CallError::Answer(answer)) => {
                let error = format!("cluster {}: {answer}", work.connection.name);
                retry(error, backoff(work.attempts), false)
            }
        })
    }
}

/// Whether the fault lasts until somebody changes the connection details.
fn needs_a_person(fault: &ClusterFault, attempts: u32) -> bool {
    match fault {
        ClusterFault::Misconfigured { .. } => true,
        ClusterFault::Unauthorized { .. } => attempts + 1 >= REFUSALS,
        _ => false,
    }
}

/// The first delay, twice that, four times, … the longest, each up to as much again later, so that not all come back at
/// once.
pub(crate) fn backoff(attempts: u32, delays: RetryDelays) -> SignedDuration {
    let mut waits = ExponentialBuilder::new()
        .with_min_delay(delays.first)
        .with_max_delay(delays.longest)
        .with_jitter()
        .without_max_times()
        .build();
    let wait = waits.nth(attempts.min(16) as usize).unwrap_or(delays.longest);
    SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        for attempts in [0, 3, 10, u32::MAX] {
            let wait = backoff(attempts, RetryDelays::default()).as_secs();
            assert!((1..=120).contains(&wait), "{attempts}: {wait}");
        }
        assert!(backoff(5, RetryDelays::default()).as_secs() >= 32);
    }

    #[test]
    fn a_refused_credential_is_tried_again_before_it_is_taken_for_a_bad_one_and_a_busy_cluster_never_is() {
        let cluster: slipway_domain::Name = "eu".parse().unwrap();
        let refused = ClusterFault::Unauthorized {
            cluster: cluster.clone(),
        };
        assert!(!needs_a_person(&refused, 0) && !needs_a_person(&refused, 1) && needs_a_person(&refused, 2));
        let detail = String::new();
        let unusable = ClusterFault::Misconfigured {
            cluster: cluster.clone(),
            detail: detail.clone(),
        };
        assert!(needs_a_person(&unusable, 0));
        let away = ClusterFault::Unreachable { cluster, detail };
        assert!(!needs_a_person(&away, u32::MAX - 1));
    }
}
