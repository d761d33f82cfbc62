//! Metrics, as Prometheus reads them: described as in the catalogue, and there from the start where they can be.

use crate::server::ServerRole;
use anyhow::Context as _;
use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use slipway_api::RenderMetrics;
use slipway_store::Database;
use slipway_telemetry::catalogue::{self as names, By, Kind, Metric};
use std::sync::Arc;

/// Buckets of what machines do, in seconds.
const SECONDS: [f64; 15] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// Buckets of what waits for people, in seconds: up to a week.
const WAIT: [f64; 13] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0, 172_800.0, 345_600.0, 604_800.0,
];

/// The metrics of this process.
#[derive(Clone)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Starts collecting.
    pub(crate) fn start(roles: &[ServerRole]) -> anyhow::Result<Self> {
        let mut builder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .context("cannot set up metrics")?;
        for metric in names::ALL.iter().filter(|metric| metric.kind == Kind::Wait) {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), &WAIT)
                .context("cannot set up metrics")?;
        }
        let handle = builder.install_recorder().context("cannot collect metrics")?;
        for metric in names::ALL {
            describe(metric);
            if says(roles, metric.by) {
                begin(metric);
            }
        }
        gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self { handle })
    }

    /// Writes them, with what this process knows of its database's connections at that moment.
    pub(crate) fn render(&self, database: Database) -> RenderMetrics {
        let handle = self.handle.clone();
        Arc::new(move || {
            let connections = database.connections();
            gauge!(names::DATABASE_CONNECTIONS_MAX).set(f64::from(connections.max));
            for (state, n) in [("in_use", connections.in_use), ("idle", connections.idle)] {
                gauge!(names::DATABASE_CONNECTIONS, "state" => state).set(f64::from(n));
            }
            handle.run_upkeep();
            handle.render()
        })
    }
}

fn says(roles: &[ServerRole], by: By) -> bool {
    match by {
        By::Every => true,
        By::Api => roles.contains(&ServerRole::Api),
        By::Scheduler => roles.contains(&ServerRole::Scheduler),
        By::Executor => roles.contains(&ServerRole::Executor),
    }
}

fn describe(metric: &Metric) {
    let unit = if metric.name.ends_with("_seconds") {
        Unit::Seconds
    } else {
        Unit::Count
    };
    match metric.kind {
        Kind::Counter => describe_counter!(metric.name, unit, metric.help),
        Kind::Gauge => describe_gauge!(metric.name, unit, metric.help),
        Kind::Seconds | Kind::Wait => describe_histogram!(metric.name, unit, metric.help),
    }
}

/// A counter begins at 0 when the process does, else its first increase would not be seen as one. Gauges begin with their
/// first value: a 0 that nobody has measured would be a lie.
fn begin(metric: &Metric) {
    for labels in combinations(metric) {
        match metric.kind {
            Kind::Counter => counter!(metric.name, labels).increment(0),
            Kind::Seconds | Kind::Wait => drop(histogram!(metric.name, labels)),
            Kind::Gauge => {}
        }
    }
}

/// Every set of labels that a metric can have; none when that is known at run time only.
fn combinations(metric: &Metric) -> Vec<Vec<Label>> {
    let mut all = vec![Vec::new()];
    for label in metric.labels {
        all = all
            .iter()
            .flat_map(|so_far: &Vec<Label>| {
                label.values.iter().map(|value| {
                    let mut labels = so_far.clone();
                    labels.push(Label::new(label.name, *value));
                    labels
                })
            })
            .collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_known_beforehand_where_all_labels_are() {
        let count = |name: &str| {
            let metric = names::ALL.iter().find(|m| m.name == name).expect("a metric");
            combinations(metric).len()
        };
        assert_eq!(count(names::HTTP_SHED), 1);
        assert_eq!(count(names::SERVERS), 3, "one a role");
        assert!(count(names::DEPLOYMENTS_ENDED) >= 2 * names::OUTCOMES.len());
        assert_eq!(count(names::LEASE_LOSSES), 0, "clusters are not known");
    }
}
