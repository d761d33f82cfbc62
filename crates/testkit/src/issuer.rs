//! Somebody who vouches for the people of a test: signs tokens with ES256.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use slipway_app::{IssuerConfig, KeySource};
use slipway_domain::clock;

/// Its name: `iss`.
pub const ISSUER: &str = "https://issuer.test";
/// Whom its tokens are for: `aud`.
pub const AUDIENCE: &str = "slipway-test";
const KEY_ID: &str = "test-1";

/// Signs tokens.
pub struct Issuer {
    key: KeyPair,
}

impl Issuer {
    /// One with a fresh key.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"),
        }
    }

    /// As the server is told of it.
    #[must_use]
    pub fn config(&self) -> IssuerConfig {
        let key = json!([{ "kid": KEY_ID, "algorithm": "ES256", "pem": self.key.public_key_pem() }]);
        let keys: KeySource = serde_json::from_value(json!({ "pem": key })).expect("keys");
        serde_json::from_value::<IssuerConfig>(json!({
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "keys": { "pem": key },
            "subjects": { "claim": { "claim": "kind", "machine": "machine" } },
            "name_claim": "name",
        }))
        .map(|config| IssuerConfig { keys, ..config })
        .expect("a configuration")
    }

    /// A token for a person, valid for an hour.
    #[must_use]
    pub fn token(&self, subject: &str) -> String {
        self.token_for(subject, 3600)
    }

    /// A token for a person, valid for so many seconds.
    #[must_use]
    pub fn token_for(&self, subject: &str, seconds: i64) -> String {
        self.sign(&Self::claims(subject, seconds))
    }

    /// The claims of a good token, for tests to spoil.
    #[must_use]
    pub fn claims(subject: &str, seconds: i64) -> Value {
        let now = clock::process_now().as_second();
        json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "name": subject, "iat": now, "nbf": now, "exp": now + seconds })
    }

    /// Signs claims, whatever they say.
    ///
    /// # Panics
    /// When they cannot be signed.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(KEY_ID.to_owned());
        let key = EncodingKey::from_ec_pem(self.key.serialize_pem().as_bytes()).expect("a signing key");
        jsonwebtoken::encode(&header, claims, &key).expect("a token")
    }
}
