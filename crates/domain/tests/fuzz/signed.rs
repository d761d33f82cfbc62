//! Statements, and what somebody signed: in-toto, DSSE, cosign.

use crate::{
    bytes::Payload,
    choices::{Choices, made},
    documents::{
        CHECK, CYCLONEDX, SARIF, SIGNING_WORDS, SPDX, STATEMENT_WORDS, TRIVY, attested, older_provenance,
        provenance, simple_signing,
    },
    json,
    keys::SIGNERS,
    normal::Case,
    runner::{Came, run},
};
use proptest::prelude::*;
use slipway_domain::evidence::{Kind, Normal, Signature, read};

/// Statements with provenance, and with documents of each kind that they may carry.
fn statements() -> Vec<(Kind, String)> {
    let record = format!(r#"{{"scanner": {{"uri": "x", "result": {}}}}}"#, TRIVY[0]);
    vec![
        (Kind::Provenance, provenance()),
        (Kind::Provenance, older_provenance()),
        (Kind::Sbom, attested(CYCLONEDX[0])),
        (Kind::Sbom, attested(SPDX[0])),
        (Kind::Scan, attested(SARIF[0])),
        (Kind::Scan, attested(&record)),
        (Kind::ManualCheck, attested(CHECK[0])),
        (Kind::Signature, attested("{}")),
    ]
}

#[test]
fn in_toto() {
    let all = statements();
    let inputs = made(120, move |choices| {
        let (kind, statement) = choices.of(&all);
        let payload = json::document(choices, &[statement], &STATEMENT_WORDS);
        Case::of(choices, *kind, payload)
    });
    run("in_toto", &inputs, |case| case.check(None));
}

/// What was signed, and what became of it on the way.
#[derive(Debug)]
struct Sent {
    signed: Payload,
    known: bool,
    came: Case,
}

/// A signed document that was changed on the way, now and then.
fn sent(
    choices: &mut Choices<'_>,
    kind: Kind,
    signed: Payload,
    wrap: impl Fn(&[u8], bool) -> serde_json::Value,
) -> Sent {
    let known = !choices.one_in(8);
    let mut document = wrap(&signed.0, known);
    if choices.one_in(3) {
        for _ in 0..=choices.below(3) {
            json::change(choices, &mut document, &SIGNING_WORDS);
        }
    }
    if choices.one_in(6) {
        document = serde_json::json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": document});
    }
    let payload = Payload(json::spoilt(choices, document.to_string(), &SIGNING_WORDS));
    let came = Case::of(choices, kind, payload);
    Sent { signed, known, came }
}

#[test]
fn dsse() {
    let all = statements();
    let inputs = made(140, move |choices| {
        let (kind, statement) = choices.of(&all);
        let signed = json::document(choices, &[statement], &STATEMENT_WORDS);
        sent(choices, *kind, signed, |payload, known| {
            SIGNERS.envelope(payload, known)
        })
    });
    run("dsse", &inputs, |sent| {
        let Some(normal) = sent.came.read(None)? else {
            return Ok(Came::Refused);
        };
        if normal.signature == Signature::NotSigned {
            return Ok(Came::Accepted);
        }
        prop_assert!(sent.known, "it was signed with a key that nobody knows");
        // Whatever became of the envelope, what is verified is what was signed, and says what it says by itself.
        if normal.kind != Kind::Signature {
            let plain = read(&sent.signed.0, &sent.came.reading(None));
            let verified = Normal {
                signature: normal.signature.clone(),
                ..plain.map_err(|faults| {
                    TestCaseError::fail(format!("it is accepted because it is signed: {faults}"))
                })?
            };
            prop_assert_eq!(normal, verified);
        }
        Ok(Came::Accepted)
    });
}

#[test]
fn cosign() {
    let inputs = made(120, |choices| {
        let signed = json::document(choices, &[&simple_signing()], &SIGNING_WORDS);
        sent(choices, Kind::Signature, signed, |payload, known| {
            SIGNERS.printed(payload, known)
        })
    });
    run("cosign", &inputs, |sent| {
        let Some(normal) = sent.came.read(None)? else {
            return Ok(Came::Refused);
        };
        if normal.kind == Kind::Signature {
            prop_assert!(sent.known, "it was signed with a key that nobody knows");
            let signed: serde_json::Value = serde_json::from_slice(&sent.signed.0).unwrap();
            let digest = signed.pointer("/critical/image/docker-manifest-digest").unwrap();
            let named: Vec<_> = normal.subjects.iter().map(ToString::to_string).collect();
            prop_assert_eq!(named, [digest.as_str().unwrap()]);
        }
        Ok(Came::Accepted)
    });
}
