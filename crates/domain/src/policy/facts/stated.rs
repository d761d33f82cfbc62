//! From what was stated to the facts that policies are judged on.

use crate::{
    evidence::{Statement, counting},
    gates::evidence::{Of, Subject},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What counts of what was stated about these, as policies are asked about it at this time.
#[must_use]
pub fn evidence(subjects: &[Subject], statements: &[Statement], now: Timestamp) -> Vec<Value> {
    let of = |statement: &Statement| subjects.iter().find(|subject| subject.digest == statement.digest);
    counting(statements)
        .filter_map(|statement| Some((of(statement)?, statement)))
        .map(|(subject, statement)| {
            let normal = &statement.normal;
            let mut fact = json!({
                "kind": normal.kind, "name": normal.name, "of": subject.of, "digest": statement.digest,
                "passed": normal.passed, "verified": statement.verified_by().is_some(),
                "age": now.duration_since(statement.dates_from()).as_secs().max(0), "counts": normal.counts,
            });
            if subject.of == Of::Component {
                // A name never holds `@`.
                let name = subject
                    .called
                    .split_once('@')
                    .map_or(subject.called.as_str(), |(name, _)| name);
                fact["component"] = json!(name);
            }
            if let Some(signer) = statement.verified_by() {
                fact["signer"] = json!(signer);
            }
            fact
        })
        .collect()
}
