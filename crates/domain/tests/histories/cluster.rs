//! A cluster as far as the design counts on it: a guard that is compared and swapped, objects with versions, Jobs.

use serde_json::Value;
use slipway_domain::render::{ANNOTATION_DEPLOYMENT, ANNOTATION_GENERATION};
use std::collections::BTreeMap;

/// Kind and name.
pub(crate) type Key = (String, String);

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Guard {
    pub(crate) generation: i64,
    pub(crate) fence: i64,
}

/// One object that is there.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) content: Value,
    pub(crate) version: u64,
    /// The newest fence that it was written under.
    pub(crate) fence: i64,
}

impl Live {
    pub(crate) fn generation(&self) -> i64 {
        let text = self.content["metadata"]["annotations"][ANNOTATION_GENERATION].as_str();
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// What was asked for: without our marks of who applied it.
    pub(crate) fn unmarked(&self) -> Value {
        unmarked(&self.content)
    }
}

pub(crate) fn unmarked(object: &Value) -> Value {
    let mut object = object.clone();
    let annotations = &mut object["metadata"]["annotations"];
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove(ANNOTATION_GENERATION);
        annotations.remove(ANNOTATION_DEPLOYMENT);
    }
    object
}

pub(crate) fn key(object: &Value) -> Key {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The namespace of one target.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    version: u64,
    pub(crate) guard: Option<(Guard, u64)>,
    pub(crate) objects: BTreeMap<Key, Live>,
    /// How often a hook was run for a phase in a generation.
    pub(crate) runs: BTreeMap<(String, &'static str, i64), u32>,
}

impl Cluster {
    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Swaps the guard, if it is still what was seen.
    pub(crate) fn swap(&mut self, seen: Option<u64>, guard: Guard, compare: bool) -> bool {
        if compare && self.guard.map(|(_, version)| version) != seen {
            return false;
        }
        let version = self.next();
        self.guard = Some((guard, version));
        true
    }

    /// Applies an object over the version that the decision to do so was taken on.
    pub(crate) fn apply(&mut self, wanted: &Value, fence: i64, seen: Option<u64>, compare: bool) -> bool {
        let key = key(wanted);
        if compare && self.objects.get(&key).map(|live| live.version) != seen {
            return false;
        }
        let version = self.next();
        let content = wanted.clone();
        let newest = self.objects.get(&key).map_or(fence, |live| live.fence.max(fence));
        self.objects.insert(
            key,
            Live {
                content,
                version,
                fence: newest,
            },
        );
        true
    }

    pub(crate) fn version_of(&self, object: &Value) -> Option<u64> {
        self.objects.get(&key(object)).map(|live| live.version)
    }
}
