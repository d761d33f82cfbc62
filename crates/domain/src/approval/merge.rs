//! Requirements of several sources become as few as ask the same people.

use super::{Person, Requirement, Step};
use crate::{Name, identity::Role};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// What asks for approval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The settings of an environment.
    Environment {
        /// Its name.
        name: Name,
    },
    /// A stage of a process.
    Process {
        /// The process's name.
        name: Name,
        /// Which of its versions.
        version: i64,
        /// The stage's name.
        stage: Name,
    },
    /// A rule of a policy.
    Policy {
        /// The policy's name.
        name: Name,
        /// Which of its versions.
        version: i64,
        /// The rule's name.
        rule: Name,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment { name } => write!(f, "environment {name}"),
            Self::Process { name, version, stage } => {
                write!(f, "process {name}, version {version}, stage {stage}")
            }
            Self::Policy { name, version, rule } => {
                write!(f, "policy {name}, version {version}, rule {rule}")
            }
        }
    }
}

/// A requirement, and everything that asks for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Merged {
    /// The strictest of what is asked for.
    pub requirement: Requirement,
    /// What asks for it.
    pub sources: BTreeSet<Source>,
}

/// Whom a requirement asks. A group that is escalated to widens who may answer for the groups of a requirement, so where there
/// are groups it is part of this, with when: a policy never lends its escalation to another one.
type Asks = (
    Role,
    BTreeSet<Name>,
    BTreeSet<Name>,
    Option<BTreeMap<Name, SignedDuration>>,
);

/// Merges what asks the same people; what asks different people stays apart.
#[must_use]
pub fn merge(raised: Vec<(Source, Requirement)>) -> Vec<Merged> {
    let each = raised.into_iter().map(|(source, requirement)| Merged {
        requirement,
        sources: BTreeSet::from([source]),
    });
    again(each)
}

/// Merges what was merged before, as when a policy asks for more later.
///
/// It is idempotent, commutative and associative, and what comes of it is never weaker than anything that went in.
#[must_use]
pub fn again(merged: impl IntoIterator<Item = Merged>) -> Vec<Merged> {
    let mut all: BTreeMap<Asks, Merged> = BTreeMap::new();
    for one in merged {
        let asks = one.requirement.asks();
        let both = match all.remove(&asks) {
            Some(other) => Merged {
                requirement: other.requirement.stricter(&one.requirement),
                sources: other.sources.into_iter().chain(one.sources).collect(),
            },
            None => Merged {
                requirement: one.requirement.stricter(&one.requirement),
                sources: one.sources,
            },
        };
        all.insert(asks, both);
    }
    all.into_values().collect()
}

impl Requirement {
    fn asks(&self) -> Asks {
        let groups = !(self.any_of.is_empty() && self.all_of.is_empty());
        (
            self.role,
            self.any_of.iter().cloned().collect(),
            self.all_of.iter().cloned().collect(),
            groups.then(|| self.timeline()),
        )
    }

    /// When each group is escalated to at the earliest, counted from when people are first asked.
    fn timeline(&self) -> BTreeMap<Name, SignedDuration> {
        let mut line: BTreeMap<Name, SignedDuration> = BTreeMap::new();
        let mut since = SignedDuration::ZERO;
        for step in &self.escalate {
            since = since.saturating_add(step.after);
            let earliest = line.entry(step.to.clone()).or_insert(since);
            *earliest = since.min(*earliest);
        }
        line
    }

    /// The stricter of everything, of two that ask the same people; in a normal form.
    fn stricter(&self, other: &Self) -> Self {
        let any_of = sorted(self.any_of.iter().chain(&other.any_of));
        let all_of = sorted(self.all_of.iter().chain(&other.all_of));
        let named: Vec<Person> = sorted(self.named.iter().chain(&other.named));
        let particular = named.len() + all_of.len();
        // Anybody with the role is everybody who is named, too. But they need not be of a group: where the others must be
        // of one, as many of these are asked for as before, beside all who are named.
        let people = if any_of.is_empty() {
            particular.max(self.count.max(other.count) as usize)
        } else {
            particular + self.rest().max(other.rest())
        };
        let mut line = self.timeline();
        for (group, since) in other.timeline() {
            let earliest = line.entry(group).or_insert(since);
            *earliest = since.min(*earliest);
        }
        Self {
            role: self.role,
            count: u32::try_from(people).unwrap_or(u32::MAX),
            any_of,
            all_of,
            named,
            rejections: self.rejections.min(other.rejections),
            expires_after: earlier(self.expires_after, other.expires_after),
            sign_in: self.sign_in.and(&other.sign_in),
            remind_every: earlier(self.remind_every, other.remind_every),
            escalate: steps(line),
        }
    }
}

fn sorted<'a, T: Ord + Clone + 'a>(all: impl Iterator<Item = &'a T>) -> Vec<T> {
    let set: BTreeSet<_> = all.cloned().collect();
    set.into_iter().collect()
}

fn earlier(one: Option<SignedDuration>, other: Option<SignedDuration>) -> Option<SignedDuration> {
    [one, other].into_iter().flatten().min()
}

fn steps(line: BTreeMap<Name, SignedDuration>) -> Vec<Step> {
    let mut line: Vec<_> = line.into_iter().map(|(to, since)| (since, to)).collect();
    line.sort();
    let mut before = SignedDuration::ZERO;
    line.into_iter()
        .map(|(since, to)| {
            let after = since.saturating_sub(before);
            before = since;
            Step { after, to }
        })
        .collect()
}

#[cfg(test)]
mod tests;
