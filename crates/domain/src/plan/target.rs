//! What to do next on one target.
//!
//! The steps of an intent are a fixed list; progress says which are done; the next step is the first that is not. What
//! is done once is never asked for again, so any executor can go on where another stopped.

use crate::render::{HookPhase, PHASES, Rendering, apply_rank};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// What a deployment wants of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Bring about a rendering.
    Apply,
    /// Bring about an earlier rendering again.
    RollBack,
    /// Nothing ran here before: take away what was applied.
    Clean,
    /// Take back what has drifted of what runs: applies those objects again, runs no hook and takes nothing away.
    Heal,
}

/// One step. A step is repeatable: done twice, it has the same effect as once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Reads only: every kind is known to the cluster, in the scope that was granted; nothing else has been touched.
    Preflight,
    /// The namespace exists.
    Namespace,
    /// The generation object says that this deployment acts here, and no newer one does.
    Guard,
    /// Runs the hook of this phase with this index, and waits for it.
    Hook(HookPhase, usize),
    /// Applies every object of this rank (see `render::PHASES`).
    Apply(u8),
    /// Custom resource definitions are established.
    AwaitDefinitions,
    /// Everything is healthy, or the progress deadline has passed.
    AwaitHealth,
    /// Takes away what is in the inventory and not in the rendering.
    Prune,
}

/// A step's stable name, as stored: `apply:60`, `hook:before:0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(pub String);

impl From<Step> for StepKey {
    fn from(step: Step) -> Self {
        Self(match step {
            Step::Preflight => "preflight".to_owned(),
            Step::Namespace => "namespace".to_owned(),
            Step::Guard => "guard".to_owned(),
            Step::Hook(phase, index) => format!("hook:{}:{index}", phase.as_str()),
            Step::Apply(rank) => format!("apply:{rank}"),
            Step::AwaitDefinitions => "await_definitions".to_owned(),
            Step::AwaitHealth => "await_health".to_owned(),
            Step::Prune => "prune".to_owned(),
        })
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StepKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// What is recorded of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// When it was first begun (database time).
    pub begun_at: Timestamp,
    /// When it was done; none while it is not.
    pub done_at: Option<Timestamp>,
    /// What it left for later steps.
    #[serde(default)]
    pub output: serde_json::Value,
}

/// The steps of one target's work so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Progress(pub BTreeMap<StepKey, StepRecord>);

impl Progress {
    /// Whether a step is done.
    #[must_use]
    pub fn is_done(&self, step: Step) -> bool {
        self.0
            .get(&StepKey::from(step))
            .is_some_and(|record| record.done_at.is_some())
    }

    /// When a step was first begun, if it was.
    #[must_use]
    pub fn begun_at(&self, step: Step) -> Option<Timestamp> {
        self.0.get(&StepKey::from(step)).map(|record| record.begun_at)
    }
}

/// The steps that an intent takes, in order.
///
/// Hooks `before` run once configuration and storage are there and before services and workloads are touched, since a
/// migration needs its configuration; nothing is pruned before the new objects are healthy.
#[must_use]
pub fn steps(intent: Intent, rendering: &Rendering) -> Vec<Step> {
    let mut steps = vec![Step::Preflight];
    if intent == Intent::Clean {
        steps.extend([Step::Guard, Step::Prune]);
        return steps;
    }
    steps.extend([Step::Namespace, Step::Guard]);
    let before = if intent == Intent::RollBack {
        HookPhase::Rollback
    } else {
        HookPhase::Before
    };
    let hooks = |phase| {
        let none = intent == Intent::Heal;
        let count = if none { 0 } else { rendering.hooks(phase).count() };
        (0..count).map(move |index| Step::Hook(phase, index))
    };
    let mut hooked = false;
    for phase in PHASES {
        if phase.after_hooks && !hooked {
            steps.extend(hooks(before));
            hooked = true;
        }
        let here = |object: &serde_json::Value| {
            let text = |key: &str| {
                object
                    .get(key)
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default()
            };
            apply_rank(text("apiVersion"), text("kind")) == phase.rank
        };
        if rendering.objects.iter().any(here) {
            steps.push(Step::Apply(phase.rank));
            if phase.defines_kinds {
                steps.push(Step::AwaitDefinitions);
            }
        }
    }
    if !hooked {
        steps.extend(hooks(before));
    }
    steps.push(Step::AwaitHealth);
    if intent == Intent::Apply {
        steps.extend(hooks(HookPhase::After));
    }
    if intent != Intent::Heal {
        steps.push(Step::Prune);
    }
    steps
}

/// The next step, or none when everything is done.
#[must_use]
pub fn next(intent: Intent, rendering: &Rendering, progress: &Progress) -> Option<Step> {
    steps(intent, rendering)
        .into_iter()
        .find(|step| !progress.is_done(*step))
}

/// What waiting for something to become true comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// It is true.
    Over,
    /// Not yet; ask again after this long (or when something changes).
    Again(SignedDuration),
    /// The deadline has passed.
    TooLong,
}

/// Longest time between two looks when nothing wakes the work: watches may have missed something.
pub const RELOOK: SignedDuration = SignedDuration::from_secs(5);

/// Whether to go on waiting.
#[must_use]
pub fn wait(fulfilled: bool, begun_at: Timestamp, deadline: SignedDuration, now: Timestamp) -> Wait {
    if fulfilled {
        return Wait::Over;
    }
    let left = deadline - now.duration_since(begun_at);
    if left <= SignedDuration::ZERO {
        return Wait::TooLong;
    }
    Wait::Again(left.min(RELOOK))
}

#[cfg(test)]
mod tests;
