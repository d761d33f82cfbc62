//! What an examination came to.

use super::Invariant;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What does not hold.
    pub invariant: Invariant,
    /// Name of the check that found it: the same kind of damage always has the same.
    pub check: &'static str,
    /// Of what, as `deployment dep_01…`.
    pub subject: String,
    /// What was found, for people; free of secrets.
    pub found: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// How much was looked at for an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// For which one.
    pub invariant: Invariant,
    /// What, in the plural: `renderings`.
    pub what: &'static str,
    /// How many.
    pub count: u64,
}

/// Something that could not be looked at. Never silently left out: whoever reads the report must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unexamined {
    /// What, as `cluster eu`.
    pub subject: String,
    /// Why not.
    pub why: String,
}

/// A check that found more than is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct More {
    /// Of which invariant.
    pub invariant: Invariant,
    /// Which check.
    pub check: &'static str,
    /// How many more.
    pub count: u64,
}

/// What an examination came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Database time of the state that was examined.
    pub at: Timestamp,
    /// What does not hold.
    pub findings: Vec<Finding>,
    /// Checks that found more than is listed.
    pub more: Vec<More>,
    /// What was looked at.
    pub examined: Vec<Examined>,
    /// What could not be looked at.
    pub unexamined: Vec<Unexamined>,
    /// Worth knowing, and no damage: an object that somebody deleted.
    pub notes: Vec<String>,
    #[serde(skip)]
    limit: usize,
    #[serde(skip)]
    counts: BTreeMap<(Invariant, &'static str), usize>,
}

impl Report {
    /// An empty one, of the state at this time; lists at most `limit` findings a check.
    #[must_use]
    pub fn new(at: Timestamp, limit: usize) -> Self {
        Self {
            at,
            limit: limit.max(1),
            ..Self::default()
        }
    }

    /// How many findings a check lists.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Adds a finding; counts it only when its check has listed enough.
    pub fn add(&mut self, finding: Finding) {
        let listed = self.counts.entry((finding.invariant, finding.check)).or_default();
        if *listed < self.limit {
            *listed += 1;
            self.findings.push(finding);
        } else {
            self.more_of(finding.invariant, finding.check, 1);
        }
    }

    /// Counts findings that are not listed.
    pub fn more_of(&mut self, invariant: Invariant, check: &'static str, count: u64) {
        if count == 0 {
            return;
        }
        match self
            .more
            .iter_mut()
            .find(|more| more.invariant == invariant && more.check == check)
        {
            Some(more) => more.count += count,
            None => self.more.push(More {
                invariant,
                check,
                count,
            }),
        }
    }

    /// Says that this was looked at; adds to what was said before.
    pub fn examined(&mut self, invariant: Invariant, what: &'static str, count: u64) {
        match self
            .examined
            .iter_mut()
            .find(|e| e.invariant == invariant && e.what == what)
        {
            Some(examined) => examined.count += count,
            None => self.examined.push(Examined {
                invariant,
                what,
                count,
            }),
        }
    }

    /// Says that this could not be looked at.
    pub fn not_examined(&mut self, subject: impl Into<String>, why: impl Into<String>) {
        self.unexamined.push(Unexamined {
            subject: subject.into(),
            why: why.into(),
        });
    }

    /// Whether nothing was found. What could not be examined is told apart: see [`Report::is_complete`].
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether everything could be examined.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unexamined.is_empty()
    }

    /// How many findings there are of an invariant, those not listed included.
    #[must_use]
    pub fn count(&self, invariant: Invariant) -> u64 {
        let listed = self.findings.iter().filter(|f| f.invariant == invariant).count() as u64;
        let more: u64 = self
            .more
            .iter()
            .filter(|m| m.invariant == invariant)
            .map(|m| m.count)
            .sum();
        listed + more
    }

    /// Puts findings in order: by invariant, then check, then subject.
    pub fn sort(&mut self) {
        self.findings.sort();
        self.examined.sort_by_key(|e| e.invariant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_lists_so_many_and_counts_the_rest() {
        let mut report = Report::new(Timestamp::UNIX_EPOCH, 2);
        for i in 0..5 {
            report.add(Finding {
                invariant: Invariant::Ends,
                check: "stuck",
                subject: format!("deployment {i}"),
                found: String::new(),
                remedy: "",
            });
        }
        assert_eq!(report.findings.len(), 2);
        assert_eq!(report.count(Invariant::Ends), 5);
        assert_eq!(report.count(Invariant::Time), 0);
        assert!(!report.is_healthy() && report.is_complete());
    }
}
