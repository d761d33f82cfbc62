//! Simple signing, as cosign does it: a payload that names an image's digest, and a signature of the payload.
//!
//! `cosign download signature` prints both in one JSON object, `Base64Signature` and `Payload`; that is what is read.

use super::{
    dsse::bytes,
    in_toto::any_of,
    json::{self, At},
    keys::Keys,
};
use crate::{Digest, Faults, Name};
use serde_json::Value;

const TYPE: &str = "cosign container image signature";

/// Whether a document is a payload with its signature.
pub(super) fn is_one(value: &Value) -> bool {
    value.get("Base64Signature").is_some()
}

/// The payload of a signature that was verified, and the key it was verified with.
pub(super) fn open(document: &At<'_, '_>, keys: &Keys) -> Option<(Vec<u8>, Name)> {
    let signature = document.need("Base64Signature");
    let signature = signature.as_ref().and_then(bytes);
    let payload = document.need("Payload");
    let payload = payload.as_ref().and_then(bytes)?;
    let Some(by) = keys.signer(&payload, &[signature?]) else {
        document.fault(keys.refusal());
        return None;
    };
    Some((payload, by.clone()))
}

/// The digest that was signed.
///
/// # Errors
/// What is wrong with the payload, by pointers into it.
pub(super) fn subject(payload: &[u8], bound_to: &[Digest]) -> Result<Digest, Faults> {
    let value = json::read(payload)?;
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    if text("/critical/type") != Some(TYPE) {
        return Err(Faults::one("/critical/type", format!("is `{TYPE}`")));
    }
    let digest = text("/critical/image/docker-manifest-digest").and_then(|digest| digest.parse().ok());
    let at = "/critical/image/docker-manifest-digest";
    match digest {
        None => Err(Faults::one(at, crate::digest::NoDigest.to_string())),
        Some(digest) if !bound_to.contains(&digest) => {
            let detail = format!("is not {}, so it is about something else", any_of(bound_to));
            Err(Faults::one(at, detail))
        }
        Some(digest) => Ok(digest),
    }
}
