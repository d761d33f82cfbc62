//! The frame: an in-toto Statement v1.

use super::Predicate;
use crate::{Digest, Faults, signing::VerifyingKey};
use serde::{Deserialize, Serialize};

/// The type of a statement.
pub(super) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of what a certificate says. It is a name: nothing needs to be there.
pub const PREDICATE_TYPE: &str = "https://slipway.dev/release-certificate/v1";

/// A statement about a release and its components.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// That it is one.
    #[serde(rename = "_type")]
    pub kind: String,
    /// The release, and then its components.
    pub subject: Vec<Subject>,
    /// What kind of thing is said of them.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said of them.
    pub predicate: Predicate,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// `name@version`.
    pub name: String,
    /// Its digests, by algorithm.
    pub digest: DigestSet,
}

/// Digests, as in-toto writes them: by algorithm, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSet {
    /// SHA-256.
    pub sha256: String,
}

impl Subject {
    fn new(name: String, digest: Digest) -> Self {
        let sha256 = digest.hex();
        Self {
            name,
            digest: DigestSet { sha256 },
        }
    }
}

impl Statement {
    /// The statement that says this.
    #[must_use]
    pub fn about(predicate: Predicate) -> Self {
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            subject: subjects(&predicate),
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate,
        }
    }

    /// What does not fit together in it, by pointers.
    pub(super) fn check(&self, keys: &[VerifyingKey]) -> Faults {
        let mut faults = Faults::new();
        if self.subject != subjects(&self.predicate) {
            let detail =
                "is not the release and the components that the predicate is about, by name and digest";
            faults.add("/subject", detail);
        }
        faults.nest("/predicate", self.predicate.check(keys));
        faults
    }
}

fn subjects(predicate: &Predicate) -> Vec<Subject> {
    let release = &predicate.release;
    let release = Subject::new(release.display_name(), release.digest);
    let components = predicate.components.iter();
    let components = components.map(|one| Subject::new(format!("{}@{}", one.name, one.version), one.digest));
    std::iter::once(release).chain(components).collect()
}
