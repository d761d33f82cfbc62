//! What a deployment would do.

use crate::{
    extract::{Caller, json},
    problem::Failure,
    v1::releases::wire_diff,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::deployment::{ObjectPreview, Preview, TargetPreview};
use slipway_app::deployments::{self, PreviewedTarget};
use slipway_domain::render::Change;

/// Preview a deployment.
///
/// Asks every cluster by server-side dry run what would be created, updated and pruned. Changes nothing; values of
/// Secrets are redacted.
#[utoipa::path(
    get, path = "/v1/deployments/{deployment}/preview", operation_id = "preview_deployment", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "One entry a target.", body = Preview)),
    extensions(
        ("x-slipway-permission" = json!("read")),
        ("x-slipway-problems" = json!([
            "cluster-unreachable", "cluster-unauthorized", "cluster-forbidden", "cluster-certificate",
            "cluster-misconfigured", "cluster-busy", "cluster-fault", "cluster-kinds",
        ])),
    ),
)]
pub(super) async fn preview(Path(deployment): Path<String>, caller: Caller) -> Result<Response, Failure> {
    let targets = deployments::preview(&caller.app, &caller.actor, &deployment).await?;
    json(&Preview {
        deployment,
        targets: targets.into_iter().map(target).collect(),
    })
}

fn target(previewed: PreviewedTarget) -> TargetPreview {
    let objects = &previewed.preview.objects;
    let count = |change: Change| {
        let all = objects
            .iter()
            .filter(|object| !object.hook && object.diff.change == change)
            .count();
        u32::try_from(all).unwrap_or(u32::MAX)
    };
    TargetPreview {
        cluster: previewed.target.target.cluster_name.to_string(),
        namespace: previewed.target.target.namespace.to_string(),
        creates_namespace: previewed.preview.creates_namespace,
        created: count(Change::Created),
        updated: count(Change::Updated),
        unchanged: count(Change::Unchanged),
        pruned: count(Change::Pruned),
        replaced: count(Change::Replaced),
        notes: previewed.preview.notes.clone(),
        objects: previewed
            .preview
            .objects
            .into_iter()
            .map(|object| ObjectPreview {
                diff: wire_diff(&object.object, object.diff),
                hook: object.hook,
                problem: object.problem,
            })
            .collect(),
    }
}
