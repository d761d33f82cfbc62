//! The server's configuration: a TOML file, overlaid by the environment. A fault names its key.

use super::unquoted::without_values;
use anyhow::{Context as _, anyhow, bail};
use jiff::SignedDuration;
use serde::Deserialize;
use slipway_app::{Config, IssuerConfig, SecretKey};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Everything that an operator can set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Where the API listens.
    #[serde(default = "listen")]
    pub(super) listen: SocketAddr,
    #[serde(default)]
    pub(super) database: DatabaseSettings,
    #[serde(default)]
    pub(super) secrets: Secrets,
    /// Who may vouch for people and machines.
    #[serde(default)]
    pub(super) issuers: Vec<IssuerConfig>,
    #[serde(default)]
    pub(super) dev_issuer: Option<DevIssuer>,
    #[serde(default)]
    pub(super) bootstrap: Bootstrap,
    #[serde(default)]
    pub(super) executor: ExecutorSettings,
    /// Where `/metrics`, `/healthz` and `/readyz` are answered besides, for a process without the role `api`.
    #[serde(default)]
    pub(super) metrics_listen: Option<SocketAddr>,
    #[serde(default)]
    pub(super) telemetry: TelemetrySettings,
    #[serde(default)]
    pub(super) log: Log,
    /// Longest life of an API token, in hours.
    #[serde(default)]
    pub(super) token_lifetime_max_hours: Option<u32>,
    /// How long a drain may take after SIGTERM, in seconds.
    #[serde(default = "drain")]
    pub(super) drain_seconds: u64,
}

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

const fn drain() -> u64 {
    25
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DatabaseSettings {
    /// Connection URL; `DATABASE_URL` when absent.
    pub(super) url: String,
    /// Most connections of this process.
    pub(super) connections: u32,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            connections: 20,
        }
    }
}

impl std::fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL holds a password.
        f.debug_struct("DatabaseSettings")
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// Keys that encrypt clusters' credentials.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Secrets {
    /// 32 bytes, base64.
    key: Option<String>,
    /// A file with it, instead.
    key_file: Option<PathBuf>,
    /// Keys that were it before.
    older_keys: Vec<String>,
    /// Names of keys that are lost: what they encrypted is given again, and until then the server starts without it.
    pub(super) lost_keys: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(redacted)")
    }
}

/// The development issuer: tells Slipway that anybody is anybody. Loopback only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DevIssuer {
    /// Where it listens; a loopback address.
    pub(super) listen: SocketAddr,
    /// Where its key is kept; made when it is not there.
    pub(super) key_file: PathBuf,
}

/// Who may do something before anybody has granted anything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Bootstrap {
    /// Become admins while there is none.
    pub(super) admins: Vec<Subject>,
}

/// An issuer's subject.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subject {
    /// `iss`.
    pub(super) issuer: String,
    /// `sub`.
    pub(super) subject: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExecutorSettings {
    /// Targets acted on at once.
    pub(super) max_in_flight: usize,
    /// Length of a lease, in seconds.
    pub(super) lease_seconds: u32,
    /// Only clusters that carry all of these labels.
    pub(super) cluster_labels: BTreeMap<String, String>,
    /// How long to wait before a target is tried again that could not be worked on, in milliseconds; twice as long with
    /// every attempt. Eight attempts are made.
    pub(super) retry_first_ms: u64,
    /// How long to wait at most.
    pub(super) retry_longest_ms: u64,
    /// Everything that was applied is compared with what is there this often, in minutes: whatever watches missed is found.
    pub(super) drift_compare_minutes: u64,
}

impl Default for ExecutorSettings {
    fn default() -> Self {
        Self {
            max_in_flight: 64,
            lease_seconds: 15,
            cluster_labels: BTreeMap::new(),
            retry_first_ms: 1_000,
            retry_longest_ms: 60_000,
            drift_compare_minutes: 10,
        }
    }
}

/// Where traces go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TelemetrySettings {
    /// Base URL of an OTLP/HTTP collector, as `http://collector:4318`; `OTEL_EXPORTER_OTLP_ENDPOINT` when absent. Without
    /// either there are no traces.
    pub(super) otlp_endpoint: Option<String>,
    /// What this Slipway is called in traces; `OTEL_SERVICE_NAME` or `slipway` when absent.
    pub(super) service_name: Option<String>,
    /// The part of all traces that is kept, 0 to 1; a trace that a client began is kept as the client says.
    pub(super) sample_ratio: f64,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            service_name: None,
            sample_ratio: 1.0,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    /// `pretty` or `json`.
    pub(super) format: LogFormat,
    /// As `info`, or `slipway_executor=debug,info`.
    pub(super) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Pretty,
            // kube logs every failed connection by itself; the executor says what it means for whom.
            filter: "info,kube_client=off".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LogFormat {
    Pretty,
    Json,
}

