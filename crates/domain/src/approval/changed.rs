//! What is to be decided on has changed: decisions on what it was before are withdrawn.

use super::Decision;
use crate::{Digest, ids::PrincipalId};
use std::fmt;

/// What people decide on: both change with anything that is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Digest of the sealed release.
    pub digest: Digest,
    /// Digest over targets and renderings.
    pub plan_digest: Digest,
    /// Digest of the document that approvers see; none before there is one, and of decisions from before there were any.
    pub document: Option<Digest>,
}

/// Decisions that do not count any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Whose, in the order in which they were taken.
    pub of: Vec<PrincipalId>,
    /// The release was another one: what it was, where that is so, and it is now.
    pub release: Option<(Digest, Digest)>,
    /// The plan was another one: what it was, where that is so, and it is now.
    pub plan: Option<(Digest, Digest)>,
    /// What approvers see was another document: what it was, where that is so, and it is now.
    pub document: Option<(Digest, Digest)>,
}

/// Which of these decisions are withdrawn by what there is to be decided on now; none, when all of them are on just that.
#[must_use]
pub fn withdraw(decisions: &[Decision], now: Subject) -> Option<Withdrawal> {
    let mut withdrawal = Withdrawal {
        of: Vec::new(),
        release: None,
        plan: None,
        document: None,
    };
    for decision in decisions {
        let was = decision.subject;
        let differ = |was: Digest, now: Digest| (was != now).then_some((was, now));
        let release = differ(was.digest, now.digest);
        let plan = differ(was.plan_digest, now.plan_digest);
        let document = was
            .document
            .zip(now.document)
            .and_then(|(was, now)| differ(was, now));
        if release.is_some() || plan.is_some() || document.is_some() {
            withdrawal.of.push(decision.by);
        }
        // The newest is what people remember.
        withdrawal.release = release.or(withdrawal.release);
        withdrawal.plan = plan.or(withdrawal.plan);
        withdrawal.document = document.or(withdrawal.document);
    }
    (!withdrawal.of.is_empty()).then_some(withdrawal)
}

impl fmt::Display for Withdrawal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of.len() {
            1 => f.write_str("1 decision is withdrawn, because ")?,
            many => write!(f, "{many} decisions are withdrawn, because ")?,
        }
        let changed = [
            ("release", self.release),
            ("plan", self.plan),
            ("document to be decided on", self.document),
        ];
        let changed: Vec<_> = changed
            .into_iter()
            .filter_map(|(what, change)| change.map(|(was, is)| format!("the {what} was {was} and is {is}")))
            .collect();
        f.write_str(&changed.join(", and "))?;
        f.write_str("; look at it again before you decide")
    }
}

#[cfg(test)]
mod tests;
