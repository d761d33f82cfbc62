//! Image pins: wherever a pod asks for a pinned image, it gets the digest.

use crate::component::bundle::{ImageName, ImagePin};
use serde_json::Value;

/// The lists of a pod's spec whose entries have an `image`.
const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Where a pod's spec can be: in a workload (built in or not), a `CronJob`, a `PodTemplate`, a Pod.
const POD_SPECS: [&str; 4] = [
    "/spec/template/spec",
    "/spec/jobTemplate/spec/template/spec",
    "/template/spec",
    "/spec",
];

/// Every image that an object's pods would run, as it is written there.
#[must_use]
pub fn images(object: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    for spec in POD_SPECS.iter().filter_map(|path| object.pointer(path)) {
        let containers = CONTAINER_LISTS
            .iter()
            .filter_map(|list| spec.get(list)?.as_array());
        found.extend(
            containers
                .flatten()
                .filter_map(|container| container.get("image")?.as_str()),
        );
        let volumes = spec.get("volumes").and_then(Value::as_array);
        let volumes = volumes.into_iter().flatten();
        found.extend(volumes.filter_map(|volume| volume.pointer("/image/reference")?.as_str()));
    }
    found
}

/// Pins every image of an object, and says which pins it used.
///
/// # Errors
/// When a pin cannot be followed: a pointer into the object, and why.
pub(super) fn pin(object: &mut Value, pins: &[ImagePin], used: &mut [bool]) -> Result<(), (String, String)> {
    if pins.is_empty() {
        return Ok(());
    }
    for path in POD_SPECS {
        let Some(Value::Object(spec)) = object.pointer_mut(path) else {
            continue;
        };
        for list in CONTAINER_LISTS {
            let Some(Value::Array(containers)) = spec.get_mut(list) else {
                continue;
            };
            for (i, container) in containers.iter_mut().enumerate() {
                let Some(image) = container.get_mut("image") else {
                    continue;
                };
                pin_one(image, pins, used).map_err(|why| (format!("{path}/{list}/{i}/image"), why))?;
            }
        }
        let Some(Value::Array(volumes)) = spec.get_mut("volumes") else {
            continue;
        };
        for (i, volume) in volumes.iter_mut().enumerate() {
            let Some(image) = volume.pointer_mut("/image/reference") else {
                continue;
            };
            pin_one(image, pins, used).map_err(|why| (format!("{path}/volumes/{i}/image/reference"), why))?;
        }
    }
    Ok(())
}

/// Among pins of the same image the one for this very tag counts, then one for any tag, then the only one there is.
fn pin_one(image: &mut Value, pins: &[ImagePin], used: &mut [bool]) -> Result<(), String> {
    let Some(text) = image.as_str() else { return Ok(()) };
    let reference = ImageName::read(text);
    let name = reference.canonical();
    let same: Vec<usize> = (0..pins.len())
        .filter(|&i| ImageName::read(&pins[i].image).canonical() == name)
        .collect();
    let chosen = same
        .iter()
        .find(|&&i| reference.tag.is_some() && pins[i].tag.as_deref() == reference.tag)
        .or_else(|| same.iter().find(|&&i| pins[i].tag.is_none()))
        .or_else(|| same.first().filter(|_| same.len() == 1));
    let Some(&chosen) = chosen else {
        return if same.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "{text} is pinned for other tags only, and for more than one"
            ))
        };
    };
    let pin = &pins[chosen];
    let digest = pin.digest.to_string();
    if let Some(written) = reference.digest
        && written != digest
    {
        return Err(format!(
            "{text} names a digest of its own, and is pinned to {digest}"
        ));
    }
    used[chosen] = true;
    let tag = pin
        .tag
        .as_deref()
        .or(reference.tag)
        .map(|tag| format!(":{tag}"))
        .unwrap_or_default();
    *image = Value::String(format!("{}{tag}@{digest}", reference.name));
    Ok(())
}
