//! Overlays: what a release or an environment changes about named objects.

use crate::{
    Faults,
    component::bundle::{Report, levels, object},
};
use json_patch::{PatchErrorKind, PatchOperation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Item;

/// A change to every object of that kind and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// What is changed.
    pub target: OverlayTarget,
    /// A JSON merge patch (RFC 7396); applied before `patch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Value>,
    /// The operations of a JSON patch (RFC 6902).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Vec<Value>>,
}

/// Which objects an overlay changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlayTarget {
    /// Their kind.
    pub kind: String,
    /// Their name.
    pub name: String,
    /// The component they come with; without it, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}

/// So many operations may be in one JSON patch.
const MAX_OPERATIONS: usize = 1_000;

impl Overlay {
    /// What can be said without the objects: that it changes something, and that its patch is one. For the moment an
    /// overlay is written; [`render`](super::render) checks it again.
    ///
    /// # Errors
    /// With every fault, at pointers into the overlay.
    pub fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::new();
        if self.target.kind == "Secret" {
            // Configuration is shown to whoever may see the release or the environment.
            faults.add(
                "/target/kind",
                "the content of secrets does not belong here: keep it in the cluster, or in a bundle",
            );
        }
        if self.merge.is_none() && self.patch.is_none() {
            faults.add(
                "",
                "an overlay has a merge patch (`merge`), a JSON patch (`patch`), or both",
            );
        }
        if self.merge.as_ref().is_some_and(|merge| !merge.is_object()) {
            faults.add("/merge", "a merge patch for an object is a mapping");
        }
        let operations = self.patch.as_deref().unwrap_or_default();
        if operations.len() > MAX_OPERATIONS {
            faults.add(
                "/patch",
                format!("{} operations are more than {MAX_OPERATIONS}", operations.len()),
            );
        }
        for (i, operation) in operations.iter().take(MAX_OPERATIONS).enumerate() {
            if let Err(error) = PatchOperation::deserialize(operation) {
                faults.add(format!("/patch/{i}"), no_operation(&error));
            }
        }
        let values = self.merge.iter().map(|merge| ("/merge".to_owned(), merge));
        let patches = operations
            .iter()
            .enumerate()
            .map(|(i, operation)| (format!("/patch/{i}"), operation));
        for (pointer, value) in values.chain(patches) {
            if let Some(detail) = unfit(value) {
                faults.add(pointer, detail);
            }
        }
        faults.check()
    }

    fn matches(&self, item: &Item<'_>) -> bool {
        item.reference.kind == self.target.kind
            && item.reference.name == self.target.name
            && self
                .target
                .component
                .as_deref()
                .is_none_or(|component| component == item.component.name)
    }
}

/// What is wrong with an operation, without its values: who writes to a Secret has them here by mistake.
fn no_operation(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field") {
        return format!("no JSON patch operation: {text}");
    }
    "no JSON patch operation: `op` is one of `add`, `remove`, `replace`, `move`, `copy`, `test`, with the fields that RFC 6902 gives it"
        .to_owned()
}

/// What no bundle could hold either: whole numbers that canonical JSON (RFC 8785) would round, so that two overlays would
/// have one digest, and NUL characters, which neither databases nor clusters take.
fn unfit(value: &Value) -> Option<String> {
    const MAX_WHOLE: u64 = (1 << 53) - 1;
    let nul = |text: &str| {
        text.contains('\0')
            .then(|| "text cannot hold a NUL character".to_owned())
    };
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            let too_large = size.is_some_and(|size| size > MAX_WHOLE);
            too_large.then(|| format!("a number is beyond ±{MAX_WHOLE} and would be rounded: use text"))
        }
        Value::String(text) => nul(text),
        Value::Array(items) => items.iter().find_map(unfit),
        Value::Object(entries) => entries
            .iter()
            .find_map(|(key, value)| nul(key).or_else(|| unfit(value))),
        Value::Null | Value::Bool(_) => None,
    }
}

/// Applies overlays in order. `bytes` is what JSON patches may copy in all, so that copies of copies come to an end.
pub(super) fn apply(
    items: &mut [Item<'_>],
    prefix: &str,
    overlays: &[Overlay],
    bytes: usize,
    report: &mut Report,
) {
    let mut budget = bytes;
    for (i, overlay) in overlays.iter().enumerate() {
        let prefix = format!("{prefix}/{i}");
        if let Err(faults) = overlay.check() {
            for fault in faults.as_slice() {
                report.add(format!("{prefix}{}", fault.pointer), fault.detail.clone());
            }
            continue;
        }
        let mut matched = false;
        for item in items.iter_mut().filter(|item| overlay.matches(item)) {
            matched = true;
            if let Err((pointer, detail)) = change(&mut item.object, overlay, &mut budget) {
                report.add(
                    format!("{prefix}{pointer}"),
                    format!("{}: {detail}", item.reference),
                );
                continue;
            }
            for (pointer, detail) in object::check(&mut item.object) {
                let detail = format!(
                    "{}: after this overlay, {pointer} is wrong: {detail}",
                    item.reference
                );
                report.add(prefix.clone(), detail);
            }
            if super::ObjectRef::of(&item.object).as_ref() != Some(&item.reference) {
                let detail = "an overlay cannot change apiVersion, kind, metadata.name or metadata.namespace";
                report.add(prefix.clone(), format!("{}: {detail}", item.reference));
            }
        }
        if !matched {
            let of = overlay
                .target
                .component
                .as_ref()
                .map(|c| format!(" of component {c}"))
                .unwrap_or_default();
            let detail = format!("there is no {} {}{of}", overlay.target.kind, overlay.target.name);
            report.add(format!("{prefix}/target"), detail);
        }
    }
}

/// Changes one object; an error is a pointer into the overlay, and why.
fn change(object: &mut Value, overlay: &Overlay, budget: &mut usize) -> Result<(), (String, String)> {
    if let Some(merge) = &overlay.merge {
        json_patch::merge(object, merge);
    }
    for (i, operation) in overlay.patch.iter().flatten().enumerate() {
        let fault = |detail: String| (format!("/patch/{i}"), detail);
        let operation = PatchOperation::deserialize(operation).map_err(|error| fault(error.to_string()))?;
        bound(object, &operation, budget).map_err(fault)?;
        json_patch::patch(object, &[operation]).map_err(|error| match error.kind {
            PatchErrorKind::TestFailed => fault(format!("the value at {} is another one", error.path)),
            kind => fault(format!("{kind} ({})", error.path)),
        })?;
    }
    Ok(())
}

/// Refuses an operation before it makes an object too deep (which would overflow the stack of whoever walks it) or, by
/// copying, too large.
fn bound(object: &Value, operation: &PatchOperation, budget: &mut usize) -> Result<(), String> {
    const DEEPEST: usize = 128;
    let source = match operation {
        PatchOperation::Add(add) => Some(&add.value),
        PatchOperation::Replace(replace) => Some(&replace.value),
        PatchOperation::Move(from) => object.pointer(from.from.as_str()),
        PatchOperation::Copy(from) => object.pointer(from.from.as_str()),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
    };
    let Some(source) = source else { return Ok(()) };
    if operation.path().as_str().split('/').count() + levels(source) > DEEPEST {
        return Err(format!("it would nest deeper than {DEEPEST} levels"));
    }
    if matches!(operation, PatchOperation::Copy(_)) {
        *budget = budget
            .checked_sub(super::size_of_json(source))
            .ok_or_else(|| "JSON patches copy more than a rendering may hold".to_owned())?;
    }
    Ok(())
}
