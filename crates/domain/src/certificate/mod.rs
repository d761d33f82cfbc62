//! Certificates: what became of a release, signed, for whoever asks years later and has no server to ask.
//!
//! An in-toto Statement v1 (<https://in-toto.io/Statement/v1>) about the release and its components, in canonical JSON, in a
//! DSSE envelope: any verifier of those checks the signature. What it says beyond that, [`read`] checks against itself: a
//! signature tells who said something, and not that it fits together.
//!
//! A certificate is no praise. That a release failed, or never ran, is certified just so, by its [`Outcome`].
//!
//! * `predicate`: what is said; `statement`: the frame that in-toto gives it
//! * `check`, `check_deployment`: what must hold of it
//!
//! What is added to the predicate later is optional and changes nothing of what is there; else its type gets a new number.

mod check;
mod check_deployment;
mod predicate;
mod statement;
#[cfg(test)]
mod tests;

pub use predicate::{
    Approval, Component, Decision, Deployment, Evidence, Outcome, Person, Policy, PolicyVerdict, Predicate,
    Process, Release, Sealed, Target,
};
pub use statement::{DigestSet, PREDICATE_TYPE, Statement, Subject};

use crate::{
    Faults,
    digest::canonical,
    dsse::Envelope,
    evidence::{in_toto::PAYLOAD_TYPE, json},
    signing::{KeyName, SigningKey, VerifyingKey},
};
use statement::STATEMENT_TYPE;

/// Most bytes of a certificate.
pub const MAX_CERTIFICATE: usize = 16 * 1024 * 1024;

/// A certificate that was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// What it says.
    pub statement: Statement,
    /// The keys that signed it.
    pub signed_by: Vec<KeyName>,
}

/// Signs a certificate. What contradicts itself in it is signed as well: see [`Predicate::check`].
///
/// # Errors
/// When it cannot be written as canonical JSON.
pub fn issue(predicate: Predicate, key: &SigningKey) -> Result<Envelope, serde_json::Error> {
    let payload = canonical(&Statement::about(predicate))?;
    Ok(Envelope::sign(PAYLOAD_TYPE, &payload, key))
}

/// Reads a certificate and verifies it: its signature, and that everything in it fits together. The checkpoint in it is
/// verified with the same keys.
///
/// # Errors
/// Everything that is wrong with it, by pointers into the envelope, and below `/payload` into the statement.
pub fn read(bytes: &[u8], keys: &[VerifyingKey]) -> Result<Verified, Faults> {
    if bytes.len() > MAX_CERTIFICATE {
        let detail = format!(
            "{} bytes are more than the {MAX_CERTIFICATE} allowed",
            bytes.len()
        );
        return Err(Faults::one("", detail));
    }
    let envelope: Envelope = serde_json::from_value(json::read(bytes)?)
        .map_err(|error| Faults::one("", format!("is no DSSE envelope: {error}")))?;
    let Some(payload) = envelope.unverified() else {
        return Err(Faults::one("/payload", "is base64"));
    };
    let mut faults = Faults::new();
    if envelope.payload_type != PAYLOAD_TYPE {
        faults.add("/payloadType", format!("is `{PAYLOAD_TYPE}`"));
    }
    let signed_by = faults.take("/signatures", envelope.verify(&payload, keys));
    let statement = match statement(&payload) {
        Ok(statement) => {
            faults.nest("/payload", statement.check(keys));
            Some(statement)
        }
        Err(wrong) => {
            faults.nest("/payload", wrong);
            None
        }
    };
    faults.check()?;
    let verified = statement.zip(signed_by);
    verified
        .map(|(statement, signed_by)| Verified { statement, signed_by })
        .ok_or_else(|| Faults::one("", "is no certificate"))
}

fn statement(payload: &[u8]) -> Result<Statement, Faults> {
    let value = json::read(payload)?;
    let is = |key: &str, what: &str| value.get(key).and_then(serde_json::Value::as_str) == Some(what);
    let mut faults = Faults::new();
    for (key, what) in [("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)] {
        if !is(key, what) {
            faults.add(format!("/{key}"), format!("is `{what}`"));
        }
    }
    faults.check()?;
    serde_json::from_value(value)
        .map_err(|error| Faults::one("", format!("is no release certificate: {error}")))
}
