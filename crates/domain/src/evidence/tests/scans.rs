use super::{
    count,
    documents::{SARIF, TRIVY, bound},
    plain, wrong,
};
use crate::{
    Digest,
    evidence::{About, Kind},
};
use serde_json::{Value, json};

const SEVERITIES: [&str; 7] = [
    "critical",
    "high",
    "medium",
    "low",
    "unknown",
    "total",
    "suppressed",
];

fn changed(document: &str, pointer: &str, value: Value) -> String {
    let mut document: Value = serde_json::from_str(document).unwrap();
    *document.pointer_mut(pointer).unwrap() = value;
    document.to_string()
}

#[test]
fn findings_of_sarif_are_counted_by_score_or_level() {
    let scan = plain(Kind::Scan, SARIF).unwrap();
    assert_eq!(SEVERITIES.map(|of| count(&scan, of)), [2, 1, 1, 1, 1, 6, 1]);
    assert!(
        scan.passed,
        "it was completed; what was found is for policies to judge"
    );
    let tool = scan.tool.unwrap();
    assert_eq!(
        (tool.name.as_str(), tool.version.as_deref()),
        ("Example Analyzer", Some("4.2.0"))
    );
}

#[test]
fn a_scan_that_was_not_completed_did_not_pass() {
    let run = |run: Value| json!({"version": "2.1.0", "runs": [run]}).to_string();
    let tool = json!({"driver": {"name": "t"}});
    for unfinished in [
        changed(SARIF, "/runs/0/invocations/0/executionSuccessful", json!(false)),
        changed(SARIF, "/runs/0/results", Value::Null),
        changed(SARIF, "/runs", json!([])),
        run(json!({"tool": tool})),
    ] {
        assert!(!plain(Kind::Scan, &unfinished).unwrap().passed, "{unfinished}");
    }
    let mut two: Value = serde_json::from_str(SARIF).unwrap();
    let failed = json!({"tool": tool, "results": [], "invocations": [{"executionSuccessful": false}]});
    two["runs"].as_array_mut().unwrap().push(failed);
    assert!(
        !plain(Kind::Scan, &two.to_string()).unwrap().passed,
        "each run counts"
    );
    assert!(
        plain(Kind::Scan, &run(json!({"tool": tool, "results": []})))
            .unwrap()
            .passed
    );
    for nothing in ["null", "[]"] {
        let unscanned = changed(TRIVY, "/Results", serde_json::from_str(nothing).unwrap());
        assert!(!plain(Kind::Scan, &unscanned).unwrap().passed);
    }
}

#[test]
fn everything_that_is_wrong_with_a_scan_is_said_at_once() {
    let sarif = json!({
        "version": "2.0.0",
        "runs": [{"tool": {"driver": {}}, "invocations": [{}], "results": [{"kind": "odd"}]}, {"tool": {"driver": {"name": 7}}}],
    });
    let faults = wrong(Kind::Scan, &sarif.to_string());
    for expected in [
        "is a SARIF log of version 2.1.0",
        "/runs/0/tool/driver/name: is missing",
        "/runs/0/invocations/0/executionSuccessful: is missing",
        "/runs/0/results/0: has a `kind` that SARIF does not know",
        "/runs/1/tool/driver/name: is text",
    ] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
    assert!(wrong(Kind::Scan, r#"{"runs": {}, "version": "2.1.0"}"#).contains("/runs: is a list"));
    assert!(wrong(Kind::Scan, r#"{"SchemaVersion": 3}"#).contains("schema version 2"));
}

#[test]
fn findings_of_trivy_are_counted_and_its_subjects_are_known() {
    let scan = plain(Kind::Scan, TRIVY).unwrap();
    assert_eq!(SEVERITIES.map(|of| count(&scan, of)), [1, 1, 1, 1, 1, 5, 0]);
    assert!(scan.passed);
    assert_eq!(scan.tool.as_ref().unwrap().version.as_deref(), Some("0.69.0"));
    assert_eq!(scan.produced_at, "2026-03-01T09:00:00.123456789Z".parse().ok());
    let image: Digest = format!("sha256:{}", "b".repeat(64)).parse().unwrap();
    assert_eq!(scan.about(&[image]), About::Bound);
    assert_eq!(scan.about(&[bound()]), About::Other);
    assert_eq!(plain(Kind::Scan, SARIF).unwrap().about(&[bound()]), About::Unsaid);
}
