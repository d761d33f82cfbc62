//! The eight invariants.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What holds at any time, whatever happens. Numbered as in the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invariant {
    /// 1. What runs is what was sealed.
    Sealed,
    /// 2. Nothing is dispatched without every gate.
    Gated,
    /// 3. At most one executor acts on a target.
    OneExecutor,
    /// 4. Every change is recorded once.
    Recorded,
    /// 5. Everything admitted ends.
    Ends,
    /// 6. A rollback needs nothing that may have failed.
    Rollback,
    /// 7. Secrets never come out.
    Secret,
    /// 8. Time is the database's.
    Time,
}

impl Invariant {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Sealed,
        Self::Gated,
        Self::OneExecutor,
        Self::Recorded,
        Self::Ends,
        Self::Rollback,
        Self::Secret,
        Self::Time,
    ];

    /// Its number, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Its short name, as in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Gated => "gated",
            Self::OneExecutor => "one_executor",
            Self::Recorded => "recorded",
            Self::Ends => "ends",
            Self::Rollback => "rollback",
            Self::Secret => "secret",
            Self::Time => "time",
        }
    }

    /// Its sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Sealed => {
                "What runs is what was sealed: the digest at seal, at approval, at claim and at apply is the same."
            }
            Self::Gated => "No dispatch without every gate satisfied in the claiming transaction.",
            Self::OneExecutor => {
                "At most one executor acts on a target at a time; a stale one's writes touch zero rows and no cluster \
                 object."
            }
            Self::Recorded => {
                "Every state change has exactly one audit entry, written in the same transaction; the chain is \
                 contiguous."
            }
            Self::Ends => "Every admitted deployment reaches a terminal state, whatever dies in between.",
            Self::Rollback => {
                "A rollback never needs what failed: not the registry, not the renderer, not the edit right."
            }
            Self::Secret => {
                "Secrets go in and never come out: not in responses, logs, errors, diffs, audit or traces."
            }
            Self::Time => "Time is the database's time.",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_numbered_one_to_eight_and_named_as_they_are_written() {
        for (i, invariant) in Invariant::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(invariant.number()), i + 1);
            assert_eq!(
                serde_json::to_value(invariant).unwrap(),
                serde_json::json!(invariant.as_str())
            );
        }
    }
}
