//! Issuers' public keys. One that is configured and cannot be used stops the server, and is named; of those that are
//! published, what cannot be used is passed over: issuers also publish what is for others.

use crate::config::{Algorithm, IssuerConfig, KeySource, Unusable};
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Most keys of one issuer: a token that names none is tried with each.
const MAX_KEYS: usize = 64;

/// Tells keys apart, whatever they are called.
pub(crate) type Fingerprint = [u8; 32];

/// A public key and the one algorithm it is for.
pub(crate) struct VerificationKey {
    pub(crate) kid: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) key: DecodingKey,
}

/// Reads the keys of an issuer. `setting` is its place in the configuration.
pub(super) fn read(setting: &str, issuer: &IssuerConfig) -> Result<Vec<VerificationKey>, Unusable> {
    let setting = format!("{setting}.keys");
    let keys = match &issuer.keys {
        KeySource::Pem(keys) => from_pem(&setting, keys)?,
        KeySource::Jwks(text) => from_jwks(&setting, text)?,
        KeySource::JwksFile(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Unusable::new(&setting, format!("{} cannot be read: {e}", path.display())))?;
            from_jwks(&setting, &text)?
        }
        KeySource::JwksUrl(_) | KeySource::Discovery(_) => {
            return Err(Unusable::new(setting, "are fetched, not read"));
        }
    };
    let keys: Vec<_> = keys
        .into_iter()
        .filter(|key| issuer.algorithms.contains(&key.algorithm))
        .collect();
    if keys.is_empty() {
        return Err(Unusable::new(
            setting,
            "holds no public key for the issuer's algorithms",
        ));
    }
    for (i, key) in keys.iter().enumerate() {
        if key.kid.is_some() && keys[..i].iter().any(|other| other.kid == key.kid) {
            return Err(Unusable::new(setting, "has two keys with one `kid`"));
        }
    }
    Ok(keys)
}

fn from_pem(setting: &str, keys: &[crate::config::PemKey]) -> Result<Vec<VerificationKey>, Unusable> {
    keys.iter()
        .enumerate()
        .map(|(i, key)| {
            let wrong = |detail: &str| Unusable::new(format!("{setting}[{i}]"), detail);
            if key.pem.contains("PRIVATE KEY") {
                return Err(wrong("is a private key; give the public one"));
            }
            let pem = key.pem.as_bytes();
            let decoded = match key.algorithm {
                Algorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
                Algorithm::Es256 => DecodingKey::from_ec_pem(pem),
                Algorithm::EdDsa => DecodingKey::from_ed_pem(pem),
            };
            let decoded = decoded.map_err(|_| wrong("is not a public key in PEM for its algorithm"))?;
            Ok(VerificationKey {
                kid: key.kid.clone(),
                algorithm: key.algorithm,
                fingerprint: Sha256::digest(pem).into(),
                key: decoded,
            })
        })
        .collect()
}

fn from_jwks(setting: &str, text: &str) -> Result<Vec<VerificationKey>, Unusable> {
    let set: JwkSet = serde_json::from_str(text)
        .map_err(|e| Unusable::new(setting, format!("is not a JWKS document: {e}")))?;
    let mut keys = Vec::with_capacity(set.keys.len());
    for (i, jwk) in set.keys.iter().enumerate() {
        if matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_)) {
            let detail = "is a symmetric key: whoever can check tokens with it could forge them";
            return Err(Unusable::new(format!("{setting}.keys[{i}]"), detail));
        }
        // Documents also hold keys for encryption and for algorithms that are not accepted; those are no use here.
        let Some(algorithm) = algorithm(jwk) else { continue };
        let key = usable(jwk, algorithm)
            .ok_or_else(|| Unusable::new(format!("{setting}.keys[{i}]"), "is not a usable public key"))?;
        keys.push(key);
    }
    Ok(keys)
}

fn usable(jwk: &Jwk, algorithm: Algorithm) -> Option<VerificationKey> {
    let material = serde_json::to_vec(&jwk.algorithm).ok()?;
    Some(VerificationKey {
        kid: jwk.common.key_id.clone(),
        algorithm,
        fingerprint: Sha256::digest(&material).into(),
        key: DecodingKey::from_jwk(jwk).ok()?,
    })
}

/// A JWKS document, before its keys are looked at.
#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

