//! How much one rendering changes of another, in objects.

use super::{Change, Rendering, diff};
use crate::component::bundle::ObjectRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many objects change, and how. Hooks are not counted: they are run, not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Not there yet.
    pub created: u64,
    /// There, and will differ.
    pub updated: u64,
    /// There as they should be.
    pub unchanged: u64,
    /// There, and not wanted any more.
    pub pruned: u64,
}

impl Changes {
    /// How many objects are touched.
    #[must_use]
    pub const fn touched(&self) -> u64 {
        self.created + self.updated + self.pruned
    }
}

/// What putting `next` in the place of `now` changes, as they were rendered: what others changed on the cluster since is
/// not known here.
#[must_use]
pub fn changes(now: Option<&Rendering>, next: &Rendering) -> Changes {
    let mut there: BTreeMap<ObjectRef, &Value> = BTreeMap::new();
    for object in now.iter().flat_map(|now| &now.objects) {
        there.extend(ObjectRef::of(object).map(|reference| (reference, object)));
    }
    let mut changes = Changes::default();
    for object in &next.objects {
        let before = ObjectRef::of(object).and_then(|reference| there.remove(&reference));
        match diff(before, Some(object)).change {
            Change::Created => changes.created += 1,
            Change::Unchanged => changes.unchanged += 1,
            Change::Updated | Change::Replaced | Change::Pruned => changes.updated += 1,
        }
    }
    changes.pruned = there.len() as u64;
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(name: &str, value: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop",
            "annotations": {"slipway.dev/release": value}}, "data": {"key": value.split('-').next()},
        })
    }

    fn rendering(objects: &[Value]) -> Rendering {
        Rendering {
            objects: objects.to_vec(),
            hooks: Vec::new(),
        }
    }

    #[test]
    fn every_object_counts_once_and_our_marks_are_no_change() {
        let now = rendering(&[config("same", "a-1"), config("other", "a"), config("gone", "a")]);
        let next = rendering(&[config("same", "a-2"), config("other", "b"), config("new", "a")]);
        let expected = Changes {
            created: 1,
            updated: 1,
            unchanged: 1,
            pruned: 1,
        };
        assert_eq!(changes(Some(&now), &next), expected);
        assert_eq!(changes(Some(&now), &next).touched(), 3);
        assert_eq!(changes(None, &next).created, 3);
    }

    #[test]
    fn images_are_found_wherever_pods_are_described() {
        let pod = json!({"initContainers": [{"name": "a", "image": "one"}], "containers": [{"name": "b", "image": "two"}],
            "volumes": [{"name": "v", "image": {"reference": "three"}}]});
        let found = |object: Value| super::super::images(&object).join(" ");
        assert_eq!(
            found(json!({"spec": {"template": {"spec": pod}}})),
            "two one three"
        );
        assert_eq!(
            found(json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}})),
            "two one three"
        );
        assert_eq!(found(json!({"spec": pod})), "two one three");
        assert_eq!(found(config("none", "a")), "");
    }
}
