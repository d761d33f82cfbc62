//! The claims of a signed token, read: of the types that they must have, and none of them twice.

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use slipway_domain::approval::sign_in::MAX_METHOD;
use std::fmt;

/// The claims that are required, with their types; a claim that comes twice is refused.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    pub(super) aud: Audience,
    pub(super) exp: NumericDate,
    pub(super) iat: NumericDate,
    #[serde(default)]
    pub(super) nbf: Option<NumericDate>,
    /// When they signed in (`OpenID` Connect Core 1.0, section 2), which approving may ask for.
    #[serde(default)]
    pub(super) auth_time: Option<NumericDate>,
    /// How (RFC 8176).
    #[serde(default)]
    pub(super) amr: Option<Methods>,
    #[serde(flatten)]
    pub(super) others: Others,
}

/// The claims that are no business of the standard, but roles may come of them.
pub(super) struct Others(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

/// Reads each claim, and refuses one that comes twice: which of them counts must not be a matter of taste.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Others;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<Others, A::Error> {
        let mut others = Map::new();
        while let Some((name, value)) = claims.next_entry::<String, Value>()? {
            if others.insert(name, value).is_some() {
                return Err(A::Error::custom("a claim comes twice"));
            }
        }
        Ok(Others(others))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

/// How somebody signed in. Some issuers send a single text, and what is neither says nothing.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Methods {
    Several(Vec<String>),
    One(String),
    Neither(serde::de::IgnoredAny),
}

/// Most methods that are kept of a token, and most characters of each: no requirement asks for more.
const MAX_METHODS: usize = 32;

impl Methods {
    pub(super) fn kept(self) -> Vec<String> {
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
    pub(super) fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Several(several) => several.iter().any(|one| one == wanted),
        }
    }
}

/// Seconds since 1970 as a JSON number; a text is none.
#[derive(Deserialize)]
#[serde(try_from = "serde_json::Number")]
pub(super) struct NumericDate(pub(super) Timestamp);

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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn no_claim_comes_twice_whatever_it_is_called() {
        let read = |more: &str| {
            let text = format!(r#"{{"iss": "i", "sub": "s", "aud": "a", "exp": 2, "iat": 1{more}}}"#);
            serde_json::from_str::<Claims>(&text)
        };
        let others = read(r#", "repository": "shop/web", "groups": ["a"]"#)
            .unwrap()
            .others
            .0;
        assert_eq!(others.keys().collect::<Vec<_>>(), ["groups", "repository"]);
        assert!(read(r#", "repository": "shop/web", "repository": "evil/web""#).is_err());
        assert!(read(r#", "sub": "t""#).is_err());
    }
}