/// Reads it.
pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Settings> {
    let mut builder = config::Config::builder();
    if let Some(file) = file {
        builder = builder.add_source(config::File::from(file).format(config::FileFormat::Toml));
    }
    let environment = config::Environment::with_prefix("SLIPWAY")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true);
    let raw = builder.add_source(environment).build().map_err(|error| {
        anyhow!(
            "the configuration cannot be read: {}",
            without_values(&error.to_string())
        )
    })?;
    let mut settings: Settings = raw.try_deserialize().map_err(|error| {
        anyhow!(
            "the configuration cannot be used: {}",
            without_values(&error.to_string())
        )
    })?;
    if settings.database.url.is_empty() {
        settings.database.url = std::env::var("DATABASE_URL").map_err(|_| {
            anyhow::anyhow!("the configuration cannot be used: database.url: give it, or DATABASE_URL")
        })?;
    }
    if let Some(issuer) = settings
        .dev_issuer
        .as_ref()
        .filter(|issuer| !issuer.listen.ip().is_loopback())
    {
        bail!(
            "the configuration cannot be used: dev_issuer.listen: {} is not a loopback address; the development issuer \
             makes anybody anybody, so it never listens elsewhere",
            issuer.listen
        );
    }
    if settings.dev_issuer.is_some() && !settings.listen.ip().is_loopback() {
        bail!(
            "the configuration cannot be used: listen: with a development issuer the API listens on loopback only, not on {}",
            settings.listen
        );
    }
    if settings.executor.lease_seconds < 5 || settings.executor.lease_seconds > 300 {
        bail!("the configuration cannot be used: executor.lease_seconds: is between 5 and 300");
    }
    let (first, longest) = (
        settings.executor.retry_first_ms,
        settings.executor.retry_longest_ms,
    );
    if !(1..=longest).contains(&first) || longest > 3_600_000 {
        bail!(
            "the configuration cannot be used: executor.retry_first_ms: is at least 1, and at most \
             executor.retry_longest_ms, which is at most an hour"
        );
    }
    if !(0.0..=1.0).contains(&settings.telemetry.sample_ratio) {
        bail!("the configuration cannot be used: telemetry.sample_ratio: is between 0 and 1");
    }
    if settings.executor.max_in_flight == 0 {
        bail!("the configuration cannot be used: executor.max_in_flight: is at least 1");
    }
    if !(1..=1440).contains(&settings.executor.drift_compare_minutes) {
        bail!("the configuration cannot be used: executor.drift_compare_minutes: is between 1 and 1440");
    }
    Ok(settings)
}

impl Settings {
    /// What the application is told.
    pub(super) fn app(&self, issuers: Vec<IssuerConfig>) -> anyhow::Result<Config> {
        let (setting, text) = match (&self.secrets.key, &self.secrets.key_file) {
            (Some(key), None) => ("secrets.key", key.clone()),
            (None, Some(file)) => {
                let text = fs::read_to_string(file).with_context(|| {
                    format!(
                        "the configuration cannot be used: secrets.key_file: {}",
                        file.display()
                    )
                })?;
                ("secrets.key_file", text.trim().to_owned())
            }
            _ => bail!(
                "the configuration cannot be used: secrets: give one of `key` and `key_file` (32 bytes, base64)"
            ),
        };
        let mut config = Config::new(issuers, SecretKey::parse(setting, &text)?);
        for (i, older) in self.secrets.older_keys.iter().enumerate() {
            config
                .older_secret_keys
                .push(SecretKey::parse(&format!("secrets.older_keys[{i}]"), older)?);
        }
        if let Some(hours) = self.token_lifetime_max_hours {
            config.token_lifetime_max = SignedDuration::from_hours(i64::from(hours));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuers(text: &str) -> Vec<IssuerConfig> {
        let file = config::File::from_str(text, config::FileFormat::Toml);
        let raw = config::Config::builder().add_source(file).build().unwrap();
        raw.get("issuers").unwrap()
    }

    fn check(issuers: Vec<IssuerConfig>) -> Result<(), slipway_app::Unusable> {
        let key = SecretKey::parse("key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        Config::new(issuers, key).check_issuers()
    }

    #[test]
    fn the_issuers_of_the_documentation_can_be_used() {
        let page = include_str!("../../../../docs/identity.md");
        let blocks = page
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        let blocks: Vec<_> = blocks.filter(|block| block.starts_with("[[issuers]]")).collect();
        assert!(blocks.len() >= 4, "{}", blocks.len());
        for block in blocks {
            let issuers = issuers(block);
            assert_eq!(issuers.len(), 1, "{block}");
            check(issuers).unwrap_or_else(|unusable| panic!("{unusable}: {block}"));
        }
    }

    #[test]
    fn claims_keep_their_names_and_every_fault_of_every_issuer_is_named() {
        let text = r#"
            [[issuers]]
            issuer = "https://ci.example"
            audience = ""
            keys = { discovery = {} }
            subjects = "machines"
            trust = [{ name = "a", claims = { "https://ci.example/Repo" = "x", Ref = { glob = "y*" } }, roles = [{ role = "boss" }] }]
            [[issuers]]
            issuer = "https://ci.example"
            audience = "slipway"
            keys = { jwks_url = "http://ci.example/keys" }
        "#;
        let issuers = issuers(text);
        let claims: Vec<_> = issuers[0].trust[0].claims.keys().collect();
        assert_eq!(claims, ["Ref", "https://ci.example/Repo"]);
        let said = check(issuers).unwrap_err().to_string();
        for fault in [
            "[0].audience: ",
            "[0].trust[0].roles[0].role: ",
            "[1].issuer: ",
            "[1].keys.jwks_url: ",
        ] {
            assert!(said.contains(&format!("issuers{fault}")), "{fault}: {said}");
        }
    }
}
