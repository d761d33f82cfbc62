//! Whether somebody may decide now, and what comes of it.

mod refused;

pub use refused::{OnRecord, Refused};

use super::{
    Answer, ApprovalState, Involved, Involvement, Merged, SignIn, SignedIn,
    changed::Subject,
    delegation::{self, At, Delegation},
    quorum::{self, Asked, Entitled, Quorum, Yes},
};
use crate::{Name, ids::PrincipalId};
use jiff::Timestamp;

/// A request for approval, as far as deciding goes.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where it stands.
    pub state: ApprovalState,
    /// What is to be decided on.
    pub subject: Subject,
    /// When people were asked.
    pub asked_at: Timestamp,
    /// Whether it ends by itself when nobody answers in time.
    pub expires: bool,
    /// What is required. Without any, nobody is asked, and nobody can decide.
    pub requirements: Vec<Merged>,
    /// Who may not decide.
    pub excluded: Vec<Involved>,
    /// Decisions so far, in their order; those on anything else than the subject are withdrawn and do not count.
    pub decisions: Vec<Taken>,
}

/// A decision that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// By whom.
    pub by: PrincipalId,
    /// Whose entitlement counts, as it is now: theirs, or that of the one who delegated to them.
    pub of: Entitled,
    /// How they had signed in.
    pub signed_in: SignedIn,
    /// Yes or no.
    pub answer: Answer,
    /// On what.
    pub subject: Subject,
    /// When.
    pub at: Timestamp,
}

/// Somebody is about to decide.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Who.
    pub by: Entitled,
    /// Whether they are a person who signed in: no machine, and no API token.
    pub person_signed_in: bool,
    /// How they signed in.
    pub signed_in: SignedIn,
    /// In whose place, when it is not their own.
    pub on_behalf_of: Option<Entitled>,
    /// Yes or no.
    pub answer: Answer,
    /// On what.
    pub subject: Subject,
}

/// What else decides whether they may.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Where it is.
    pub at: At<'a>,
    /// Groups that each requirement was escalated to by now, in the order of the requirements.
    pub stand_ins: &'a [Vec<Name>],
    /// Delegations to the one who decides, and by the one they decide for; others do no harm.
    pub delegations: &'a [Delegation],
}

/// A decision was taken.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The decision.
    pub taken: Taken,
    /// Where the request stands now.
    pub state: ApprovalState,
    /// Who fills what, and what is missing.
    pub quorum: Quorum,
}

/// Who may not decide: those who are involved, and those for whom somebody was, `acted_for` being delegates with the ones
/// they acted for when they did what involves them.
#[must_use]
pub fn excluded(
    involved: &[(PrincipalId, Involvement)],
    acted_for: &[(PrincipalId, PrincipalId)],
) -> Vec<Involved> {
    let mut excluded = Vec::new();
    for (who, how) in involved {
        let whom = acted_for.iter().filter(|(delegate, _)| delegate == who);
        let through = whom.map(|(_, whom)| (*whom, true));
        for (who, through_delegate) in std::iter::once((*who, false)).chain(through) {
            let one = Involved {
                who,
                how: *how,
                through_delegate,
            };
            if !excluded.contains(&one) {
                excluded.push(one);
            }
        }
    }
    excluded
}

