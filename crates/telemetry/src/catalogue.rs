//! Every metric there is: its name, what it counts or measures, its labels, and which role says it.
//!
//! Labels have few values: what a client makes up is never one. Clusters are registered by admins, routes are the code's.

/// What a metric does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; begins at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Seconds, in buckets from a millisecond to five minutes.
    Seconds,
    /// Seconds, in buckets from a second to a week: what waits for people.
    Wait,
}

/// Which processes say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Every process.
    Every,
    /// Those with the role `api`.
    Api,
    /// Those with the role `scheduler`. What they read from the database all of them say alike: take the maximum.
    Scheduler,
    /// Those with the role `executor`.
    Executor,
}

impl By {
    /// As the documentation calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Every => "every",
            Self::Api => "api",
            Self::Scheduler => "scheduler",
            Self::Executor => "executor",
        }
    }
}

/// A label, and its values where they are known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Every value it can have; empty when they are known at run time only.
    pub values: &'static [&'static str],
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// As exposed; a histogram's series add `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// What it does over time, and its unit.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [Label],
    /// Who says it.
    pub by: By,
    /// What it means, in a sentence.
    pub help: &'static str,
}

const fn any(name: &'static str) -> Label {
    Label { name, values: &[] }
}

const fn of(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values }
}

const CLUSTER: Label = any("cluster");

/// Kinds of fault of a cluster, as a label.
pub const FAULTS: [&str; 7] = [
    "unreachable",
    "unauthorized",
    "forbidden",
    "certificate",
    "misconfigured",
    "too_many_requests",
    "server_error",
];

/// What a deployment can end as.
pub const OUTCOMES: [&str; 8] = [
    "succeeded",
    "rolled_back",
    "failed",
    "errored",
    "cancelled",
    "rejected",
    "expired",
    "superseded",
];

macro_rules! catalogue {
    ($($konst:ident = $name:literal: $kind:ident [$($label:expr),*] $by:ident, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $konst: &str = $name;
        )*
        /// Every metric, in the order of the documentation.
        pub const ALL: &[Metric] = &[$(
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], by: By::$by, help: $help },
        )*];
    };
}

