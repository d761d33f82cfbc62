//! Somebody who signs evidence: a key pair, and DSSE envelopes made as the specification says, by nothing of Slipway's own.

use aws_lc_rs::{
    encoding::AsDer as _,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// What in-toto statements are sent as.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A key pair that signs.
pub struct Signer {
    pair: Ed25519KeyPair,
    pem: String,
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

impl Signer {
    /// A new one.
    ///
    /// # Panics
    /// When the machine has no randomness.
    #[must_use]
    pub fn new() -> Self {
        let pair = Ed25519KeyPair::generate().expect("randomness");
        let info = pair.public_key().as_der().expect("a public key has an encoding");
        let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", info.as_ref().to_vec()));
        Self { pair, pem }
    }

    /// The public key, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// An envelope around a statement (DSSE v1: what is signed is its type and its payload, each with its length).
    #[must_use]
    pub fn envelope(&self, statement: &Value) -> Value {
        let payload = statement.to_string();
        let message = format!(
            "DSSEv1 {} {PAYLOAD_TYPE} {} {payload}",
            PAYLOAD_TYPE.len(),
            payload.len()
        );
        let signature = self.pair.sign(message.as_bytes());
        json!({
            "payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(&payload),
            "signatures": [{"keyid": "", "sig": STANDARD.encode(signature.as_ref())}],
        })
    }

    /// SLSA provenance (v1) of what has this digest, `sha256:…`, signed.
    #[must_use]
    pub fn provenance(&self, digest: &str, builder: &str) -> Value {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.envelope(&json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "built", "digest": {"sha256": hex}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {"buildType": "https://ci.example/build/v1", "externalParameters": {}},
                "runDetails": {"builder": {"id": builder}},
            },
        }))
    }
}
