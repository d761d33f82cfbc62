//! Approvals: requests to people, and the decisions they take, each on one digest.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> pending
//!     pending --> pending: what is to be decided on has changed, so decisions on what it was are withdrawn
//!     approved --> pending: the same, or policies ask for more by now
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
pub mod document;
pub mod escalation;
pub mod merge;
pub mod quorum;
pub mod requirement;
pub mod sign_in;

pub use changed::Subject;
pub use document::{Document, Written};
pub use merge::{Merged, Source, merge};
pub use quorum::Entitled;
pub use requirement::{Person, Requirement, Step};
pub use sign_in::{SignIn, SignInAgain, SignedIn};

use crate::{
    Digest,
    identity::Role,
    ids::{ApprovalId, DecisionId, DelegationId, DeploymentId, PrincipalId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

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
    /// Took it on themselves that it goes on without a gate.
    Overrider,
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
            Self::Overrider => "overrode",
        }
    }
}

/// When a request is answered: before anything happens, or after it has happened in an emergency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Nothing starts before.
    Before,
    /// It went on without: whoever took that on themselves is answered afterwards.
    Afterwards,
}

impl Asked {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Afterwards => "afterwards",
        }
    }
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "before" => Ok(Self::Before),
            "afterwards" => Ok(Self::Afterwards),
            _ => Err(format!("`{text}` is no time at which people are asked")),
        }
    }
}

/// Somebody who may not decide, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Involved {
    /// Who.
    pub who: PrincipalId,
    /// What they did, or had done.
    pub how: Involvement,
    /// Whether a delegate of theirs did it.
    pub through_delegate: bool,
}

/// A request to people to approve one deployment.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Whether before, or afterwards.
    pub asked: Asked,
    /// Who is asked, by what, and how many of them.
    pub requirements: Vec<Merged>,
    /// The digest of the sealed release.
    pub digest: Digest,
    /// Digest over targets and renderings.
    pub plan_digest: Digest,
    /// What approvers see, which is what they decide on; nothing yet right after the request was made.
    pub document: Option<Written>,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who may not decide, and why not.
    pub involved: Vec<Involved>,
    /// Decisions so far, those that were withdrawn among them.
    pub decisions: Vec<Decision>,
    /// Who was told so far.
    pub told: Told,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When people were asked.
    pub created_at: Timestamp,
}

/// Who was told so far that they are asked, beside those who were at first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// For each requirement, in their order, how many levels.
    #[serde(default)]
    pub levels: Vec<usize>,
    /// For each requirement, how often people were reminded.
    #[serde(default)]
    pub reminders: Vec<u64>,
    /// Whether it was said that an answer that was due is late.
    #[serde(default)]
    pub overdue: bool,
}

/// One person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// Who.
    pub by: PrincipalId,
    /// Whose entitlement counts: theirs, or that of the one who delegated to them.
    pub of: PrincipalId,
    /// By which delegation, if it is not theirs.
    pub delegation: Option<DelegationId>,
    /// When and how they had signed in.
    pub signed_in: SignedIn,
    /// Roles there that their token said they hold, which no binding in Slipway does.
    pub claimed_roles: Vec<Role>,
    /// Yes or no.
    pub answer: Answer,
    /// On what.
    pub subject: Subject,
    /// In their words.
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
    /// When and why it was withdrawn, if it was.
    pub withdrawn: Option<(Timestamp, String)>,
}

fn involvements(all: &[Involvement]) -> String {
    let verbs: Vec<_> = all.iter().map(|i| i.verb()).collect();
    verbs.join(", ")
}

impl Approval {
    /// What is decided on.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            digest: self.digest,
            plan_digest: self.plan_digest,
            document: self.document.as_ref().map(|written| written.digest),
        }
    }

    /// The digest that a decision names: of what approvers see, or of the release before that was written down.
    #[must_use]
    pub fn to_decide_on(&self) -> Digest {
        self.document
            .as_ref()
            .map_or(self.digest, |written| written.digest)
    }

    /// How many distinct people it takes.
    #[must_use]
    pub fn people(&self) -> u32 {
        people(&self.requirements)
    }

    /// Decisions that were not withdrawn.
    pub fn standing(&self) -> impl Iterator<Item = &Decision> {
        self.decisions
            .iter()
            .filter(|decision| decision.withdrawn.is_none())
    }

    /// As far as deciding goes. `entitled` are those by whose entitlement somebody decided, as it is now; a decision by
    /// somebody who is not among them does not count.
    #[must_use]
    pub fn request(&self, entitled: &BTreeMap<PrincipalId, Entitled>) -> decide::Request {
        let taken = self.standing().filter_map(|decision| {
            let mut of = entitled.get(&decision.of)?.clone();
            of.roles.extend(&decision.claimed_roles);
            Some(decide::Taken {
                by: decision.by,
                of,
                signed_in: decision.signed_in.clone(),
                answer: decision.answer,
                subject: decision.subject,
                at: decision.at,
            })
        });
        decide::Request {
            state: self.state,
            subject: self.subject(),
            asked_at: self.created_at,
            // Afterwards nothing is too late: it is only said that it is late.
            expires: self.asked == Asked::Before,
            requirements: self.requirements.clone(),
            excluded: self.involved.clone(),
            decisions: taken.collect(),
        }
    }
}

/// How many distinct people requirements take: nobody fills two places.
#[must_use]
pub fn people(requirements: &[Merged]) -> u32 {
    let each = requirements.iter().map(|one| one.requirement.count);
    each.fold(0, u32::saturating_add)
}
