//! Traces, to an OpenTelemetry collector over OTLP/HTTP, when one is configured. Without one, nothing of this runs.
//!
//! Spans are sent by a thread of their own; when the collector is away they are lost, and a line in the log says so now
//! and then. Nothing ever waits for the collector but the end of the process, and that for a few seconds at most.

use super::logs;
use crate::server::config::TelemetrySettings;
use anyhow::{Context as _, bail};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData,
        SpanExporter, SpanProcessor,
    },
};
use slipway_telemetry::{catalogue, trace::IDLE};
use std::{
    env,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

/// How long a batch may take to be sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often at most the log says that the collector does not take spans.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// What sends spans.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    endpoint: String,
}

/// What makes spans of what the code says it does.
pub(super) type Layer<S> = OpenTelemetryLayer<S, SdkTracer>;

/// Where spans go: the setting, or what the standard's environment says; none when neither does.
fn endpoint(settings: &TelemetrySettings) -> anyhow::Result<Option<Url>> {
    let given = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let (from, text, whole) = if let Some(text) = &settings.otlp_endpoint {
        ("telemetry.otlp_endpoint", text.clone(), false)
    } else if let Some(text) = given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", text, true)
    } else if let Some(text) = given("OTEL_EXPORTER_OTLP_ENDPOINT") {
        ("OTEL_EXPORTER_OTLP_ENDPOINT", text, false)
    } else {
        return Ok(None);
    };
    let off = given("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if off {
        return Ok(None);
    }
    parse(&text, whole)
        .with_context(|| format!("the configuration cannot be used: {from}"))
        .map(Some)
}

/// A collector's URL; `/v1/traces` is added unless it is whole.
fn parse(text: &str, whole: bool) -> anyhow::Result<Url> {
    let mut url = Url::parse(text).context("is no URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        bail!("is an http or https URL: traces are sent over OTLP/HTTP");
    }
    if !url.username().is_empty() || url.password().is_some() {
        // It would stand in logs.
        bail!("carries no credentials: give them in OTEL_EXPORTER_OTLP_HEADERS");
    }
    if !whole {
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

/// Starts sending, when a collector is configured.
pub(super) fn start<S>(
    settings: &TelemetrySettings,
    holder: &str,
) -> anyhow::Result<Option<(Traces, Layer<S>)>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(endpoint) = endpoint(settings)? else {
        return Ok(None);
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint.as_str())
        .with_timeout(PATIENCE)
        .build()
        .context("cannot set up the export of traces")?;
    let batch = BatchConfigBuilder::default()
        .with_scheduled_delay(Duration::from_secs(1))
        .build();
    let processor = BatchSpanProcessor::builder(Collector::new(exporter))
        .with_batch_config(batch)
        .build();
    let service = settings
        .service_name
        .clone()
        .or_else(|| env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "slipway".to_owned());
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", holder.to_owned()),
        ])
        .build();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            settings.sample_ratio,
        ))))
        .with_resource(resource)
        // What is said on the way is in the log; a span says what was done, and how long it took.
        .with_max_events_per_span(0)
        .with_span_processor(News(processor))
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_location(false)
        .with_threads(false)
        .with_target(true)
        .with_tracked_inactivity(false)
        .with_tracer(provider.tracer("slipway"));
    let endpoint = endpoint.to_string();
    Ok(Some((Traces { provider, endpoint }, layer)))
}

impl Traces {
    /// Where they go.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends what is left, for as long as this at most.
    pub(crate) async fn end(self, most: Duration) {
        let flushed = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(most));
        if !matches!(tokio::time::timeout(most, flushed).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last spans could not be sent");
        }
    }
}

/// Leaves out the spans in which nothing happened, and those of others' code.
#[derive(Debug)]
struct News<P>(P);

impl<P: SpanProcessor> SpanProcessor for News<P> {
    fn on_start(&self, span: &mut Span, context: &opentelemetry::Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let has = |key: &str, is_so: &dyn Fn(&str) -> bool| {
            let mut all = span.attributes.iter();
            all.any(|attribute| attribute.key.as_str() == key && is_so(&attribute.value.as_str()))
        };
        if has("target", &logs::is_ours) && !has(IDLE, &|_| true) {
            self.0.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Says now and then that the collector does not take what it is sent.
#[derive(Debug)]
struct Collector<E> {
    exporter: E,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    last: Option<Instant>,
    lost: usize,
}

impl<E> Collector<E> {
    fn new(exporter: E) -> Self {
        Self {
            exporter,
            said: Mutex::default(),
        }
    }

    /// So many spans are lost; how many are to be told, if it is time.
    fn lost(&self, spans: usize) -> Option<usize> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.lost += spans;
        if said.last.is_some_and(|at| at.elapsed() < SAID_EVERY) {
            return None;
        }
        said.last = Some(Instant::now());
        Some(std::mem::take(&mut said.lost))
    }
}

impl<E: SpanExporter> SpanExporter for Collector<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        if let Err(error) = &sent {
            metrics::counter!(catalogue::EXPORT_FAILURES).increment(1);
            if let Some(lost) = self.lost(spans) {
                tracing::warn!(%error, lost, "the collector does not take spans; they are lost");
            }
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_to_a_collectors_base_and_not_to_a_whole_url() {
        let parsed = |text, whole| {
            parse(text, whole)
                .map(|url| url.to_string())
                .map_err(|e| e.to_string())
        };
        assert_eq!(parsed("http://c:4318", false).unwrap(), "http://c:4318/v1/traces");
        assert_eq!(
            parsed("https://c/otlp/", false).unwrap(),
            "https://c/otlp/v1/traces"
        );
        assert_eq!(parsed("https://c/in", true).unwrap(), "https://c/in");
        assert!(parsed("c:4318", false).unwrap_err().contains("http or https"));
        let refused = parsed("https://user:hunter2@c", false).unwrap_err();
        assert!(refused.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn lost_spans_are_told_of_at_once_and_then_now_and_then() {
        let collector = Collector::new(());
        assert_eq!(collector.lost(3), Some(3));
        assert_eq!(collector.lost(4), None);
        assert_eq!(collector.lost(5), None);
        let mut said = collector.said.lock().unwrap();
        assert_eq!(said.lost, 9);
        said.last = None;
        drop(said);
        assert_eq!(collector.lost(1), Some(10));
    }
}
