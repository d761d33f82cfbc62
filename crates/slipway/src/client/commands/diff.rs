//! Differences of objects, for people: one line an object, one line a path that changes in it.

use super::version::object as named;
use crate::client::output::clean;
use serde_json::Value;
use slipway_api_types::release::ObjectDiff;
use std::fmt::Write as _;

/// The longest value that is shown in a difference; the rest is in the JSON.
const LONGEST: usize = 120;

/// One harmless line.
pub(super) fn line(text: &str) -> String {
    format!("{}\n", clean(text))
}

/// Objects that differ, each with what stands in its way; those that do not differ are counted.
pub(super) fn objects<'a>(
    objects: impl Iterator<Item = (&'a ObjectDiff, Option<&'a str>)>,
    colour: bool,
) -> String {
    let mut text = String::new();
    let mut unchanged = 0_usize;
    for (diff, problem) in objects {
        let (sign, paint) = match diff.change.as_str() {
            "created" => ('+', "\u{1b}[32m"),
            "pruned" => ('-', "\u{1b}[31m"),
            "unchanged" if problem.is_none() => {
                unchanged += 1;
                continue;
            }
            _ => ('~', "\u{1b}[33m"),
        };
        let head = clean(&format!("{sign} {}: {}", named(&diff.object), diff.change));
        let (on, off) = if colour { (paint, "\u{1b}[0m") } else { ("", "") };
        let _ = writeln!(text, "{on}{head}{off}");
        // The empty pointer is the whole object: its coming or going is said already.
        for change in diff.paths.iter().filter(|change| !change.pointer.is_empty()) {
            let (from, to) = (value(change.from.as_ref()), value(change.to.as_ref()));
            let _ = writeln!(text, "    {}: {from} -> {to}", clean(&change.pointer));
        }
        if let Some(problem) = problem {
            let _ = writeln!(text, "    ! {}", clean(problem));
        }
    }
    if unchanged > 0 {
        let _ = writeln!(text, "  {unchanged} unchanged");
    }
    if text.is_empty() {
        text.push_str("  no object differs\n");
    }
    text
}

/// A value in one harmless line, not too long.
pub(super) fn value(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "(none)".to_owned();
    };
    let text = clean(&value.to_string());
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn a_difference_shows_what_changes_and_counts_the_rest() {
        let object = |kind: &str, change: &str, paths: Value| -> ObjectDiff {
            let object = json!({"api_version": "apps/v1", "kind": kind, "name": "web"});
            from_value(json!({"object": object, "change": change, "paths": paths})).unwrap()
        };
        let all = [
            object(
                "Deployment",
                "updated",
                json!([{"pointer": "/spec/replicas", "from": 1, "to": 3}]),
            ),
            object("ConfigMap", "unchanged", json!([])),
            object(
                "Service",
                "created",
                json!([{"pointer": "", "to": {"kind": "Service"}}]),
            ),
            object("Job", "pruned", json!([])),
        ];
        let problems = [
            Some("conflict with `kubectl` on .spec.replicas"),
            None,
            None,
            None,
        ];
        insta::assert_snapshot!(objects(all.iter().zip(problems), false), @r"
        ~ Deployment web (apps/v1): updated
            /spec/replicas: 1 -> 3
            ! conflict with `kubectl` on .spec.replicas
        + Service web (apps/v1): created
        - Job web (apps/v1): pruned
          1 unchanged
        ");
        assert_eq!(objects(std::iter::empty(), false), "  no object differs\n");
    }
}
