//! What a wall dashboard shows, in one cheap read that all of a server's dashboards share.

mod shared;

pub use shared::Shared;

use crate::{Error, Tx};
use jiff::Timestamp;
use slipway_domain::identity::{Actor, Lacking, Permission, Place, Visible};
use slipway_store::status;
use std::collections::BTreeMap;

pub use slipway_store::status::{Emergencies, Latest, Running};

/// Everything at once.
#[derive(Debug, Clone)]
pub struct StatusView {
    /// What runs where.
    pub running: Vec<Running>,
    /// The latest deployment of each service to each environment.
    pub latest: Vec<Latest>,
    /// How many deployments are in each state that has not ended.
    pub active: BTreeMap<String, i64>,
    /// How many requests for approval are pending.
    pub pending_approvals: i64,
    /// What went on without a gate, and is not done with.
    pub emergencies: Emergencies,
    /// When this was read.
    pub at: Timestamp,
}

/// What somebody may see of it.
///
/// # Errors
/// When the actor may read nothing.
pub fn visible(actor: &Actor) -> Result<Visible, Error> {
    if actor.rights.allows_somewhere(Permission::Read) {
        return Ok(actor.rights.visible());
    }
    let nowhere = Place::everywhere();
    Err(actor.require(Permission::Read, &nowhere).err().map_or_else(
        || Error::internal("inconsistent rights"),
        |lacking: Lacking| Error::Lacking(lacking),
    ))
}

/// Reads what may be seen.
async fn read(tx: &mut Tx, visible: &Visible) -> Result<StatusView, Error> {
    let (active, pending_approvals) = status::counts(tx, visible).await?;
    Ok(StatusView {
        running: status::running(tx, visible).await?,
        latest: status::latest(tx, visible).await?,
        active,
        pending_approvals,
        emergencies: status::emergencies(tx, visible).await?,
        at: tx.now,
    })
}
