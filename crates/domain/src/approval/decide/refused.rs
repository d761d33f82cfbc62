//! Why a decision is not taken, and which of these refusals are put on record.

use crate::{
    Digest,
    approval::{ApprovalState, Involvement, SignInAgain, delegation::NoPower, involvements},
    identity::Role,
};
use jiff::Timestamp;

/// A refusal that is put on record, though nothing comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnRecord {
    /// The request was over.
    Late,
    /// They had decided before.
    Repeated,
}

/// Why a decision is not taken. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a person who signed in.
    #[error("only a person who signed in can approve; API tokens and machines never can")]
    NotAPerson,
    /// The request is over.
    #[error("this approval is {0} already; a decision is taken only while it is pending")]
    NotPending(ApprovalState),
    /// The request has expired.
    #[error("this approval expired at {0}; ask for the deployment again")]
    Expired(Timestamp),
    /// They are excluded.
    #[error("you may not decide on what you {}: separation of duties", involvements(.0))]
    Excluded(Vec<Involvement>),
    /// They are excluded by what a delegate did.
    #[error("you may not decide on what a delegate of yours {} for you: separation of duties", involvements(.0))]
    ExcludedThrough(Vec<Involvement>),
    /// Whom they would decide for is excluded.
    #[error("nobody decides for somebody on what they {}: separation of duties", involvements(.0))]
    ExcludedWhom(Vec<Involvement>),
    /// They decided before, or a delegate did for them.
    #[error(
        "you have decided on this approval already, or a delegate has for you; a decision counts once a person"
    )]
    AlreadyDecided,
    /// Whom they would decide for decided before, or a delegate did for them.
    #[error(
        "the one you would decide for has decided on this approval already, or a delegate has for them; a decision counts once a person"
    )]
    AlreadyDecidedWhom,
    /// Another release than the one to be approved.
    #[error("the digest to be decided on is {expected}, not {given}; look at it again before you decide")]
    OtherDigest {
        /// What is to be decided on.
        expected: Digest,
        /// What was named.
        given: Digest,
    },
    /// Another plan than the one to be approved.
    #[error("the plan to be decided on is {expected}, not {given}; look at it again before you decide")]
    OtherPlan {
        /// What is to be decided on.
        expected: Digest,
        /// What was named.
        given: Digest,
    },
    /// Another document than the one that approvers see now.
    #[error("what is to be decided on is {expected}, not {given}; look at it again before you decide")]
    OtherDocument {
        /// What is to be decided on.
        expected: Digest,
        /// What was named.
        given: Digest,
    },
    /// They have no power to decide for that person.
    #[error(transparent)]
    NoPower(#[from] NoPower),
    /// The role is not held there.
    #[error("this takes the role {0} there, which {who} not hold", who = if *.1 { "the one you would decide for does" } else { "you do" })]
    Role(Role, bool),
    /// Neither named nor in a group that is asked.
    #[error("{who} not among those who are asked: {missing}", who = if *.1 { "the one you would decide for is" } else { "you are" }, missing = .0.join("; "))]
    NotAsked(Vec<String>, bool),
    /// The sign-in does not suffice.
    #[error(transparent)]
    SignInAgain(#[from] SignInAgain),
}

impl Refused {
    /// Whether it is put on record, and as what.
    #[must_use]
    pub const fn on_record(&self) -> Option<OnRecord> {
        match self {
            Self::NotPending(_) | Self::Expired(_) => Some(OnRecord::Late),
            Self::AlreadyDecided | Self::AlreadyDecidedWhom => Some(OnRecord::Repeated),
            _ => None,
        }
    }
}
