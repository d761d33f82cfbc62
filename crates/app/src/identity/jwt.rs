//! Signed tokens (RFC 7519), checked as RFC 8725 recommends.
//!
//! The token says which issuer to ask; everything else comes from the configuration: which keys, which algorithms,
//! which audience. Whether it holds at this moment is asked separately, with the database's time.

use super::{
    claims::{Claims, Methods},
    issuers::{Fingerprint, Issuer, NoKeys},
};
use crate::config::{Algorithm, Subjects};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Header, Validation, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};
use slipway_domain::{
    approval::SignedIn,
    identity::{NoRuleFits, PrincipalKind, Stated},
};
use std::sync::Arc;

/// Larger tokens are not looked at.
const MAX_BYTES: usize = 8 * 1024;

/// How far an issuer's clock may be off.
const LEEWAY: SignedDuration = SignedDuration::from_secs(10);

/// Longest subject, in characters.
const MAX_SUBJECT: usize = 255;

/// Why a token is not accepted: the class of the reason, and nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoToken {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token is too large")]
    TooLarge,
    #[error("the token's issuer is not known here")]
    UnknownIssuer,
    #[error("the token's algorithm is not accepted for its issuer")]
    Algorithm,
    #[error("the token's signature does not match a key of its issuer")]
    Signature,
    #[error("the token is for another audience")]
    Audience,
    #[error(
        "the token lacks a required claim, or has one of another type: exp, iat, iss, aud and sub are required"
    )]
    Claims,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("no trust rule of its issuer fits the token")]
    NoRule,
}

/// Why a token is not accepted, or that it cannot be told yet.
pub(super) enum NotVerified<'a> {
    /// It is not accepted.
    Refused(NoToken),
    /// It names a key that its issuer has not published, as far as is known.
    KeyUnknown(&'a Issuer),
    /// Its issuer's keys are not known.
    KeysMissing(&'a Issuer),
}

impl From<NoToken> for NotVerified<'_> {
    fn from(refused: NoToken) -> Self {
        Self::Refused(refused)
    }
}

impl From<NoRuleFits> for NoToken {
    fn from(_: NoRuleFits) -> Self {
        Self::NoRule
    }
}

/// A token whose signature, issuer and audience hold.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) issuer: String,
    pub(super) subject: String,
    /// Whether it is a person, where the issuer says.
    pub(super) kind: Option<PrincipalKind>,
    /// What people call it, where the issuer says.
    pub(super) name: Option<String>,
    /// When and how it signed in, where the issuer says.
    pub(super) signed_in: SignedIn,
    /// What its claims give.
    pub(super) stated: Stated,
    /// The key that signed it: it holds no longer than that.
    pub(super) key: Fingerprint,
    expires_at: Timestamp,
    issued_at: Timestamp,
    not_before: Option<Timestamp>,
}

impl Verified {
    /// When the proof ends, if it holds now.
    pub(super) fn until(&self, now: Timestamp) -> Result<Timestamp, NoToken> {
        if self.expires_at + LEEWAY <= now {
            return Err(NoToken::Expired);
        }
        let begins = self
            .not_before
            .map_or(self.issued_at, |at| at.max(self.issued_at));
        if begins > now + LEEWAY {
            return Err(NoToken::NotYet);
        }
        Ok(self.expires_at)
    }
}

/// The issuer alone, before anything is verified: it only chooses whose keys to use.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
}

/// Checks everything that needs no time.
pub(super) fn verify<'a>(issuers: &'a [Arc<Issuer>], token: &str) -> Result<Verified, NotVerified<'a>> {
    if token.len() > MAX_BYTES {
        return Err(NoToken::TooLarge.into());
    }
    if token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(NoToken::Malformed.into());
    }
    let header = jsonwebtoken::decode_header(token).map_err(|e| match e.kind() {
        // `none` and everything else that the library has no name for.
        ErrorKind::Json(_) | ErrorKind::InvalidAlgorithmName => NoToken::Algorithm,
        _ => NoToken::Malformed,
    })?;
    let unverified: Unverified =
        jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| NoToken::Claims)?;
    let issuer = issuers
        .iter()
        .find(|i| i.config.issuer == unverified.iss)
        .ok_or(NoToken::UnknownIssuer)?;
    let algorithm = accepted(issuer, &header)?;
    let (mut claims, key) = signed(issuer, algorithm, &header, token)?;
    if claims.iss != issuer.config.issuer {
        return Err(NoToken::UnknownIssuer.into());
    }
    if !claims.aud.contains(&issuer.config.audience) {
        return Err(NoToken::Audience.into());
    }
    let subject = claims.sub;
    if subject.trim().is_empty()
        || subject.chars().count() > MAX_SUBJECT
        || subject.chars().any(char::is_control)
    {
        return Err(NoToken::Claims.into());
    }
    claims.others.0.insert("sub".to_owned(), subject.clone().into());
    let stated = issuer.rules.judge(&claims.others.0).map_err(NoToken::from)?;
    Ok(Verified {
        stated,
        key,
        kind: kind(&issuer.config.subjects, &claims.others.0),
        name: name(issuer.config.name_claim.as_deref(), &claims.others.0),
        issuer: claims.iss,
        subject,
        signed_in: SignedIn {
            at: claims.auth_time.map(|date| date.0),
            methods: claims.amr.map(Methods::kept).unwrap_or_default(),
        },
        expires_at: claims.exp.0,
        issued_at: claims.iat.0,
        not_before: claims.nbf.map(|date| date.0),
    })
}

