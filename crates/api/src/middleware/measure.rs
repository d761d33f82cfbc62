//! Requests, counted and timed by route, method and class of status.

use axum::http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram};
use slipway_telemetry::catalogue as names;
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

/// How a request ended, as a label: the class of its status, or that nobody waited for it.
const CLASSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "cancelled"];
const CANCELLED: usize = 4;

/// The place in [`CLASSES`] of a status.
const fn class(status: StatusCode) -> usize {
    match status.as_u16() {
        200..300 => 0,
        300..400 => 1,
        400..500 => 2,
        _ => 3,
    }
}

/// What is counted of each route. By name and labels a metric is found anew at each use, which takes longer than counting.
#[derive(Default)]
pub(crate) struct Routes {
    in_flight: OnceLock<Gauge>,
    known: RwLock<HashMap<Arc<str>, Methods>>,
}

type Methods = [OnceLock<Arc<Route>>; LABELS.len()];

/// One method of one route.
struct Route {
    method: &'static str,
    path: Arc<str>,
    requests: [OnceLock<Counter>; CLASSES.len()],
    duration: OnceLock<Histogram>,
}

impl Routes {
    fn find(&self, method: &Method, route: &str) -> Arc<Route> {
        let label = label(method);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.get(route).and_then(|methods| methods[label].get()) {
            return Arc::clone(route);
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let route = Arc::<str>::from(route);
        let methods = known.entry(Arc::clone(&route)).or_default();
        let found = methods[label].get_or_init(|| {
            Arc::new(Route {
                method: LABELS[label],
                path: route,
                requests: [const { OnceLock::new() }; CLASSES.len()],
                duration: OnceLock::new(),
            })
        });
        Arc::clone(found)
    }

    fn in_flight(&self) -> &Gauge {
        self.in_flight
            .get_or_init(|| metrics::gauge!(names::HTTP_IN_FLIGHT))
    }
}

impl Route {
    fn count(&self, class: usize) {
        let counter = self.requests[class].get_or_init(|| {
            metrics::counter!(
                names::HTTP_REQUESTS,
                "method" => self.method,
                "route" => self.path.to_string(),
                "status" => CLASSES[class],
            )
        });
        counter.increment(1);
    }

    fn took(&self, took: Duration) {
        let histogram = self.duration.get_or_init(|| {
            metrics::histogram!(
                names::HTTP_DURATION,
                "method" => self.method,
                "route" => self.path.to_string(),
            )
        });
        histogram.record(took.as_secs_f64());
    }
}

/// Times one request. A request whose client goes away before the answer counts as `cancelled`.
pub(super) struct Timer {
    started: Instant,
    routes: Arc<Routes>,
    route: Arc<Route>,
    finished: bool,
}

impl Timer {
    pub(super) fn start(routes: &Arc<Routes>, method: &Method, route: &str) -> Self {
        routes.in_flight().increment(1.0);
        Self {
            started: Instant::now(),
            routes: Arc::clone(routes),
            route: routes.find(method, route),
            finished: false,
        }
    }

    /// The route, as it is counted.
    pub(super) fn route(&self) -> Arc<str> {
        Arc::clone(&self.route.path)
    }

    pub(super) fn finish(mut self, status: StatusCode) -> Duration {
        self.finished = true;
        let took = self.started.elapsed();
        self.route.count(class(status));
        self.route.took(took);
        took
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.routes.in_flight().decrement(1.0);
        if !self.finished {
            self.route.count(CANCELLED);
        }
    }
}

/// Methods as labels: whatever a client makes up must not make new series.
const LABELS: [&str; 8] = [
    "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "other",
];

fn label(method: &Method) -> usize {
    let method = method.as_str();
    let known = LABELS.iter().position(|label| *label == method);
    known.unwrap_or(LABELS.len() - 1)
}
