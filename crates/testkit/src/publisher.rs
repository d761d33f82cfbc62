//! An issuer that publishes its keys over HTTP on this machine, as issuers do: keys come and go, and it can be away.

use crate::AUDIENCE;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use slipway_app::IssuerConfig;
use slipway_domain::clock;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Publishes keys, and signs with them.
#[derive(Clone)]
pub struct Publisher {
    address: SocketAddr,
    state: Arc<Mutex<Published>>,
}

#[derive(Default)]
struct Published {
    issuer: String,
    base: String,
    /// By key id: all that it has, and which of them it publishes.
    keys: BTreeMap<String, (KeyPair, bool)>,
    away: bool,
    asked: usize,
}

fn lock(state: &Mutex<Published>) -> MutexGuard<'_, Published> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Publisher {
    /// Begins to publish, with one key, `one`.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(Published {
            issuer: format!("http://{address}"),
            base: format!("http://{address}"),
            ..Published::default()
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let publisher = Self { address, state };
        publisher.add("one");
        publisher
    }

    /// Its `iss`, which is where its document is, too.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// As the server is told of it: discovered; refreshed so rarely that only what a test does counts, unless it says more.
    ///
    /// # Panics
    /// When `more` is no configuration.
    #[must_use]
    pub fn config(&self, more: &Value) -> IssuerConfig {
        let mut all = json!({
            "issuer": self.issuer(), "audience": AUDIENCE, "keys": {"discovery": {}},
            "fetch": {"refresh_seconds": 3600, "loopback_http": true},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        serde_json::from_value(all).expect("a configuration")
    }

    /// Publishes another key.
    ///
    /// # Panics
    /// When none can be made.
    pub fn add(&self, kid: &str) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        lock(&self.state).keys.insert(kid.to_owned(), (key, true));
    }

    /// Publishes a key no more; it can still sign, as whoever stole it can.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn remove(&self, kid: &str) {
        lock(&self.state).keys.get_mut(kid).expect("a key").1 = false;
    }

    /// Answers nobody, or again.
    pub fn be_away(&self, away: bool) {
        lock(&self.state).away = away;
    }

    /// Says in its document that it is another.
    pub fn pretend(&self, issuer: &str) {
        issuer.clone_into(&mut lock(&self.state).issuer);
    }

    /// How often its keys were asked for.
    #[must_use]
    pub fn asked(&self) -> usize {
        lock(&self.state).asked
    }

    /// The claims of a good token.
    #[must_use]
    pub fn claims(&self, subject: &str, more: &Value) -> Value {
        let now = clock::process_now().as_second();
        let mut claims = json!({
            "iss": self.issuer(), "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3600,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            claims[key] = value.clone();
        }
        claims
    }

    /// A token, signed with this key, with more claims.
    ///
    /// # Panics
    /// When there is no such key.
    #[must_use]
    pub fn token(&self, kid: &str, subject: &str, more: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(kid.to_owned());
        let pem = lock(&self.state).keys[kid].0.serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).expect("a signing key");
        jsonwebtoken::encode(&header, &self.claims(subject, more), &key).expect("a token")
    }
}

async fn document(State(state): State<Arc<Mutex<Published>>>) -> Response {
    let state = lock(&state);
    if state.away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let document = json!({"issuer": state.issuer, "jwks_uri": format!("{}/keys", state.base)});
    Json(document).into_response()
}

async fn keys(State(state): State<Arc<Mutex<Published>>>) -> Response {
    let mut state = lock(&state);
    state.asked += 1;
    if state.away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let published = state.keys.iter().filter(|(_, (_, published))| *published);
    let keys: Vec<Value> = published
        .map(|(kid, (key, _))| {
            let point = key.public_key_raw();
            json!({
                "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
            })
        })
        .collect();
    Json(json!({"keys": keys})).into_response()
}
