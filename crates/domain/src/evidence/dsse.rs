//! DSSE v1 envelopes (secure-systems-lab/dsse): who signed a payload, and what it is.
//!
//! Of the signatures one must verify; the `keyid` beside each is a hint that its writer chose, and decides nothing.

use super::{
    json::At,
    keys::{Keys, MAX_SIGNATURES},
};
use crate::{
    Name,
    dsse::{decode, pre_authentication_encoding},
};

/// A payload whose signature was verified.
pub(super) struct Verified {
    pub(super) payload: Vec<u8>,
    pub(super) by: Name,
}

/// Where an envelope is, if the document is or holds one: one that lacks a part is one all the same, so that what was
/// meant to be signed is never taken for what was not.
pub(super) fn find<'v, 'q>(document: &'q At<'v, '_>) -> Option<At<'v, 'q>> {
    // A Sigstore bundle holds an envelope.
    if let Some(inner) = document.key("dsseEnvelope") {
        return Some(inner);
    }
    let has = |key: &str| document.key(key).is_some();
    // A bundle without one signs bytes that are not here.
    let is_one = has("payloadType") || has("messageSignature") || (has("payload") && has("signatures"));
    is_one.then_some(*document)
}

/// Verifies an envelope with a payload of this type.
pub(super) fn open(envelope: &At<'_, '_>, payload_type: &str, keys: &Keys) -> Option<Verified> {
    let kind = envelope.need("payloadType");
    let kind = kind.as_ref().and_then(|at| Some((at, at.text()?)));
    let payload = envelope.need("payload");
    let payload = payload.as_ref().and_then(bytes);
    let mut signatures = Vec::new();
    let listed = envelope.each("signatures", |signature| {
        signatures.extend(signature.need("sig").as_ref().and_then(bytes));
    });
    match listed {
        Some(1..=MAX_SIGNATURES) => {}
        Some(_) => envelope.fault(format!("an envelope has 1 to {MAX_SIGNATURES} signatures")),
        None => {
            envelope.need("signatures");
        }
    }
    let ((at, kind), payload, count) = (kind?, payload?, listed?);
    if kind != payload_type {
        at.fault(format!("is `{payload_type}`"));
        return None;
    }
    if signatures.len() != count || !(1..=MAX_SIGNATURES).contains(&count) {
        return None;
    }
    let Some(by) = keys.signer(&pre_authentication_encoding(kind, &payload), &signatures) else {
        envelope.fault(keys.refusal());
        return None;
    };
    Some(Verified {
        payload,
        by: by.clone(),
    })
}

/// Bytes in base64, of the standard or the URL-safe alphabet, padded or not.
pub(super) fn bytes(at: &At<'_, '_>) -> Option<Vec<u8>> {
    let decoded = at.value().as_str().and_then(decode);
    if decoded.is_none() {
        at.fault("is base64");
    }
    decoded
}