impl Request {
    /// When it expires, if it does by itself: at the earliest of what is required.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.due_at().filter(|_| self.expires)
    }

    /// When an answer is due, if that is said: at the earliest of what is required.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let after = self
            .requirements
            .iter()
            .filter_map(|one| one.requirement.expires_after);
        let earliest = after.min()?;
        Some(self.asked_at.saturating_add(earliest).unwrap_or(Timestamp::MAX))
    }

    /// Takes a decision, or says why not.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn decide(
        &self,
        attempt: &Attempt,
        around: &Circumstances<'_>,
        now: Timestamp,
    ) -> Result<Outcome, Refused> {
        if !attempt.person_signed_in {
            return Err(Refused::NotAPerson);
        }
        if self.state != ApprovalState::Pending {
            return Err(Refused::NotPending(self.state));
        }
        if let Some(at) = self.expires_at().filter(|at| *at <= now) {
            return Err(Refused::Expired(at));
        }
        // To decide for oneself is to decide.
        let whom = attempt
            .on_behalf_of
            .as_ref()
            .filter(|whom| whom.id != attempt.by.id);
        self.nobody_excluded(attempt.by.id, whom)?;
        self.nobody_again(attempt.by.id, whom)?;
        self.on_this(attempt.subject)?;
        if let Some(whom) = whom {
            delegation::power(around.delegations, attempt.by.id, whom.id, around.at, now)?;
        }
        let of = whom.unwrap_or(&attempt.by);
        self.wanted(of, whom.is_some(), around)?
            .check(&attempt.signed_in, now)?;
        let taken = Taken {
            by: attempt.by.id,
            of: of.clone(),
            signed_in: attempt.signed_in.clone(),
            answer: attempt.answer,
            subject: attempt.subject,
            at: now,
        };
        let mut after = self.clone();
        after.decisions.push(taken.clone());
        let (state, quorum) = after.judge(around.stand_ins);
        Ok(Outcome { taken, state, quorum })
    }

    /// What the decisions on the subject come to, by those who are not excluded: also judged again whenever something
    /// else changes, as a role that somebody loses.
    #[must_use]
    pub fn judge(&self, stand_ins: &[Vec<Name>]) -> (ApprovalState, Quorum) {
        let asked = self.asked(stand_ins);
        let counts = |taken: &&Taken| {
            self.is_on(taken.subject)
                && !self
                    .excluded
                    .iter()
                    .any(|one| one.who == taken.by || one.who == taken.of.id)
        };
        let said = |answer| {
            let decisions = self.decisions.iter().filter(counts);
            let decisions = decisions.filter(move |taken| taken.answer == answer);
            decisions.map(|taken| Yes {
                by: taken.by,
                of: taken.of.clone(),
                signed_in: taken.signed_in.clone(),
                at: taken.at,
            })
        };
        let quorum = quorum::judge(&asked, &said(Answer::Approve).collect::<Vec<_>>());
        // A no is not forgotten when whoever said it has lost a role or left a group since: then it is against everything.
        let rejected = asked.iter().any(|one| {
            let against = |of: &Entitled| one.wants(of) || !asked.iter().any(|any| any.wants(of));
            let no = said(Answer::Reject).filter(|no| against(&no.of)).count();
            no >= one.requirement.rejections as usize
        });
        let state = if rejected {
            ApprovalState::Rejected
        } else if quorum.is_met() && !asked.is_empty() {
            ApprovalState::Approved
        } else {
            ApprovalState::Pending
        };
        (state, quorum)
    }

    fn asked<'a>(&'a self, stand_ins: &'a [Vec<Name>]) -> Vec<Asked<'a>> {
        let requirements = self.requirements.iter().enumerate();
        requirements
            .map(|(i, one)| Asked {
                requirement: &one.requirement,
                stand_ins: stand_ins.get(i).map_or(&[], Vec::as_slice),
            })
            .collect()
    }

    fn nobody_excluded(&self, by: PrincipalId, whom: Option<&Entitled>) -> Result<(), Refused> {
        let how = |who: PrincipalId, through: Option<bool>| {
            let excluded = self.excluded.iter().filter(|one| one.who == who);
            let mut how: Vec<_> = excluded
                .filter(|one| through.is_none_or(|through| one.through_delegate == through))
                .map(|one| one.how)
                .collect();
            how.sort();
            how.dedup();
            (!how.is_empty()).then_some(how)
        };
        if let Some(how) = how(by, Some(false)) {
            return Err(Refused::Excluded(how));
        }
        if let Some(how) = how(by, Some(true)) {
            return Err(Refused::ExcludedThrough(how));
        }
        match whom.and_then(|whom| how(whom.id, None)) {
            Some(how) => Err(Refused::ExcludedWhom(how)),
            None => Ok(()),
        }
    }

    fn nobody_again(&self, by: PrincipalId, whom: Option<&Entitled>) -> Result<(), Refused> {
        let decided = |who: PrincipalId| {
            let mut decisions = self.decisions.iter().filter(|taken| self.is_on(taken.subject));
            decisions.any(|taken| taken.by == who || taken.of.id == who)
        };
        if decided(by) {
            return Err(Refused::AlreadyDecided);
        }
        match whom {
            Some(whom) if decided(whom.id) => Err(Refused::AlreadyDecidedWhom),
            _ => Ok(()),
        }
    }

    /// Whether somebody decided on just this. What approvers saw is not known of decisions from before it was written down:
    /// these are on the release and the plan.
    fn is_on(&self, decided: Subject) -> bool {
        decided.digest == self.subject.digest
            && decided.plan_digest == self.subject.plan_digest
            && (decided.document.is_none() || decided.document == self.subject.document)
    }

    fn on_this(&self, given: Subject) -> Result<(), Refused> {
        if given.digest != self.subject.digest {
            return Err(Refused::OtherDigest {
                expected: self.subject.digest,
                given: given.digest,
            });
        }
        if given.plan_digest != self.subject.plan_digest {
            return Err(Refused::OtherPlan {
                expected: self.subject.plan_digest,
                given: given.plan_digest,
            });
        }
        match (self.subject.document, given.document) {
            (Some(expected), Some(given)) if expected != given => {
                Err(Refused::OtherDocument { expected, given })
            }
            _ => Ok(()),
        }
    }

    /// How somebody must have signed in for all that they are wanted for.
    fn wanted(
        &self,
        of: &Entitled,
        for_another: bool,
        around: &Circumstances<'_>,
    ) -> Result<SignIn, Refused> {
        let asked = self.asked(around.stand_ins);
        let wanted: Vec<_> = asked.iter().filter(|one| one.wants(of)).collect();
        if !wanted.is_empty() {
            let sign_in = SignIn::default();
            return Ok(wanted
                .iter()
                .fold(sign_in, |all, one| all.and(&one.requirement.sign_in)));
        }
        let roles: Vec<_> = asked.iter().map(|one| one.requirement.role).collect();
        if let Some(role) = roles
            .first()
            .filter(|_| !roles.iter().any(|role| of.roles.contains(role)))
        {
            return Err(Refused::Role(*role, for_another));
        }
        let (_, quorum) = self.judge(around.stand_ins);
        let missing = quorum.missing.iter().map(ToString::to_string).collect();
        Err(Refused::NotAsked(missing, for_another))
    }
}

#[cfg(test)]
mod tests;
