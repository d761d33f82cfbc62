//! A deployment's trace: from the request that asked for it, through the queue, to each object applied.
//!
//! The request's own span is written down with the deployment as a W3C `traceparent`; whoever works on it later, in
//! whatever process, begins spans below that. Where no traces are exported these functions do nothing.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Attribute of a span in which nothing happened: a look that found nothing new. Such spans are not exported, or a
/// deployment that waits for days would have thousands of them.
pub const IDLE: &str = "slipway.idle";

/// Reads a `traceparent` (W3C Trace Context, version 00); none when it is not well-formed.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != "00"
        || trace.len() != 32
        || parent.len() != 16
        || flags.len() != 2
        || parts.next().is_some()
    {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(parent).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

/// Makes a span, just created and not entered yet, part of the trace that this `traceparent` names.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    if let Some(parent) = traceparent.and_then(parse) {
        // Refused only where no traces are exported.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// Links a span to the trace that this `traceparent` names: the one has to do with the other, and did not cause it.
pub fn link_to(span: &Span, traceparent: Option<&str>) {
    if let Some(other) = traceparent.and_then(parse) {
        span.add_link(other);
    }
}

/// The `traceparent` of a span, for whoever goes on with the work; none where no traces are exported.
#[must_use]
pub fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| {
        let (trace, parent, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
        format!("00-{trace}-{parent}-{:02x}", flags.to_u8())
    })
}

/// Says that nothing happened in this span: it is not exported. For spans without spans below them that are exported.
pub fn idle(span: &Span) {
    span.set_attribute(IDLE, true);
}

/// Tells the trace, and not the log, something about a span.
pub fn tell(span: &Span, key: &'static str, value: impl Into<opentelemetry::Value>) {
    span.set_attribute(key, value);
}

/// Says that what the span is about failed.
pub fn failed(span: &Span) {
    span.set_status(opentelemetry::trace::Status::error(""));
}

/// Calls a span something else in the trace than in the log.
pub fn name(span: &Span, name: impl FnOnce() -> String) {
    let context = span.context();
    let span = context.span();
    if span.span_context().is_valid() {
        span.update_name(name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::{info_span, subscriber::with_default};
    use tracing_subscriber::{Registry, layer::SubscriberExt as _};

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_goes_on_from_what_was_written_down() {
        let tracer = SdkTracerProvider::default().tracer("test");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        with_default(Registry::default().with(layer), || {
            let span = info_span!("work");
            continue_from(&span, Some(GIVEN));
            let said = traceparent(&span).unwrap();
            assert!(said.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{said}");
            assert!(!said.contains("00f067aa0ba902b7"), "a span of its own: {said}");
            assert!(said.ends_with("-01"), "{said}");
        });
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace_of_its_own() {
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-äf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn without_an_exporter_there_is_no_trace_and_no_fault() {
        let span = info_span!("work");
        continue_from(&span, Some(GIVEN));
        link_to(&span, Some(GIVEN));
        name(&span, || panic!("nobody asks"));
        idle(&span);
        assert_eq!(traceparent(&span), None);
    }
}