/// The keys of a document that an issuer publishes which are for these algorithms.
///
/// # Errors
/// When it is no such document, or has too many keys.
pub(super) fn published(document: &[u8], algorithms: &[Algorithm]) -> Result<Vec<VerificationKey>, String> {
    let Published { keys } =
        serde_json::from_slice(document).map_err(|e| format!("is not a JWKS document: {e}"))?;
    if keys.len() > MAX_KEYS {
        return Err(format!(
            "has {} keys; {MAX_KEYS} are the most that are read",
            keys.len()
        ));
    }
    let keys = keys.into_iter().filter_map(|key| {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let algorithm = algorithm(&jwk).filter(|algorithm| algorithms.contains(algorithm))?;
        usable(&jwk, algorithm)
    });
    Ok(keys.collect())
}

/// The one algorithm that a key is for, if it is one of ours and for signatures.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let by_type = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::Rs256,
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::Es256,
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Algorithm::EdDsa,
        _ => return None,
    };
    match (jwk.common.key_algorithm, by_type) {
        (None, by_type) => Some(by_type),
        (Some(KeyAlgorithm::RS256), Algorithm::Rs256)
        | (Some(KeyAlgorithm::ES256), Algorithm::Es256)
        | (Some(KeyAlgorithm::EdDSA), Algorithm::EdDsa) => Some(by_type),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(keys: KeySource) -> IssuerConfig {
        IssuerConfig::new("https://id.example", "slipway", keys)
    }

    fn refused(keys: KeySource) -> Unusable {
        read("issuers[0]", &issuer(keys)).err().expect("refused")
    }

    #[test]
    fn a_symmetric_key_is_refused_and_named() {
        let jwks = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}"#;
        let refused = refused(KeySource::Jwks(jwks.to_owned()));
        assert_eq!(refused.key, "issuers[0].keys.keys[0]");
        assert!(refused.detail.contains("symmetric"));
    }

    #[test]
    fn an_issuer_without_a_usable_key_stops_the_server() {
        for jwks in [r#"{"keys": []}"#, "{}", "no json"] {
            assert_eq!(refused(KeySource::Jwks(jwks.to_owned())).key, "issuers[0].keys");
        }
        assert!(
            refused(KeySource::JwksFile("/nonexistent/jwks.json".into()))
                .detail
                .contains("cannot be read")
        );
        let pem = crate::config::PemKey {
            kid: None,
            algorithm: Algorithm::Es256,
            pem: "nonsense".to_owned(),
        };
        assert_eq!(refused(KeySource::Pem(vec![pem])).key, "issuers[0].keys[0]");
    }

    #[test]
    fn keys_for_encryption_and_for_other_algorithms_are_passed_over() {
        let jwks = r#"{"keys": [
            {"kty": "RSA", "n": "sXch", "e": "AQAB", "alg": "RS512", "kid": "a"},
            {"kty": "RSA", "n": "sXch", "e": "AQAB", "use": "enc", "kid": "b"},
            {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "c"}
        ]}"#;
        let keys = read("issuers[0]", &issuer(KeySource::Jwks(jwks.to_owned()))).unwrap();
        assert_eq!(
            keys.iter().map(|key| key.kid.as_deref()).collect::<Vec<_>>(),
            [Some("c")]
        );
        assert_eq!(keys[0].algorithm, Algorithm::EdDsa);
    }

    #[test]
    fn what_cannot_be_used_of_what_is_published_is_passed_over() {
        let jwks = br#"{"keys": [
            {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "a"},
            {"kty": "new", "kid": "b"}, 7, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "", "kid": "c"},
            {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "d"}
        ]}"#;
        let kids = |algorithms: &[Algorithm]| -> Vec<_> {
            let keys = published(jwks, algorithms).unwrap();
            keys.into_iter().filter_map(|key| key.kid).collect()
        };
        assert!(kids(&Algorithm::all()).contains(&"d".to_owned()));
        assert!(!kids(&Algorithm::all()).iter().any(|kid| kid == "a" || kid == "b"));
        assert!(kids(&[Algorithm::Rs256]).is_empty());
        for bad in ["", "{}", "[]", r#"{"keys": {}}"#, "<html>"] {
            assert!(published(bad.as_bytes(), &Algorithm::all()).is_err(), "{bad}");
        }
        let many = format!(r#"{{"keys": [{}]}}"#, vec!["1"; MAX_KEYS + 1].join(","));
        assert!(published(many.as_bytes(), &Algorithm::all()).is_err());
    }
}
