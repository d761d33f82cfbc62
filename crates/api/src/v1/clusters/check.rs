//! Testing the connection to a cluster.

use crate::{
    extract::{Caller, json},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::registry::ClusterCheck;
use slipway_app::clusters;

/// Test the connection to a cluster.
///
/// Whether it is reachable, its certificate is valid, it accepts the credential, and the credential has the rights that
/// deployments need. May be repeated at will. What the cluster did wrong is 424, each fault with a problem type of its own.
#[utoipa::path(
    post, path = "/v1/clusters/{cluster}/check", operation_id = "check_cluster", tag = "registry",
    params(("cluster" = String, Path, description = "Its id or name.", example = "eu")),
    responses((status = 200, description = "It answered; `missing_rights` says what the credential lacks.", body = ClusterCheck)),
    extensions(
        ("x-slipway-permission" = json!("cluster.write")),
        ("x-slipway-repeatable" = json!(true)),
        ("x-slipway-problems" = json!([
            "cluster-unreachable", "cluster-unauthorized", "cluster-forbidden", "cluster-certificate",
            "cluster-misconfigured", "cluster-busy", "cluster-fault",
        ])),
    ),
)]
pub(super) async fn check(Path(cluster): Path<String>, caller: Caller) -> Result<Response, Failure> {
    let report = clusters::check(&caller.app, &caller.actor, &cluster).await?;
    json(&ClusterCheck {
        version: report.version,
        round_trip_ms: u64::try_from(report.round_trip.as_millis()).unwrap_or(0),
        missing_rights: report.missing_rights,
    })
}
