//! What the gate was judged on, as it is kept beside its verdict, and read back by whoever is asked about it later.

use super::{Digest, EvidenceId, Name, Required, Source, Stated, span};
use crate::{evidence::Kind, policy::document::RequiredEvidence};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a verdict was judged on.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// What was required.
    pub required: Vec<Required>,
    /// Requirements that cannot be read, as they are kept. Never silently left out: whoever reads the record must know.
    pub unread: Vec<String>,
    /// What was stated, and counted.
    pub seen: Vec<Seen>,
}

/// A statement that counted when the gate was judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Seen {
    /// Which.
    pub evidence: EvidenceId,
    /// What it was about: `web@1.2.0`.
    pub subject: String,
    /// The digest of that.
    pub digest: Digest,
    /// Of what kind.
    pub kind: Kind,
    /// Under which name.
    pub name: Name,
    /// Whether it passed.
    pub passed: bool,
    /// The key that its signature was verified with.
    pub verified_by: Option<Name>,
    /// What its age was counted from.
    pub dates_from: Timestamp,
}

/// A requirement, as it is kept.
#[derive(Deserialize)]
struct Kept {
    source: Source,
    #[serde(flatten)]
    evidence: RequiredEvidence,
}

/// Reads back the inputs of the gate.
#[must_use]
pub fn recorded(inputs: &Value) -> Recorded {
    let list = |key: &str| inputs.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut recorded = Recorded::default();
    for required in list("required") {
        match Kept::deserialize(required) {
            Ok(Kept { source, evidence }) => recorded.required.push(Required { source, evidence }),
            Err(_) => recorded.unread.push(required.to_string()),
        }
    }
    recorded.seen = list("stated")
        .filter_map(|seen| Seen::deserialize(seen).ok())
        .collect();
    recorded
}

impl Recorded {
    /// Whether this was required.
    #[must_use]
    pub fn asks_for(&self, required: &Required) -> bool {
        let input = required.input();
        self.required.iter().any(|other| other.input() == input)
    }
}

impl Required {
    fn input(&self) -> Value {
        let evidence = &self.evidence;
        json!({
            "source": self.source, "kind": evidence.kind, "name": evidence.name, "of": evidence.of,
            "max_age": evidence.max_age.map(span), "signed": evidence.signed,
        })
    }
}

impl Stated<'_> {
    pub(super) fn inputs(&self, now: Timestamp) -> Value {
        let required: Vec<_> = self.facts.required.iter().map(Required::input).collect();
        let of = |digest: &Digest| {
            self.facts
                .subjects
                .iter()
                .find(|subject| subject.digest == *digest)
        };
        let stated: Vec<_> = self
            .standing
            .values()
            .flatten()
            .filter_map(|standing| standing.counts())
            .filter_map(|statement| {
                let subject = of(&statement.digest)?;
                Some(json!({
                    "evidence": statement.id, "subject": subject.called, "digest": statement.digest,
                    "kind": statement.normal.kind, "name": statement.normal.name, "passed": statement.normal.passed,
                    "verified_by": statement.verified_by(), "dates_from": statement.dates_from(),
                    "age": now.duration_since(statement.dates_from()).as_secs(),
                }))
            })
            .collect();
        json!({"required": required, "stated": stated})
    }
}
