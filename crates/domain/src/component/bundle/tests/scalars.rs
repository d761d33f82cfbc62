use super::{data, faults};
use serde_json::json;

#[test]
fn plain_scalars_mean_what_they_mean_to_kubectl() {
    for (yaml, wanted) in [
        ("yes", json!(true)),
        ("On", json!(true)),
        ("y", json!(true)),
        ("no", json!(false)),
        ("OFF", json!(false)),
        ("N", json!(false)),
        ("oN", json!("oN")),
        ("~", json!(null)),
        ("null", json!(null)),
        ("", json!(null)),
        ("0755", json!(493)),
        ("0o755", json!(493)),
        ("-0755", json!(-493)),
        ("0x1F", json!(31)),
        ("0b101", json!(5)),
        ("1_000", json!(1000)),
        ("+12", json!(12)),
        ("-0", json!(0)),
        ("08", json!(8)),
        ("1e3", json!(1000)),
        ("1.5e3", json!(1500)),
        ("1.50", json!(1.5)),
        (".5", json!(0.5)),
        ("1.", json!(1)),
        ("1e-3", json!(0.001)),
        ("1e400", json!("1e400")),
        ("1e", json!("1e")),
        ("1.2.3", json!("1.2.3")),
        ("--", json!("--")),
        ("+", json!("+")),
        (".", json!(".")),
        ("0x", json!("0x")),
        ("0xg", json!("0xg")),
        ("12:30:45", json!("12:30:45")),
        ("2001-12-14", json!("2001-12-14")),
        ("100m", json!("100m")),
        ("1Gi", json!("1Gi")),
        ("9007199254740991", json!(9_007_199_254_740_991_i64)),
        ("-9007199254740991", json!(-9_007_199_254_740_991_i64)),
        ("!!str 1", json!("1")),
        ("!!str yes", json!("yes")),
        ("! 1", json!("1")),
        ("!!int '7'", json!(7)),
        ("!!bool 'yes'", json!(true)),
    ] {
        assert_eq!(data(yaml), wanted, "{yaml}");
    }
}

#[test]
fn what_is_quoted_is_text() {
    for text in [
        "yes",
        "no",
        "0755",
        "1e3",
        "null",
        "~",
        "",
        "9007199254740993",
        "<<",
        "1.0",
    ] {
        assert_eq!(data(&format!("\"{text}\"")), json!(text));
        assert_eq!(data(&format!("'{text}'")), json!(text));
    }
    assert_eq!(data("|\n  yes\n"), json!("yes\n"));
    assert_eq!(data("\"\\ud83d\\ude00 \\u00e9 \\/\""), json!("😀 é /"));
}

#[test]
fn keys_are_text_as_kubectl_makes_them() {
    assert_eq!(
        data("{y: yes, 1: one, 0755: mode, 1.5: half, 'no': quoted, off: plain}"),
        json!({"true": true, "1": "one", "493": "mode", "1.5": "half", "no": "quoted", "false": "plain"})
    );
    // Two spellings of one key are one key.
    assert_eq!(
        faults("{apiVersion: v1, kind: A, metadata: {name: a}, yes: 1, on: 2}").len(),
        1
    );
    assert!(faults("{~: 1}")[0].contains("a key is text"));
    assert!(faults("{[a]: 1}")[0].contains("a key is text"));
}

#[test]
fn numbers_that_json_would_change_are_refused() {
    for number in [
        "9007199254740992",
        "-9007199254740992",
        "0x20000000000000",
        "123456789012345678901234567890",
    ] {
        let fault = &faults(&format!("a: {number}"))[0];
        assert!(
            fault.starts_with("/manifests/0/a: ") && fault.contains("write it in quotes"),
            "{fault}"
        );
    }
    for number in [".nan", ".inf", "-.Inf", "+.INF"] {
        assert!(
            faults(&format!("a: [1, {number}]"))[0].starts_with("/manifests/0/a/1: "),
            "{number}"
        );
    }
}

#[test]
fn tags_that_say_something_else_are_refused() {
    for (yaml, pointer) in [
        ("a: !!int yes", "/manifests/0/a: "),
        ("a: !custom x", "/manifests/0/a: "),
        ("a: !!binary aGk=", "/manifests/0/a: "),
        ("a: !!set {b}", "/manifests/0/a: "),
        ("a: !!map []", "/manifests/0/a: "),
    ] {
        let fault = &faults(yaml)[0];
        assert!(
            fault.starts_with(pointer) && fault.contains("line 1"),
            "{yaml}: {fault}"
        );
    }
}

#[test]
fn mappings_are_merged_with_what_they_say_themselves_on_top() {
    assert_eq!(
        data("{base: &base {a: 1, b: 1}, more: &more {b: 2, c: 2}, all: {<<: [*base, *more], a: 0}}")["all"],
        json!({"a": 0, "b": 1, "c": 2})
    );
    assert_eq!(
        data("{base: &base {a: 1}, own: {a: 0, <<: *base}}")["own"],
        json!({"a": 0})
    );
    assert!(faults("{a: &a 1, b: {<<: *a}}")[0].contains("only mappings can be merged"));
}
