use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

fn key(name: &str) -> SigningKey {
    SigningKey::from_pkcs8(name.parse().unwrap(), &SigningKey::generate().unwrap()).unwrap()
}

static KEY: LazyLock<SigningKey> = LazyLock::new(|| key("slipway.example.com/audit"));
static OTHER: LazyLock<SigningKey> = LazyLock::new(|| key("witness.example.org"));

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: KEY.name().clone(),
        head: TreeHead {
            size: 20_852_163,
            root: Digest::of_bytes(b"root"),
        },
    }
}

#[test]
fn it_is_written_as_the_format_says_and_reads_back() {
    let signed = checkpoint().sign(&KEY);
    let text = signed.to_string();
    let lines: Vec<_> = text.split('\n').collect();
    let [origin, size, root, "", signature, ""] = lines[..] else {
        panic!("{text}")
    };
    assert_eq!((origin, size), ("slipway.example.com/audit", "20852163"));
    assert_eq!(
        STANDARD.decode(root).unwrap(),
        Digest::of_bytes(b"root").as_bytes()
    );
    let signature = signature.strip_prefix("— slipway.example.com/audit ").unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    assert_eq!(signature.len(), 4 + 64);
    let said = format!("{origin}\n{size}\n{root}\n");
    assert!(KEY.verifying_key().verifies(said.as_bytes(), &signature[4..]));
    assert_eq!(text.parse(), Ok(signed));
}

#[test]
fn the_example_of_the_format_is_read_as_it_says() {
    let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    let read: SignedCheckpoint = note.parse().unwrap();
    assert_eq!(read.unverified().head.size, 20_852_163);
    assert_eq!(read.to_string(), note);
}

#[test]
fn one_known_key_is_enough_and_strangers_are_ignored() {
    let (known, other) = (KEY.verifying_key(), OTHER.verifying_key());
    let both = checkpoint().sign(&OTHER).signed_by(&KEY);
    let (said, by) = both.verify(std::slice::from_ref(&known)).unwrap();
    assert_eq!((said, by), (&checkpoint(), vec![known.name().clone()]));
    let (_, by) = both.verify(&[known.clone(), other.clone()]).unwrap();
    assert_eq!(by, [other.name().clone(), known.name().clone()]);
    // A signature in another name is not looked at, whatever id it has.
    let renamed = checkpoint()
        .sign(&KEY)
        .to_string()
        .replacen("— slipway", "— another", 1);
    let renamed: SignedCheckpoint = renamed.parse().unwrap();
    assert!(matches!(
        renamed.verify(std::slice::from_ref(&known)),
        Err(NotTrusted::Unknown(_))
    ));
    // Another key of the same name is another key.
    let namesake = checkpoint().sign(&key("slipway.example.com/audit"));
    assert_eq!(
        namesake.verify(&[known, other]).unwrap_err().to_string(),
        "the checkpoint is signed by `slipway.example.com/audit`, of which none is a key that is known here"
    );
}

#[test]
fn a_forged_signature_spoils_it_though_another_is_good() {
    let mut forged = checkpoint().sign(&KEY).signed_by(&OTHER);
    let last = forged.signatures[0].bytes.last_mut().unwrap();
    *last ^= 1;
    let keys = [KEY.verifying_key(), OTHER.verifying_key()];
    assert_eq!(forged.verify(&keys), Err(NotTrusted::Forged(KEY.name().clone())));
    assert!(forged.verify(&keys[1..]).is_ok());
}

#[test]
fn what_is_not_written_strictly_is_refused() {
    let good = checkpoint().sign(&KEY).to_string();
    let change = |from: &str, to: &str| good.replacen(from, to, 1).parse::<SignedCheckpoint>();
    let body = Err(NoCheckpoint::Body);
    assert_eq!(change("\n20852163\n", "\n020852163\n"), body);
    assert_eq!(change("\n20852163\n", "\n+20852163\n"), body);
    assert_eq!(change("\n20852163\n", "\n9223372036854775808\n"), body);
    assert_eq!(change("\n20852163\n", "\r\n20852163\n"), body);
    assert_eq!(change("\n\n", "\nmore\n\n"), body);
    assert_eq!(change("=\n\n", "\n\n"), body);
    assert_eq!(change("\n\n", "\n\n\n"), Err(NoCheckpoint::Signature(5)));
    assert_eq!(change("— ", "- "), Err(NoCheckpoint::Signature(5)));
    assert_eq!(
        good.trim_end().parse::<SignedCheckpoint>(),
        Err(NoCheckpoint::Signatures)
    );
    assert_eq!("".parse::<SignedCheckpoint>(), body);
    let id = STANDARD.encode(KEY.verifying_key().id());
    let bare = format!("{}\n— {} {id}\n", checkpoint().text(), KEY.name());
    assert_eq!(
        bare.parse::<SignedCheckpoint>(),
        Err(NoCheckpoint::Signature(5)),
        "an id is no signature"
    );
    let (text, line) = good.split_once("\n\n").unwrap();
    let many = |count: usize| format!("{text}\n\n{}", line.repeat(count)).parse::<SignedCheckpoint>();
    assert!(many(MAX_SIGNATURES).is_ok());
    assert_eq!(many(MAX_SIGNATURES + 1), Err(NoCheckpoint::Signatures));
    assert_eq!(many(5_000), Err(NoCheckpoint::TooLong));
}

proptest! {
    #[test]
    fn a_byte_that_is_changed_is_found_or_changes_nothing(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = checkpoint().sign(&KEY).signed_by(&OTHER);
        let keys = [KEY.verifying_key()];
        let mut changed = good.to_string().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        let read = String::from_utf8(changed).ok().and_then(|text| text.parse::<SignedCheckpoint>().ok());
        if let Some(read) = read && let Ok(said) = read.verify(&keys) {
            prop_assert_eq!(said, good.verify(&keys).unwrap());
        }
    }
}
