//! Requests, counted and timed by route, method and class of status.

use axum::http::{Method, StatusCode};
use slipway_telemetry::catalogue as names;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Times one request. A request whose client goes away before the answer counts as `cancelled`.
pub(super) struct Timer {
    started: Instant,
    method: &'static str,
    route: Arc<str>,
    finished: bool,
}

impl Timer {
    pub(super) fn start(method: &Method, route: Arc<str>) -> Self {
        metrics::gauge!(names::HTTP_IN_FLIGHT).increment(1.0);
        Self {
            started: Instant::now(),
            method: label(method),
            route,
            finished: false,
        }
    }

    pub(super) fn finish(mut self, status: StatusCode) -> Duration {
        self.finished = true;
        let class = match status.as_u16() {
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        let took = self.started.elapsed();
        self.count(class);
        metrics::histogram!(
            names::HTTP_DURATION,
            "method" => self.method,
            "route" => self.route.to_string(),
        )
        .record(took.as_secs_f64());
        took
    }

    fn count(&self, class: &'static str) {
        metrics::counter!(
            names::HTTP_REQUESTS,
            "method" => self.method,
            "route" => self.route.to_string(),
            "status" => class,
        )
        .increment(1);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        metrics::gauge!(names::HTTP_IN_FLIGHT).decrement(1.0);
        if !self.finished {
            self.count("cancelled");
        }
    }
}

/// A method as a label: whatever a client makes up must not make new series.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
