//! Drift: what runs on a target is not what was applied to it. Seen by whoever may see the target.
//!
//! * `mod.rs`: reading it
//! * `ledger`: what executors ask and say ([`Ledger`])
//! * `record`: what was found and what became of it, each with its audit entry and event
//! * `heal`: taking it back, where the environment says so

pub mod heal;
mod ledger;
pub(crate) mod record;

use crate::{Before, Error, Ref, Tx};
use slipway_domain::{
    identity::Actor,
    ids::{ClusterTag, DriftId, EnvironmentTag, ServiceTag},
};
use slipway_store::{clusters, drifts, environments, services};

pub use ledger::Ledger;

/// One object's drift, with the names of where it is.
pub type DriftView = drifts::Row;

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this service (name or id).
    pub service: Option<String>,
    /// Only in this environment (name or id).
    pub environment: Option<String>,
    /// Only on this cluster (name or id).
    pub cluster: Option<String>,
    /// Only open ones, or only those that are over.
    pub open: Option<bool>,
}

/// One, by id.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, id: &str) -> Result<DriftView, Error> {
    let missing = || Error::not_found("drift", id);
    let filter = drifts::Filter {
        id: Some(id.parse::<DriftId>().map_err(|_| missing())?),
        ..drifts::Filter::default()
    };
    drifts::list(tx, filter, &actor.rights.visible(), None, 1)
        .await?
        .pop()
        .ok_or_else(missing)
}

/// What has drifted, newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<DriftView>, Error> {
    let mut wanted = drifts::Filter {
        open: filter.open,
        ..drifts::Filter::default()
    };
    // What is not there has no drift; whether it is there is not told.
    if let Some(reference) = &filter.service {
        let found = services::find(tx, &Ref::parse::<ServiceTag>(reference)).await?;
        let Some(found) = found else { return Ok(Vec::new()) };
        wanted.service = Some(found.id);
    }
    if let Some(reference) = &filter.environment {
        let found = environments::find(tx, &Ref::parse::<EnvironmentTag>(reference)).await?;
        let Some(found) = found else { return Ok(Vec::new()) };
        wanted.environment = Some(found.id);
    }
    if let Some(reference) = &filter.cluster {
        let found = clusters::find(tx, &Ref::parse::<ClusterTag>(reference)).await?;
        let Some(found) = found else { return Ok(Vec::new()) };
        wanted.cluster = Some(found.id);
    }
    Ok(drifts::list(tx, wanted, &actor.rights.visible(), before, limit).await?)
}
