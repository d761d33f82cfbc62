//! What a deployment would do to each of its targets, by server-side dry run. Changes nothing.

use super::load;
use crate::{App, Error, clusters};
use slipway_domain::{
    identity::Actor,
    ports::{PreviewRequest, TargetPreview},
};
use slipway_store::{deployment_targets, renderings, targets};
use std::sync::Arc;

/// One target's preview.
#[derive(Debug, Clone)]
pub struct PreviewedTarget {
    /// The target.
    pub target: deployment_targets::Row,
    /// What would happen there.
    pub preview: TargetPreview,
}

/// Previews a deployment. Opens and closes its own transaction: none is held while talking to clusters.
///
/// # Errors
/// When there is no such deployment that the actor may see; when a cluster does not answer, with the reason.
pub async fn preview(app: &App, actor: &Actor, reference: &str) -> Result<Vec<PreviewedTarget>, Error> {
    let mut tx = app.read().await?;
    let row = load(&mut tx, actor, reference).await?;
    let mut requests = Vec::new();
    for target_row in deployment_targets::of(&mut tx, row.deployment.id).await? {
        let digest = target_row.target.rendering;
        let rendering = renderings::get(&mut tx, digest)
            .await?
            .ok_or_else(|| Error::internal(format!("rendering {digest} is gone")))?;
        let target = targets::get(&mut tx, target_row.target.target)
            .await?
            .ok_or_else(|| Error::internal(format!("target {} is gone", target_row.target.target)))?;
        let cluster = slipway_store::clusters::get(&mut tx, target_row.target.cluster)
            .await?
            .ok_or_else(|| Error::internal(format!("cluster {} is gone", target_row.target.cluster)))?;
        let request = PreviewRequest {
            connection: clusters::connection(&mut tx, app, target_row.target.cluster).await?,
            grants: cluster.grants,
            service: row.deployment.service_name.clone(),
            environment: row.deployment.environment_name.clone(),
            namespace: target.target.namespace.clone(),
            intent: target_row.target.intent,
            force_conflicts: row.deployment.force_conflicts,
            rendering: Arc::new(rendering),
            inventory: target.inventory,
        };
        requests.push((target_row, request));
    }
    tx.commit().await?;
    let asked = requests.iter().map(|(_, request)| app.probe().preview(request));
    let answers = futures::future::join_all(asked).await;
    requests
        .iter()
        .zip(answers)
        .map(|((target, _), answer)| {
            Ok(PreviewedTarget {
                target: target.clone(),
                preview: answer?,
            })
        })
        .collect()
}
