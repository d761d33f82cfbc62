//! Tokens that nobody signed, or somebody else did.

use crate::claims::{refused, spoiled};
use crate::support::authenticate;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Serialize, ser::SerializeMap as _};
use serde_json::{Value, json};
use slipway_app::{App, Config, IssuerConfig, KeySource, PemKey, SecretKey};
use slipway_domain::identity::PrincipalKind;
use slipway_testkit::{AUDIENCE, Clusters, ISSUER, Issuer, TestApp, TestDb};
use std::sync::Arc;

/// The public key of the tests' issuer, as anybody may know it.
fn public_pem(app: &TestApp) -> String {
    match app.issuer.config().keys {
        KeySource::Pem(mut keys) => keys.remove(0).pem,
        other => panic!("{other:?}"),
    }
}

fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn attack_2_unsigned_tokens_are_refused() {
    let app = TestApp::start().await;
    let claims = Issuer::claims("ana", 3600);
    for algorithm in ["none", "None", "NONE", ""] {
        for signature in ["", "AAAA"] {
            let token = unsigned(&json!({"alg": algorithm, "typ": "JWT"}), &claims, signature);
            refused(&app.app, &token).await;
        }
    }
    refused(&app.app, &unsigned(&json!({"typ": "JWT"}), &claims, "")).await;
    let good = app.issuer.sign(&claims);
    let (message, _) = good.rsplit_once('.').unwrap();
    refused(&app.app, &format!("{message}.")).await;
    let (header, _) = message.split_once('.').unwrap();
    let admin = URL_SAFE_NO_PAD.encode(Issuer::claims("root", 3600).to_string());
    let signature = good.rsplit_once('.').unwrap().1;
    let detail = refused(&app.app, &format!("{header}.{admin}.{signature}")).await;
    assert!(detail.contains("signature"), "{detail}");
}

#[tokio::test]
async fn attack_2_the_public_key_is_no_shared_secret() {
    let app = TestApp::start().await;
    let pem = public_pem(&app);
    let claims = Issuer::claims("ana", 3600);
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        for secret in [pem.as_bytes(), pem.trim().as_bytes()] {
            let mut header = Header::new(algorithm);
            header.kid = Some("test-1".to_owned());
            let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
            let detail = refused(&app.app, &token).await;
            assert!(detail.contains("algorithm"), "{detail}");
        }
    }
}

/// An application with an RSA issuer beside an elliptic one.
async fn two_issuers() -> (TestDb, App, rcgen::KeyPair, Issuer) {
    let db = TestDb::create().await;
    let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let elliptic = Issuer::generate();
    let keys = KeySource::Pem(vec![PemKey {
        kid: Some("ci-1".to_owned()),
        algorithm: slipway_app::Algorithm::Rs256,
        pem: rsa.public_key_pem(),
    }]);
    let ci = IssuerConfig {
        algorithms: vec![slipway_app::Algorithm::Rs256],
        subjects: slipway_app::Subjects::Machines,
        ..IssuerConfig::new("https://ci.test", "slipway-ci", keys)
    };
    let key = SecretKey::parse("secret_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let config = Config::new(vec![elliptic.config(), ci], key);
    let app = App::new(db.database.clone(), config, Arc::new(Clusters::default())).unwrap();
    (db, app, rsa, elliptic)
}

fn rsa_token(rsa: &rcgen::KeyPair, algorithm: Algorithm, change: impl FnOnce(&mut Value)) -> String {
    let claims = spoiled(|claims| {
        claims["iss"] = json!("https://ci.test");
        claims["aud"] = json!("slipway-ci");
        change(claims);
    });
    let key = EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).unwrap()
}

/// Claims in which `exp` comes twice: long ago, and to come.
struct Twice(Value);

impl Serialize for Twice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("exp", &1)?;
        for (key, value) in self.0.as_object().expect("claims") {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[tokio::test]
async fn attack_2_a_claim_that_comes_twice_is_refused() {
    let (_db, app, rsa, _) = two_issuers().await;
    let claims = spoiled(|claims| {
        claims["iss"] = json!("https://ci.test");
        claims["aud"] = json!("slipway-ci");
    });
    let key = EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap();
    let once = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap();
    assert!(authenticate(&app, &once).await.is_ok());
    // Which of them counts must not be a matter of taste.
    let twice = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &Twice(claims), &key).unwrap();
    refused(&app, &twice).await;
}

