//! Logs, metrics and traces: where they go. What there is to say is said where it happens.

mod logs;
mod metrics;
mod traces;

pub(super) use metrics::Metrics;
pub(super) use traces::Traces;

use super::config::Settings;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts logs and, when a collector is configured, traces. `holder` is this process's name.
pub(super) fn start(settings: &Settings, holder: &str) -> anyhow::Result<Option<Traces>> {
    let traces = traces::start(&settings.telemetry, holder)?;
    let (traces, layer) = traces.unzip();
    tracing_subscriber::registry()
        .with(layer)
        .with(logs::layer(&settings.log))
        .with(logs::Heard::new(&settings.log, traces.is_some())?)
        .try_init()
        .map_err(|e| anyhow::anyhow!("cannot start logging: {e}"))?;
    if let Some(traces) = &traces {
        tracing::info!(endpoint = traces.endpoint(), "traces are exported");
    }
    Ok(traces)
}