catalogue! {
    READY = "slipway_ready": Gauge [] Every,
        "1 while the process can do its work: the database answers it, and it is not draining.";
    BUILD_INFO = "slipway_build_info": Gauge [any("version")] Every,
        "1, with the version of the binary.";
    DATABASE_CONNECTIONS = "slipway_database_connections": Gauge [of("state", &["in_use", "idle"])] Every,
        "Connections to the database that the process has open.";
    DATABASE_CONNECTIONS_MAX = "slipway_database_connections_max": Gauge [] Every,
        "Most connections that the process may open (`database.connections`).";
    DATABASE_WAITING = "slipway_database_waiting": Gauge [] Every,
        "Transactions that wait for a connection, or for the database to begin them.";
    DATABASE_ACQUIRE = "slipway_database_acquire_seconds": Seconds [] Every,
        "From asking for a transaction until it has begun on a connection.";
    DATABASE_TIMEOUTS = "slipway_database_acquire_timeouts_total": Counter [] Every,
        "Transactions that got no connection in time.";
    EXPORT_FAILURES = "slipway_trace_export_failures_total": Counter [] Every,
        "Batches of spans that the collector did not take; they are lost.";

    ISSUER_KEYS_STALE = "slipway_issuer_keys_stale": Gauge [any("issuer")] Api,
        "1 while the issuer's keys could not be fetched last time: those from before are used until they are too old.";
    ISSUER_FETCHES = "slipway_issuer_fetches_total": Counter [any("issuer"), of("outcome", &["fetched", "failed"])] Api,
        "Times that the issuer's keys were asked for.";
    HTTP_REQUESTS = "slipway_http_requests_total": Counter [any("method"), any("route"), any("status")] Api,
        "Requests answered, by class of status (`2xx` …); `cancelled` when the client went away.";
    HTTP_DURATION = "slipway_http_request_duration_seconds": Seconds [any("method"), any("route")] Api,
        "From a request's head to its response's.";
    HTTP_IN_FLIGHT = "slipway_http_requests_in_flight": Gauge [] Api,
        "Requests under way.";
    HTTP_SHED = "slipway_http_requests_shed_total": Counter [] Api,
        "Requests refused with 503 because too many were under way.";

    QUEUE_DEPTH = "slipway_queue_depth": Gauge [CLUSTER, of("state", &["ready", "leased", "parked", "unknown"])] Scheduler,
        "Units of work (one deployment on one target) in the queue; `unknown` are those that only a newer server can take.";
    QUEUE_OLDEST_DUE = "slipway_queue_oldest_due_seconds": Gauge [CLUSTER] Scheduler,
        "How long the oldest unit of work that is due has been due and nobody has claimed it; 0 when none is.";
    QUEUE_RESCUED = "slipway_queue_rescued_total": Counter [CLUSTER] Scheduler,
        "Units of work taken back because their executor did not report before its lease ended.";
    SERVERS = "slipway_servers": Gauge [of("role", &["api", "scheduler", "executor"])] Scheduler,
        "Server processes seen within the last 20 seconds.";
    DEPLOYMENTS_ACTIVE = "slipway_deployments_active": Gauge
        [of("state", &["pending", "queued", "running", "paused", "rolling_back"])] Scheduler,
        "Deployments that have not ended.";
    APPROVALS_PENDING = "slipway_approvals_pending": Gauge [] Scheduler,
        "Requests for approval that wait for people.";
    AUDIT_UNCHAINED = "slipway_audit_unchained": Gauge [] Scheduler,
        "Audit entries that are written and not chained yet.";
    AUDIT_LAG = "slipway_audit_lag_seconds": Gauge [] Scheduler,
        "Age of the oldest audit entry that is not chained yet; 0 when all are.";
    EVENTS_UNNUMBERED = "slipway_events_unnumbered": Gauge [] Scheduler,
        "Events that are written and not numbered yet: watchers do not see them.";
    EVENTS_LAG = "slipway_events_lag_seconds": Gauge [] Scheduler,
        "Age of the oldest event that is not numbered yet; 0 when all are.";
    DUTY_SECONDS = "slipway_scheduler_duty_seconds": Seconds [any("duty")] Scheduler,
        "One round of a duty of the scheduler.";
    DUTY_FAILURES = "slipway_scheduler_failures_total": Counter [any("duty")] Scheduler,
        "Rounds of a duty that failed; it is tried again.";

    DEPLOYMENTS_ENDED = "slipway_deployments_ended_total": Counter
        [of("kind", &["deploy", "roll_back", "heal"]), of("outcome", &OUTCOMES)] Every,
        "Deployments that ended: `failed` was judged and is not good, `errored` could not be judged.";
    GATE_WAIT = "slipway_gate_wait_seconds": Wait
        [of("gate", &["release", "promotion", "approval", "schedule", "rollback", "concurrency"])] Every,
        "From asking for a deployment until a gate that kept it waiting was satisfied.";
    APPROVAL_TO_APPLIED = "slipway_approval_to_applied_seconds": Wait [] Every,
        "From the approval that was the last one needed (or `not_before`, when later) until the first target had every object.";

    IN_FLIGHT = "slipway_executor_in_flight": Gauge [] Executor,
        "Targets that the process acts on.";
    CLAIMED = "slipway_executor_claimed_total": Counter [CLUSTER] Executor,
        "Units of work claimed.";
    LEASE_LOSSES = "slipway_executor_lease_losses_total": Counter [CLUSTER] Executor,
        "Times that the process stopped acting because its lease was ending or gone.";
    STALE_REPORTS = "slipway_queue_stale_reports_total": Counter [CLUSTER] Executor,
        "Reports whose lease was somebody else's by then: they touched nothing.";
    STEP_SECONDS = "slipway_executor_step_seconds": Seconds
        [of("step", &["preflight", "namespace", "guard", "hook", "apply", "await_definitions", "await_health", "prune"])] Executor,
        "One try of a step.";
    APPLY_SECONDS = "slipway_executor_apply_seconds": Seconds [CLUSTER] Executor,
        "Applying all objects of one rank to a target.";
    HEALTH_SECONDS = "slipway_executor_health_seconds": Seconds [CLUSTER] Executor,
        "From everything applied until everything healthy on a target.";
    FAULTS_TOTAL = "slipway_executor_faults_total": Counter [CLUSTER, of("kind", &FAULTS)] Executor,
        "Requests to a cluster that met a fault.";
    BREAKER_OPEN = "slipway_executor_breaker_open": Gauge [CLUSTER] Executor,
        "1 while the circuit breaker leaves the cluster alone.";
    WATCHED_NAMESPACES = "slipway_executor_watched_namespaces": Gauge [] Executor,
        "Namespaces that are watched for changes of health.";

    DRIFT_OPEN = "slipway_drift_open": Gauge [CLUSTER] Scheduler,
        "Objects that are not as they were applied.";
    DRIFT_WATCHES = "slipway_drift_watches": Gauge [CLUSTER] Executor,
        "Watches for drift that the process holds on a cluster: one a kind; 0 where another process watches.";
    DRIFT_COMPARISON = "slipway_drift_comparison_seconds": Seconds [CLUSTER] Executor,
        "Comparing one object with what was applied.";
    DRIFT_FAULTS = "slipway_drift_faults_total": Counter [CLUSTER] Executor,
        "Objects that could not be compared; each is tried again.";
}

