//! Limits and hooks of the API, from the server's configuration.

use std::{fmt, sync::Arc, time::Duration};

/// Writes the metrics of the process as Prometheus text.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What an operator can set about the API.
#[derive(Clone)]
pub struct ApiConfig {
    /// Largest body in bytes, but for component versions.
    pub body_bytes: usize,
    /// Largest body of a component version in bytes: 4 MiB of manifests, escaped as JSON, and some.
    pub version_body_bytes: usize,
    /// How long a request may take, event streams excepted.
    pub request_timeout: Duration,
    /// How many requests may be under way at once; more are shed with 503.
    pub max_in_flight: usize,
    /// How many event streams may be open at once; more are shed with 503.
    pub max_streams: usize,
    /// How often an open event stream checks that its token still holds.
    pub stream_recheck: Duration,
    /// How often a quiet event stream sends a comment, so that proxies keep it open.
    pub stream_keep_alive: Duration,
    /// Writes `/metrics`; without it there is no such path.
    pub metrics: Option<RenderMetrics>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            body_bytes: 256 * 1024,
            version_body_bytes: 12 * 1024 * 1024 + 256 * 1024,
            request_timeout: Duration::from_secs(30),
            max_in_flight: 512,
            max_streams: 5_000,
            stream_recheck: Duration::from_secs(5),
            stream_keep_alive: Duration::from_secs(15),
            metrics: None,
        }
    }
}

impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConfig")
            .field("body_bytes", &self.body_bytes)
            .field("version_body_bytes", &self.version_body_bytes)
            .field("request_timeout", &self.request_timeout)
            .field("max_in_flight", &self.max_in_flight)
            .field("max_streams", &self.max_streams)
            .field("stream_recheck", &self.stream_recheck)
            .field("stream_keep_alive", &self.stream_keep_alive)
            .field("metrics", &self.metrics.is_some())
            .finish()
    }
}
