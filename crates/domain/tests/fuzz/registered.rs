//! What an organisation registers so that evidence can be read: JSON Schemas, with the documents that must conform to them,
//! and keys.

use crate::{
    bytes::{Payload, corrupt, retoken, rubbish},
    choices::{Choices, made},
    documents::{GENERIC, GENERIC_WORDS, SCHEMA_WORDS, SCHEMAS},
    json,
    keys::{P256, ed25519},
    normal::{Case, says_why},
    runner::{Came, run},
};
use proptest::prelude::*;
use slipway_domain::{
    Name,
    evidence::{Keys, Kind, MAX_KEYS, Schema},
};
use std::collections::BTreeSet;

#[test]
fn generic() {
    let schemas = SCHEMAS.map(|schema| Schema::read(schema.as_bytes()).unwrap());
    let inputs = made(120, |choices| {
        let schema = choices.below(SCHEMAS.len() + 1);
        let payload = json::document(choices, &GENERIC, &GENERIC_WORDS);
        (schema, Case::of(choices, Kind::Generic, payload))
    });
    run("generic", &inputs, |(schema, case)| {
        let schema = schemas.get(*schema);
        let came = case.check(schema)?;
        prop_assert!(schema.is_some() || case.kind != Kind::Generic || came == Came::Refused);
        Ok(came)
    });
}

#[test]
fn schemas() {
    let inputs = made(200, |choices| {
        let schema = json::document(choices, &SCHEMAS, &SCHEMA_WORDS);
        let document = json::document(choices, &GENERIC, &GENERIC_WORDS);
        let case = Case {
            kind: Kind::Generic,
            format: None,
            name: None,
            payload: document,
        };
        (schema, case)
    });
    run("schemas", &inputs, |(schema, case)| {
        let read = || Schema::read(&schema.0);
        prop_assert_eq!(read().err(), read().err(), "it is read in two ways");
        match read() {
            Ok(schema) => {
                case.check(Some(&schema))?;
                Ok(Came::Accepted)
            }
            Err(faults) => {
                says_why(&faults)?;
                Ok(Came::Refused)
            }
        }
    });
}

/// Keys, each under a name.
#[derive(Debug)]
struct Given(Vec<(Name, String)>);

fn given(choices: &mut Choices<'_>) -> Given {
    let many = if choices.one_in(30) { MAX_KEYS + 3 } else { 4 };
    let mut all = Vec::new();
    for i in 0..choices.below(many) {
        let name = if choices.one_in(8) {
            "twice".to_owned()
        } else {
            format!("key-{i}")
        };
        all.push((name.parse().unwrap(), key(choices)));
    }
    Given(all)
}

fn key(choices: &mut Choices<'_>) -> String {
    const WORDS: [&str; 9] = [
        "-----BEGIN PUBLIC KEY-----",
        "-----END PUBLIC KEY-----",
        "PRIVATE",
        "\n",
        "\r\n",
        "=",
        "MCowBQYDK2VwAyEA",
        "-",
        "A",
    ];
    let valid = if choices.one_in(2) {
        P256.to_owned()
    } else {
        ed25519()
    };
    match choices.below(8) {
        0 | 1 => valid,
        // Another key, that is none on the curve perhaps.
        2..=4 => {
            let mut info = pem::parse(&valid).unwrap().into_contents();
            let last = info.len() - 1 - choices.below(32);
            info[last] ^= 1 << choices.below(8);
            if choices.one_in(3) {
                corrupt(choices, &mut info);
            }
            pem::encode(&pem::Pem::new("PUBLIC KEY", info))
        }
        5 | 6 => retoken(choices, &valid, &WORDS),
        _ => Payload(rubbish(choices, &WORDS))
            .0
            .into_iter()
            .map(char::from)
            .collect(),
    }
}

#[test]
fn pem_keys() {
    run("pem_keys", &made(120, given), |Given(all)| {
        let read = || Keys::read(all.iter().map(|(name, pem)| (name.clone(), pem.as_str())));
        prop_assert_eq!(read().err(), read().err(), "they are read in two ways");
        let faults = match read() {
            Ok(keys) => {
                prop_assert_eq!(keys.is_empty(), all.is_empty());
                prop_assert!(all.len() <= MAX_KEYS);
                let names: BTreeSet<_> = all.iter().map(|(name, _)| name).collect();
                prop_assert_eq!(names.len(), all.len(), "two keys of one name");
                let infos: Vec<_> = all
                    .iter()
                    .map(|(_, text)| pem::parse(text).unwrap().into_contents())
                    .collect();
                let distinct: BTreeSet<_> = infos.iter().collect();
                prop_assert_eq!(distinct.len(), infos.len(), "one key of two names");
                // A SubjectPublicKeyInfo of either kind has one length, and nothing follows it.
                prop_assert!(
                    infos.iter().all(|info| [44, 91].contains(&info.len())),
                    "{infos:?}"
                );
                return Ok(Came::Accepted);
            }
            Err(faults) => faults,
        };
        says_why(&faults)?;
        let named = |pointer: &str| all.iter().any(|(name, _)| pointer == format!("/{name}"));
        prop_assert!(
            faults.as_slice().iter().all(|fault| named(&fault.pointer)),
            "{faults:?}"
        );
        Ok(Came::Refused)
    });
}
