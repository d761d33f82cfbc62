//! What an auditor reads without a server: checkpoints, exports, certificates. Whatever became of one on the way, it is refused,
//! or says what was signed.

use crate::{
    bytes::{Payload, corrupt, retoken},
    choices::{Choices, made},
    json,
    normal::says_why,
    runner::{Came, run},
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use slipway_domain::{
    Digest,
    audit::{
        Checkpoint, Entry, Frontier, GENESIS, SignedCheckpoint,
        export::{ExportVerifier, Report, footer, header, line},
    },
    certificate::{self, Predicate},
    ids::{PrincipalId, ReleaseId},
    signing::{KeyName, SigningKey, VerifyingKey},
};
use std::sync::LazyLock;
use uuid::Uuid;

const WORDS: [&str; 12] = [
    "slipway/test",
    "—",
    "\n",
    "0",
    "1",
    "\"digest\":",
    "sha256:",
    "\"seq\":",
    "null",
    "{",
    "}",
    "checkpoint",
];

struct Signer {
    name: KeyName,
    key: SigningKey,
    keys: Vec<VerifyingKey>,
}

/// Made anew by each process: what is signed differs, and what becomes of it does not.
static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let name: KeyName = "slipway/test".parse().unwrap();
    let key = SigningKey::from_pkcs8(name.clone(), &SigningKey::generate().unwrap()).unwrap();
    let keys = vec![key.verifying_key()];
    Signer { name, key, keys }
});

fn signed(frontier: &Frontier) -> SignedCheckpoint {
    let checkpoint = Checkpoint {
        origin: SIGNER.name.clone(),
        head: frontier.head(),
    };
    checkpoint.sign(&SIGNER.key)
}

/// A text that was changed on the way, half of the time.
fn sent(choices: &mut Choices<'_>, text: &str) -> Payload {
    let mut bytes = text.as_bytes().to_vec();
    if choices.one_in(2) {
        for _ in 0..=choices.below(3) {
            match String::from_utf8(bytes.clone()) {
                Ok(text) if choices.one_in(2) => bytes = retoken(choices, &text, &WORDS).into_bytes(),
                _ => corrupt(choices, &mut bytes),
            }
        }
    }
    Payload(bytes)
}

#[derive(Debug)]
struct Sent {
    written: String,
    came: Payload,
}

#[test]
fn checkpoints() {
    let inputs = made(60, |choices| {
        let mut frontier = Frontier::default();
        for n in 0..choices.below(40) {
            frontier.push(Digest::of_bytes(n.to_string().as_bytes()));
        }
        let written = signed(&frontier).to_string();
        let came = sent(choices, &written);
        Sent { written, came }
    });
    run("checkpoints", &inputs, |sent| {
        let text = String::from_utf8_lossy(&sent.came.0).into_owned();
        let Ok(read) = text.parse::<SignedCheckpoint>() else {
            return Ok(Came::Refused);
        };
        prop_assert_eq!(&read.to_string().parse::<SignedCheckpoint>().unwrap(), &read);
        let Ok((checkpoint, by)) = read.verify(&SIGNER.keys) else {
            return Ok(Came::Refused);
        };
        prop_assert_eq!(by, [SIGNER.name.clone()]);
        let written: SignedCheckpoint = sent.written.parse().unwrap();
        prop_assert_eq!(checkpoint, written.unverified());
        Ok(Came::Accepted)
    });
}

fn export(choices: &mut Choices<'_>) -> String {
    let mut text = header(&SIGNER.name, None).unwrap() + "\n";
    let (mut previous, mut frontier) = (GENESIS, Frontier::default());
    for seq in 1..=i64::try_from(choices.below(6)).unwrap() {
        let entry = Entry {
            seq,
            id: format!("aud_{seq}"),
            at: Timestamp::from_second(seq).unwrap(),
            actor: choices.text(),
            action: "release.seal".to_owned(),
            subject: choices.text(),
            data: json!({choices.text(): choices.whole(), "é": [choices.text(), null, 0.5, true]}),
            previous,
        };
        previous = entry.digest().unwrap();
        frontier.push(previous);
        text += &(String::from_utf8(line(&entry, previous).unwrap()).unwrap() + "\n");
    }
    text + &footer(&signed(&frontier)).unwrap() + "\n"
}

