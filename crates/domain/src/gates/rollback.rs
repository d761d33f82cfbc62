//! A rollback plan exists: what runs now is known and can be brought back, or nothing runs yet.

use super::Verdict;
use crate::Digest;
use serde_json::{Value, json};

/// One target, as far as undoing goes.
#[derive(Debug, Clone)]
pub struct TargetFacts {
    /// How to call it.
    pub target: String,
    /// The release that succeeded there last, if any.
    pub previous: Option<String>,
    /// Digest of the rendering that runs there, if any.
    pub runs: Option<Digest>,
    /// Digest of the rendering that the deployment brings.
    pub brings: Digest,
    /// Whether that release's rendering is still stored.
    pub rendering_kept: bool,
}

/// What could be rolled back to.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Every target of the deployment.
    pub targets: Vec<TargetFacts>,
}

/// Judges it.
#[must_use]
pub fn judge(facts: &Facts) -> (Verdict, Value) {
    let inputs = facts
        .targets
        .iter()
        .map(|t| json!({"target": t.target, "previous": t.previous, "rendering_kept": t.rendering_kept}));
    let inputs = Value::Array(inputs.collect());
    let lost: Vec<&str> = facts
        .targets
        .iter()
        .filter(|t| t.previous.is_some() && !t.rendering_kept)
        .map(|t| t.target.as_str())
        .collect();
    if !lost.is_empty() {
        return (
            Verdict::refused(format!(
                "the rendering of what runs on {} is not stored any more",
                lost.join(", ")
            )),
            inputs,
        );
    }
    let mut previous: Vec<&str> = facts
        .targets
        .iter()
        .filter_map(|t| t.previous.as_deref())
        .collect();
    previous.sort_unstable();
    previous.dedup();
    let verdict = if previous.is_empty() {
        Verdict::satisfied("first deployment here: undoing it cleans the targets")
    } else {
        Verdict::satisfied(format!("can be rolled back to {}", previous.join(", ")))
    };
    (verdict, inputs)
}
