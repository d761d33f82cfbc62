//! Keys that documents are signed with.

use aws_lc_rs::{
    encoding::AsDer as _,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use slipway_domain::evidence::Keys;
use std::sync::LazyLock;

/// What the known key is called.
pub(crate) const KNOWN: &str = "release";
/// The only type of what an envelope carries that is read.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// A key of the other kind that is known, which signs nothing here.
pub(crate) const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEi9ewMt+xUGR/nso8KpTG33q7vxoo
bk0mNa7UB69UDCudhKBLuIvZydxP9gWm0U68aoP4tnq60jivLm2yYcizgg==
-----END PUBLIC KEY-----
";

/// Of two keys one is known. They are the same in each run, and so is what they sign.
pub(crate) struct Signers {
    known: Ed25519KeyPair,
    stranger: Ed25519KeyPair,
}

pub(crate) static SIGNERS: LazyLock<Signers> = LazyLock::new(|| Signers {
    known: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
    stranger: Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap(),
});

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let pem = ed25519();
    let of = [(KNOWN, pem.as_str()), ("other", P256)];
    Keys::read(of.map(|(name, pem)| (name.parse().unwrap(), pem))).unwrap()
});

/// The known key as PEM.
pub(crate) fn ed25519() -> String {
    let info = SIGNERS.known.public_key().as_der().unwrap();
    pem::encode(&pem::Pem::new("PUBLIC KEY", info.as_ref()))
}

impl Signers {
    fn sign(&self, message: &[u8], known: bool) -> String {
        let key = if known { &self.known } else { &self.stranger };
        STANDARD.encode(key.sign(message))
    }

    /// What DSSE makes of a payload.
    pub(crate) fn envelope(&self, payload: &[u8], known: bool) -> Value {
        let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
        let signed = [head.as_bytes(), payload].concat();
        json!({
            "payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(payload),
            "signatures": [{"keyid": "whatever it says", "sig": self.sign(&signed, known)}],
        })
    }

    /// What cosign prints of a payload.
    pub(crate) fn printed(&self, payload: &[u8], known: bool) -> Value {
        json!({"Base64Signature": self.sign(payload, known), "Payload": STANDARD.encode(payload), "Cert": null})
    }
}
