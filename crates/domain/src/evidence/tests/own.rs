use super::{
    count,
    documents::{BASELINE, CHECK},
    plain, reading, wrong,
};
use crate::evidence::{Keys, Kind, Reading, Schema, read};
use serde_json::{Value, json};

#[test]
fn a_baseline_names_digests() {
    let baseline = plain(Kind::ConfigurationBaseline, BASELINE).unwrap();
    assert_eq!((baseline.passed, count(&baseline, "entries")), (true, 2));
    assert!(!plain(Kind::ConfigurationBaseline, "{}").unwrap().passed);
    let faults = wrong(Kind::ConfigurationBaseline, r#"{"a/b": "md5:0", " ": 7}"#);
    assert!(
        faults.contains("/a~1b: a digest is") && faults.contains("/ : has no name"),
        "{faults}"
    );
    assert_eq!(wrong(Kind::ConfigurationBaseline, "[]"), "is an object");
}

#[test]
fn a_check_passes_when_it_says_so_and_only_then() {
    assert!(plain(Kind::ManualCheck, CHECK).unwrap().passed);
    for result in ["failed", "skipped"] {
        let mut check: Value = serde_json::from_str(CHECK).unwrap();
        check["result"] = json!(result);
        let check = plain(Kind::ManualCheck, &check.to_string()).unwrap();
        assert_eq!((check.passed, count(&check, result)), (false, 1));
    }
    let faults = wrong(Kind::ManualCheck, r#"{"who": " ", "result": "ok", "by": 1}"#);
    for expected in [
        "`who` says nothing",
        "/what: is missing",
        "/result: is `passed`, `failed` or `skipped`",
        "/by: is no field that there is",
    ] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
}

#[test]
fn generic_evidence_conforms_to_its_schema_or_is_refused() {
    let schema = Schema::read(
        br##"{"type": "object", "required": ["load"], "properties": {"load": {"$ref": "#/$defs/percent"}},
            "$defs": {"percent": {"type": "integer", "maximum": 100}}}"##,
    )
    .unwrap();
    let keys = Keys::default();
    let with = |schema, payload: &str| {
        read(
            payload.as_bytes(),
            &Reading {
                schema,
                ..reading(Kind::Generic, &keys, &[])
            },
        )
    };
    let good = with(Some(&schema), r#"{"load": 70, "counts": {"users": 12}}"#).unwrap();
    assert_eq!((good.passed, count(&good, "users")), (true, 12));
    assert!(
        !with(Some(&schema), r#"{"load": 70, "passed": false}"#)
            .unwrap()
            .passed
    );
    let faults = |payload: &str| with(Some(&schema), payload).unwrap_err().to_string();
    assert!(faults(r#"{"load": 101}"#).starts_with("/load: it is greater than the maximum of 100"));
    assert!(faults("{}").contains(r#""load" is a required property"#));
    assert!(faults(r#"{"load": 1, "passed": null}"#).contains("/passed: is true or false"));
    assert!(faults(r#"{"load": 1, "counts": {"x": 1.5}}"#).contains("/counts/x: is a whole number"));
    let without = with(None, "{}").unwrap_err().to_string();
    assert_eq!(without, "no schema is registered for it");
}