/// The metric of a series, as `slipway_http_request_duration_seconds_bucket`.
#[must_use]
pub fn of_series(series: &str) -> Option<&'static Metric> {
    ALL.iter().find(|metric| {
        let histogram = matches!(metric.kind, Kind::Seconds | Kind::Wait);
        match series.strip_prefix(metric.name) {
            Some("") => !histogram,
            Some("_bucket" | "_sum" | "_count") => histogram,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn names_follow_the_conventions_of_prometheus_and_are_unique() {
        let mut seen = BTreeSet::new();
        for metric in ALL {
            let name = metric.name;
            assert!(seen.insert(name), "{name} is there twice");
            assert!(name.starts_with("slipway_"), "{name}");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
            if matches!(metric.kind, Kind::Seconds | Kind::Wait) {
                assert!(name.ends_with("_seconds"), "{name}");
            }
            assert!(metric.help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn a_series_is_of_its_metric() {
        let of = |series| of_series(series).map(|metric| metric.name);
        assert_eq!(of("slipway_queue_depth"), Some(QUEUE_DEPTH));
        assert_eq!(of("slipway_executor_apply_seconds_bucket"), Some(APPLY_SECONDS));
        assert_eq!(of("slipway_executor_apply_seconds"), None);
        assert_eq!(of("slipway_queue_depth_sum"), None);
    }

    /// Every file of the crates' sources.
    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                found.push((path.display().to_string(), text));
            }
        }
    }

    #[test]
    fn whatever_is_counted_or_measured_is_in_the_catalogue_and_the_other_way_round() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut all = Vec::new();
        for entry in fs::read_dir(crates).expect("the crates") {
            let source = entry.expect("a crate").path().join("src");
            if source.is_dir() && !source.parent().is_some_and(|c| c.ends_with("telemetry")) {
                sources(&source, &mut all);
            }
        }
        let konsts = include_str!("catalogue.rs");
        let konst_of = |name: &str| {
            let line = konsts
                .lines()
                .find(|line| line.contains(&format!("= \"{name}\":")));
            line.and_then(|line| line.split_whitespace().next())
                .expect("its constant")
        };
        let mut emitted = BTreeSet::new();
        for (path, text) in &all {
            for macro_name in ["counter!(", "gauge!(", "histogram!("] {
                for (at, _) in text.match_indices(macro_name) {
                    let rest = text[at + macro_name.len()..].trim_start();
                    assert!(
                        !rest.starts_with('"'),
                        "{path}: name the metric by its constant: {}",
                        &rest[..40.min(rest.len())]
                    );
                }
            }
            for metric in ALL {
                let konst = konst_of(metric.name);
                if text.contains(&format!("catalogue::{konst}")) || text.contains(&format!("names::{konst}"))
                {
                    emitted.insert(metric.name);
                }
            }
        }
        let missing: Vec<_> = ALL
            .iter()
            .map(|m| m.name)
            .filter(|name| !emitted.contains(name))
            .collect();
        assert!(missing.is_empty(), "nobody says {missing:?}");
    }
}
