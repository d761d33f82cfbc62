//! What the command line answers to scripts: exit codes, and the failures behind them.

use slipway_api_types::Problem;
use std::{error::Error, fmt::Write as _, process::ExitCode, time::Duration};

/// Exit codes. Scripts rely on them: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Refused by a rule, or what was asked for failed.
    Refused = 1,
    /// Wrong usage; also what clap answers.
    Usage = 2,
    /// Not signed in, or not permitted.
    NotPermitted = 3,
    /// Not found, or not visible.
    NotFound = 4,
    /// Not possible in its present state, or changed by somebody else meanwhile.
    Conflict = 5,
    /// It could not be judged: server or network unavailable, or the deployment errored.
    Unavailable = 6,
    /// Timed out waiting.
    TimedOut = 7,
}

/// The table of exit codes, as `slipway --help` ends with.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  refused by a rule, or it failed (a deployment ended failed, rolled_back, rejected, expired, superseded or cancelled)
  2  wrong usage: flags, arguments or files that cannot be read
  3  not signed in, or not permitted
  4  not found (or not visible to you)
  5  not possible in its present state, or somebody else changed it meanwhile
  6  errored: the server, the network or a cluster is unavailable, or a deployment ended errored
  7  timed out waiting

Start with `slipway login --server URL --token-file FILE`, or set SLIPWAY_SERVER and SLIPWAY_TOKEN.";

impl Exit {
    /// The code that an HTTP status comes down to.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Done,
            401 | 403 => Self::NotPermitted,
            404 | 410 => Self::NotFound,
            409 | 412 | 428 => Self::Conflict,
            300..=399 | 424 | 429 | 500.. => Self::Unavailable,
            _ => Self::Refused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server answered, and not with success.
    #[error("{}: {}", .0.problem.title, .0.problem.detail)]
    Refused(Box<Refusal>),
    /// There was no answer, or none that could be read.
    #[error("{what}")]
    Unavailable {
        /// In a sentence.
        what: String,
        /// Whether nothing can have reached the server.
        unsent: bool,
    },
    /// The command line, or a file that it names, is not right.
    #[error("{0}")]
    Usage(String),
    /// There is no server or no token to use.
    #[error("{0}")]
    NotSignedIn(String),
    /// It was carried out, and what came of it is not success.
    #[error("{what}")]
    Outcome {
        /// How to exit.
        exit: Exit,
        /// In a sentence.
        what: String,
    },
    /// Waited long enough.
    #[error("{0}")]
    TimedOut(String),
    /// Whoever read the output went away (as `| head` does).
    #[error("nobody reads the output any more")]
    PipeClosed,
}

/// An answer of the server that is not success.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The problem document; made up from the status when the answer held none.
    pub(crate) problem: Problem,
    /// The answer as it came, if it was a problem document.
    pub(crate) raw: Option<String>,
    /// `x-request-id`: names this request in the server's logs.
    pub(crate) request_id: Option<String>,
    /// `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    /// No answer, or none that could be read.
    pub(crate) fn unavailable(what: impl Into<String>) -> Self {
        Self::Unavailable {
            what: what.into(),
            unsent: false,
        }
    }

    /// How to exit.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Refused(refusal) => Exit::of_status(refusal.problem.status),
            Self::Unavailable { .. } => Exit::Unavailable,
            Self::Usage(_) => Exit::Usage,
            Self::NotSignedIn(_) => Exit::NotPermitted,
            Self::Outcome { exit, .. } => *exit,
            Self::TimedOut(_) => Exit::TimedOut,
            Self::PipeClosed => Exit::Done,
        }
    }

    /// For people, on several lines.
    pub(crate) fn for_people(&self) -> String {
        let Self::Refused(refusal) = self else {
            return format!("slipway: {self}\n");
        };
        let problem = &refusal.problem;
        let mut text = format!("slipway: {} ({})\n", problem.title, problem.status);
        if !problem.detail.is_empty() && problem.detail != problem.title {
            let _ = writeln!(text, "  {}", problem.detail);
        }
        let faults = problem.errors.iter().filter(|fault| {
            // The detail of a single fault is often that fault in full.
            problem.errors.len() > 1 || !problem.detail.contains(&fault.detail)
        });
        for fault in faults {
            let at = if fault.pointer.is_empty() {
                "the body"
            } else {
                &fault.pointer
            };
            let _ = writeln!(text, "  - {at}: {}", fault.detail);
        }
        if problem.status == 401 {
            text.push_str(
                "  Sign in with `slipway login --server URL --token-file FILE`, or set SLIPWAY_TOKEN.\n",
            );
        }
        if let Some(id) = &refusal.request_id {
            let _ = writeln!(text, "  request {id}");
        }
        text
    }

    /// For machines: the server's problem document as it came, else one of the same shape.
    pub(crate) fn for_machines(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.raw.clone().unwrap_or_else(|| {
                serde_json::to_string(&refusal.problem).unwrap_or_else(|_| r#"{"status":0}"#.to_owned())
            }),
            other => serde_json::json!({
                "type": "about:blank",
                "title": "The command line could not do it",
                "detail": other.to_string(),
                "exit_code": other.exit() as u8,
            })
            .to_string(),
        }
    }
}

/// An error with everything behind it, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            let _ = write!(text, ": {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_api_types::ProblemFault;

    #[test]
    fn every_status_has_the_exit_code_that_is_documented() {
        let table = [
            (200, Exit::Done),
            (201, Exit::Done),
            (204, Exit::Done),
            (302, Exit::Unavailable),
            (400, Exit::Refused),
            (401, Exit::NotPermitted),
            (403, Exit::NotPermitted),
            (404, Exit::NotFound),
            (409, Exit::Conflict),
            (412, Exit::Conflict),
            (413, Exit::Refused),
            (415, Exit::Refused),
            (422, Exit::Refused),
            (424, Exit::Unavailable),
            (428, Exit::Conflict),
            (429, Exit::Unavailable),
            (500, Exit::Unavailable),
            (503, Exit::Unavailable),
        ];
        for (status, exit) in table {
            assert_eq!(Exit::of_status(status), exit, "{status}");
        }
        for code in 0..=7 {
            assert!(HELP.contains(&format!("\n  {code}  ")), "{code} is not explained");
        }
    }

    #[test]
    fn a_problem_is_told_with_every_fault_and_the_request() {
        let failure = Failure::Refused(Box::new(Refusal {
            problem: Problem {
                kind: "/problems/validation".into(),
                title: "The request breaks rules".into(),
                status: 422,
                detail: "2 faults".into(),
                instance: "/requests/r1".into(),
                errors: vec![
                    ProblemFault {
                        pointer: "/version".into(),
                        detail: "is no semantic version".into(),
                    },
                    ProblemFault {
                        pointer: String::new(),
                        detail: "is too large".into(),
                    },
                ],
            },
            raw: None,
            request_id: Some("r1".into()),
            retry_after: None,
        }));
        insta::assert_snapshot!(failure.for_people(), @r"
        slipway: The request breaks rules (422)
          2 faults
          - /version: is no semantic version
          - the body: is too large
          request r1
        ");
        assert_eq!(failure.exit(), Exit::Refused);
    }

    #[test]
    fn a_failure_on_this_side_has_the_shape_of_a_problem_for_machines() {
        let json: serde_json::Value =
            serde_json::from_str(&Failure::TimedOut("not within PT1S".into()).for_machines()).unwrap();
        assert_eq!(json["detail"], "not within PT1S");
        assert_eq!(json["exit_code"], 7);
    }
}
