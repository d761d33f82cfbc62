//! What the application must be told before it starts. The binary reads files and environment and builds it.

use crate::SecretKey;
use jiff::SignedDuration;
use serde::Deserialize;
use slipway_domain::component::bundle::Limits;
use std::{fmt, path::PathBuf, str::FromStr};

/// The configuration.
#[derive(Debug)]
pub struct Config {
    /// Who may vouch for people and machines.
    pub issuers: Vec<IssuerConfig>,
    /// Encrypts the credentials of clusters.
    pub secret_key: SecretKey,
    /// Keys that were `secret_key` before: what they encrypted can still be read.
    pub older_secret_keys: Vec<SecretKey>,
    /// No API token lives longer.
    pub token_lifetime_max: SignedDuration,
    /// How much a bundle may be.
    pub limits: Limits,
    /// How much a rendering may be: several bundles.
    pub rendering_limits: Limits,
}

impl Config {
    /// With the defaults: API tokens for 90 days at most, bundles and renderings as the domain limits them.
    #[must_use]
    pub fn new(issuers: Vec<IssuerConfig>, secret_key: SecretKey) -> Self {
        Self {
            issuers,
            secret_key,
            older_secret_keys: Vec::new(),
            token_lifetime_max: SignedDuration::from_hours(24 * 90),
            limits: Limits::default(),
            rendering_limits: Limits::RENDERING,
        }
    }
}

/// Somebody who vouches for people and machines by signing tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// `iss` of its tokens, to the letter.
    pub issuer: String,
    /// `aud` that its tokens for this Slipway carry.
    pub audience: String,
    /// Algorithms that its tokens may be signed with.
    #[serde(default = "Algorithm::all")]
    pub algorithms: Vec<Algorithm>,
    /// Its public keys.
    pub keys: KeySource,
    /// Whether its subjects are people or machines.
    #[serde(default)]
    pub subjects: Subjects,
    /// The claim that says what people call a subject.
    #[serde(default)]
    pub name_claim: Option<String>,
}

/// A way to sign tokens. Symmetric ones are not among them: whoever can check could forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// RSA (PKCS #1 v1.5) with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Every algorithm.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![Self::Rs256, Self::Es256, Self::EdDsa]
    }

    pub(crate) const fn in_jwt(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            "EdDSA" => Ok(Self::EdDsa),
            other => Err(format!("`{other}` is not accepted; RS256, ES256 and EdDSA are")),
        }
    }
}

/// Where an issuer's public keys come from. Read once, at start.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// Public keys, each in PEM.
    Pem(Vec<PemKey>),
    /// A JWKS document (RFC 7517).
    Jwks(String),
    /// A file with a JWKS document.
    JwksFile(PathBuf),
}

/// A public key in PEM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PemKey {
    /// `kid` of tokens that were signed with it; tokens without one are tried with every key.
    #[serde(default)]
    pub kid: Option<String>,
    /// The one algorithm it is for.
    pub algorithm: Algorithm,
    /// The key.
    pub pem: String,
}

/// Whether an issuer's subjects are people or machines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subjects {
    /// People, but for those that a role binding declared to be machines.
    #[default]
    People,
    /// Machines: a continuous integration's issuer.
    Machines,
    /// As a claim says; people where it is absent, but for those that a role binding declared to be machines.
    Claim {
        /// The claim.
        claim: String,
        /// What it says of a machine; anything else is a person.
        machine: String,
    },
}

/// Why a configuration cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Which key of the configuration.
    pub key: String,
    /// What is wrong with it, free of secrets.
    pub detail: String,
}

impl Unusable {
    /// A key that cannot be used, and why.
    pub fn new(key: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the configuration cannot be used: {}: {}",
            self.key, self.detail
        )
    }
}

impl std::error::Error for Unusable {}
