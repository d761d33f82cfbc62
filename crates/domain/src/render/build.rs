//! The order of the work: overlays, then namespace and scope, then image pins, then marks; what is wrong at any step is
//! reported together with the rest.

use super::{
    ComponentInput, Input, Item, ObjectScope, Rendering, apply_rank, images, marks, overlay, scope_of,
    size_of_json,
};
use crate::{
    Faults,
    component::bundle::{ObjectRef, Report, group_of, hook_phases, levels, object},
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Renders.
///
/// # Errors
/// With every fault: overlays under the pointer their list came with, objects under
/// `/release/components/<component>/objects/<object>`, both counted from 0.
pub fn render(input: &Input<'_>) -> Result<Rendering, Faults> {
    let mut report = Report::new();
    let mut items = collect(input, &mut report);
    for (prefix, overlays) in &input.overlays {
        overlay::apply(&mut items, prefix, overlays, input.limits.bytes, &mut report);
    }
    place(&mut items, input, &mut report);
    pin(&mut items, input, &mut report);
    let rendering = finish(items, input, &mut report);
    report.check()?;
    Ok(rendering)
}

fn collect<'a>(input: &Input<'a>, report: &mut Report) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for (c, component) in input.components.iter().enumerate() {
        for (o, object) in component.objects.iter().enumerate() {
            let pointer = format!("/release/components/{c}/objects/{o}");
            let mut object = object.clone();
            let faults = object::check(&mut object);
            for (inner, detail) in faults {
                report.add(format!("{pointer}{inner}"), detail);
            }
            // Without a name it is reported above, and cannot be reported on.
            if let Some(reference) = ObjectRef::of(&object) {
                items.push(Item {
                    component,
                    component_index: c,
                    pointer,
                    reference,
                    object,
                });
            }
        }
    }
    items
}

/// Namespaces and scopes, and that every object is there once.
fn place(items: &mut [Item<'_>], input: &Input<'_>, report: &mut Report) {
    let custom = custom_scopes(items);
    let mut owners: HashMap<ObjectRef, &str> = HashMap::new();
    for item in items {
        let reference = &mut item.reference;
        let group = group_of(&reference.api_version);
        let scope = scope_of(&reference.api_version, &reference.kind)
            .or_else(|| custom.get(&(group.to_owned(), reference.kind.clone())).copied())
            .unwrap_or(ObjectScope::Namespaced);
        match (scope, &reference.namespace) {
            (ObjectScope::Cluster, Some(namespace)) => report.add(
                format!("{}/metadata/namespace", item.pointer),
                format!(
                    "{} is cluster-scoped and cannot be in namespace {namespace}",
                    reference.kind
                ),
            ),
            (ObjectScope::Cluster, None) => {
                let granted = grant_name(group, &reference.kind);
                if !input
                    .cluster_scoped_grants
                    .iter()
                    .any(|grant| *grant == granted || grant == "*")
                {
                    let detail = format!(
                        "{reference} of component {} is cluster-scoped, and the cluster does not grant {granted}",
                        item.component.name
                    );
                    report.add(format!("{}/kind", item.pointer), detail);
                }
            }
            (ObjectScope::Namespaced, Some(namespace)) if namespace != input.namespace => report.add(
                format!("{}/metadata/namespace", item.pointer),
                format!(
                    "{} {} asks for namespace {namespace}, the target's is {}: leave it out",
                    reference.kind, reference.name, input.namespace
                ),
            ),
            (ObjectScope::Namespaced, _) => {
                reference.namespace = Some(input.namespace.to_owned());
                if let Some(metadata) = item.object.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("namespace".to_owned(), input.namespace.into());
                }
            }
        }
        let identity = ObjectRef {
            api_version: group.to_owned(),
            ..reference.clone()
        };
        if let Some(first) = owners.get(&identity) {
            let detail = format!("{reference} is in component {first} already");
            report.add(item.pointer.clone(), detail);
        } else {
            owners.insert(identity, item.component.name);
        }
    }
}

/// `Kind.group`, or `Kind` for the core group, as grants are written.
fn grant_name(group: &str, kind: &str) -> String {
    if group.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}.{group}")
    }
}

/// What the release's own `CustomResourceDefinitions` say, so that a custom resource of the cluster cannot pass for one
/// of a namespace.
fn custom_scopes(items: &[Item<'_>]) -> HashMap<(String, String), ObjectScope> {
    let text =
        |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    items
        .iter()
        .filter(|item| item.reference.kind == "CustomResourceDefinition")
        .filter_map(|item| {
            let group = text(&item.object, "/spec/group")?;
            let kind = text(&item.object, "/spec/names/kind")?;
            let scope = text(&item.object, "/spec/scope")?;
            let scope = if scope == "Cluster" {
                ObjectScope::Cluster
            } else {
                ObjectScope::Namespaced
            };
            Some(((group, kind), scope))
        })
        .collect()
}

fn pin(items: &mut [Item<'_>], input: &Input<'_>, report: &mut Report) {
    let mut used: Vec<Vec<bool>> = input
        .components
        .iter()
        .map(|c| vec![false; c.images.len()])
        .collect();
    for item in items {
        let used = &mut used[item.component_index];
        if let Err((inner, detail)) = images::pin(&mut item.object, item.component.images, used) {
            report.add(
                format!("{}{inner}", item.pointer),
                format!("{}: {detail}", item.reference),
            );
        }
    }
    for ((c, component), used) in input.components.iter().enumerate().zip(&used) {
        for (i, pin) in component.images.iter().enumerate().filter(|(i, _)| !used[*i]) {
            let ComponentInput { name, version, .. } = component;
            let detail = format!(
                "no pod of {name} {version} asks for {}, so the pin would hold nothing",
                pin.image
            );
            report.add(format!("/release/components/{c}/images/{i}"), detail);
        }
    }
}

/// Marks, hooks apart from the rest, order, limits.
fn finish(items: Vec<Item<'_>>, input: &Input<'_>, report: &mut Report) -> Rendering {
    let (count, limits) = (items.len(), input.limits);
    if count > limits.objects {
        report.add(
            "/release",
            format!("{count} objects are more than the {} allowed", limits.objects),
        );
    }
    let mut bytes = 0;
    let mut hooks = Vec::new();
    let mut phases: BTreeMap<u8, Vec<Value>> = BTreeMap::new();
    for mut item in items {
        let depth = levels(&item.object);
        if depth > limits.depth {
            let detail = format!(
                "{}: {depth} levels of nesting are more than {}",
                item.reference, limits.depth
            );
            report.add(item.pointer.clone(), detail);
        }
        marks::mark(&mut item.object, input, item.component.name);
        bytes += size_of_json(&item.object);
        if hook_phases(&item.object).is_ok_and(|phases| !phases.is_empty()) {
            hooks.push(item.object);
        } else {
            let rank = apply_rank(&item.reference.api_version, &item.reference.kind);
            phases.entry(rank).or_default().push(item.object);
        }
    }
    if bytes > limits.bytes {
        report.add(
            "/release",
            format!(
                "{bytes} bytes of objects are more than the {} allowed",
                limits.bytes
            ),
        );
    }
    Rendering {
        objects: phases.into_values().flatten().collect(),
        hooks,
    }
}
