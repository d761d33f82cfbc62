//! Who signed it, and what is no certificate.

use super::*;
use crate::dsse::pre_authentication_encoding;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;

static GOOD: LazyLock<Predicate> = LazyLock::new(good);
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| bytes(&GOOD));

fn told(bytes: &[u8]) -> String {
    read(bytes, &KEYS).unwrap_err().to_string()
}

/// A payload of any kind, signed.
fn signed(payload: &Value) -> Vec<u8> {
    let payload = serde_json::to_vec(payload).unwrap();
    serde_json::to_vec(&Envelope::sign(PAYLOAD_TYPE, &payload, &KEY)).unwrap()
}

fn statement_value() -> Value {
    serde_json::to_value(Statement::about(GOOD.clone())).unwrap()
}

#[test]
fn any_verifier_of_envelopes_and_of_evidence_takes_it() {
    // By the protocol alone: what is signed is put together here by hand.
    let envelope: Value = serde_json::from_slice(&BYTES).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let signature = STANDARD
        .decode(envelope["signatures"][0]["sig"].as_str().unwrap())
        .unwrap();
    let head = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len());
    assert!(KEYS[0].verifies(&[head.as_bytes(), &payload].concat(), &signature));
    // As evidence about the release, of Slipway's own reading.
    let pem = KEYS[0].to_pem();
    let keys = evidence::Keys::read([("slipway".parse().unwrap(), pem.as_str())]).unwrap();
    let normal = evidence::read(
        &BYTES,
        &evidence::Reading {
            kind: evidence::Kind::Signature,
            name: None,
            format: None,
            keys: &keys,
            bound_to: &[digest("release")],
            schema: None,
        },
    );
    assert_eq!(normal.unwrap().subjects[0], digest("release"));
}

#[test]
fn the_encoding_is_that_of_the_protocol() {
    let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn nobody_else_signs_for_it() {
    let stranger = serde_json::to_vec(&issue(GOOD.clone(), &key("slipway.example.com")).unwrap()).unwrap();
    // The checkpoint in it is signed with the known key, so that is all that is wrong.
    assert_eq!(
        told(&stranger),
        "/signatures: none of its signatures was made with a key that is known here, so anybody may have written it"
    );
    assert!(read(&BYTES, &[]).is_err());
    let mut envelope: Envelope = serde_json::from_slice(&BYTES).unwrap();
    envelope.signatures = vec![envelope.signatures[0].clone(); 9];
    let many = serde_json::to_vec(&envelope).unwrap();
    assert_eq!(told(&many), "/signatures: an envelope has 1 to 8 signatures");
    envelope.signatures.truncate(1);
    envelope.signatures[0].keyid = "whatever it says".to_owned();
    assert!(
        read(&serde_json::to_vec(&envelope).unwrap(), &KEYS).is_ok(),
        "the hint decides nothing"
    );
}

#[test]
fn what_is_signed_and_is_no_certificate_is_told_from_one() {
    let change = |key: &str, to: Value| {
        let mut value = statement_value();
        value[key] = to;
        told(&signed(&value))
    };
    assert_eq!(
        change("_type", json!("x")),
        "/payload/_type: is `https://in-toto.io/Statement/v1`"
    );
    assert!(
        change(
            "predicateType",
            json!("https://slipway.dev/release-certificate/v2")
        )
        .starts_with("/payload/predicateType: is")
    );
    assert!(change("predicate", json!({})).starts_with("/payload: is no release certificate: missing field"));
    let other = json!([{"name": "storefront@1.2.3", "digest": {"sha256": digest("x").hex()}}]);
    assert!(change("subject", other).starts_with("/payload/subject: is not the release"));
    assert!(told(b"{}").starts_with("is no DSSE envelope"));
    assert!(told(b"").contains("no JSON"));
    assert!(told(&vec![b' '; MAX_CERTIFICATE + 1]).ends_with("bytes are more than the 16777216 allowed"));
    let payload = canonical(&statement_value()).unwrap();
    let text = serde_json::to_vec(&Envelope::sign("text/plain", &payload, &KEY)).unwrap();
    assert_eq!(told(&text), "/payloadType: is `application/vnd.in-toto+json`");
}

#[test]
fn what_is_said_twice_is_refused_and_what_is_said_more_is_let_be() {
    let text = serde_json::to_string(&statement_value()).unwrap();
    let twice = text.replacen("\"outcome\":", "\"outcome\":\"not_deployed\",\"outcome\":", 1);
    let envelope = Envelope::sign(PAYLOAD_TYPE, twice.as_bytes(), &KEY);
    assert!(told(&serde_json::to_vec(&envelope).unwrap()).contains("there twice"));
    let mut more = statement_value();
    more["predicate"]["later"] = json!(1);
    assert!(read(&signed(&more), &KEYS).is_ok());
}

proptest! {
    #[test]
    fn a_byte_that_is_changed_is_found_or_changes_nothing(at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3) {
        let mut changed = BYTES.clone();
        let at = at.index(changed.len());
        match how {
            0 if changed[at] != byte => changed[at] = byte,
            1 => changed.insert(at, byte),
            _ => { changed.remove(at); }
        }
        if let Ok(verified) = read(&changed, &KEYS) {
            prop_assert_eq!(verified.statement.predicate, GOOD.clone());
        }
    }
}
