//! Documents that were written to hurt.

use super::{documents, plain, wrong};
use crate::evidence::{Kind, MAX_DEPTH, MAX_ENTRIES, MAX_PAYLOAD};

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let large = " ".repeat(MAX_PAYLOAD + 1);
    assert_eq!(
        wrong(Kind::Scan, &large),
        "8388609 bytes are more than the 8388608 allowed"
    );
}

#[test]
fn nesting_is_limited_in_both_languages() {
    let json = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(!wrong(Kind::Scan, &json(MAX_DEPTH)).contains("levels"));
    assert!(wrong(Kind::Scan, &json(MAX_DEPTH + 1)).starts_with("more than 64 levels of nesting at line 1"));
    assert!(wrong(Kind::Scan, &"[".repeat(1_000_000)).contains("levels of nesting"));
    assert!(
        wrong(Kind::TestReport, &"<testsuite>".repeat(100_000)).contains("more than 64 levels of nesting")
    );
}

#[test]
fn entries_and_attributes_are_limited() {
    let many = format!("[{}0]", "0,".repeat(MAX_ENTRIES));
    assert!(wrong(Kind::Scan, &many).starts_with("more than 500000 values"));
    let cases = format!("<testsuite>{}</testsuite>", "<testcase/>".repeat(MAX_ENTRIES));
    assert!(wrong(Kind::TestReport, &cases).contains("more than 500000 elements"));
    let attributes: Vec<_> = (0..100_000).map(|i| format!("a{i}='1'")).collect();
    let element = format!("<testsuite {}/>", attributes.join(" "));
    assert!(wrong(Kind::TestReport, &element).contains("more than 64 attributes"));
    let text = format!(
        r#"{{"who": "{}", "what": "x", "result": "passed"}}"#,
        "x".repeat(1_001)
    );
    assert_eq!(
        wrong(Kind::ManualCheck, &text),
        "/who: has more than 1000 characters"
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused_at_every_level() {
    let twice = r#"{"who": "a", "what": "b", "result": "failed", "result": "passed"}"#;
    assert!(wrong(Kind::ManualCheck, twice).starts_with("the key \"result\" is there twice at line 1"));
    let inner = r#"{"runs": [{"results": [], "results": []}]}"#;
    assert!(wrong(Kind::Scan, inner).contains("is there twice"));
}

#[test]
fn the_list_of_faults_is_limited() {
    let bom = format!(
        r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{}{{}}]}}"#,
        "{},".repeat(10_000)
    );
    let faults = plain(Kind::Sbom, &bom).unwrap_err();
    assert_eq!(faults.as_slice().len(), 100);
    assert_eq!(
        faults.as_slice()[99].detail,
        "there are more than these 99 faults"
    );
}

#[test]
fn a_mark_of_the_byte_order_is_no_part_of_a_document() {
    for (kind, payload) in documents::PLAIN {
        assert!(plain(*kind, &format!("\u{feff}{payload}")).is_ok(), "{kind}");
    }
}

#[test]
fn what_is_no_document_says_so() {
    for (payload, expected) in [
        ("", "no JSON: EOF while parsing a value"),
        ("{", "no JSON: EOF while parsing an object"),
        ("{} {}", "no JSON: trailing characters"),
        ("1e999", "no JSON: number out of range"),
        ("\"\\ud800\"", "no JSON: "),
        ("7", "a document of the kind `scan` is sarif or trivy"),
    ] {
        assert!(
            wrong(Kind::Scan, payload).starts_with(expected),
            "{payload}: {}",
            wrong(Kind::Scan, payload)
        );
    }
    let keys = crate::evidence::Keys::default();
    let asked = super::reading(Kind::TestReport, &keys, &[]);
    let faults = crate::evidence::read(b"<testsuite>\n\xff</testsuite>", &asked).unwrap_err();
    assert_eq!(faults.to_string(), "no UTF-8 (line 2)");
}
