//! What the application must be told before it starts. The binary reads files and environment and builds it.

use crate::SecretKey;
use jiff::SignedDuration;
use serde::Deserialize;
use slipway_domain::component::bundle::Limits;
use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

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

    /// Whether the issuers can be used, without putting anything together.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn check_issuers(&self) -> Result<(), Unusable> {
        crate::identity::issuers::check(self)
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
    /// Roles that its tokens bring by what their claims say.
    #[serde(default)]
    pub roles: Vec<ClaimRole>,
    /// Which of its machines are trusted; all, without any rights of their own, when there is none.
    #[serde(default)]
    pub trust: Vec<Trust>,
    /// How its keys are fetched, where they are.
    #[serde(default)]
    pub fetch: Fetch,
}

impl IssuerConfig {
    /// With the defaults: every algorithm, people, no name, no roles.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, keys: KeySource) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            algorithms: Algorithm::all(),
            keys,
            subjects: Subjects::People,
            name_claim: None,
            roles: Vec::new(),
            trust: Vec::new(),
            fetch: Fetch::default(),
        }
    }
}

/// A role for whoever has a value in a claim, for as long as the token says so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRole {
    /// Where the claim is: a name, `realm_access.roles`, or a JSON pointer. It is a text or a list of texts.
    pub claim: String,
    /// What it says, to the letter.
    pub value: String,
    /// The role.
    pub role: String,
    /// Only on what this team owns.
    #[serde(default)]
    pub team: Option<String>,
    /// Only in this environment.
    #[serde(default)]
    pub environment: Option<String>,
}

/// Which tokens of an issuer of machines are trusted, and with what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// How the record calls it.
    pub name: String,
    /// What the token must say, all of it; each claim is a text.
    pub claims: BTreeMap<String, ClaimValue>,
    /// What that gives.
    pub roles: Vec<TrustRole>,
}

/// What a claim must say.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum ClaimValue {
    /// This, to the letter.
    Exactly(String),
    /// A text that begins as this glob says, which ends in its one `*`.
    Glob {
        /// As `refs/tags/v*`.
        glob: String,
    },
}

/// A role that a trust rule gives.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRole {
    /// The role; never one that approves.
    pub role: String,
    /// Only on what this team owns.
    #[serde(default)]
    pub team: Option<String>,
    /// Only in this environment.
    #[serde(default)]
    pub environment: Option<String>,
}

/// How an issuer's keys are fetched, for [`KeySource::Discovery`] and [`KeySource::JwksUrl`].
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fetch {
    /// How often, in seconds: a key that the issuer has removed is accepted no longer than this.
    pub refresh_seconds: u32,
    /// How long keys are good while the issuer cannot be reached, in seconds.
    pub max_age_seconds: u32,
    /// Whether `http` to this machine will do; development only.
    pub loopback_http: bool,
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            refresh_seconds: 300,
            max_age_seconds: 24 * 3600,
            loopback_http: false,
        }
    }
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

/// Where an issuer's public keys come from. What is given or a file is read once, at start; the others are fetched again
/// and again, and a server starts without them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// Public keys, each in PEM.
    Pem(Vec<PemKey>),
    /// A JWKS document (RFC 7517).
    Jwks(String),
    /// A file with a JWKS document.
    JwksFile(PathBuf),
    /// Where a JWKS document is published.
    JwksUrl(String),
    /// What the issuer says of itself (`OpenID` Connect Discovery 1.0): its document names where the keys are.
    Discovery(Discovery),
}

/// Where an issuer says what there is to know of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Discovery {
    /// What `/.well-known/openid-configuration` is below, when that is not the issuer itself. The document must name the
    /// issuer all the same.
    pub at: Option<String>,
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
    /// What else cannot be used.
    pub others: Vec<Self>,
}

impl Unusable {
    /// A key that cannot be used, and why.
    pub fn new(key: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            detail: detail.into(),
            others: Vec::new(),
        }
    }

    /// All of these, so that whoever configures sees everything at once.
    pub(crate) fn all(faults: Vec<Self>) -> Result<(), Self> {
        let mut faults = faults.into_iter();
        let Some(first) = faults.next() else { return Ok(()) };
        Err(Self {
            others: faults.collect(),
            ..first
        })
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the configuration cannot be used: {}: {}",
            self.key, self.detail
        )?;
        self.others
            .iter()
            .try_for_each(|other| write!(f, "; {}: {}", other.key, other.detail))
    }
}

impl std::error::Error for Unusable {}
