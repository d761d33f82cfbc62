//! Hooks: Jobs that run around a deployment instead of being part of it.

use super::group_of;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

/// The annotation that makes a `batch/v1` Job a hook: one phase, or several with commas between them.
pub const HOOK_ANNOTATION: &str = "slipway.dev/hook";

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookPhase {
    /// Once access, configuration and storage are applied, and before services and workloads are.
    Before,
    /// After everything is healthy.
    After,
    /// In a rollback to this release, in the place of `Before`.
    Rollback,
}

impl HookPhase {
    /// As the annotation spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for HookPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a hook annotation cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHook {
    /// A word that is no phase.
    #[error("a hook is one or more of before, after and rollback with commas between them, not {0:?}")]
    Phase(String),
    /// The annotation is on something that does not run to an end.
    #[error("only a batch/v1 Job can be a hook, not {0}")]
    Kind(String),
}

impl FromStr for HookPhase {
    type Err = NoHook;

    fn from_str(text: &str) -> Result<Self, NoHook> {
        [Self::Before, Self::After, Self::Rollback]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| NoHook::Phase(text.to_owned()))
    }
}

/// The phases an object is a hook for; empty for an object that is none.
///
/// # Errors
/// When the annotation names no phase, or something other than a phase, or the object is no `batch/v1` Job.
pub fn hook_phases(object: &Value) -> Result<Vec<HookPhase>, NoHook> {
    let Some(annotation) = object
        .get("metadata")
        .and_then(|m| m.get("annotations")?.get(HOOK_ANNOTATION))
    else {
        return Ok(Vec::new());
    };
    let text = annotation
        .as_str()
        .ok_or_else(|| NoHook::Phase(annotation.to_string()))?;
    let mut phases = text
        .split(',')
        .map(|word| word.trim().parse())
        .collect::<Result<Vec<HookPhase>, _>>()?;
    phases.sort_unstable();
    phases.dedup();

    let word = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (word("apiVersion"), word("kind"));
    if group_of(api_version) != "batch" || kind != "Job" {
        return Err(NoHook::Kind(format!("{api_version} {kind}")));
    }
    Ok(phases)
}
