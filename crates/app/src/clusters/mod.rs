//! Clusters: Kubernetes API endpoints. Their names are seen by whoever may read anything; their credentials go in and
//! never come out, but into a [`connection`].

mod credential;
mod server;
mod write;

pub use credential::CredentialInput;
pub use write::{Create, Update, create, update};

use crate::{App, Before, Error, Ref, Tx, record, teams::require_reader};
use serde_json::json;
use slipway_domain::{
    identity::{Actor, Permission, Place},
    ids::{ClusterId, ClusterTag},
    ports::ClusterReport,
    registry::{Cluster, Connection},
};
use slipway_store::clusters;

/// A cluster, as shown: without its credential.
pub type ClusterView = Cluster;

/// One cluster, by id or name.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<ClusterView, Error> {
    require_reader(actor)?;
    let found = clusters::find(tx, &Ref::parse::<ClusterTag>(reference)).await?;
    found.ok_or_else(|| Error::not_found("cluster", reference))
}

/// Clusters, newest first.
///
/// # Errors
/// When the actor may read nothing.
pub async fn list(tx: &mut Tx, actor: &Actor, before: Before, limit: i64) -> Result<Vec<ClusterView>, Error> {
    require_reader(actor)?;
    Ok(clusters::list(tx, before, limit).await?)
}

/// The revision of a cluster, by one index. When it was last seen is not a change of it.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn revision(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<i64, Error> {
    require_reader(actor)?;
    let found = clusters::revision(tx, &Ref::parse::<ClusterTag>(reference)).await?;
    found.ok_or_else(|| Error::not_found("cluster", reference))
}

/// All that is needed to talk to a cluster. For the application itself: whoever calls it has authorised it.
///
/// # Errors
/// When there is none, or its credential cannot be decrypted.
pub async fn connection(tx: &mut Tx, app: &App, id: ClusterId) -> Result<Connection, Error> {
    let sealed = clusters::connection(tx, id)
        .await?
        .ok_or_else(|| Error::not_found("cluster", id))?;
    credential::open(app, sealed)
}

/// Tests a connection. Asks the cluster while no transaction is open, and then notes that it answered.
///
/// # Errors
/// What the cluster said; when there is none; without `cluster.write` on everything.
pub async fn check(app: &App, actor: &Actor, reference: &str) -> Result<ClusterReport, Error> {
    actor.require(Permission::ClusterWrite, &Place::everywhere())?;
    let mut tx = app.read().await?;
    let cluster = get(&mut tx, actor, reference).await?;
    let connection = connection(&mut tx, app, cluster.id).await?;
    tx.commit().await?;
    let report = app.probe().check(&connection).await?;
    let mut tx = app.begin().await?;
    clusters::seen(&mut tx, cluster.id).await?;
    let message = format!("checked the connection to cluster {}", cluster.name);
    let mut change = record::Change::new("cluster.check", cluster.name.as_str(), message)
        .with(json!({"version": report.version, "missing_rights": report.missing_rights}));
    change.cluster = Some(cluster.name.to_string());
    record::change(&mut tx, actor, change).await?;
    tx.commit().await?;
    Ok(report)
}
