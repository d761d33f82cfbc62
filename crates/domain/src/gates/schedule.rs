//! `not_before` has passed, and the request has not expired.

use super::Verdict;
use jiff::Timestamp;
use serde_json::{Value, json};

/// When it may start.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Not before then.
    pub not_before: Option<Timestamp>,
    /// Not from then on.
    pub expires_at: Timestamp,
}

/// Judges it.
#[must_use]
pub fn judge(facts: &Facts, now: Timestamp) -> (Verdict, Value) {
    let inputs = json!({"not_before": facts.not_before, "expires_at": facts.expires_at});
    let verdict = if now >= facts.expires_at {
        Verdict::refused(format!("it expired at {}", facts.expires_at))
    } else {
        match facts.not_before {
            Some(at) if at > now => {
                Verdict::waiting(format!("not to be started before {at}"), Some(at), "time")
            }
            _ => Verdict::satisfied("its time has come"),
        }
    };
    (verdict, inputs)
}
