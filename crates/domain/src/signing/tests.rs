use super::*;
use proptest::prelude::*;

fn named(name: &str, seed: u8) -> SigningKey {
    SigningKey {
        name: name.parse().unwrap(),
        pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
    }
}

/// The key that Go's documentation of `sumdb/note` verifies its example with.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn the_verifier_key_that_the_reference_shows_is_read_and_written_again() {
    let key: VerifyingKey = PETER.parse().unwrap();
    assert_eq!(key.name().as_str(), "PeterNeumann");
    assert_eq!(key.id(), [0xc7, 0x4f, 0x20, 0xa3]);
    assert_eq!(key.to_string(), PETER);
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let signature =
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
    let signature = STANDARD.decode(signature).unwrap();
    assert_eq!(signature[..4], key.id());
    assert!(key.verifies(text.as_bytes(), &signature[4..]));
    assert!(!key.verifies(text.to_uppercase().as_bytes(), &signature[4..]));
}

#[test]
fn a_key_that_is_made_is_kept_signs_and_verifies() {
    let kept = SigningKey::generate().unwrap();
    let name: KeyName = "slipway.example.com/audit".parse().unwrap();
    let key = SigningKey::from_pkcs8(name.clone(), &kept).unwrap();
    let verifying = key.verifying_key();
    assert!(verifying.verifies(b"said", &key.sign(b"said")));
    assert!(!verifying.verifies(b"said", &key.sign(b"not said")));
    assert_eq!(
        VerifyingKey::from_pem(name.clone(), &verifying.to_pem()),
        Ok(verifying.clone())
    );
    let other = SigningKey::from_pkcs8(name.clone(), &SigningKey::generate().unwrap()).unwrap();
    assert_ne!(other.verifying_key(), verifying);
    assert_eq!(other.name(), &name);
    let cut = kept.expose_secret()[..40].to_vec().into();
    assert_eq!(
        SigningKey::from_pkcs8(name, &cut).unwrap_err(),
        NoSigningKey::NotPkcs8
    );
}

#[test]
fn what_a_key_is_made_of_is_never_shown() {
    let shown = format!("{:?}", named("a", 7));
    assert_eq!(shown, r#"SigningKey { name: KeyName("a"), .. }"#);
}

#[test]
fn the_public_key_of_openssl_is_read_and_nothing_else_is() {
    // openssl genpkey -algorithm ED25519 | openssl pkey -pubout
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAEZHPCLRHq71Y7DfUrgXeIi001pvBaJ3tVZOk7s2lK2E=\n-----END PUBLIC KEY-----\n";
    let name: KeyName = "a".parse().unwrap();
    let key = named("a", 7).verifying_key();
    assert_eq!(
        VerifyingKey::from_pem(name.clone(), &key.to_pem()),
        Ok(key.clone())
    );
    assert_eq!(VerifyingKey::from_pem(name.clone(), pem).unwrap().to_pem(), pem);
    for wrong in ["", PETER, &pem.repeat(2), &pem.replace("PUBLIC", "PRIVATE")] {
        assert_eq!(
            VerifyingKey::from_pem(name.clone(), wrong),
            Err(NoVerifyingKey::Pem)
        );
    }
    assert_eq!(
        key.fingerprint(),
        Digest::of_bytes(&key.info()).to_string()["sha256:".len()..]
    );
    assert!(crate::evidence::Keys::read([("a".parse().unwrap(), pem)]).is_ok());
}

#[test]
fn a_name_that_a_note_could_not_hold_is_refused() {
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{7f}", &"a".repeat(256)] {
        assert_eq!(name.parse::<KeyName>(), Err(NoKeyName), "{name}");
    }
    assert!("é.example/log".parse::<KeyName>().is_ok());
}

proptest! {
    #[test]
    fn a_verifier_key_that_is_changed_anywhere_is_refused(at in 0..PETER.len(), byte in 0x20_u8..0x7f) {
        let mut changed = PETER.as_bytes().to_vec();
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        prop_assert!(changed.parse::<VerifyingKey>().is_err(), "{}", changed);
    }

    #[test]
    fn a_verifier_key_reads_back_as_written(name in "[^ +\\p{C}\\p{Z}]{1,20}", seed in any::<u8>()) {
        let key = named(&name, seed).verifying_key();
        prop_assert_eq!(key.to_string().parse(), Ok(key));
    }
}
