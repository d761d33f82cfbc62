//! Reading deployments.

use super::{Filter, explain, load};
use crate::{
    Before, Error, Tx, policies,
    targets::{self, TargetView},
};
use slipway_domain::{
    Digest,
    approval::{ApprovalState, Asked},
    identity::Actor,
    ids::{ApprovalId, DeploymentId, TargetId},
    render::{Rendering, redact},
};
use slipway_store::{
    approvals, deployment_targets,
    deployments::{self, Row},
    drifts, events, principals, renderings, work,
};
use std::collections::HashMap;

/// A deployment with everything that is shown of it.
#[derive(Debug, Clone)]
pub struct DeploymentView {
    /// Its row.
    pub row: Row,
    /// Its targets, in order of waves.
    pub targets: Vec<deployment_targets::Row>,
    /// Who asked for it.
    pub requested_by: String,
    /// The request for approval, if there is one.
    pub approval: Option<ApprovalId>,
    /// The request that is to be answered afterwards, if it went on without a gate.
    pub approval_afterwards: Option<ApprovalId>,
    /// What keeps it from going on.
    pub blockers: Vec<explain::Blocker>,
    /// How many objects have drifted on targets where it is what runs.
    pub drift: HashMap<TargetId, u32>,
    /// Where its service landed in that environment before, and still is; only where one deployment is read.
    pub former: Vec<TargetView>,
}

/// One, as it is now in this transaction.
pub(crate) async fn view_of(tx: &mut Tx, id: DeploymentId) -> Result<DeploymentView, Error> {
    let row = deployments::get(tx, id)
        .await?
        .ok_or_else(|| Error::internal(format!("deployment {id} is gone")))?;
    one(tx, row).await
}

/// One, with what its service has left behind elsewhere.
async fn one(tx: &mut Tx, mut row: Row) -> Result<DeploymentView, Error> {
    let (service, environment) = (row.deployment.service, row.deployment.environment);
    policies::tell(tx, &mut row.gates).await?;
    let mut view = views(tx, vec![row]).await?.remove(0);
    view.former = targets::former(tx, service, environment).await?;
    Ok(view)
}

async fn views(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<DeploymentView>, Error> {
    let ids: Vec<DeploymentId> = rows.iter().map(|r| r.deployment.id).collect();
    let mut targets = deployment_targets::of_many(tx, &ids).await?;
    let mut asked: HashMap<_, ApprovalId> = HashMap::new();
    let mut afterwards: HashMap<_, ApprovalId> = HashMap::new();
    for approval in approvals::of(tx, &ids).await? {
        let kept = match approval.asked {
            Asked::Before => &mut asked,
            Asked::Afterwards => &mut afterwards,
        };
        if approval.state != ApprovalState::Withdrawn || !kept.contains_key(&approval.deployment) {
            kept.insert(approval.deployment, approval.id);
        }
    }
    let mut people: Vec<_> = rows.iter().map(|r| r.deployment.requested_by).collect();
    people.sort();
    people.dedup();
    let names = principals::names(tx, &people).await?;
    let hands = explain::hands(tx, &rows, &targets).await?;
    let drifted = drifts::counts(tx, &ids).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.deployment.id;
        let targets = targets.remove(&id).unwrap_or_default();
        let queue = if row.deployment.state.name().is_terminal() {
            std::collections::BTreeMap::default()
        } else {
            work::of_deployment(tx, id).await?
        };
        let blockers = explain::blockers(&row, &targets, &queue, &hands);
        let requested_by = names
            .get(&row.deployment.requested_by)
            .cloned()
            .unwrap_or_else(|| row.deployment.requested_by.to_string());
        all.push(DeploymentView {
            approval: asked.get(&id).copied(),
            approval_afterwards: afterwards.get(&id).copied(),
            row,
            targets,
            requested_by,
            blockers,
            drift: drifted
                .iter()
                .filter(|((of, _), _)| *of == id)
                .map(|((_, target), n)| (*target, *n))
                .collect(),
            former: Vec::new(),
        });
    }
    Ok(all)
}

/// One deployment.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<DeploymentView, Error> {
    let row = load(tx, actor, reference).await?;
    one(tx, row).await
}

/// Its revision, without reading it whole.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn revision(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<i64, Error> {
    // What may not be seen must not be told apart by its tag either, so the place has to be known.
    Ok(load(tx, actor, reference).await?.deployment.revision)
}

/// Deployments, newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<DeploymentView>, Error> {
    let rows = deployments::list(tx, filter, &actor.rights.visible(), before, limit).await?;
    views(tx, rows).await
}

/// The log of technical work, newest first.
///
/// # Errors
/// When there is no such deployment that the actor may see.
pub async fn activities(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    before: Before,
    limit: i64,
) -> Result<Vec<events::Event>, Error> {
    let row = load(tx, actor, reference).await?;
    Ok(events::of_deployment(tx, row.deployment.id, before, limit).await?)
}

/// What is applied to one target.
#[derive(Debug, Clone)]
pub struct RenderedTarget {
    /// The target.
    pub target: deployment_targets::Row,
    /// Digest of the rendering as stored.
    pub digest: Digest,
    /// The rendering, its secrets redacted.
    pub rendering: Rendering,
}

/// The exact objects of every target, secrets redacted.
///
/// # Errors
/// When there is no such deployment that the actor may see.
pub async fn manifests(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Vec<RenderedTarget>, Error> {
    let row = load(tx, actor, reference).await?;
    let mut all = Vec::new();
    for target in deployment_targets::of(tx, row.deployment.id).await? {
        let digest = target.target.rendering;
        let rendering = renderings::get(tx, digest)
            .await?
            .ok_or_else(|| Error::internal(format!("rendering {digest} is gone")))?;
        let rendering = Rendering {
            objects: rendering.objects.iter().map(redact).collect(),
            hooks: rendering.hooks.iter().map(redact).collect(),
        };
        all.push(RenderedTarget {
            target,
            digest,
            rendering,
        });
    }
    Ok(all)
}
