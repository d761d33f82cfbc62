//! What is told of it: the note in words, and the inventory with its uids.

use super::one::Change;
use serde_json::Value;
use slipway_domain::{
    component::bundle::ObjectRef,
    counted,
    registry::{Inventory, InventoryItem},
};
use std::collections::{HashMap, hash_map::Entry};

/// `applied 3 workloads: 1 created, 2 unchanged`.
pub(super) fn summary(phase: &str, changes: &[Change]) -> String {
    let counts = Change::ALL.into_iter().filter_map(|change| {
        let count = changes.iter().filter(|c| **c == change).count();
        (count > 0).then(|| format!("{count} {}", change.as_str()))
    });
    let what = match (phase, changes.len()) {
        ("the rest", number) => counted(number, "other object", "other objects"),
        ("access" | "configuration" | "storage", number) => {
            format!("{} of {phase}", counted(number, "object", "objects"))
        }
        (_, number) => counted(number, phase.strip_suffix('s').unwrap_or(phase), phase),
    };
    format!("applied {what}: {}", counts.collect::<Vec<_>>().join(", "))
}

/// An inventory, and where in it each object is.
pub(super) struct Known {
    pub(super) inventory: Inventory,
    places: HashMap<(String, String, Option<String>, String), usize>,
}

impl Known {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let places = inventory.0.iter().enumerate();
        Self {
            places: places.map(|(i, item)| (identity(&item.object), i)).collect(),
            inventory: inventory.clone(),
        }
    }

    pub(super) fn remember(&mut self, wanted: &Value, uid: Option<&str>) {
        let Some(object) = ObjectRef::of(wanted) else {
            return;
        };
        let place = self.places.entry(identity(&object));
        let uid = uid.map(str::to_owned);
        match place {
            Entry::Occupied(place) => self.inventory.0[*place.get()] = InventoryItem { object, uid },
            Entry::Vacant(place) => {
                place.insert(self.inventory.0.len());
                self.inventory.0.push(InventoryItem { object, uid });
            }
        }
    }
}

fn identity(object: &ObjectRef) -> (String, String, Option<String>, String) {
    let (group, kind, namespace, name) = object.identity();
    (
        group.to_owned(),
        kind.to_owned(),
        namespace.map(str::to_owned),
        name.to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_counts_what_happened() {
        use Change::{Configured, Created, Unchanged};
        assert_eq!(
            summary("workloads", &[Created, Unchanged, Configured]),
            "applied 3 workloads: 1 created, 1 configured, 1 unchanged"
        );
        assert_eq!(summary("services", &[Created]), "applied 1 service: 1 created");
        assert_eq!(
            summary("configuration", &[Unchanged, Unchanged]),
            "applied 2 objects of configuration: 2 unchanged"
        );
    }

    #[test]
    fn a_uid_is_kept_with_its_object_and_replaced_when_it_changes() {
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}});
        let mut known = Known::of(&Inventory::default());
        known.remember(&object, Some("1"));
        known.remember(&object, Some("2"));
        assert_eq!(known.inventory.0.len(), 1);
        assert_eq!(known.inventory.0[0].uid.as_deref(), Some("2"));
        let mut again = Known::of(&known.inventory);
        again.remember(&object, Some("3"));
        assert_eq!(again.inventory.0.len(), 1);
        assert_eq!(again.inventory.0[0].uid.as_deref(), Some("3"));
    }
}
