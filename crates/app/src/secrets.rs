//! Encryption of what must be stored and never shown: AES-256-GCM with random nonces.
//!
//! What is encrypted is bound to its place (the additional data), so that it cannot be moved into another row. A key is
//! named by a fingerprint, stored beside what it encrypted: a new key can take over while the old one still reads.

use crate::{
    App, Error,
    config::{Config, Unusable},
};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A key of 32 bytes, and its name.
pub struct SecretKey {
    name: String,
    bytes: SecretBox<[u8; 32]>,
}

impl SecretKey {
    /// Reads a key: 32 random bytes in base64. `setting` is named when it is none.
    ///
    /// # Errors
    /// When it is no such key; there is no way to go on without one.
    pub fn parse(setting: &str, text: &str) -> Result<Self, Unusable> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Unusable::new(
                setting,
                "is missing; make one with `openssl rand -base64 32`",
            ));
        }
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(text)
            .or_else(|_| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text))
            .map_err(|_| Unusable::new(setting, "is not base64"))?;
        let bytes: [u8; 32] = decoded.try_into().map_err(|other: Vec<u8>| {
            Unusable::new(setting, format!("is {} bytes; it must be 32", other.len()))
        })?;
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(Unusable::new(
                setting,
                "is not random; make one with `openssl rand -base64 32`",
            ));
        }
        Ok(Self {
            name: fingerprint(&bytes),
            bytes: SecretBox::new(Box::new(bytes)),
        })
    }

    /// Its name: a fingerprint that tells nothing about it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, NoSecret> {
        RandomizedNonceKey::new(&AES_256_GCM, self.bytes.expose_secret()).map_err(|_| NoSecret::Failed)
    }
}

fn fingerprint(bytes: &[u8; 32]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"slipway secret key fingerprint\0");
    hash.update(bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&hash.finalize()[..9])
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, redacted)", self.name)
    }
}

/// The names of keys that something stored was encrypted with and that are not configured, and how much: nothing of it can be
/// read.
///
/// # Errors
/// When the database is unavailable.
pub async fn unreadable(app: &App) -> Result<Vec<(String, i64)>, Error> {
    let mut tx = app.read().await?;
    let mut keys = slipway_store::secret_keys::in_use(&mut tx).await?;
    keys.retain(|(name, _)| known(app.config(), name).is_none());
    Ok(keys)
}

/// The key of that name, if it is configured.
fn known<'a>(config: &'a Config, name: &str) -> Option<&'a SecretKey> {
    std::iter::once(&config.secret_key)
        .chain(&config.older_secret_keys)
        .find(|known| known.name == name)
}

/// Why something could not be encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSecret {
    #[error("the key it was encrypted with is not configured")]
    UnknownKey,
    #[error("it was altered, or belongs elsewhere")]
    Altered,
    #[error("the cipher failed")]
    Failed,
}

/// Encrypts for one place; also says which key did.
pub(crate) fn seal(config: &Config, place: &[u8], plain: &[u8]) -> Result<(Vec<u8>, String), NoSecret> {
    let key = &config.secret_key;
    let mut text = plain.to_vec();
    let nonce = key
        .cipher()?
        .seal_in_place_append_tag(Aad::from(place), &mut text)
        .map_err(|_| NoSecret::Failed)?;
    let mut sealed = nonce.as_ref().to_vec();
    sealed.append(&mut text);
    Ok((sealed, key.name.clone()))
}

/// Decrypts what was encrypted for that place.
pub(crate) fn open(
    config: &Config,
    place: &[u8],
    key: &str,
    sealed: &[u8],
) -> Result<SecretBox<Vec<u8>>, NoSecret> {
    let key = known(config, key).ok_or(NoSecret::UnknownKey)?;
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(NoSecret::Altered)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NoSecret::Altered)?;
    let mut text = text.to_vec();
    let length = key
        .cipher()?
        .open_in_place(nonce, Aad::from(place), &mut text)
        .map_err(|_| NoSecret::Altered)?
        .len();
    text.truncate(length);
    Ok(SecretBox::new(Box::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const OTHER: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

    fn config(key: &str, older: &[&str]) -> Config {
        let mut config = Config::new(Vec::new(), SecretKey::parse("secret_key", key).unwrap());
        config.older_secret_keys = older
            .iter()
            .map(|key| SecretKey::parse("older", key).unwrap())
            .collect();
        config
    }

    #[test]
    fn what_was_encrypted_for_one_place_opens_there_only() {
        let config = config(ONE, &[]);
        let (sealed, key) = seal(&config, b"cluster a", b"s3cret").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"s3cret"));
        assert_eq!(
            open(&config, b"cluster a", &key, &sealed)
                .unwrap()
                .expose_secret(),
            b"s3cret"
        );
        assert_eq!(
            open(&config, b"cluster b", &key, &sealed).unwrap_err(),
            NoSecret::Altered
        );
        for i in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[i] ^= 1;
            assert!(open(&config, b"cluster a", &key, &altered).is_err(), "byte {i}");
        }
        assert!(open(&config, b"cluster a", &key, &sealed[..5]).is_err());
    }

    #[test]
    fn the_same_text_is_never_encrypted_to_the_same_bytes() {
        let config = config(ONE, &[]);
        assert_ne!(
            seal(&config, b"a", b"s3cret").unwrap(),
            seal(&config, b"a", b"s3cret").unwrap()
        );
    }

    #[test]
    fn a_new_key_takes_over_while_the_old_one_still_reads() {
        let (sealed, key) = seal(&config(ONE, &[]), b"a", b"s3cret").unwrap();
        let rotated = config(OTHER, &[ONE]);
        assert_eq!(
            open(&rotated, b"a", &key, &sealed).unwrap().expose_secret(),
            b"s3cret"
        );
        assert_ne!(seal(&rotated, b"a", b"s3cret").unwrap().1, key);
        assert_eq!(
            open(&config(OTHER, &[]), b"a", &key, &sealed).unwrap_err(),
            NoSecret::UnknownKey
        );
    }

    #[test]
    fn a_missing_or_weak_key_is_refused_and_never_shown() {
        let zeros = base64::engine::general_purpose::STANDARD.encode([0_u8; 32]);
        for bad in ["", "   ", "short", "AAAA", &zeros, "!!!"] {
            let refused = SecretKey::parse("SLIPWAY_SECRET_KEY", bad).unwrap_err();
            assert_eq!(refused.key, "SLIPWAY_SECRET_KEY");
        }
        let key = SecretKey::parse("k", ONE).unwrap();
        assert!(!format!("{key:?}").contains("0123456789"));
        assert!(!format!("{key:?}").contains(&ONE[..8]));
    }
}
