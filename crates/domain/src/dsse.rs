//! DSSE v1 envelopes (<https://github.com/secure-systems-lab/dsse>): bytes, what they are, and who signed that.

use crate::signing::{KeyName, SigningKey, VerifyingKey};
use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use serde::{Deserialize, Serialize};

/// Most signatures of one envelope that are looked at.
pub const MAX_SIGNATURES: usize = 8;

/// What is signed: `DSSEv1 <length> <type> <length> <payload>`. The lengths leave one way to take it apart.
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    let mut encoded = head.into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// Bytes in base64, of the standard or the URL-safe alphabet, padded or not: the protocol wants both accepted.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    const EITHER: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) {
        URL_SAFE
    } else {
        STANDARD
    };
    GeneralPurpose::new(&alphabet, EITHER).decode(text).ok()
}

/// An envelope, as it is written in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The payload, in base64.
    pub payload: String,
    /// Who signed it.
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// A hint at the key: it decides nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keyid: String,
    /// The signature, in base64.
    pub sig: String,
}

/// Why an envelope is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// There are too many signatures, or none.
    #[error("an envelope has 1 to {MAX_SIGNATURES} signatures")]
    Signatures,
    /// None was made with a known key.
    #[error("none of its signatures was made with a key that is known here, so anybody may have written it")]
    Unknown,
}

impl Envelope {
    /// Signs a payload. The id of the key is the SHA-256 of its `SubjectPublicKeyInfo`, in hexadecimal digits.
    #[must_use]
    pub fn sign(payload_type: &str, payload: &[u8], key: &SigningKey) -> Self {
        let base64 = general_purpose::STANDARD;
        let signature = key.sign(&pre_authentication_encoding(payload_type, payload));
        Self {
            payload_type: payload_type.to_owned(),
            payload: base64.encode(payload),
            signatures: vec![EnvelopeSignature {
                keyid: key.verifying_key().fingerprint(),
                sig: base64.encode(signature),
            }],
        }
    }

    /// The payload, if it is base64. Nobody vouches for it yet.
    #[must_use]
    pub fn unverified(&self) -> Option<Vec<u8>> {
        decode(&self.payload)
    }

    /// The names of the keys that signed this payload.
    ///
    /// # Errors
    /// When none of those that are known did.
    pub fn verify(&self, payload: &[u8], keys: &[VerifyingKey]) -> Result<Vec<KeyName>, NotVerified> {
        if !(1..=MAX_SIGNATURES).contains(&self.signatures.len()) {
            return Err(NotVerified::Signatures);
        }
        let signed = pre_authentication_encoding(&self.payload_type, payload);
        let signatures: Vec<_> = self
            .signatures
            .iter()
            .filter_map(|one| decode(&one.sig))
            .collect();
        let made = |key: &&VerifyingKey| signatures.iter().any(|one| key.verifies(&signed, one));
        let by: Vec<_> = keys.iter().filter(made).map(|key| key.name().clone()).collect();
        if by.is_empty() {
            return Err(NotVerified::Unknown);
        }
        Ok(by)
    }
}
