//! The public keys that signatures are verified with.

use crate::{
    Faults, Name,
    signing::{ED25519_INFO, ED25519_KEY},
};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey};

/// Most keys, and most signatures of one document: each is tried with each.
pub const MAX_KEYS: usize = 32;
pub(super) const MAX_SIGNATURES: usize = 8;

/// What a `SubjectPublicKeyInfo` of a point on P-256 that is not compressed begins with (RFC 5480): all but the point.
const P256_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const P256_POINT: usize = 64;

/// Public keys, each with the name that it was configured under.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<(Name, ParsedPublicKey)>);

impl Keys {
    /// Reads keys: Ed25519 or ECDSA on P-256, each as PEM of its `SubjectPublicKeyInfo` (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    /// Everything that is wrong, by pointers `/<name>`.
    pub fn read<'a>(pem: impl IntoIterator<Item = (Name, &'a str)>) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let mut keys: Vec<(Name, ParsedPublicKey)> = Vec::new();
        for (name, text) in pem {
            let at = format!("/{name}");
            let Some(key) = faults.take(&at, key(text)) else {
                continue;
            };
            if keys.len() == MAX_KEYS {
                faults.add(at, format!("there are more than {MAX_KEYS} keys"));
                break;
            }
            if keys.iter().any(|(other, _)| *other == name) {
                faults.add(at, "there is a key with this name already");
            } else if let Some((other, _)) = keys.iter().find(|(_, other)| other.as_ref() == key.as_ref()) {
                faults.add(at, format!("is the key `{other}`"));
            } else {
                keys.push((name, key));
            }
        }
        faults.check()?;
        Ok(Self(keys))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that made one of these signatures of a message.
    pub(super) fn signer(&self, message: &[u8], signatures: &[Vec<u8>]) -> Option<&Name> {
        let made = |key: &ParsedPublicKey| signatures.iter().any(|one| key.verify_sig(message, one).is_ok());
        self.0.iter().find(|(_, key)| made(key)).map(|(name, _)| name)
    }

    /// What to say of signatures that none of them made.
    pub(super) fn refusal(&self) -> &'static str {
        if self.is_empty() {
            "it comes signed, and no key is configured to verify that with"
        } else {
            "none of its signatures was made with a key that is configured"
        }
    }
}

fn key(text: &str) -> Result<ParsedPublicKey, &'static str> {
    const WRONG: &str = "is the PEM of one Ed25519 or ECDSA P-256 public key (BEGIN PUBLIC KEY)";
    let sections = pem::parse_many(text).map_err(|_| WRONG)?;
    let [section] = sections.as_slice() else {
        return Err(WRONG);
    };
    let info = section.contents();
    // The parser passes over what follows a key, with which one key would be two.
    let is = |kind: &[u8], key: usize| info.starts_with(kind) && info.len() == kind.len() + key;
    let parsed = match section.tag() {
        "PUBLIC KEY" if is(ED25519_INFO, ED25519_KEY) => ParsedPublicKey::new(&ED25519, info),
        "PUBLIC KEY" if is(P256_INFO, P256_POINT) => ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, info),
        _ => return Err(WRONG),
    };
    parsed.map_err(|_| WRONG)
}
