//! The development issuer: signs tokens for whoever asks, so that the whole product can be tried with real tokens and no
//! identity provider. It listens on loopback only and says so; nothing of it runs unless it is configured.

use super::config::DevIssuer;
use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use slipway_app::{IssuerConfig, KeySource, config::Algorithm as Accepted};
use slipway_domain::clock::process_now;
use std::{fs, net::SocketAddr, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc};

/// `iss` of its tokens: the same wherever it listens, so that people stay the same.
const ISSUER: &str = "slipway-development";
/// `aud` of its tokens.
const AUDIENCE: &str = "slipway";
/// Longest life of a token, in seconds.
const LONGEST: i64 = 7 * 24 * 3600;

/// The issuer's key and address.
pub(super) struct Issuer {
    key: EncodingKey,
    jwks: serde_json::Value,
    listen: SocketAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    subject: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    expires_in_seconds: Option<i64>,
    /// How they signed in (`amr`), as far as anybody signs in here.
    #[serde(default)]
    methods: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct TokenAnswer {
    token: String,
    expires_in_seconds: i64,
}

impl Issuer {
    /// Reads its key, or makes it.
    pub(super) fn open(settings: &DevIssuer) -> anyhow::Result<Self> {
        let pem = if settings.key_file.exists() {
            fs::read_to_string(&settings.key_file)
                .with_context(|| format!("dev_issuer.key_file: {}", settings.key_file.display()))?
        } else {
            make_key(&settings.key_file)?
        };
        let pair = rcgen::KeyPair::from_pem(&pem).context("dev_issuer.key_file holds no key")?;
        let point = pair.public_key_raw();
        anyhow::ensure!(point.len() == 65, "dev_issuer.key_file holds no P-256 key");
        let jwks = json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "dev",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        }]});
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).context("dev_issuer.key_file holds no key")?;
        Ok(Self {
            key,
            jwks,
            listen: settings.listen,
        })
    }

    /// What the application is told of it.
    pub(super) fn as_config(&self) -> IssuerConfig {
        IssuerConfig {
            algorithms: vec![Accepted::Es256],
            name_claim: Some("name".to_owned()),
            ..IssuerConfig::new(ISSUER, AUDIENCE, KeySource::Jwks(self.jwks.to_string()))
        }
    }

    fn sign(&self, request: &TokenRequest) -> anyhow::Result<TokenAnswer> {
        let seconds = request.expires_in_seconds.unwrap_or(24 * 3600).clamp(1, LONGEST);
        let now = process_now().as_second();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": request.subject, "iat": now, "nbf": now, "exp": now + seconds,
            "auth_time": now, "amr": request.methods,
            "name": request.name.as_deref().unwrap_or(&request.subject),
        });
        let header = Header {
            kid: Some("dev".to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let token = jsonwebtoken::encode(&header, &claims, &self.key)?;
        Ok(TokenAnswer {
            token,
            expires_in_seconds: seconds,
        })
    }

    /// Serves until told to stop.
    pub(super) async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("dev_issuer.listen: cannot listen on {}", self.listen))?;
        tracing::warn!(
            listen = %self.listen,
            "DEVELOPMENT ISSUER: anybody on this machine can become anybody here; loopback only, never for production"
        );
        let router = Router::new()
            .route("/token", post(token))
            .route("/.well-known/jwks.json", get(jwks))
            .route("/.well-known/openid-configuration", get(discovery))
            .with_state(Arc::new(self));
        axum::serve(listener, router)
            .with_graceful_shutdown(stop)
            .await
            .context("the development issuer failed")
    }
}

fn make_key(path: &Path) -> anyhow::Result<String> {
    use std::io::Write as _;
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?.serialize_pem();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("dev_issuer.key_file: cannot write {}", path.display()))?;
    file.write_all(pem.as_bytes())?;
    Ok(pem)
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Json<serde_json::Value> {
    Json(issuer.jwks.clone())
}

/// What it says of itself, for whoever tries how issuers are discovered.
async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<serde_json::Value> {
    Json(json!({
        "issuer": ISSUER,
        "jwks_uri": format!("http://{}/.well-known/jwks.json", issuer.listen),
        "id_token_signing_alg_values_supported": ["ES256"],
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
    }))
}

async fn token(State(issuer): State<Arc<Issuer>>, Json(request): Json<TokenRequest>) -> Response {
    if request.subject.trim().is_empty() {
        return (StatusCode::UNPROCESSABLE_ENTITY, "a subject is needed").into_response();
    }
    match issuer.sign(&request) {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot sign a token");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Arguments of `slipway dev-token`.
#[derive(Debug, Args)]
pub(crate) struct DevTokenArgs {
    /// Whose token
    subject: String,
    /// What people call them
    #[arg(long)]
    name: Option<String>,
    /// Where the development issuer listens
    #[arg(long, env = "SLIPWAY_DEV_ISSUER", value_name = "URL")]
    issuer: String,
    /// How they are said to have signed in, as `hwk` (RFC 8176); may be repeated
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// How long it is valid, in hours
    #[arg(long, default_value_t = 24)]
    hours: i64,
}

/// Gets a token from a development issuer, and prints it.
pub(crate) async fn dev_token(args: DevTokenArgs) -> anyhow::Result<()> {
    let url = format!("{}/token", args.issuer.trim_end_matches('/'));
    let body = json!({ "subject": args.subject, "name": args.name, "expires_in_seconds": args.hours * 3600, "methods": args.methods });
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client
        .post(&url)
        .json(&body)
        .send()
        .await
        .with_context(|| format!("no development issuer at {url}"))?;
    anyhow::ensure!(
        answer.status().is_success(),
        "the development issuer refused: {}",
        answer.status()
    );
    let answer: TokenAnswer = answer.json().await?;
    println!("{}", answer.token);
    Ok(())
}
