//! The state machine of a deployment. A transition consumes the old state; there is no other way to a new one.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> pending
//!     pending --> queued: every gate is satisfied
//!     queued --> pending: a gate no longer holds when the work is claimed
//!     queued --> running: claimed, gates judged again in that transaction
//!     running --> paused
//!     paused --> running
//!     running --> rolling_back
//!     paused --> rolling_back
//!     rolling_back --> rolled_back
//!     rolling_back --> failed: the rollback did not succeed
//!     running --> succeeded
//!     running --> failed
//!     running --> errored
//!     pending --> cancelled
//!     queued --> cancelled
//!     running --> cancelled
//!     paused --> cancelled
//!     pending --> rejected
//!     queued --> rejected
//!     pending --> expired
//!     queued --> expired
//!     pending --> superseded
//! ```

use crate::ids::DeploymentId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Names of the states, as in the API and the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// A gate is not satisfied yet.
    Pending,
    /// Every gate is satisfied; waiting for an executor.
    Queued,
    /// Under way.
    Running,
    /// Stopped between steps, by a person.
    Paused,
    /// Being undone by a rollback.
    RollingBack,
    /// Done and healthy.
    Succeeded,
    /// Was undone by a rollback.
    RolledBack,
    /// It was judged, and it is not good.
    Failed,
    /// It could not be judged.
    Errored,
    /// Stopped by a person.
    Cancelled,
    /// Refused by an approver or a gate.
    Rejected,
    /// Waited too long.
    Expired,
    /// A newer request took its place.
    Superseded,
}

impl StateName {
    /// Every state.
    pub const ALL: [Self; 13] = [
        Self::Pending,
        Self::Queued,
        Self::Running,
        Self::Paused,
        Self::RollingBack,
        Self::Succeeded,
        Self::RolledBack,
        Self::Failed,
        Self::Errored,
        Self::Cancelled,
        Self::Rejected,
        Self::Expired,
        Self::Superseded,
    ];

    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::RollingBack => "rolling_back",
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(
            self,
            Self::Pending | Self::Queued | Self::Running | Self::Paused | Self::RollingBack
        )
    }

    /// Whether it holds its environment: nothing else of the service may run there.
    #[must_use]
    pub const fn holds_environment(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::RollingBack)
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StateName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state of a deployment"))
    }
}

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When work began, if it ever did.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Why, for people; nothing to say when it just succeeded.
    pub reason: Option<String>,
}

/// Where a deployment stands, with what belongs to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A gate is not satisfied yet.
    Pending,
    /// Waiting for an executor.
    Queued,
    /// Under way.
    Running {
        /// Since when work is under way.
        started_at: Timestamp,
    },
    /// Stopped between steps.
    Paused {
        /// When work began.
        started_at: Timestamp,
        /// Why it was paused.
        reason: String,
    },
    /// Being undone.
    RollingBack {
        /// When work began.
        started_at: Timestamp,
        /// Why it is undone.
        reason: String,
        /// The deployment that undoes it.
        by: DeploymentId,
    },
    /// Done and healthy.
    Succeeded(Ended),
    /// Was undone.
    RolledBack(Ended),
    /// Judged, and not good.
    Failed(Ended),
    /// Could not be judged.
    Errored(Ended),
    /// Stopped by a person.
    Cancelled(Ended),
    /// Refused.
    Rejected(Ended),
    /// Waited too long.
    Expired(Ended),
    /// Replaced by a newer request.
    Superseded(Ended),
}

/// What can happen to a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// Every gate is satisfied.
    Queue,
    /// A gate no longer holds.
    Hold,
    /// Work begins.
    Admit,
    /// A person stops it between steps.
    Pause {
        /// Why.
        reason: String,
    },
    /// A person lets it go on.
    Resume,
    /// A rollback begins to undo it.
    RollBack {
        /// Why.
        reason: String,
        /// The deployment that undoes it.
        by: DeploymentId,
    },
    /// Everything is healthy.
    Succeed {
        /// Something worth saying, as failures that a wave tolerated.
        remark: Option<String>,
    },
    /// The rollback that undoes it succeeded.
    RolledBack,
    /// It was judged, and it is not good.
    Fail {
        /// The real reason.
        reason: String,
    },
    /// It could not be judged.
    Error {
        /// The reason.
        reason: String,
    },
    /// A person stops it for good.
    Cancel {
        /// Why.
        reason: String,
    },
    /// An approver or a gate refuses it.
    Reject {
        /// Why.
        reason: String,
    },
    /// Its time has passed.
    Expire,
    /// A newer request takes its place.
    Supersede {
        /// Which.
        by: DeploymentId,
    },
}

impl Transition {
    /// What is asked, as part of a sentence: "cannot be …".
    #[must_use]
    pub const fn participle(&self) -> &'static str {
        match self {
            Self::Queue => "queued",
            Self::Hold => "held",
            Self::Admit => "started",
            Self::Pause { .. } => "paused",
            Self::Resume => "resumed",
            Self::RollBack { .. } | Self::RolledBack => "rolled back",
            Self::Succeed { .. } => "declared successful",
            Self::Fail { .. } => "declared failed",
            Self::Error { .. } => "declared errored",
            Self::Cancel { .. } => "cancelled",
            Self::Reject { .. } => "rejected",
            Self::Expire => "expired",
            Self::Supersede { .. } => "superseded",
        }
    }
}

