//! What a wall dashboard shows, in one cheap read.

use crate::{Error, Tx};
use jiff::Timestamp;
use slipway_domain::identity::{Actor, Lacking, Permission, Place};
use slipway_store::status;
use std::collections::BTreeMap;

pub use slipway_store::status::{Latest, Running};

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
    /// When this was read.
    pub at: Timestamp,
}

/// Reads it.
///
/// # Errors
/// When the actor may read nothing.
pub async fn read(tx: &mut Tx, actor: &Actor) -> Result<StatusView, Error> {
    if !actor.rights.allows_somewhere(Permission::Read) {
        let nowhere = Place::everywhere();
        return Err(actor.require(Permission::Read, &nowhere).err().map_or_else(
            || Error::internal("inconsistent rights"),
            |lacking: Lacking| Error::Lacking(lacking),
        ));
    }
    let visible = actor.rights.visible();
    let (active, pending_approvals) = status::counts(tx, &visible).await?;
    Ok(StatusView {
        running: status::running(tx, &visible).await?,
        latest: status::latest(tx, &visible).await?,
        active,
        pending_approvals,
        at: tx.now,
    })
}
