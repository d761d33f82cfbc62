//! The stage before succeeded with this same release digest, soaked long enough, and has not been undone or revoked since.

use super::{Verdict, evidence::Failing};
use crate::Name;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The stage before.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its name.
    pub from: Name,
    /// How long the release must have been there.
    pub soak: SignedDuration,
    /// When this digest last succeeded there, if it did.
    pub succeeded_at: Option<Timestamp>,
    /// What undid that since, if anything did.
    pub undone_by: Option<String>,
    /// Evidence about this very digest, or a part of it, that says that something is wrong, whoever requires it: it revokes
    /// what was shown before.
    pub failing: Vec<Failing>,
    /// What this release is called, for the reason.
    pub release: String,
}

/// Judges it.
#[must_use]
pub fn judge(facts: &Facts, now: Timestamp) -> (Verdict, Value) {
    let inputs = json!({
        "from": facts.from,
        "soak": facts.soak.to_string(),
        "succeeded_at": facts.succeeded_at,
        "undone_by": facts.undone_by,
        "failing": facts.failing.iter().map(|failing| &failing.evidence).collect::<Vec<_>>(),
    });
    let from = &facts.from;
    let verdict = match (facts.succeeded_at, &facts.undone_by) {
        (None, _) => Verdict::waiting(
            format!("{} has not succeeded in {from} yet", facts.release),
            None,
            super::a_success(&facts.release, from),
        ),
        (Some(_), Some(undone_by)) => Verdict::waiting(
            format!("{} was undone in {from} by {undone_by}", facts.release),
            None,
            super::a_success(&facts.release, from),
        ),
        (Some(_), None) if !facts.failing.is_empty() => {
            let reasons: Vec<_> = facts
                .failing
                .iter()
                .map(|failing| failing.reason.as_str())
                .collect();
            let commands: Vec<_> = facts
                .failing
                .iter()
                .map(|failing| failing.unblocked_by.as_str())
                .collect();
            Verdict::waiting(
                format!(
                    "{} succeeded in {from}, which was revoked: {}",
                    facts.release,
                    reasons.join("; ")
                ),
                None,
                commands.join("; "),
            )
        }
        (Some(at), None) => {
            let until = at.saturating_add(facts.soak).unwrap_or(Timestamp::MAX);
            if until > now {
                Verdict::waiting(format!("soaking in {from} until {until}"), Some(until), "time")
            } else {
                Verdict::satisfied(format!("succeeded in {from} at {at}"))
            }
        }
    };
    (verdict, inputs)
}
