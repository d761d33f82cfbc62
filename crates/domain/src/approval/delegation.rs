//! Delegations: somebody else decides in the place of a person, for a time, at a place.
//!
//! What a delegate decides counts by what the one who delegated is entitled to. Nothing is passed on: a delegate of a delegate
//! has no power, because only what somebody is entitled to themselves is ever delegated.

use crate::{
    Faults,
    identity::Place,
    ids::{ApprovalId, EnvironmentId, PrincipalId, TeamId},
};
use jiff::{SignedDuration, Timestamp};

/// Longest time that a delegation may last: an absence, not a change of duties.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Most characters of a reason.
pub const MAX_REASON: usize = 500;

/// What a delegation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    Everything,
    /// What is of a team.
    Team(TeamId),
    /// What goes to an environment.
    Environment(EnvironmentId),
    /// One approval.
    Approval(ApprovalId),
}

/// Where a decision is to be taken.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The approval.
    pub approval: ApprovalId,
    /// Of which team, and in which environment.
    pub place: &'a Place,
}

impl Scope {
    /// Whether it is for that.
    #[must_use]
    pub fn covers(self, at: At<'_>) -> bool {
        match self {
            Self::Everything => true,
            Self::Team(team) => at.place.team == Some(team),
            Self::Environment(environment) => at.place.environment == Some(environment),
            Self::Approval(approval) => at.approval == approval,
        }
    }
}

/// One delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Who delegates.
    pub from: PrincipalId,
    /// Who decides in their place.
    pub to: PrincipalId,
    /// From when on.
    pub starts: Timestamp,
    /// Until when: then it is over.
    pub ends: Timestamp,
    /// What for.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// Why somebody may not decide in the place of another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPower {
    /// Nothing was delegated to them.
    #[error(
        "nothing is delegated to you by the one you would decide for; they say so first, with dates and a reason"
    )]
    None,
    /// It was passed on.
    #[error(
        "what is delegated cannot be passed on: the one you would decide for has to delegate to you themselves"
    )]
    PassedOn,
    /// Not here.
    #[error("what is delegated to you is for something else, and does not cover this approval")]
    Elsewhere,
    /// Not yet.
    #[error("what is delegated to you starts at {0}")]
    NotYet(Timestamp),
    /// Not any more.
    #[error("what was delegated to you ended at {0}")]
    Over(Timestamp),
}

impl Delegation {
    /// Checks what somebody is about to delegate, at that time; every fault at once. `excluded` are those who may not decide,
    /// where it is for one approval.
    #[must_use]
    pub fn faults(&self, now: Timestamp, excluded: &[PrincipalId]) -> Faults {
        let mut faults = Faults::new();
        if self.to == self.from {
            faults.add("/to", "is somebody else than the one who delegates");
        }
        if self.ends <= self.starts {
            faults.add("/ends", "is after `starts`");
        } else if self.ends.duration_since(self.starts) > LONGEST {
            faults.add("/ends", "is 90 days after `starts` at most");
        }
        if self.ends <= now {
            faults.add("/ends", "is in the future");
        }
        if self.reason.trim().is_empty() || self.reason.chars().count() > MAX_REASON {
            faults.add("/reason", format!("has 1 to {MAX_REASON} characters"));
        }
        if let Scope::Approval(_) = self.scope {
            if excluded.contains(&self.from) {
                faults.add(
                    "/scope",
                    "you may not decide on this approval, and cannot delegate it",
                );
            }
            if excluded.contains(&self.to) {
                faults.add("/to", "may not decide on this approval: separation of duties");
            }
        }
        faults
    }

    /// When it is over.
    fn over(&self) -> Timestamp {
        self.revoked_at.map_or(self.ends, |at| at.min(self.ends))
    }

    /// Whether it holds at that time.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.starts <= now && now < self.over()
    }
}

/// The delegation by which `by` decides in the place of `whom`, there and then.
///
/// # Errors
/// Why there is none.
pub fn power<'a>(
    delegations: &'a [Delegation],
    by: PrincipalId,
    whom: PrincipalId,
    at: At<'_>,
    now: Timestamp,
) -> Result<&'a Delegation, NoPower> {
    let direct = || delegations.iter().filter(move |d| d.from == whom && d.to == by);
    let here = || direct().filter(move |d| d.scope.covers(at));
    if let Some(delegation) = here().find(|d| d.in_force(now)) {
        return Ok(delegation);
    }
    // What is to come can be waited for, so it is told before what is over.
    if let Some(starts) = here()
        .filter(|d| now < d.over())
        .map(|d| d.starts)
        .filter(|starts| *starts > now)
        .min()
    {
        return Err(NoPower::NotYet(starts));
    }
    if let Some(over) = here().map(Delegation::over).max() {
        return Err(NoPower::Over(over));
    }
    if direct().next().is_some() {
        return Err(NoPower::Elsewhere);
    }
    let passed_on = delegations
        .iter()
        .filter(|d| d.from == whom && d.in_force(now))
        .any(|first| {
            let mut others = delegations.iter();
            others.any(|second| second.from == first.to && second.to == by && second.in_force(now))
        });
    Err(if passed_on {
        NoPower::PassedOn
    } else {
        NoPower::None
    })
}

#[cfg(test)]
mod tests;
