//! Signed tokens (RFC 7519), checked as RFC 8725 recommends.
//!
//! The token says which issuer to ask; everything else comes from the configuration: which keys, which algorithms,
//! which audience. Whether it holds at this moment is asked separately, with the database's time.

use super::keys::{self, VerificationKey};
use crate::config::{Algorithm, Config, IssuerConfig, Subjects, Unusable};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Header, Validation, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};
use slipway_domain::{
    approval::{SignedIn, sign_in::MAX_METHOD},
    identity::PrincipalKind,
};

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
}

/// An issuer whose keys have been read.
pub(super) struct Issuer {
    pub(super) config: IssuerConfig,
    keys: Vec<VerificationKey>,
}

impl Issuer {
    /// Reads the keys of every configured issuer.
    pub(super) fn all(config: &Config) -> Result<Vec<Self>, Unusable> {
        let mut issuers: Vec<Self> = Vec::with_capacity(config.issuers.len());
        for (i, issuer) in config.issuers.iter().enumerate() {
            let setting = format!("issuers[{i}]");
            for (field, text) in [("issuer", &issuer.issuer), ("audience", &issuer.audience)] {
                if text.is_empty() {
                    return Err(Unusable::new(format!("{setting}.{field}"), "is missing"));
                }
            }
            if issuers.iter().any(|other| other.config.issuer == issuer.issuer) {
                return Err(Unusable::new(format!("{setting}.issuer"), "is configured twice"));
            }
            if issuer.algorithms.is_empty() {
                return Err(Unusable::new(format!("{setting}.algorithms"), "is empty"));
            }
            issuers.push(Self {
                keys: keys::read(&setting, issuer)?,
                config: issuer.clone(),
            });
        }
        Ok(issuers)
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

/// The claims that are required, with their types; a claim that comes twice is refused.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: NumericDate,
    iat: NumericDate,
    #[serde(default)]
    nbf: Option<NumericDate>,
    /// When they signed in (`OpenID` Connect Core 1.0, section 2), which approving may ask for.
    #[serde(default)]
    auth_time: Option<NumericDate>,
    /// How (RFC 8176).
    #[serde(default)]
    amr: Option<Methods>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// How somebody signed in. Some issuers send a single text, and what is neither says nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Methods {
    Several(Vec<String>),
    One(String),
    Neither(serde::de::IgnoredAny),
}

/// Most methods that are kept of a token, and most characters of each: no requirement asks for more.
const MAX_METHODS: usize = 32;

impl Methods {
    fn kept(self) -> Vec<String> {
        let all = match self {
            Self::Several(all) => all,
            Self::One(one) => vec![one],
            Self::Neither(_) => Vec::new(),
        };
        let sane = all.into_iter().filter(|method| method.len() <= MAX_METHOD);
        sane.take(MAX_METHODS).collect()
    }
}

impl Audience {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Several(several) => several.iter().any(|one| one == wanted),
        }
    }
}

/// Seconds since 1970 as a JSON number; a text is none.
#[derive(Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct NumericDate(Timestamp);

impl TryFrom<serde_json::Number> for NumericDate {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> Result<Self, &'static str> {
        let wrong = "not a time";
        let millis = if let Some(seconds) = number.as_i64() {
            seconds.checked_mul(1000)
        } else {
            let millis = number
                .as_f64()
                .map(|seconds| seconds * 1000.0)
                .filter(|ms| ms.abs() < 1e15);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "bounded above; less than a millisecond is not needed"
            )]
            millis.map(|ms| ms as i64)
        };
        let millis = millis.ok_or(wrong)?;
        Timestamp::from_millisecond(millis).map(Self).map_err(|_| wrong)
    }
}

/// The issuer alone, before anything is verified: it only chooses whose keys to use.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
}

/// Checks everything that needs no time.
pub(super) fn verify(issuers: &[Issuer], token: &str) -> Result<Verified, NoToken> {
    if token.len() > MAX_BYTES {
        return Err(NoToken::TooLarge);
    }
    if token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(NoToken::Malformed);
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
    let claims = signed(issuer, algorithm, &header, token)?;
    if claims.iss != issuer.config.issuer {
        return Err(NoToken::UnknownIssuer);
    }
    if !claims.aud.contains(&issuer.config.audience) {
        return Err(NoToken::Audience);
    }
    let subject = claims.sub;
    if subject.trim().is_empty()
        || subject.chars().count() > MAX_SUBJECT
        || subject.chars().any(char::is_control)
    {
        return Err(NoToken::Claims);
    }
    Ok(Verified {
        kind: kind(&issuer.config.subjects, &claims.others),
        name: name(issuer.config.name_claim.as_deref(), &claims.others),
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
fn signed(issuer: &Issuer, algorithm: Algorithm, header: &Header, token: &str) -> Result<Claims, NoToken> {
    let mut validation = Validation::new(algorithm.in_jwt());
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[&issuer.config.issuer]);
    validation.set_audience(&[&issuer.config.audience]);
    // Times are compared with the database's clock, by `Verified::until`.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let candidates = issuer.keys.iter().filter(|key| {
        key.algorithm == algorithm && (header.kid.is_none() || key.kid.is_none() || key.kid == header.kid)
    });
    let mut refused = NoToken::Signature;
    for candidate in candidates {
        match jsonwebtoken::decode::<Claims>(token, &candidate.key, &validation) {
            Ok(verified) => return Ok(verified.claims),
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
    Err(refused)
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
    fn only_a_number_is_a_time() {
        assert!(serde_json::from_str::<NumericDate>("1700000000").is_ok());
        assert!(serde_json::from_str::<NumericDate>("1700000000.5").is_ok());
        for bad in [
            "\"1700000000\"",
            "null",
            "true",
            "[]",
            "1e300",
            "99999999999999999",
            "-1e40",
        ] {
            assert!(serde_json::from_str::<NumericDate>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn how_somebody_signed_in_is_what_the_token_says_and_nothing_else() {
        let claims = |more: &str| {
            let text = format!(r#"{{"iss": "i", "sub": "s", "aud": "a", "exp": 2, "iat": 1{more}}}"#);
            serde_json::from_str::<Claims>(&text)
        };
        let methods = |more: &str| claims(more).unwrap().amr.map(Methods::kept).unwrap_or_default();
        assert_eq!(methods(r#", "amr": ["pwd", "hwk"]"#), ["pwd", "hwk"]);
        assert_eq!(methods(r#", "amr": "mfa""#), ["mfa"]);
        for nothing in [
            "",
            r#", "amr": null"#,
            r#", "amr": {"hwk": true}"#,
            r#", "amr": [1]"#,
        ] {
            assert!(methods(nothing).is_empty(), "{nothing}");
        }
        let at = |more: &str| claims(more).map(|claims| claims.auth_time.map(|date| date.0));
        assert_eq!(
            at(r#", "auth_time": 7"#).unwrap(),
            Some(Timestamp::from_second(7).unwrap())
        );
        assert_eq!(at("").unwrap(), None);
        assert!(at(r#", "auth_time": "7""#).is_err());
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