/// A transition that the state does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a deployment that is {state} cannot be {verb}; {}", allowed(*state))]
pub struct NotAllowed {
    /// The state it is in.
    pub state: StateName,
    /// What was asked.
    pub verb: &'static str,
}

fn allowed(state: StateName) -> &'static str {
    match state {
        StateName::Pending | StateName::Queued => "it can be cancelled",
        StateName::Running => "it can be paused, cancelled or rolled back",
        StateName::Paused => "it can be resumed, cancelled or rolled back",
        StateName::RollingBack => "its rollback has to end first",
        StateName::Succeeded => "it has ended; it can be rolled back by a deployment of its own",
        StateName::Failed | StateName::Errored | StateName::Cancelled => {
            "it has ended; it can be retried or rolled back by a deployment of its own"
        }
        StateName::RolledBack | StateName::Expired => {
            "it has ended; it can be retried by a deployment of its own"
        }
        StateName::Rejected | StateName::Superseded => "it has ended; request a new deployment",
    }
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> StateName {
        match self {
            Self::Pending => StateName::Pending,
            Self::Queued => StateName::Queued,
            Self::Running { .. } => StateName::Running,
            Self::Paused { .. } => StateName::Paused,
            Self::RollingBack { .. } => StateName::RollingBack,
            Self::Succeeded(_) => StateName::Succeeded,
            Self::RolledBack(_) => StateName::RolledBack,
            Self::Failed(_) => StateName::Failed,
            Self::Errored(_) => StateName::Errored,
            Self::Cancelled(_) => StateName::Cancelled,
            Self::Rejected(_) => StateName::Rejected,
            Self::Expired(_) => StateName::Expired,
            Self::Superseded(_) => StateName::Superseded,
        }
    }

    /// When work began, if it did.
    #[must_use]
    pub const fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending | Self::Queued => None,
            Self::Running { started_at }
            | Self::Paused { started_at, .. }
            | Self::RollingBack { started_at, .. } => Some(*started_at),
            Self::Succeeded(e)
            | Self::RolledBack(e)
            | Self::Failed(e)
            | Self::Errored(e)
            | Self::Cancelled(e)
            | Self::Rejected(e)
            | Self::Expired(e)
            | Self::Superseded(e) => e.started_at,
        }
    }

    /// How it ended, if it did.
    #[must_use]
    pub const fn ended(&self) -> Option<&Ended> {
        match self {
            Self::Succeeded(e)
            | Self::RolledBack(e)
            | Self::Failed(e)
            | Self::Errored(e)
            | Self::Cancelled(e)
            | Self::Rejected(e)
            | Self::Expired(e)
            | Self::Superseded(e) => Some(e),
            _ => None,
        }
    }

    /// Why it stands where it stands, for people.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Paused { reason, .. } | Self::RollingBack { reason, .. } => Some(reason),
            other => other.ended().and_then(|e| e.reason.as_deref()),
        }
    }

    /// The state after something happened at `now`.
    ///
    /// # Errors
    /// [`NotAllowed`], with the state and what would be allowed in it.
    pub fn then(self, transition: Transition, now: Timestamp) -> Result<Self, NotAllowed> {
        use Transition as T;
        let refused = NotAllowed {
            state: self.name(),
            verb: transition.participle(),
        };
        let started_at = self.started_at();
        let end = |reason: Option<String>| Ended {
            started_at,
            finished_at: now,
            reason,
        };
        Ok(match (self, transition) {
            (Self::Pending, T::Queue) => Self::Queued,
            (Self::Queued, T::Hold) => Self::Pending,
            (Self::Queued, T::Admit) => Self::Running { started_at: now },
            (Self::Running { started_at }, T::Pause { reason }) => Self::Paused { started_at, reason },
            (Self::Paused { started_at, .. }, T::Resume) => Self::Running { started_at },
            (Self::Running { started_at } | Self::Paused { started_at, .. }, T::RollBack { reason, by }) => {
                Self::RollingBack {
                    started_at,
                    reason,
                    by,
                }
            }
            (Self::RollingBack { reason, .. }, T::RolledBack) => Self::RolledBack(end(Some(reason))),
            (Self::RollingBack { reason, .. }, T::Fail { reason: why }) => {
                Self::Failed(end(Some(format!("{reason}; and {why}"))))
            }
            (Self::Running { .. }, T::Succeed { remark }) => Self::Succeeded(end(remark)),
            (Self::Running { .. }, T::Fail { reason }) => Self::Failed(end(Some(reason))),
            (Self::Running { .. }, T::Error { reason }) => Self::Errored(end(Some(reason))),
            (
                Self::Pending | Self::Queued | Self::Running { .. } | Self::Paused { .. },
                T::Cancel { reason },
            ) => Self::Cancelled(end(Some(reason))),
            (Self::Pending | Self::Queued, T::Reject { reason }) => Self::Rejected(end(Some(reason))),
            (Self::Pending | Self::Queued, T::Expire) => {
                Self::Expired(end(Some("it waited longer than it was allowed to".to_owned())))
            }
            (Self::Pending, T::Supersede { by }) => {
                Self::Superseded(end(Some(format!("{by} took its place"))))
            }
            _ => return Err(refused),
        })
    }
}

#[cfg(test)]
mod tests;