#[tokio::test]
async fn attack_2_an_issuer_is_believed_with_its_own_keys_algorithm_and_audience_only() {
    let (_db, app, rsa, elliptic) = two_issuers().await;
    let robot = authenticate(&app, &rsa_token(&rsa, Algorithm::RS256, |_| {}))
        .await
        .unwrap();
    assert_eq!(robot.principal.kind, PrincipalKind::Machine);
    assert!(
        !robot.is_person_signed_in(),
        "a continuous integration is no person"
    );

    // HS256 with the RSA key's public half as the secret.
    let claims = spoiled(|claims| {
        claims["iss"] = json!("https://ci.test");
        claims["aud"] = json!("slipway-ci");
    });
    let secret = EncodingKey::from_secret(rsa.public_key_pem().as_bytes());
    let forged = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret).unwrap();
    assert!(refused(&app, &forged).await.contains("algorithm"));
    // The right key, with an algorithm that is not configured.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        assert!(
            refused(&app, &rsa_token(&rsa, algorithm, |_| {}))
                .await
                .contains("algorithm")
        );
    }
    // One issuer's key under another issuer's name.
    let detail = refused(
        &app,
        &rsa_token(&rsa, Algorithm::RS256, |claims| claims["iss"] = json!(ISSUER)),
    )
    .await;
    assert!(detail.contains("signature"), "{detail}");
    assert!(refused(&app, &elliptic.sign(&claims)).await.contains("algorithm"));
    // One issuer's audience in another's token.
    let detail = refused(
        &app,
        &rsa_token(&rsa, Algorithm::RS256, |claims| claims["aud"] = json!(AUDIENCE)),
    )
    .await;
    assert!(detail.contains("audience"), "{detail}");
    for issuer in [
        json!("https://ci.test/"),
        json!("HTTPS://CI.TEST"),
        json!("https://other.test"),
        json!(""),
        json!(["https://ci.test"]),
    ] {
        refused(
            &app,
            &rsa_token(&rsa, Algorithm::RS256, |claims| claims["iss"] = issuer),
        )
        .await;
    }
}

#[tokio::test]
async fn attack_2_keys_that_a_token_brings_itself_are_not_looked_at() {
    let app = TestApp::start().await;
    let attacker = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EncodingKey::from_ec_pem(attacker.serialize_pem().as_bytes()).unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.jwk = Some(jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap());
    header.jku = Some("https://evil.test/jwks.json".to_owned());
    header.kid = Some("test-1".to_owned());
    let token = jsonwebtoken::encode(&header, &Issuer::claims("root", 3600), &key).unwrap();
    assert!(refused(&app.app, &token).await.contains("signature"));
}

#[tokio::test]
async fn an_issuers_keys_may_come_in_a_jwks_file_and_are_told_apart_by_their_id() {
    let db = TestDb::create().await;
    let own = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EncodingKey::from_ec_pem(own.serialize_pem().as_bytes()).unwrap();
    let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some("one".to_owned());
    let file = std::env::temp_dir().join(format!(
        "slipway-jwks-{}.json",
        slipway_domain::ids::TokenId::new()
    ));
    std::fs::write(&file, json!({"keys": [jwk]}).to_string()).unwrap();
    let issuer = IssuerConfig {
        keys: KeySource::JwksFile(file.clone()),
        ..Issuer::generate().config()
    };
    let secret_key = SecretKey::parse("secret_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let config = Config::new(vec![issuer], secret_key);
    let app = App::new(db.database.clone(), config, Arc::new(Clusters::default())).unwrap();
    std::fs::remove_file(&file).unwrap();
    let sign = |kid: Option<&str>| {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, &spoiled(|_| {}), &key).unwrap()
    };
    assert!(authenticate(&app, &sign(Some("one"))).await.is_ok());
    assert!(
        authenticate(&app, &sign(None)).await.is_ok(),
        "a token need not say which key"
    );
    assert!(refused(&app, &sign(Some("two"))).await.contains("signature"));
}