fn verified(export: &[u8]) -> Option<Report> {
    let mut verifier = ExportVerifier::new(&SIGNER.keys, None);
    verifier.feed(export).ok()?;
    verifier.finish().ok()
}

#[test]
fn exports() {
    let inputs = made(160, |choices| {
        let written = export(choices);
        let came = sent(choices, &written);
        Sent { written, came }
    });
    run("exports", &inputs, |sent| {
        let Some(report) = verified(&sent.came.0) else {
            prop_assert!(
                sent.came.0 != sent.written.as_bytes(),
                "what was written is refused"
            );
            return Ok(Came::Refused);
        };
        prop_assert_eq!(Some(report), verified(sent.written.as_bytes()));
        // Entries are as they were written, to the byte: what may differ are the ends of the file.
        let entries = |text: &[u8]| {
            let lines = text
                .split(|byte| *byte == b'\n')
                .filter(|line| line.starts_with(b"{\"action\":"));
            lines.map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        prop_assert_eq!(entries(&sent.came.0), entries(sent.written.as_bytes()));
        Ok(Came::Accepted)
    });
}

fn predicate() -> String {
    let person = |n: u128| json!({"id": PrincipalId::from_uuid(Uuid::from_u128(n)), "name": format!("p{n}")});
    let digest = Digest::of_bytes(b"release");
    let predicate = json!({
        "release": {
            "id": ReleaseId::from_uuid(Uuid::from_u128(1)), "service": "storefront", "version": "1.0.0", "digest": digest,
            "author": person(2), "editors": [person(3)], "sealed": {"by": person(2), "at": "2026-11-28T10:00:00Z"},
        },
        "components": [{"name": "web", "version": "1.0.0", "digest": Digest::of_bytes(b"web")}],
        "evidence": [], "deployments": [], "outcome": "not_deployed", "issued_at": "2026-11-28T11:00:00Z",
    });
    predicate.to_string()
}

#[derive(Debug)]
struct Certified {
    said: Payload,
    changed: bool,
    way: Vec<u32>,
}

#[test]
fn certificates() {
    let plain = predicate();
    let inputs = (
        made(40, move |choices| json::document(choices, &[&plain], &WORDS)),
        any::<bool>(),
        prop::collection::vec(any::<u32>(), 0..20),
    );
    let inputs = inputs.prop_map(|(said, changed, way)| Certified { said, changed, way });
    run("certificates", &inputs, |certified| {
        let Ok(predicate) = serde_json::from_slice::<Predicate>(&certified.said.0) else {
            return Ok(Came::Refused);
        };
        let envelope = certificate::issue(predicate.clone(), &SIGNER.key).unwrap();
        let mut envelope = serde_json::to_value(&envelope).unwrap();
        if certified.changed {
            change(&mut envelope, &certified.way);
        }
        match certificate::read(envelope.to_string().as_bytes(), &SIGNER.keys) {
            Ok(read) => {
                prop_assert_eq!(read.statement.predicate, predicate);
                Ok(Came::Accepted)
            }
            Err(faults) => {
                says_why(&faults)?;
                let is_good = predicate.check(&SIGNER.keys).is_empty();
                prop_assert!(
                    certified.changed || !is_good,
                    "what was signed is refused: {faults}"
                );
                Ok(Came::Refused)
            }
        }
    });
}

fn change(envelope: &mut Value, way: &[u32]) {
    crate::choices::with(way, |choices| json::change(choices, envelope, &WORDS));
}
