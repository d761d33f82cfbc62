use super::{
    count,
    documents::{CYCLONEDX, SPDX},
    plain, wrong,
};
use crate::{
    Digest,
    evidence::{About, Kind},
};
use serde_json::{Value, json};

#[test]
fn components_are_counted_at_every_level() {
    let bom = plain(Kind::Sbom, CYCLONEDX).unwrap();
    assert_eq!((bom.passed, count(&bom, "components")), (true, 3));
    assert_eq!(bom.tool.as_ref().unwrap().name, "syft");
    let subject: Digest = format!("sha256:{}", "c".repeat(64)).parse().unwrap();
    assert_eq!(bom.about(&[subject]), About::Bound);
    let document = plain(Kind::Sbom, SPDX).unwrap();
    assert_eq!((document.passed, count(&document, "components")), (true, 2));
    let tool = document.tool.unwrap();
    assert_eq!(
        (tool.name.as_str(), tool.version.as_deref()),
        ("sbom-tool", Some("4.1.2"))
    );
}

#[test]
fn older_documents_list_their_tools() {
    let mut bom: Value = serde_json::from_str(CYCLONEDX).unwrap();
    bom["metadata"]["tools"] = json!([{"vendor": "v", "name": "older", "version": "1"}]);
    assert_eq!(
        plain(Kind::Sbom, &bom.to_string()).unwrap().tool.unwrap().name,
        "older"
    );
}

#[test]
fn a_document_that_lists_nothing_did_not_pass() {
    for (text, list) in [(CYCLONEDX, "components"), (SPDX, "packages")] {
        let mut document: Value = serde_json::from_str(text).unwrap();
        document.as_object_mut().unwrap().remove(list);
        assert!(
            !plain(Kind::Sbom, &document.to_string()).unwrap().passed,
            "{list}"
        );
    }
}

#[test]
fn a_signature_inside_that_nobody_can_verify_refuses_the_document() {
    let mut bom: Value = serde_json::from_str(CYCLONEDX).unwrap();
    bom["signature"] = json!({"algorithm": "ES256", "value": "AA"});
    assert!(wrong(Kind::Sbom, &bom.to_string()).starts_with("/signature: a signature inside"));
}

#[test]
fn everything_that_is_wrong_with_a_listing_is_said_at_once() {
    let bom = json!({
        "bomFormat": "Other", "metadata": {"timestamp": "yesterday", "component": {"hashes": [{"alg": "SHA-256", "content": "x"}]}},
        "components": [{"name": "a\u{0}"}, {}],
    });
    let faults = wrong(Kind::Sbom, &bom.to_string());
    for expected in [
        "is a CycloneDX document",
        "/specVersion: is missing",
        "/metadata/timestamp: is a time with a time zone (RFC 3339)",
        "/metadata/component/hashes/0: a digest is",
        "/components/0/name: has a control character in it",
        "/components/1/name: is missing",
    ] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
    let faults = wrong(Kind::Sbom, r#"{"spdxVersion": "SPDX-3.0", "packages": 1}"#);
    assert_eq!(
        faults,
        "is an SPDX document of version 2; /creationInfo: is missing; /packages: is a list"
    );
}
