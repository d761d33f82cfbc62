//! What could go wrong with a deployment, as a number that says what it is made of.
//!
//! Points are added up, 100 at most. They are few and open, so that a policy's author can foresee them; `docs/policies.md` has
//! the same table.

use crate::registry::{Criticality, Tier};
use serde::{Deserialize, Serialize};

/// What the score is taken over.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// How much depends on the service.
    pub criticality: Criticality,
    /// What kind of environment it goes to.
    pub tier: Tier,
    /// Whether the service runs nowhere there yet.
    pub first: bool,
    /// Objects that are created, updated or pruned, over all targets.
    pub touched: u64,
    /// The most targets of one wave.
    pub at_once: usize,
    /// Whether what runs now can be brought back everywhere.
    pub can_roll_back: bool,
    /// Deployments of the service to this environment in the last 30 days.
    pub deployments: i64,
    /// How many of those did not go well.
    pub failures: i64,
}

/// The score, and what raised it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// 0 (none) to 100.
    pub score: i64,
    /// Each with its points.
    pub factors: Vec<String>,
}

/// Computes it.
#[must_use]
pub fn risk(input: &Input) -> Risk {
    let mut all: Vec<(i64, String)> = vec![
        (
            match input.criticality {
                Criticality::Low => 0,
                Criticality::Medium => 5,
                Criticality::High => 15,
                Criticality::Critical => 25,
            },
            format!("the service is of {} criticality", input.criticality.as_str()),
        ),
        (
            match input.tier {
                Tier::Development | Tier::Test => 0,
                Tier::Staging => 5,
                Tier::Production => 20,
            },
            format!("it goes to {}", input.tier),
        ),
        (
            match input.touched {
                0 => 0,
                1..=10 => 5,
                11..=50 => 10,
                _ => 15,
            },
            format!("{} objects change", input.touched),
        ),
    ];
    if input.first {
        all.push((5, "the service runs nowhere there yet".to_owned()));
    }
    if input.at_once > 1 {
        all.push((10, format!("{} targets at once", input.at_once)));
    }
    if !input.can_roll_back {
        all.push((20, "what runs now cannot be brought back everywhere".to_owned()));
    }
    // A fifth of few is chance.
    if input.failures >= 2 && input.failures * 5 >= input.deployments {
        all.push((
            10,
            format!(
                "{} of the last {} deployments there did not go well",
                input.failures, input.deployments
            ),
        ));
    }
    all.retain(|(points, _)| *points > 0);
    Risk {
        score: all.iter().map(|(points, _)| points).sum::<i64>().min(100),
        factors: all
            .into_iter()
            .map(|(points, why)| format!("{why} (+{points})"))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CALM: Input = Input {
        criticality: Criticality::Low,
        tier: Tier::Development,
        first: false,
        touched: 0,
        at_once: 1,
        can_roll_back: true,
        deployments: 0,
        failures: 0,
    };

    #[test]
    fn nothing_to_fear_is_nothing_and_each_factor_is_named() {
        assert_eq!(risk(&CALM).score, 0);
        assert!(risk(&CALM).factors.is_empty());
        let bold = risk(&Input {
            criticality: Criticality::Critical,
            tier: Tier::Production,
            first: true,
            touched: 60,
            at_once: 3,
            can_roll_back: false,
            deployments: 10,
            failures: 2,
        });
        assert_eq!(bold.score, 100);
        assert_eq!(bold.factors.len(), 7);
        assert_eq!(bold.factors[0], "the service is of critical criticality (+25)");
    }

    proptest! {
        #[test]
        fn more_to_fear_never_lowers_it(touched in 0..100u64, at_once in 0..5usize, failures in 0..9i64) {
            let less = Input { touched, at_once, failures, deployments: 9, ..CALM };
            let more = Input {
                touched: touched + 1, at_once: at_once + 1, failures: failures + 1, can_roll_back: false, ..less
            };
            prop_assert!(risk(&more).score > risk(&less).score);
            prop_assert!((0..=100).contains(&risk(&more).score));
        }
    }
}
