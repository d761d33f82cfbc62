//! Texts that were written to hurt.

use super::{concat, faults, parse};
use crate::component::bundle::{Bundle, Limits, MAX_FAULTS};
use std::fmt::Write as _;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n";

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = format!("{MAP}a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for i in 1..10 {
        let alias = format!("*a{}", i - 1);
        writeln!(text, "a{i}: &a{i} [{}]", [alias.as_str(); 9].join(", ")).unwrap();
    }
    let faults = faults(&text);
    assert!(
        faults[0].contains("anchors and aliases copy more than"),
        "{faults:?}"
    );
}

#[test]
fn one_long_text_copied_often_is_refused() {
    let text = format!(
        "{MAP}a: &a {}\nb: [{}]\n",
        "x".repeat(50_000),
        ["*a"; 100].join(",")
    );
    assert!(faults(&text)[0].contains("anchors and aliases copy more than"));
}

#[test]
fn a_quadratic_blow_up_by_merge_keys_is_refused() {
    let entries = concat((0..2_000).map(|i| format!("  key-{i}: {i}\n")));
    let merges = concat((0..2_000).map(|i| format!("m{i}: {{<<: *a}}\n")));
    assert!(
        faults(&format!("{MAP}a: &a\n{entries}{merges}"))[0].contains("anchors and aliases copy more than")
    );
}

#[test]
fn an_alias_of_what_it_is_part_of_is_refused() {
    assert!(faults("a: &a [*a]")[0].contains("cannot stand for what it is part of"));
    assert!(faults("&a {b: {c: *a}}")[0].contains("cannot stand for what it is part of"));
    assert!(faults("a: *nobody")[0].contains("no YAML"));
}

#[test]
fn a_few_aliases_are_fine() {
    let bundle = parse(&format!("{MAP}x: &x {{a: [1]}}\ny: *x\nz: [*x, *x]\n")).unwrap();
    assert_eq!(bundle.objects[0]["z"][1]["a"][0], 1);
}

#[test]
fn nesting_is_limited_in_every_style() {
    let indented = concat((0..10_000).map(|i| format!("{}a:\n", " ".repeat(i.min(300)))));
    for (name, text) in [
        ("flow sequences", "[".repeat(10_000)),
        ("closed flow sequences", "[".repeat(10_000) + &"]".repeat(10_000)),
        ("flow mappings", "{a: ".repeat(10_000)),
        ("json", "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000)),
        ("block sequences", "- ".repeat(10_000)),
        ("block mappings", indented),
        ("complex keys", "? ".repeat(10_000)),
    ] {
        let faults = faults(&text);
        assert!(
            faults.iter().any(|f| f.contains("levels of nesting")
                || f.contains("no collection")
                || f.contains("not a collection")),
            "{name}: {faults:?}"
        );
    }
}

#[test]
fn nesting_is_exact_at_the_limit() {
    let limits = Limits {
        depth: 5,
        ..Limits::default()
    };
    let nested = |levels: usize| format!("{MAP}a: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    assert!(Bundle::parse(&nested(4), &limits).is_ok());
    let faults = Bundle::parse(&nested(5), &limits).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "/manifests/0: more than 5 levels of nesting (line 4)"
    );
    // An alias cannot smuggle levels in either.
    let faults = Bundle::parse(&format!("{MAP}a: &a [[[1]]]\nb: [[*a]]\n"), &limits).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "/manifests/0: more than 5 levels of nesting (line 5)"
    );
}

#[test]
fn bytes_and_objects_are_limited_and_the_limit_is_stated() {
    let limits = Limits {
        bytes: 200,
        objects: 2,
        depth: 100,
    };
    let object = |i: usize| format!("---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: m{i}}}}}\n");
    let objects = |n: usize| concat((0..n).map(object));
    assert_eq!(Bundle::parse(&objects(2), &limits).unwrap().objects.len(), 2);
    assert_eq!(
        Bundle::parse(&objects(3), &limits).unwrap_err().to_string(),
        "/manifests: 3 objects are more than the 2 allowed"
    );
    assert_eq!(
        Bundle::parse(&objects(4), &limits).unwrap_err().to_string(),
        "/manifests: 240 bytes are more than the 200 allowed"
    );
    let list = "{apiVersion: v1, kind: List, items: [{kind: A},{kind: B},{kind: C}]}";
    assert!(
        Bundle::parse(list, &limits)
            .unwrap_err()
            .to_string()
            .contains("3 objects are more than the 2")
    );
}

#[test]
fn nul_bytes_and_other_control_characters_are_no_yaml() {
    for text in [
        "a: \0",
        "\0",
        "a: \"x\0y\"",
        "a: |\n  x\0y\n",
        "\u{1}a: b",
        "# \0\na: b",
    ] {
        let faults = faults(text);
        assert!(faults[0].starts_with("/manifests"), "{text:?}: {faults:?}");
    }
    // Neither databases nor clusters take one that is written as an escape.
    for (text, pointer) in [
        ("a: \"x\\0y\"", "/manifests/0/a: "),
        ("\"\\u0000\": 1", "/manifests/0: "),
    ] {
        let fault = &faults(text)[0];
        assert!(
            fault.starts_with(pointer) && fault.contains("a NUL character"),
            "{text:?}: {fault}"
        );
    }
}

#[test]
fn the_list_of_faults_is_limited() {
    let text = "---\n[]\n".repeat(10_000);
    let faults = faults(&text);
    assert_eq!(faults.len(), MAX_FAULTS);
    assert_eq!(faults.last().unwrap(), ": there are more than these 99 faults");
}

#[test]
fn a_broken_document_does_not_hide_the_faults_of_the_next() {
    let faults = faults("a: [1, 2\n---\nkind: B\n---\n\tc: d\n---\nmetadata: {}\n");
    let at = |document: &str| faults.iter().any(|fault| fault.starts_with(document));
    assert!(
        at("/manifests/0: no YAML: ") && at("/manifests/1/apiVersion: "),
        "{faults:?}"
    );
    assert!(at("/manifests/2") && at("/manifests/3/kind: "), "{faults:?}");
    assert!(faults[0].contains("line "), "{faults:?}");
}
