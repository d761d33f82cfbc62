//! Approvals: requests to people, and the decisions they take, each on one digest.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> pending
//!     pending --> pending: what is to be decided on has changed, so decisions on what it was are withdrawn
//!     pending --> approved: enough distinct, entitled, undisqualified people
//!     pending --> rejected: as many of them say no as end it, one by default
//!     pending --> expired: nobody decided in time
//!     pending --> withdrawn: the deployment ended first
//! ```
//!
//! What is required is a [`Requirement`]; [`merge()`] makes as few as ask the same people of those that environments, processes
//! and policies raise. [`decide::Request::decide`] takes a decision or says why not, [`quorum`] says who fills what,
//! [`escalation`] who is asked by now, [`delegation`] who decides for whom, and [`changed`] which decisions are withdrawn.

pub mod changed;
pub mod decide;
pub mod delegation;
pub mod escalation;
pub mod merge;
pub mod quorum;
pub mod requirement;
pub mod sign_in;

pub use merge::{Merged, Source, merge};
pub use requirement::{Person, Requirement, Step};
pub use sign_in::{SignIn, SignInAgain, SignedIn};

use crate::{
    Digest,
    ids::{ApprovalId, DeploymentId, PrincipalId},
    registry::ApprovalRule,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Waiting for people.
    Pending,
    /// Enough people said yes.
    Approved,
    /// Somebody said no.
    Rejected,
    /// The deployment ended first.
    Withdrawn,
    /// Nobody decided in time.
    Expired,
}

impl ApprovalState {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for ApprovalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ApprovalState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            Self::Pending,
            Self::Approved,
            Self::Rejected,
            Self::Withdrawn,
            Self::Expired,
        ];
        all.into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state of an approval"))
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

impl Answer {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

impl FromStr for Answer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "approve" => Ok(Self::Approve),
            "reject" => Ok(Self::Reject),
            _ => Err("a decision is `approve` or `reject`".to_owned()),
        }
    }
}

/// Why somebody may not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Involvement {
    /// Composed the release.
    Author,
    /// Changed the release.
    Editor,
    /// Sealed the release.
    Sealer,
    /// Asked for the deployment.
    Requester,
}

impl Involvement {
    /// As the end of "you may not decide on what you …".
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Author => "authored",
            Self::Editor => "edited",
            Self::Sealer => "sealed",
            Self::Requester => "requested",
        }
    }
}

/// A request to people to approve one deployment.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Who is asked, and how many of them.
    pub rule: ApprovalRule,
    /// What is approved: the digest of the sealed release.
    pub digest: Digest,
    /// And with it: digest over targets and renderings.
    pub plan_digest: Digest,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who may not decide, and why not.
    pub involved: Vec<(PrincipalId, Involvement)>,
    /// Decisions so far.
    pub decisions: Vec<Decision>,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When people were asked.
    pub created_at: Timestamp,
}

/// One person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub by: PrincipalId,
    /// Yes or no.
    pub answer: Answer,
    /// The digest they decided on.
    pub digest: Digest,
    /// The plan they decided on.
    pub plan_digest: Digest,
    /// In their words.
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Why a decision is not taken. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The request is over.
    #[error("this approval is {0} already; a decision is taken only while it is pending")]
    NotPending(ApprovalState),
    /// Another digest than the one to be approved.
    #[error("the digest to be decided on is {expected}, not {given}; look at it again before you decide")]
    OtherDigest {
        /// What is to be decided on.
        expected: Digest,
        /// What was named.
        given: Digest,
    },
    /// They are involved.
    #[error("you may not decide on what you {}: separation of duties", involvements(.0))]
    Involved(Vec<Involvement>),
    /// They decided before.
    #[error("you have decided on this approval already; a decision counts once a person")]
    AlreadyDecided,
    /// Not a person who signed in.
    #[error("only a person who signed in can approve; API tokens and machines never can")]
    NotAPerson,
}

fn involvements(all: &[Involvement]) -> String {
    let verbs: Vec<_> = all.iter().map(|i| i.verb()).collect();
    verbs.join(", ")
}

impl Approval {
    /// Takes a decision, or says why not. The role has been checked by the use-case.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn decide(mut self, decision: Decision, person_signed_in: bool) -> Result<Self, Refused> {
        if self.state != ApprovalState::Pending {
            return Err(Refused::NotPending(self.state));
        }
        if !person_signed_in {
            return Err(Refused::NotAPerson);
        }
        let mut involved: Vec<_> = self
            .involved
            .iter()
            .filter(|(who, _)| *who == decision.by)
            .map(|(_, how)| *how)
            .collect();
        if !involved.is_empty() {
            involved.sort();
            involved.dedup();
            return Err(Refused::Involved(involved));
        }
        if self.decisions.iter().any(|earlier| earlier.by == decision.by) {
            return Err(Refused::AlreadyDecided);
        }
        if decision.digest != self.digest {
            return Err(Refused::OtherDigest {
                expected: self.digest,
                given: decision.digest,
            });
        }
        let answer = decision.answer;
        self.decisions.push(decision);
        self.state = match answer {
            Answer::Reject => ApprovalState::Rejected,
            Answer::Approve if self.approvers() >= self.rule.count as usize => ApprovalState::Approved,
            Answer::Approve => ApprovalState::Pending,
        };
        Ok(self)
    }

    /// Distinct, uninvolved people who said yes to exactly this.
    #[must_use]
    pub fn approvers(&self) -> usize {
        let mut people: Vec<_> = self
            .decisions
            .iter()
            .filter(|d| {
                d.answer == Answer::Approve && d.digest == self.digest && d.plan_digest == self.plan_digest
            })
            .filter(|d| !self.involved.iter().any(|(who, _)| *who == d.by))
            .map(|d| d.by)
            .collect();
        people.sort();
        people.dedup();
        people.len()
    }
}

#[cfg(test)]
mod tests;
