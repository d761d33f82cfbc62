//! The versions of policies that a deployment was judged by, as its gate writes them down: one by one where they are few, else by
//! the digest of all, so that a thousand of them are not written again with each deployment.

use crate::{Digest, Name};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Most versions that are written down one by one.
pub const LISTED: usize = 20;

/// A version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedBy {
    /// The policy.
    pub policy: Name,
    /// Which of its versions.
    pub version: i64,
}

/// The versions, as they are written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Versions {
    /// One by one.
    Listed(Vec<JudgedBy>),
    /// As a set, which is kept beside.
    Set {
        /// The digest that it is kept by.
        set: Digest,
        /// How many there are.
        count: usize,
    },
}

impl Versions {
    /// Of versions in the order in which they were judged by.
    #[must_use]
    pub fn of(versions: &[(Name, i64)]) -> Self {
        if versions.len() > LISTED {
            return Self::Set {
                set: digest(versions),
                count: versions.len(),
            };
        }
        Self::Listed(listed(versions))
    }
}

/// One by one.
#[must_use]
pub fn listed(versions: &[(Name, i64)]) -> Vec<JudgedBy> {
    let versions = versions.iter().cloned();
    versions
        .map(|(policy, version)| JudgedBy { policy, version })
        .collect()
}

/// SHA-256 over a line for each, of its name, a space and its version: names have neither spaces nor line ends.
#[must_use]
pub fn digest(versions: &[(Name, i64)]) -> Digest {
    let mut text = String::with_capacity(versions.len() * 24);
    for (policy, version) in versions {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{policy} {version}");
    }
    Digest::of_bytes(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn versions(count: usize) -> Vec<(Name, i64)> {
        (0..count)
            .map(|n| (format!("policy-{n}").parse().unwrap(), 1))
            .collect()
    }

    #[test]
    fn few_are_listed_and_many_are_named_by_a_digest_that_is_of_just_these() {
        let few = Versions::of(&versions(LISTED));
        assert_eq!(
            serde_json::to_value(&few).unwrap()[1],
            json!({"policy": "policy-1", "version": 1})
        );
        let many = versions(LISTED + 1);
        let set = serde_json::to_value(Versions::of(&many)).unwrap();
        assert_eq!(set, json!({"set": digest(&many), "count": LISTED + 1}));
        assert_eq!(
            serde_json::from_value::<Versions>(set).unwrap(),
            Versions::of(&many)
        );
        let mut other = many.clone();
        other[3].1 = 2;
        assert_ne!(digest(&other), digest(&many));
        other[3].1 = 1;
        other.swap(0, 1);
        assert_ne!(digest(&other), digest(&many));
    }
}
