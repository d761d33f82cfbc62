//! The outermost: gives a request its id, continues its trace, writes problems, measures, and sets the headers that every
//! response carries.

use super::{
    measure::{self, Routes},
    rest::Rest,
};
use crate::problem::{Failure, catalogue};
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use slipway_telemetry::trace;
use std::{sync::Arc, time::Duration};
use tracing::Instrument as _;

/// Header with the request's id.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// What is known about a request before anything is done for it.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    /// Its id: the one given, if it is sane, or a new one.
    pub(crate) id: Arc<str>,
    /// W3C trace context: of this request's span where traces are exported, else the one given, if it is well-formed.
    pub(crate) traceparent: Option<Arc<str>>,
}

/// A read that takes this long is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// Answers a request by what is inside.
pub(super) async fn around<F>(
    routes: &Arc<Routes>,
    mut request: Request,
    inside: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let mut context = RequestContext {
        id: header_text(request.headers(), &REQUEST_ID)
            .filter(|id| is_sane_id(id))
            .map_or_else(|| uuid::Uuid::now_v7().to_string().into(), Arc::from),
        traceparent: header_text(request.headers(), &TRACEPARENT)
            .filter(|text| is_traceparent(text))
            .map(Arc::from),
    };
    let id = Arc::clone(&context.id);
    let method = request.method().clone();
    let is_read = method.is_safe();
    let path = request.extensions().get::<MatchedPath>();
    let timer = measure::Timer::start(routes, &method, path.map_or("unmatched", MatchedPath::as_str));
    let route = timer.route();
    let span = tracing::info_span!(
        "api.request",
        request = %id,
        %method,
        route = &*route,
        otel.kind = "server",
    );
    trace::continue_from(&span, context.traceparent.as_deref());
    trace::name(&span, || format!("{method} {route}"));
    trace::tell(&span, "http.request.method", method.to_string());
    trace::tell(&span, "http.route", route.to_string());
    if !route.starts_with("/v1/") {
        // Probes and scrapes come every few seconds, and say nothing.
        trace::idle(&span);
    }
    // Whoever goes on with what is asked for belongs below this request, not beside it.
    if let Some(ours) = trace::traceparent(&span) {
        context.traceparent = Some(ours.into());
    }
    request.extensions_mut().insert(context);
    let rest = Rest::of(&mut request);

    async move {
        let mut response = write_problem(inside(request).await, &id);
        if let Some(rest) = rest {
            rest.read_on().await;
        }
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID.clone(), value);
        }
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        headers.insert(NOSNIFF.clone(), HeaderValue::from_static("nosniff"));
        let took = timer.finish(response.status());
        let here = tracing::Span::current();
        trace::tell(
            &here,
            "http.response.status_code",
            i64::from(response.status().as_u16()),
        );
        if response.status().is_server_error() {
            trace::failed(&here);
        }
        let (status, took_ms) = (response.status(), took.as_millis());
        // Dashboards read all the time: what goes well there is in the metrics, and would only hide the rest here.
        if is_read && took < SLOW && !(status.is_client_error() || status.is_server_error()) {
            tracing::debug!(status = status.as_u16(), took_ms, "answered");
        } else {
            tracing::info!(status = status.as_u16(), took_ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// Writes the failure that a response carries; a bare refusal of the router or an extractor becomes a problem too.
fn write_problem(mut response: Response, id: &str) -> Response {
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        return failure.write(id, std::mem::take(response.headers_mut()));
    }
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/"));
    if is_json {
        return response;
    }
    let detail = match response.status().as_u16() {
        404 => catalogue::NOT_FOUND.text,
        405 => catalogue::METHOD_NOT_ALLOWED.text,
        _ => "the request cannot be read",
    };
    match Failure::for_status(response.status(), detail) {
        Some(failure) => failure.write(id, std::mem::take(response.headers_mut())),
        None => response,
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An id that is safe to log, to store and to send back.
fn is_sane_id(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zeros.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let hex = |part: &str, len: usize| {
        part.len() == len
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let [version, trace, parent, flags] = parts[..] else {
        return false;
    };
    version == "00"
        && hex(trace, 32)
        && hex(parent, 16)
        && hex(flags, 2)
        && trace.bytes().any(|b| b != b'0')
        && parent.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_request_ids_are_kept() {
        for good in ["0198b2f0-0000-7000-8000-000000000000", "ci_run.1234"] {
            assert!(is_sane_id(good), "{good}");
        }
        for bad in [
            "",
            "short",
            "a b c d e f",
            "<script>alert(1)</script>",
            &"x".repeat(65),
        ] {
            assert!(!is_sane_id(bad), "{bad}");
        }
    }

    #[test]
    fn only_well_formed_trace_contexts_are_continued() {
        assert!(is_traceparent(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        ));
        for bad in [
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }
}
