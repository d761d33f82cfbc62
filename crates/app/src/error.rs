//! Why a use-case did not do it. Nothing has changed then.

use slipway_domain::{
    Faults, approval::SignInAgain, deployment, identity::Lacking, ports::ClusterFault, release,
};
use std::fmt;

/// Why a use-case did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or may not be seen.
    #[error("there is no {what} `{reference}` that you may see")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// How it was named.
        reference: String,
    },
    /// A permission is missing.
    #[error(transparent)]
    Lacking(#[from] Lacking),
    /// Not allowed, for another reason than a missing permission.
    #[error("{detail}")]
    Refused {
        /// Slug of the problem's type.
        code: &'static str,
        /// Why, and what would be allowed.
        detail: String,
    },
    /// They signed in too long ago, or not in the way that is asked for (RFC 9470).
    #[error(transparent)]
    SignInAgain(#[from] SignInAgain),
    /// The state does not allow it.
    #[error("{detail}")]
    Conflict {
        /// Slug of the problem's type.
        code: &'static str,
        /// The state, and what would be allowed.
        detail: String,
    },
    /// It breaks rules.
    #[error("{0}")]
    Invalid(Faults),
    /// It was changed by somebody else in the meantime.
    #[error("it has been changed since: its revision is {current} now; read it again")]
    Stale {
        /// The revision it has.
        current: i64,
    },
    /// A cluster did not do what was asked.
    #[error(transparent)]
    Cluster(#[from] ClusterFault),
    /// Not now.
    #[error("{detail}")]
    Unavailable {
        /// What is unavailable.
        detail: String,
        /// Seconds after which to try again.
        retry_after: u32,
    },
    /// A fault of ours; logged where it is handled, never shown.
    #[error("an internal fault")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Not found.
    pub fn not_found(what: &'static str, reference: impl fmt::Display) -> Self {
        Self::NotFound {
            what,
            reference: reference.to_string(),
        }
    }

    /// A conflict.
    pub fn conflict(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::Conflict {
            code,
            detail: detail.to_string(),
        }
    }

    /// Not allowed.
    pub fn refused(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::Refused {
            code,
            detail: detail.to_string(),
        }
    }

    /// One fault of the input.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(Faults::one(pointer, detail))
    }

    /// A fault of ours.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        Self::Invalid(faults)
    }
}

impl From<slipway_store::Error> for Error {
    fn from(error: slipway_store::Error) -> Self {
        use slipway_store::Error as E;
        match error {
            E::Unavailable(_) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(cause, "the database is unavailable");
                Self::Unavailable {
                    detail: error
                        .unavailable_because()
                        .unwrap_or("the database is unavailable")
                        .to_owned(),
                    retry_after: 2,
                }
            }
            E::Contended(_) => Self::Unavailable {
                detail: "another change was in the way; try again".to_owned(),
                retry_after: 1,
            },
            other => Self::internal(other),
        }
    }
}

impl From<release::NotInState> for Error {
    fn from(refused: release::NotInState) -> Self {
        Self::conflict("release-state", refused)
    }
}

impl From<deployment::NotAllowed> for Error {
    fn from(refused: deployment::NotAllowed) -> Self {
        Self::conflict("deployment-state", refused)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

/// Checks a guarded change: `expected` is what the user saw.
///
/// # Errors
/// [`Error::Stale`].
pub(crate) fn check_revision(expected: i64, current: i64) -> Result<(), Error> {
    if expected == current || expected == ANY_REVISION {
        Ok(())
    } else {
        Err(Error::Stale { current })
    }
}

/// What a guarded change comes to that another one overtook between reading and writing; `now` is the revision read again.
pub(crate) fn overtaken(
    error: slipway_store::Error,
    now: Result<Option<i64>, slipway_store::Error>,
) -> Error {
    match (error, now) {
        (slipway_store::Error::Guard { .. }, Ok(Some(current))) => Error::Stale { current },
        (error, _) => error.into(),
    }
}

/// `If-Match: *`: whatever it is now.
pub const ANY_REVISION: i64 = -1;
