//! Logs, to standard error; and what is heard of at all.

use crate::server::config::{Log, LogFormat};
use anyhow::Context as _;
use std::io::IsTerminal as _;
use tracing::{
    Level, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::Context, registry::LookupSpan};

/// What writes them.
pub(super) fn layer<S>(settings: &Log) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let to_stderr = fmt::layer().with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Json => to_stderr.json().flatten_event(true).boxed(),
        LogFormat::Pretty => to_stderr.with_ansi(std::io::stderr().is_terminal()).boxed(),
    }
}

/// What is heard of: what the log's filter says, and for traces our own spans besides.
///
/// One filter for everything, and not one for each of log and traces: those keep what they decided in the thread until it
/// is used, and code that only asks whether it would be heard (as database drivers do) leaves them with an answer that is
/// then given for the next span. Spans went missing from both.
pub(super) struct Heard {
    log: EnvFilter,
    traced: bool,
}

impl Heard {
    /// As the log's filter says; `traced` when spans are wanted for traces too.
    pub(super) fn new(settings: &Log, traced: bool) -> anyhow::Result<Self> {
        let log = EnvFilter::try_new(&settings.filter).with_context(|| {
            format!(
                "the configuration cannot be used: log.filter: `{}`",
                settings.filter
            )
        })?;
        Ok(Self { log, traced })
    }

    fn is_traced(&self, what: &Metadata<'_>) -> bool {
        self.traced && what.is_span() && *what.level() <= Level::INFO && is_ours(what.target())
    }
}

/// Whether something is said by our own code.
pub(super) fn is_ours(target: &str) -> bool {
    target.starts_with("slipway")
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Heard {
    fn register_callsite(&self, what: &'static Metadata<'static>) -> Interest {
        let said = Layer::<S>::register_callsite(&self.log, what);
        if self.is_traced(what) {
            Interest::always()
        } else {
            said
        }
    }

    fn enabled(&self, what: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.is_traced(what) || Layer::<S>::enabled(&self.log, what, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let said = Layer::<S>::max_level_hint(&self.log)?;
        Some(if self.traced {
            said.max(LevelFilter::INFO)
        } else {
            said
        })
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.log.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Layer::<S>::on_record(&self.log, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_enter(&self.log, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_exit(&self.log, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Layer::<S>::on_close(&self.log, id, context);
    }
}
