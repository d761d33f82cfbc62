//! Fuzzing: `PROPTEST_CASES=100000 cargo test -p slipway-domain --lib evidence::tests::properties`.

use super::{
    count, documents, plain, reading,
    signed::{Signer, keys},
};
use crate::{
    dsse::pre_authentication_encoding,
    evidence::{Keys, Kind, Reading, Schema, read},
};
use proptest::prelude::*;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::read(br#"{"type": "object", "properties": {"runs": {"type": "array", "uniqueItems": true}}}"#)
        .unwrap()
});

/// A key, and documents of every format, signed ones among them.
static SIGNED: LazyLock<(Keys, Vec<String>)> = LazyLock::new(|| {
    let signer = Signer::p256();
    let hex = documents::bound_hex();
    let attested = documents::attested(&hex, documents::CYCLONEDX);
    let mut all: Vec<String> = documents::PLAIN
        .iter()
        .map(|(_, text)| (*text).to_owned())
        .collect();
    all.extend([
        documents::provenance(&hex),
        documents::older_provenance(&hex),
        attested.clone(),
    ]);
    all.extend([
        signer.envelope(&attested).to_string(),
        signer.envelope(&documents::provenance(&hex)).to_string(),
    ]);
    (keys(&[("release", &signer)]), all)
});

/// Reads it as every kind; what passes must be all right.
fn try_all(payload: &[u8]) -> Result<(), TestCaseError> {
    let (keys, _) = &*SIGNED;
    let bound_to = [documents::bound()];
    for kind in Kind::ALL {
        let asked = Reading {
            schema: Some(&SCHEMA),
            ..reading(kind, keys, &bound_to)
        };
        if let Ok(normal) = read(payload, &asked) {
            prop_assert!(kind.formats().contains(&normal.format));
            if kind == Kind::TestReport && normal.passed {
                prop_assert!(count(&normal, "failed") == 0 && count(&normal, "errors") == 0);
                prop_assert!(count(&normal, "passed") > 0);
            }
            if kind == Kind::Signature {
                prop_assert!(normal.signature.by().is_some());
            }
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Passed,
    Failed,
    Erred,
    Skipped,
}

fn case(came: Came) -> &'static str {
    match came {
        Came::Passed => "<testcase name='p'><system-out>&lt;</system-out></testcase>",
        Came::Failed => "<testcase name='f'><failure message='x'/></testcase>",
        Came::Erred => "<testcase name='e'><system-out/><error>trace</error></testcase>",
        Came::Skipped => "<testcase name='s'><skipped/></testcase>",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        try_all(&bytes)?;
    }

    #[test]
    fn fuzz_no_text_of_a_language_makes_a_parser_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "<testsuites>", "</testsuites>", "<testsuite ", "<testsuite>", "</testsuite>", "<testcase", "<failure/>", "/>", ">",
            " failures='1'", " errors=\"", "<![CDATA[", "]]>", "<!--", "-->", "<?xml version='1.0'?>", "<!DOCTYPE", "&lt;", "&x;",
            "{", "}", "[", "]", ",", ":", "\"runs\"", "\"version\"", "\"2.1.0\"", "\"tool\"", "\"bomFormat\"", "\"payload\"",
            "\"signatures\"", "\"payloadType\"", "\"Base64Signature\"", "\"_type\"", "\"https://in-toto.io/Statement/v1\"",
            "\"\\ud800\"", "null", "true", "-1e5", "\"", "\u{feff}", "é", "\0",
        ]), 0..40),
    ) {
        try_all(pieces.concat().as_bytes())?;
    }

    #[test]
    fn fuzz_no_change_of_a_document_makes_a_parser_panic(
        document in 0_usize..12,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..6),
    ) {
        let mut bytes = SIGNED.1[document % SIGNED.1.len()].clone().into_bytes();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if bytes.len() > 1 => { bytes.remove(at); }
                _ => { let again = bytes[at..].to_vec(); bytes.extend(again); }
            }
        }
        try_all(&bytes)?;
    }

    #[test]
    fn fuzz_whatever_is_changed_in_an_envelope_only_what_was_signed_is_verified(
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let (keys, documents) = &*SIGNED;
        let original = documents.last().unwrap();
        let bound_to = [documents::bound()];
        let asked = reading(Kind::Provenance, keys, &bound_to);
        let expected = read(original.as_bytes(), &asked).unwrap();
        let mut bytes = original.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = read(&bytes, &asked) {
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn what_is_signed_can_be_taken_apart_in_one_way_only(
        one in ("[ -~]{0,12}", prop::collection::vec(any::<u8>(), 0..12)),
        other in ("[ -~]{0,12}", prop::collection::vec(any::<u8>(), 0..12)),
        moved in 0_usize..12,
    ) {
        let encoded = |(kind, payload): &(String, Vec<u8>)| pre_authentication_encoding(kind, payload);
        prop_assert_eq!(encoded(&one) == encoded(&other), one == other);
        // The same bytes in a row, cut at another place.
        let row = [one.0.as_bytes(), b" ", &one.1].concat();
        let cut = moved.min(row.len());
        if let Ok(kind) = std::str::from_utf8(&row[..cut]) {
            let shifted = (kind.to_owned(), row[cut..].to_vec());
            prop_assert_eq!(encoded(&one) == encoded(&shifted), one == shifted);
        }
    }

    #[test]
    fn a_report_passes_exactly_when_nothing_failed_and_something_passed(
        suites in prop::collection::vec(
            prop::collection::vec(prop::sample::select(vec![Came::Passed, Came::Failed, Came::Erred, Came::Skipped]), 0..5), 0..5),
        nested in any::<bool>(),
        declared in prop::option::of(0_usize..3),
    ) {
        let mut text = String::from("<testsuites>");
        for suite in &suites {
            let failures = declared.map(|declared| format!(" failures='{declared}'")).unwrap_or_default();
            let cases: String = suite.iter().map(|came| case(*came)).collect();
            text.extend(["<testsuite", &failures, ">", &cases, if nested { "" } else { "</testsuite>" }]);
        }
        text += &if nested { "</testsuite>".repeat(suites.len()) } else { String::new() };
        text += "</testsuites>";
        let report = plain(Kind::TestReport, &text).unwrap();
        let all: Vec<Came> = suites.concat();
        let of = |wanted: Came| all.iter().filter(|came| **came == wanted).count();
        let hidden = !suites.is_empty() && declared.unwrap_or_default() > 0;
        let expected = of(Came::Passed) > 0 && of(Came::Failed) == 0 && of(Came::Erred) == 0 && !hidden;
        prop_assert_eq!(report.passed, expected, "{}", text);
        prop_assert_eq!(count(&report, "tests"), i64::try_from(all.len()).unwrap());
        prop_assert_eq!(count(&report, "skipped"), i64::try_from(of(Came::Skipped)).unwrap());
        prop_assert!(count(&report, "failed") >= i64::try_from(of(Came::Failed)).unwrap());
    }
}
