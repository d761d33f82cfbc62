//! What the use-cases refuse, as problems.

use super::{
    Failure,
    catalogue::{self, Kind},
};
use axum::http::{HeaderValue, StatusCode, header};
use slipway_api_types::ProblemFault;
use slipway_app::Error;
use slipway_domain::{Faults, approval::SignInAgain, ports::ClusterFault};
use std::fmt::Write as _;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { what, reference } => Self::new(
                &catalogue::NOT_FOUND,
                format!(
                    "there is no {what} `{}`, or none that you may see",
                    shortened(&reference)
                ),
            ),
            Error::Lacking(lacking) => Self::new(&catalogue::FORBIDDEN, lacking.to_string()),
            Error::Refused { code, detail } => {
                Self::new(coded(code, StatusCode::FORBIDDEN, &catalogue::REFUSED), detail)
            }
            Error::SignInAgain(again) => sign_in_again(&again),
            Error::Conflict { code, detail } => {
                Self::new(coded(code, StatusCode::CONFLICT, &catalogue::CONFLICT), detail)
            }
            Error::Invalid(faults) => Self::invalid(&faults),
            Error::Stale { current } => Self::new(
                &catalogue::STALE,
                format!(
                    "it was changed since you read it: `If-Match` must be `\"{current}\"`; read it again first"
                ),
            ),
            Error::Cluster(fault) => cluster(&fault),
            Error::Unavailable { detail, retry_after } => {
                Self::new(&catalogue::UNAVAILABLE, detail).retry_after(retry_after)
            }
            Error::Internal(error) => Self::internal(&*error),
        }
    }
}

/// What a client sends its user back to the issuer with (RFC 9470, section 3).
fn sign_in_again(again: &SignInAgain) -> Failure {
    let mut challenge = "Bearer error=\"insufficient_user_authentication\"".to_owned();
    if let Some(age) = again.wanted.max_age {
        let _ = write!(challenge, ", max_age=\"{}\"", age.as_secs());
    }
    // Methods are printable ASCII without spaces; what would end the quoted text is left out.
    let methods: Vec<_> = again
        .wanted
        .methods
        .iter()
        .map(|method| method.replace(['"', '\\'], ""))
        .collect();
    if !methods.is_empty() {
        let _ = write!(challenge, ", amr=\"{}\"", methods.join(" "));
    }
    let failure = Failure::new(&catalogue::SIGN_IN_AGAIN, again.to_string());
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => failure.with_header(header::WWW_AUTHENTICATE, challenge),
        Err(_) => failure,
    }
}

impl Failure {
    /// Input that breaks rules, with every fault.
    #[must_use]
    pub fn invalid(faults: &Faults) -> Self {
        let errors: Vec<_> = faults
            .as_slice()
            .iter()
            .map(|fault| ProblemFault {
                pointer: fault.pointer.clone(),
                detail: fault.detail.clone(),
            })
            .collect();
        Self::new(&catalogue::VALIDATION, summary(&errors)).with_errors(errors)
    }

    /// A fault of Slipway itself: logged here, once, and never shown.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let causes: Vec<_> = std::iter::successors(error.source(), |cause| cause.source())
            .map(ToString::to_string)
            .collect();
        tracing::error!(%error, causes = causes.join(": "), "a request failed inside");
        Self::new(
            &catalogue::INTERNAL,
            "Slipway could not do this because of a fault of its own; the log has it under the request's id",
        )
    }
}

/// A name that somebody made up, short enough to be said.
pub(crate) fn shortened(text: &str) -> String {
    if text.chars().count() <= 80 {
        text.to_owned()
    } else {
        text.chars().take(80).chain(['…']).collect()
    }
}

/// One sentence about faults that are listed beside it.
pub(crate) fn summary(errors: &[ProblemFault]) -> String {
    match errors {
        [] => "the request breaks a rule".to_owned(),
        [one] if one.pointer.is_empty() => one.detail.clone(),
        [one] => format!("{}: {}", one.pointer, one.detail),
        [first, rest @ ..] => {
            format!(
                "{} faults, the first: {}: {}",
                rest.len() + 1,
                first.pointer,
                first.detail
            )
        }
    }
}

/// The kind with this code, if it is one of that status.
fn coded(code: &str, status: StatusCode, otherwise: &'static Kind) -> &'static Kind {
    let found = catalogue::find(code).filter(|kind| kind.status == status.as_u16());
    if found.is_none() {
        tracing::warn!(
            code,
            "a use-case refused with a code that is not in the table of problems"
        );
    }
    found.unwrap_or(otherwise)
}

fn cluster(fault: &ClusterFault) -> Failure {
    let detail = fault.to_string();
    match fault {
        ClusterFault::Unreachable { .. } => Failure::new(&catalogue::CLUSTER_UNREACHABLE, detail),
        ClusterFault::Unauthorized { .. } => Failure::new(&catalogue::CLUSTER_UNAUTHORIZED, detail),
        ClusterFault::Forbidden { .. } => Failure::new(&catalogue::CLUSTER_FORBIDDEN, detail),
        ClusterFault::Certificate { .. } => Failure::new(&catalogue::CLUSTER_CERTIFICATE, detail),
        ClusterFault::Misconfigured { .. } => Failure::new(&catalogue::CLUSTER_MISCONFIGURED, detail),
        ClusterFault::Kinds { problems, .. } => {
            let errors = problems
                .iter()
                .map(|problem| ProblemFault {
                    pointer: String::new(),
                    detail: problem.clone(),
                })
                .collect();
            Failure::new(&catalogue::CLUSTER_KINDS, detail).with_errors(errors)
        }
        ClusterFault::TooManyRequests { after, .. } => {
            let seconds = u32::try_from(after.as_secs().max(1)).unwrap_or(60);
            Failure::new(&catalogue::CLUSTER_BUSY, detail).retry_after(seconds)
        }
        ClusterFault::Other { .. } => Failure::new(&catalogue::CLUSTER_FAULT, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_another_status_or_none_falls_back_to_the_general_kind() {
        let general = coded("no-such-code", StatusCode::CONFLICT, &catalogue::CONFLICT);
        assert_eq!(general.slug, "conflict");
        let other = coded("validation", StatusCode::CONFLICT, &catalogue::CONFLICT);
        assert_eq!(other.slug, "conflict");
    }

    #[test]
    fn a_fault_inside_is_not_told_to_whoever_asked() {
        let error = std::io::Error::other("password=hunter2");
        let failure = Failure::from(Error::Internal(Box::new(error)));
        assert!(!failure.detail().contains("hunter2"), "{}", failure.detail());
        assert_eq!(failure.kind().status, 500);
    }

    #[test]
    fn an_unreachable_cluster_is_a_failed_dependency_and_unknown_kinds_are_the_inputs_fault() {
        let cluster = "eu".parse::<slipway_domain::Name>().unwrap();
        let fault = ClusterFault::Unreachable {
            cluster: cluster.clone(),
            detail: "refused".to_owned(),
        };
        assert_eq!(Failure::from(Error::Cluster(fault)).kind().status, 424);
        let fault = ClusterFault::Kinds {
            cluster,
            problems: vec!["Widget web: unknown".to_owned()],
        };
        let failure = Failure::from(Error::Cluster(fault));
        assert_eq!((failure.kind().status, failure.errors().len()), (422, 1));
    }
}
