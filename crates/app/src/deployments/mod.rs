//! Deployments: ask for one, see why it waits, steer it, undo it.
//!
//! Every path to running goes through [`judge`], which shows where the gates stand and queues, and through
//! `execution::claim`, which judges them again in the transaction that claims the work: only that one admits.

pub(crate) mod advance;
mod clean;
pub(crate) mod create;
mod explain;
pub(crate) mod judge;
mod operate;
mod overriding;
pub(crate) mod plan;
mod preview;
mod read;
pub(crate) mod rollback;
pub(crate) mod transition;

pub use clean::clean;
pub use create::{Create, create};
pub use explain::{Blocker, Explanation, explain};
pub use operate::{cancel, pause, resume, retry};
pub use overriding::{Emergency, override_gate};
pub use preview::{PreviewedTarget, preview};
pub use read::{DeploymentView, RenderedTarget, activities, get, list, manifests, revision};
pub use rollback::rollback;
pub use slipway_store::deployments::Filter;

use crate::{Error, Ref, Tx};
use slipway_domain::{
    deployment::Deployment,
    identity::{Actor, Permission, Place},
    ids::DeploymentTag,
};
use slipway_store::deployments::{self, Row};

pub(crate) fn place(deployment: &Deployment) -> Place {
    Place::team_in(
        deployment.team,
        deployment.environment,
        format!(
            "service {} in {}",
            deployment.service_name, deployment.environment_name
        ),
    )
}

/// A deployment that the actor may see.
pub(crate) async fn load(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Row, Error> {
    let missing = || Error::not_found("deployment", reference);
    let row = deployments::find(tx, &Ref::parse::<DeploymentTag>(reference))
        .await?
        .ok_or_else(missing)?;
    if actor.rights.allows(Permission::Read, &place(&row.deployment)) {
        Ok(row)
    } else {
        Err(missing())
    }
}

/// A deployment that the actor may see, held against other changes.
pub(crate) async fn load_locked(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Row, Error> {
    let row = load(tx, actor, reference).await?;
    deployments::lock(tx, row.deployment.id)
        .await?
        .ok_or_else(|| Error::not_found("deployment", reference))
}
