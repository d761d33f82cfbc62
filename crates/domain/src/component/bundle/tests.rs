mod hostile;
mod objects;
mod properties;
mod replacing;
mod scalars;

use super::{Bundle, Limits};
use crate::Faults;
use serde_json::Value;

/// Texts one after the other.
fn concat(texts: impl IntoIterator<Item = String>) -> String {
    texts.into_iter().collect::<Vec<_>>().concat()
}

/// Parses with the default limits.
fn parse(text: &str) -> Result<Bundle, Faults> {
    Bundle::parse(text, &Limits::default())
}

/// The faults of a text, each as `pointer: detail`.
fn faults(text: &str) -> Vec<String> {
    let faults = parse(text).expect_err("this is not a bundle");
    faults
        .as_slice()
        .iter()
        .map(|fault| format!("{}: {}", fault.pointer, fault.detail))
        .collect()
}

/// A `ConfigMap` with one field of YAML below `data`, read.
fn data(yaml: &str) -> Value {
    let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {yaml}\n");
    parse(&text)
        .unwrap_or_else(|faults| panic!("{yaml}: {faults}"))
        .objects[0]["data"]
        .clone()
}
