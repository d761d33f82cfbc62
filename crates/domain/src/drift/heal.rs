//! Whether what has drifted is taken back by itself, now or later; and when to stop, because somebody else takes it back
//! in turn.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What an environment wants done about drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It is recorded and shown.
    #[default]
    Report,
    /// And taken back: also fields that another manager owns by now.
    Heal,
}

impl Policy {
    /// As written in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Heal => "heal",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Report, Self::Heal]
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| "drift is one of report, heal".to_owned())
    }
}

/// How often an object is healed within [`WINDOW`] before it is left alone.
pub const MOST: usize = 3;
/// For how long heals are counted.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// The shortest time between two heals of one target; each further one within [`WINDOW`] waits twice as long.
pub const PAUSE: SignedDuration = SignedDuration::from_mins(2);

/// What is known of one target.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// When heals of this target were asked for, whatever became of them.
    pub heals: Vec<Timestamp>,
    /// Every object that has drifted now: how to call it, who did it, and when it was healed before.
    pub objects: Vec<ObjectFacts>,
}

/// What is known of one drifted object.
#[derive(Debug, Clone)]
pub struct ObjectFacts {
    /// How to call it.
    pub name: String,
    /// The manager that changed it, where the object says.
    pub manager: Option<String>,
    /// When drifts of it were healed.
    pub healed: Vec<Timestamp>,
}

/// What to do about one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Take these objects back (indices).
    Heal(Vec<usize>),
    /// Not before then.
    NotBefore(Timestamp),
    /// Nothing is left that may be healed.
    Nothing,
}

/// Judges one target: which objects are to be healed now; and for each object that is left alone, why.
#[must_use]
pub fn decide(facts: &Facts, now: Timestamp) -> (Verdict, Vec<(usize, String)>) {
    let recent = |at: &&Timestamp| now.duration_since(**at) < WINDOW;
    let (mut left, mut go) = (Vec::new(), Vec::new());
    for (index, object) in facts.objects.iter().enumerate() {
        let healed = object.healed.iter().filter(recent).count();
        if healed >= MOST {
            let who = object.manager.as_deref().map_or_else(
                || "somebody who leaves no trace on it".to_owned(),
                |manager| format!("`{manager}`"),
            );
            left.push((
                index,
                format!(
                    "{} was healed {healed} times within the last hour and {who} changed it again each time; it is left \
                     alone until one of the two gives way",
                    object.name
                ),
            ));
        } else {
            go.push(index);
        }
    }
    if go.is_empty() {
        return (Verdict::Nothing, left);
    }
    let before: Vec<&Timestamp> = facts.heals.iter().filter(recent).collect();
    let pause = before.len().checked_sub(1).map_or(SignedDuration::ZERO, |more| {
        PAUSE.saturating_mul(1 << i32::try_from(more.min(5)).unwrap_or(5))
    });
    let not_before = before
        .into_iter()
        .max()
        .map(|last| last.saturating_add(pause).unwrap_or(Timestamp::MAX));
    match not_before {
        Some(at) if at > now => (Verdict::NotBefore(at), left),
        _ => (Verdict::Heal(go), left),
    }
}
