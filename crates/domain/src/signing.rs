//! The key that Slipway signs with (audit checkpoints, certificates), and the ones that such signatures are verified with.
//!
//! Ed25519 (RFC 8032). The private key is kept as PKCS#8 (RFC 5958); the public one goes out in two forms: as C2SP
//! verifier key, which has the key's name in it, and as PEM of its `SubjectPublicKeyInfo` (RFC 8410).

#[cfg(test)]
mod tests;

use crate::Digest;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a `SubjectPublicKeyInfo` of an Ed25519 key begins with (RFC 8410): all but the key.
pub(crate) const ED25519_INFO: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// Bytes of a public key.
pub(crate) const ED25519_KEY: usize = 32;
/// The type of an Ed25519 signature in a signed note.
const NOTE_ED25519: u8 = 1;
/// Most characters of a name.
const MAX_NAME: usize = 255;

/// The name of a key, and of the log that it signs for: at best a URL without a scheme, as `slipway.example.com/audit`.
/// Nothing needs to be there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

/// Why a text is no name of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a key has 1 to {MAX_NAME} characters, none of them white space, `+` or a control character"
)]
pub struct NoKeyName;

impl KeyName {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyName {
    type Error = NoKeyName;

    fn try_from(text: String) -> Result<Self, NoKeyName> {
        let may_have = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        let fits = (1..=MAX_NAME).contains(&text.chars().count());
        if fits && text.chars().all(may_have) {
            Ok(Self(text))
        } else {
            Err(NoKeyName)
        }
    }
}

impl FromStr for KeyName {
    type Err = NoKeyName;

    fn from_str(text: &str) -> Result<Self, NoKeyName> {
        text.to_owned().try_into()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no key to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSigningKey {
    /// What is kept is none.
    #[error("is an unencrypted PKCS#8 private key of the kind Ed25519 (openssl genpkey -algorithm ED25519)")]
    NotPkcs8,
    /// None could be made.
    #[error("no key could be made: the system gives no random numbers")]
    NotMade,
}

/// A key to sign with. What it is made of is never shown.
pub struct SigningKey {
    name: KeyName,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new one, as PKCS#8 (version 1, which OpenSSL reads too) to be kept secret.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate() -> Result<SecretSlice<u8>, NoSigningKey> {
        let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new());
        let document = document.map_err(|_| NoSigningKey::NotMade)?;
        Ok(document.as_ref().to_vec().into())
    }

    /// The key that is kept as PKCS#8 (DER).
    ///
    /// # Errors
    /// When it is none.
    pub fn from_pkcs8(name: KeyName, pkcs8: &SecretSlice<u8>) -> Result<Self, NoSigningKey> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose_secret());
        let pair = pair.map_err(|_| NoSigningKey::NotPkcs8)?;
        Ok(Self { name, pair })
    }

    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Signs a message. The same message gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    /// The key that verifies what it signs.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut key = [0; ED25519_KEY];
        key.copy_from_slice(self.pair.public_key().as_ref());
        VerifyingKey {
            name: self.name.clone(),
            key,
        }
    }
}

/// Why a text is no key to verify with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoVerifyingKey {
    /// It is no verifier key.
    #[error("a verifier key is `name+hash+key`: a name, 8 hexadecimal digits and base64 of an Ed25519 key")]
    Form,
    /// Its parts do not belong together.
    #[error("the verifier key of `{name}` is damaged: its hash is {expected}, not {found}")]
    Hash {
        /// Of which name.
        name: KeyName,
        /// The hash of the name and key.
        expected: String,
        /// What it says.
        found: String,
    },
    /// It is no PEM of such a key.
    #[error("is the PEM of one Ed25519 public key (BEGIN PUBLIC KEY)")]
    Pem,
}

/// A key to verify signatures with. It is written as a C2SP verifier key: `name+hash+base64(0x01 || key)`, as Go's
/// `golang.org/x/mod/sumdb/note` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: KeyName,
    key: [u8; ED25519_KEY],
}

impl VerifyingKey {
    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its id in a signed note: the first 4 bytes of `SHA-256(name || 0x0A || 0x01 || key)` (C2SP signed-note).
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let named = [self.name.as_str().as_bytes(), &[b'\n', NOTE_ED25519], &self.key].concat();
        let [a, b, c, d, ..] = *Digest::of_bytes(&named).as_bytes();
        [a, b, c, d]
    }

    fn info(&self) -> Vec<u8> {
        [ED25519_INFO, &self.key].concat()
    }

    /// Its id in an envelope: SHA-256 of its `SubjectPublicKeyInfo`, in hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Digest::of_bytes(&self.info()).hex()
    }

    /// As PEM of its `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("PUBLIC KEY", self.info()), config)
    }

    /// From PEM of its `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_pem(name: KeyName, text: &str) -> Result<Self, NoVerifyingKey> {
        let sections = pem::parse_many(text).map_err(|_| NoVerifyingKey::Pem)?;
        let [section] = sections.as_slice() else {
            return Err(NoVerifyingKey::Pem);
        };
        let key = section.contents().strip_prefix(ED25519_INFO);
        let key = key.filter(|_| section.tag() == "PUBLIC KEY");
        let key = key.and_then(|key| key.try_into().ok());
        Ok(Self {
            name,
            key: key.ok_or(NoVerifyingKey::Pem)?,
        })
    }

    /// Whether its holder made this signature of a message.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key)
            .verify(message, signature)
            .is_ok()
    }
}

fn hexadecimal(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[NOTE_ED25519], &self.key[..]].concat();
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hexadecimal(self.id()),
            STANDARD.encode(key)
        )
    }
}

impl FromStr for VerifyingKey {
    type Err = NoVerifyingKey;

    fn from_str(text: &str) -> Result<Self, NoVerifyingKey> {
        // The key is base64, in which there may be `+` too.
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(NoVerifyingKey::Form);
        let (name, found, key) = (part()?, part()?, part()?);
        let name: KeyName = name.parse().map_err(|_| NoVerifyingKey::Form)?;
        let key = STANDARD.decode(key).map_err(|_| NoVerifyingKey::Form)?;
        let key = key
            .strip_prefix(&[NOTE_ED25519])
            .and_then(|key| key.try_into().ok());
        let key = Self {
            name,
            key: key.ok_or(NoVerifyingKey::Form)?,
        };
        let expected = hexadecimal(key.id());
        if found != expected {
            return Err(NoVerifyingKey::Hash {
                expected,
                found: crate::fault::excerpt(found),
                name: key.name,
            });
        }
        Ok(key)
    }
}
