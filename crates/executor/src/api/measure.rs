//! What is counted of a cluster: its faults by kind, and whether it is left alone.

use crate::fault::CallError;
use slipway_domain::{Name, ports::ClusterFault};
use slipway_telemetry::catalogue as names;

/// Everything of a cluster begins at 0 when it is first talked to, not with its first fault.
pub(super) fn begin(cluster: &Name) {
    for kind in names::FAULTS {
        metrics::counter!(names::FAULTS_TOTAL, "cluster" => cluster.to_string(), "kind" => kind).increment(0);
    }
    breaker(cluster, false);
}

/// A request that met a fault.
pub(super) fn fault(cluster: &Name, error: Option<&CallError>) {
    if let Some(kind) = error.and_then(kind_of) {
        metrics::counter!(names::FAULTS_TOTAL, "cluster" => cluster.to_string(), "kind" => kind).increment(1);
    }
}

/// Whether the cluster is left alone.
pub(super) fn breaker(cluster: &Name, open: bool) {
    metrics::gauge!(names::BREAKER_OPEN, "cluster" => cluster.to_string()).set(f64::from(u8::from(open)));
}

/// The kind of a fault of the cluster; none of what says nothing about it.
const fn kind_of(error: &CallError) -> Option<&'static str> {
    match error {
        CallError::Fault(fault) => Some(match fault {
            ClusterFault::Unreachable { .. } => "unreachable",
            ClusterFault::Unauthorized { .. } => "unauthorized",
            ClusterFault::Forbidden { .. } => "forbidden",
            ClusterFault::Certificate { .. } => "certificate",
            ClusterFault::Misconfigured { .. } => "misconfigured",
            ClusterFault::TooManyRequests { .. } => "too_many_requests",
            ClusterFault::Other { .. } => "server_error",
            ClusterFault::Kinds { .. } => return None,
        }),
        CallError::Answer(answer) if answer.code >= 500 => Some("server_error"),
        CallError::Answer(_) | CallError::Open { .. } | CallError::LeaseEnding => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_fault_is_in_the_catalogue() {
        let cluster: Name = "eu".parse().unwrap();
        let detail = || String::new();
        let faults = [
            ClusterFault::Unreachable {
                cluster: cluster.clone(),
                detail: detail(),
            },
            ClusterFault::Unauthorized {
                cluster: cluster.clone(),
            },
            ClusterFault::Forbidden {
                cluster: cluster.clone(),
                detail: detail(),
            },
            ClusterFault::Certificate {
                cluster: cluster.clone(),
                detail: detail(),
            },
            ClusterFault::Misconfigured {
                cluster: cluster.clone(),
                detail: detail(),
            },
            ClusterFault::TooManyRequests {
                cluster: cluster.clone(),
                after: jiff::SignedDuration::ZERO,
            },
            ClusterFault::Other {
                cluster,
                detail: detail(),
            },
        ];
        let kinds: Vec<_> = faults.map(CallError::Fault).iter().filter_map(kind_of).collect();
        assert_eq!(kinds, names::FAULTS);
    }
}