fn accepted(issuer: &Issuer, header: &Header) -> Result<Algorithm, NoToken> {
    // Extensions that must be understood are not, and a payload that is packed or encrypted is not looked into.
    if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
        return Err(NoToken::Malformed);
    }
    let accepted = issuer
        .config
        .algorithms
        .iter()
        .find(|algorithm| algorithm.in_jwt() == header.alg);
    accepted.copied().ok_or(NoToken::Algorithm)
}

/// The claims, if a key of the issuer that is for this algorithm signed them. Keys that the token itself brings or
/// points to are never looked at.
fn signed<'a>(
    issuer: &'a Issuer,
    algorithm: Algorithm,
    header: &Header,
    token: &str,
) -> Result<(Claims, Fingerprint), NotVerified<'a>> {
    let mut validation = Validation::new(algorithm.in_jwt());
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[&issuer.config.issuer]);
    validation.set_audience(&[&issuer.config.audience]);
    // Times are compared with the database's clock, by `Verified::until`.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let keys = issuer.keys().map_err(|NoKeys| NotVerified::KeysMissing(issuer))?;
    if header.kid.is_some() && !keys.iter().any(|key| key.kid.is_none() || key.kid == header.kid) {
        return Err(NotVerified::KeyUnknown(issuer));
    }
    let candidates = keys.iter().filter(|key| {
        key.algorithm == algorithm && (header.kid.is_none() || key.kid.is_none() || key.kid == header.kid)
    });
    let mut refused = NoToken::Signature;
    for candidate in candidates {
        match jsonwebtoken::decode::<Claims>(token, &candidate.key, &validation) {
            Ok(verified) => return Ok((verified.claims, candidate.fingerprint)),
            Err(error) => match error.kind() {
                ErrorKind::InvalidSignature => {}
                ErrorKind::InvalidAudience => refused = NoToken::Audience,
                ErrorKind::InvalidIssuer => refused = NoToken::UnknownIssuer,
                ErrorKind::MissingRequiredClaim(_)
                | ErrorKind::InvalidClaimFormat(_)
                | ErrorKind::Json(_) => {
                    refused = NoToken::Claims;
                }
                ErrorKind::InvalidAlgorithm => refused = NoToken::Algorithm,
                _ => refused = NoToken::Malformed,
            },
        }
    }
    Err(refused.into())
}

fn kind(subjects: &Subjects, claims: &Map<String, Value>) -> Option<PrincipalKind> {
    match subjects {
        Subjects::People => None,
        Subjects::Machines => Some(PrincipalKind::Machine),
        Subjects::Claim { claim, machine } => claims.get(claim).map(|said| {
            if said.as_str() == Some(machine) {
                PrincipalKind::Machine
            } else {
                PrincipalKind::Human
            }
        }),
    }
}

fn name(claim: Option<&str>, claims: &Map<String, Value>) -> Option<String> {
    let name = claims.get(claim?)?.as_str()?;
    let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(iat: i64, nbf: Option<i64>, exp: i64) -> Verified {
        let at = |second| Timestamp::from_second(second).unwrap();
        Verified {
            issuer: String::new(),
            subject: String::new(),
            kind: None,
            name: None,
            signed_in: SignedIn::default(),
            stated: Stated::default(),
            key: [0; 32],
            expires_at: at(exp),
            issued_at: at(iat),
            not_before: nbf.map(at),
        }
    }

    #[test]
    fn a_token_holds_between_its_times_with_a_leeway_of_seconds() {
        let token = verified(1000, Some(1000), 2000);
        let until = |now| token.until(Timestamp::from_second(now).unwrap());
        assert_eq!(until(989), Err(NoToken::NotYet));
        assert!(until(990).is_ok());
        assert!(until(2009).is_ok());
        assert_eq!(until(2010), Err(NoToken::Expired));
        let later = verified(1000, Some(1500), 2000);
        assert_eq!(
            later.until(Timestamp::from_second(1400).unwrap()),
            Err(NoToken::NotYet)
        );
        let from_the_future = verified(1500, None, 2000);
        assert_eq!(
            from_the_future.until(Timestamp::from_second(1400).unwrap()),
            Err(NoToken::NotYet)
        );
    }

    #[test]
    fn a_subject_is_a_person_unless_its_issuer_says_machine() {
        let claims = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let by_claim = Subjects::Claim {
            claim: "kind".to_owned(),
            machine: "machine".to_owned(),
        };
        assert_eq!(
            kind(&by_claim, &claims(r#"{"kind": "machine"}"#)),
            Some(PrincipalKind::Machine)
        );
        assert_eq!(
            kind(&by_claim, &claims(r#"{"kind": "human"}"#)),
            Some(PrincipalKind::Human)
        );
        assert_eq!(kind(&by_claim, &claims("{}")), None);
        assert_eq!(
            kind(&Subjects::Machines, &claims(r#"{"kind": "human"}"#)),
            Some(PrincipalKind::Machine)
        );
        assert_eq!(kind(&Subjects::People, &claims(r#"{"kind": "machine"}"#)), None);
    }
}
