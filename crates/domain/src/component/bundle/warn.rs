//! What is allowed in a bundle and all the same hardly meant.

use super::group_of;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Which object, as `/objects/<index>/…`, counted from 0 in the order of the bundle.
    pub pointer: String,
    /// What about it, and what to do.
    pub detail: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Everything worth a warning in a list of objects.
///
/// A workload that says how many pods it has while an autoscaler among the same objects is to decide that: each
/// deployment would set the number back, or stop at the autoscaler's.
#[must_use]
pub fn warnings(objects: &[Value]) -> Vec<Warning> {
    let mut all = Vec::new();
    for autoscaler in objects.iter().filter(|object| is_autoscaler(object)) {
        for (index, workload) in objects.iter().enumerate() {
            if scales(autoscaler, workload)
                && workload.pointer("/spec/replicas").is_some_and(|n| !n.is_null())
            {
                let (kind, name) = (text(workload, "/kind"), text(workload, "/metadata/name"));
                all.push(Warning {
                    pointer: format!("/objects/{index}/spec/replicas"),
                    detail: format!(
                        "{kind} {name} says its replicas, and HorizontalPodAutoscaler {} is to decide them: leave \
                         `replicas` out of {kind} {name}, or every deployment works against the autoscaler",
                        text(autoscaler, "/metadata/name"),
                    ),
                });
            }
        }
    }
    all
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn is_autoscaler(object: &Value) -> bool {
    group_of(text(object, "/apiVersion")) == "autoscaling"
        && text(object, "/kind") == "HorizontalPodAutoscaler"
}

fn scales(autoscaler: &Value, workload: &Value) -> bool {
    let of = |field: &str| text(autoscaler, &format!("/spec/scaleTargetRef/{field}"));
    let same_group =
        of("apiVersion").is_empty() || group_of(of("apiVersion")) == group_of(text(workload, "/apiVersion"));
    let place = |object| text(object, "/metadata/namespace").to_owned();
    let (here, there) = (place(autoscaler), place(workload));
    of("kind") == text(workload, "/kind")
        && of("name") == text(workload, "/metadata/name")
        && !of("name").is_empty()
        && same_group
        && (here == there || here.is_empty() || there.is_empty())
}
