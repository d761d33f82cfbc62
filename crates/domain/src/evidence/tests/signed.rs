use super::{
    documents::{CYCLONEDX, TRIVY, attested, bound, bound_hex, older_provenance, provenance, simple_signing},
    plain, reading,
};
use crate::{
    Digest, Faults, Name,
    dsse::pre_authentication_encoding,
    evidence::{Format, Keys, Kind, Normal, Reading, Signature, in_toto::PAYLOAD_TYPE, read},
};
use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::*};
use serde_json::{Value, json};

/// A key that signs.
pub(super) enum Signer {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Signer {
    pub(super) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub(super) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        let info = match self {
            Self::Ed25519(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::P256(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        };
        pem::encode(&pem::Pem::new("PUBLIC KEY", info))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::P256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec(),
        }
    }

    pub(super) fn envelope(&self, payload: &str) -> Value {
        let signature = self.sign(&pre_authentication_encoding(PAYLOAD_TYPE, payload.as_bytes()));
        json!({
            "payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(payload),
            "signatures": [{"keyid": "whatever it says", "sig": STANDARD.encode(signature)}],
        })
    }
}

pub(super) fn keys(of: &[(&str, &Signer)]) -> Keys {
    let of: Vec<(Name, String)> = of
        .iter()
        .map(|(name, signer)| (name.parse().unwrap(), signer.pem()))
        .collect();
    Keys::read(of.iter().map(|(name, pem)| (name.clone(), pem.as_str()))).unwrap()
}

fn signed(kind: Kind, keys: &Keys, document: &Value) -> Result<Normal, Faults> {
    read(document.to_string().as_bytes(), &reading(kind, keys, &[bound()]))
}

fn refused(kind: Kind, keys: &Keys, document: &Value) -> String {
    signed(kind, keys, document).unwrap_err().to_string()
}

fn by(normal: &Normal) -> Option<&str> {
    normal.signature.by().map(Name::as_str)
}

#[test]
fn the_encoding_that_is_signed_is_that_of_the_specification() {
    assert_eq!(
        pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
}

#[test]
fn provenance_is_verified_with_either_kind_of_key() {
    let (one, other) = (Signer::ed25519(), Signer::p256());
    let keys = keys(&[("build", &one), ("release", &other)]);
    for (signer, name) in [(&one, "build"), (&other, "release")] {
        let read = signed(
            Kind::Provenance,
            &keys,
            &signer.envelope(&provenance(&bound_hex())),
        )
        .unwrap();
        assert_eq!(
            (by(&read), read.passed, read.format),
            (Some(name), true, Format::InToto)
        );
        assert_eq!(read.builder.as_deref(), Some("https://ci.example/runner"));
        assert_eq!(read.subjects, [bound()]);
        assert_eq!(read.produced_at, "2026-03-01T10:00:00Z".parse().ok());
        let read = signed(
            Kind::Provenance,
            &keys,
            &signer.envelope(&older_provenance(&bound_hex())),
        )
        .unwrap();
        assert_eq!(read.builder.as_deref(), Some("https://ci.example/old-runner"));
    }
}

#[test]
fn what_comes_signed_and_cannot_be_verified_is_refused_as_every_kind() {
    let (known, stranger) = (Signer::p256(), Signer::ed25519());
    let known = keys(&[("release", &known)]);
    let envelope = stranger.envelope(&provenance(&bound_hex()));
    for kind in Kind::ALL {
        assert_eq!(
            refused(kind, &known, &envelope),
            "none of its signatures was made with a key that is configured"
        );
        assert!(refused(kind, &Keys::default(), &envelope).contains("no key is configured"));
    }
    // Whatever is left out of an envelope, it does not become a document that nobody signed.
    for (field, place) in [
        ("payloadType", "/payloadType"),
        ("payload", "/payload"),
        ("signatures", "/signatures"),
    ] {
        let mut less = envelope.clone();
        less.as_object_mut().unwrap().remove(field);
        let faults = refused(Kind::Generic, &known, &less);
        assert!(faults.contains(&format!("{place}: is missing")), "{faults}");
    }
    let detached = json!({"verificationMaterial": {}, "messageSignature": {"signature": "AA=="}});
    assert!(refused(Kind::Generic, &known, &detached).contains("/payload: is missing"));
}

#[test]
fn nothing_of_what_was_signed_can_be_changed() {
    let signer = Signer::ed25519();
    let keys = keys(&[("release", &signer)]);
    let envelope = signer.envelope(&provenance(&bound_hex()));
    let mut changed = envelope.clone();
    changed["payload"] = json!(STANDARD.encode(provenance(&bound_hex()).replace("main", "evil")));
    assert!(refused(Kind::Provenance, &keys, &changed).contains("none of its signatures"));
    let mut changed = envelope.clone();
    changed["payloadType"] = json!("application/json");
    assert_eq!(
        refused(Kind::Provenance, &keys, &changed),
        "/payloadType: is `application/vnd.in-toto+json`"
    );
    // A signature of the payload alone is none of the envelope.
    let mut changed = envelope;
    changed["signatures"][0]["sig"] =
        json!(STANDARD.encode(signer.sign(provenance(&bound_hex()).as_bytes())));
    assert!(refused(Kind::Provenance, &keys, &changed).contains("none of its signatures"));
}

#[test]
fn one_of_several_signatures_is_enough_and_its_hint_decides_nothing() {
    let (known, stranger) = (Signer::p256(), Signer::ed25519());
    let keys = keys(&[("release", &known)]);
    let payload = provenance(&bound_hex());
    let mut both = stranger.envelope(&payload);
    both["signatures"][0]["keyid"] = json!("release");
    assert!(refused(Kind::Provenance, &keys, &both).contains("none of its signatures"));
    let right = known.envelope(&payload)["signatures"][0].clone();
    both["signatures"].as_array_mut().unwrap().push(right.clone());
    assert_eq!(
        by(&signed(Kind::Provenance, &keys, &both).unwrap()),
        Some("release")
    );
    both["signatures"] = json!([]);
    assert!(refused(Kind::Provenance, &keys, &both).contains("1 to 8 signatures"));
    both["signatures"] = json!(vec![right; 9]);
    assert!(refused(Kind::Provenance, &keys, &both).contains("1 to 8 signatures"));
}

#[test]
fn base64_is_read_in_both_alphabets_padded_or_not() {
    let signer = Signer::p256();
    let keys = keys(&[("release", &signer)]);
    // Text that needs both of the characters in which the alphabets differ.
    let payload = attested(
        &bound_hex(),
        &format!(
            "{{\"who\": \"{}\", \"what\": \"x\", \"result\": \"passed\"}}",
            "~?ÿþ".repeat(20)
        ),
    );
    let envelope = signer.envelope(&payload);
    let signature = STANDARD
        .decode(envelope["signatures"][0]["sig"].as_str().unwrap())
        .unwrap();
    for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
        let mut written = envelope.clone();
        written["payload"] = json!(engine.encode(&payload));
        written["signatures"][0]["sig"] = json!(engine.encode(&signature));
        assert!(signed(Kind::ManualCheck, &keys, &written).unwrap().passed);
    }
    let mut written = envelope;
    written["payload"] = json!("a$");
    assert_eq!(refused(Kind::ManualCheck, &keys, &written), "/payload: is base64");
}

#[test]
fn what_is_about_something_else_is_refused_signed_or_not() {
    let signer = Signer::ed25519();
    let keys = keys(&[("release", &signer)]);
    let other = provenance(&"0".repeat(64));
    let expected = format!(
        "/payload/subject: {} is not among them, so it is about something else",
        bound()
    );
    assert_eq!(
        refused(Kind::Provenance, &keys, &signer.envelope(&other)),
        expected
    );
    let faults = plain(Kind::Provenance, &other).unwrap_err().to_string();
    assert!(
        faults.starts_with("/subject: ") && faults.contains("something else"),
        "{faults}"
    );
    for subjects in [
        json!([]),
        json!([{"digest": {"sha512": "00"}}]),
        json!([{"digest": {"sha256": "00"}}]),
        Value::Null,
    ] {
        let mut statement: Value = serde_json::from_str(&other).unwrap();
        statement["subject"] = subjects;
        assert!(plain(Kind::Provenance, &statement.to_string()).is_err());
    }
}

#[test]
fn a_plain_statement_is_read_and_is_not_signed() {
    let read = plain(Kind::Provenance, &provenance(&bound_hex())).unwrap();
    assert_eq!(read.signature, Signature::NotSigned);
    let faults = plain(Kind::Signature, &provenance(&bound_hex()))
        .unwrap_err()
        .to_string();
    assert_eq!(faults, "nobody signed it");
}

#[test]
fn any_document_can_be_signed_inside_of_a_statement() {
    let signer = Signer::p256();
    let keys = keys(&[("release", &signer)]);
    let bom = signed(
        Kind::Sbom,
        &keys,
        &signer.envelope(&attested(&bound_hex(), CYCLONEDX)),
    )
    .unwrap();
    assert_eq!(
        (by(&bom), bom.format, bom.counts["components"]),
        (Some("release"), Format::CycloneDx, 3)
    );
    assert_eq!(
        bom.subjects,
        [bound()],
        "what was signed beats what the document says"
    );
    let record = format!(r#"{{"scanner": {{"uri": "x", "result": {TRIVY}}}}}"#);
    let scan = signed(
        Kind::Scan,
        &keys,
        &signer.envelope(&attested(&bound_hex(), &record)),
    )
    .unwrap();
    assert_eq!(scan.counts["critical"], 1);
    // A Sigstore bundle holds the envelope.
    let bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": signer.envelope(&attested(&bound_hex(), "{}"))});
    let faults = refused(Kind::ManualCheck, &keys, &bundle);
    assert!(
        faults.contains("/dsseEnvelope/payload/predicate/who: is missing"),
        "{faults}"
    );
    let signature = signed(Kind::Signature, &keys, &bundle).unwrap();
    assert_eq!((by(&signature), signature.passed), (Some("release"), true));
}

#[test]
fn provenance_without_a_builder_is_refused() {
    let mut statement: Value = serde_json::from_str(&provenance(&bound_hex())).unwrap();
    statement["predicate"]["runDetails"]["builder"] = json!({});
    let faults = plain(Kind::Provenance, &statement.to_string())
        .unwrap_err()
        .to_string();
    assert_eq!(faults, "/predicate/runDetails/builder/id: is missing");
    statement["predicateType"] = json!("https://example.org/other");
    let faults = plain(Kind::Provenance, &statement.to_string())
        .unwrap_err()
        .to_string();
    assert!(faults.contains("its `predicateType` is"), "{faults}");
    statement["_type"] = json!("https://in-toto.io/Statement/v2");
    assert!(
        plain(Kind::Provenance, &statement.to_string())
            .unwrap_err()
            .to_string()
            .contains("v1 or v0.1")
    );
}

#[test]
fn a_simple_signature_is_verified_and_is_about_its_digest() {
    let signer = Signer::p256();
    let keys = keys(&[("release", &signer)]);
    let printed = |payload: &str| {
        json!({
            "Base64Signature": STANDARD.encode(signer.sign(payload.as_bytes())), "Payload": STANDARD.encode(payload),
            "Cert": null, "Chain": null, "Bundle": null, "RFC3161Timestamp": null,
        })
    };
    let good = printed(&simple_signing(&bound().to_string()));
    let read = signed(Kind::Signature, &keys, &good).unwrap();
    assert_eq!(
        (by(&read), read.format, read.passed),
        (Some("release"), Format::Cosign, true)
    );
    assert_eq!(read.subjects, [bound()]);
    let mut changed = good.clone();
    changed["Payload"] = json!(STANDARD.encode(simple_signing(&Digest::of_bytes(b"other").to_string())));
    assert!(refused(Kind::Signature, &keys, &changed).contains("none of its signatures"));
    let other = printed(&simple_signing(&Digest::of_bytes(b"other").to_string()));
    assert!(
        refused(Kind::Signature, &keys, &other)
            .contains("/Payload/critical/image/docker-manifest-digest: is not")
    );
    let untyped = printed(&simple_signing(&bound().to_string()).replace("cosign container", "some"));
    assert!(refused(Kind::Signature, &keys, &untyped).starts_with("/Payload/critical/type: is"));
    assert!(refused(Kind::Scan, &keys, &good).contains("a document of the kind `scan`"));
    assert!(refused(Kind::Signature, &Keys::default(), &good).contains("no key is configured"));
}

#[test]
fn a_signature_is_of_the_format_that_is_asked_for() {
    let signer = Signer::ed25519();
    let keys = keys(&[("release", &signer)]);
    let payload = simple_signing(&bound().to_string());
    let printed = json!({"Base64Signature": STANDARD.encode(signer.sign(payload.as_bytes())), "Payload": STANDARD.encode(&payload)});
    let envelope = signer.envelope(&provenance(&bound_hex()));
    for (document, is, other) in [
        (&printed, Format::Cosign, Format::InToto),
        (&envelope, Format::InToto, Format::Cosign),
    ] {
        let as_format = |format| {
            let asked = Reading {
                format: Some(format),
                ..reading(Kind::Signature, &keys, &[])
            };
            read(
                document.to_string().as_bytes(),
                &Reading {
                    bound_to: &[bound()],
                    ..asked
                },
            )
        };
        assert_eq!(as_format(is).unwrap().format, is);
        let faults = as_format(other).unwrap_err().to_string();
        assert!(faults.contains(&format!("is {is}, not {other}")), "{faults}");
    }
}

#[test]
fn nothing_follows_a_key_so_that_one_key_is_never_two() {
    for signer in [Signer::ed25519(), Signer::p256()] {
        let mut info = pem::parse(signer.pem()).unwrap().into_contents();
        info.push(0);
        let longer = pem::encode(&pem::Pem::new("PUBLIC KEY", info));
        assert!(Keys::read([("one".parse().unwrap(), longer.as_str())]).is_err());
    }
}

#[test]
fn everything_that_is_wrong_with_keys_is_said_at_once() {
    let (one, other) = (Signer::ed25519(), Signer::p256());
    let (one, other) = (one.pem(), other.pem());
    let private = one.replace("PUBLIC", "PRIVATE");
    let two = format!("{one}{other}");
    let raw = pem::encode(&pem::Pem::new("PUBLIC KEY", vec![7; 32]));
    let given = [
        ("good", one.as_str()),
        ("twice", one.as_str()),
        ("good", other.as_str()),
        ("private", &private),
        ("two", &two),
        ("raw", &raw),
        ("text", "ssh-ed25519 AAAA"),
    ];
    let faults = Keys::read(given.map(|(name, pem)| (name.parse().unwrap(), pem))).unwrap_err();
    let pointers: Vec<_> = faults
        .as_slice()
        .iter()
        .map(|fault| fault.pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/twice", "/good", "/private", "/two", "/raw", "/text"]);
    let many: Vec<_> = (0..33).map(|_| Signer::ed25519().pem()).collect();
    let many = many
        .iter()
        .enumerate()
        .map(|(i, pem)| (format!("k{i}").parse().unwrap(), pem.as_str()));
    assert!(
        Keys::read(many)
            .unwrap_err()
            .to_string()
            .contains("more than 32 keys")
    );
}
