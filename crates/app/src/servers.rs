//! Server processes: each says that it is there; people see which there are, and work is shared out by how many.

use crate::{App, Error, Tx};
use slipway_domain::{
    identity::{Actor, Permission, Place},
    ids::ClusterId,
    registry::Labels,
};
use slipway_store::servers::{self, Beat};
use slipway_telemetry::catalogue as names;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

pub use slipway_store::servers::Server;

/// How often a process says that it is there.
pub const PERIOD: Duration = Duration::from_secs(4);
/// Most processes that are shown.
const MOST: i64 = 1000;

/// What a process says of itself.
#[derive(Debug, Clone)]
pub struct Myself {
    /// Its name: unique to the process, and the holder of its leases.
    pub holder: String,
    /// `api`, `scheduler`, `executor`.
    pub roles: Vec<String>,
    /// The binary's version.
    pub version: String,
    /// What its executor is limited to; empty for every cluster.
    pub cluster_labels: Labels,
}

/// Says that this process is there, and learns how many executors share its work.
///
/// # Errors
/// When the database is unavailable.
pub async fn beat(app: &App, myself: &Myself) -> Result<(), Error> {
    let mut tx = app.begin().await?;
    let beat = Beat {
        holder: &myself.holder,
        roles: &myself.roles,
        version: &myself.version,
        cluster_labels: &myself.cluster_labels,
    };
    servers::beat(&mut tx, &beat).await?;
    let executors = servers::executors_beside(&mut tx, &myself.cluster_labels).await?;
    tx.commit().await?;
    app.set_executors(executors);
    Ok(())
}

/// Says so again and again until told to stop, and then that it stops. Without a database it goes on trying.
pub async fn keep(app: App, myself: Myself, shutdown: CancellationToken) {
    let ready = metrics::gauge!(names::READY);
    loop {
        // A database that does not answer must not be taken for one that will soon.
        let is_there = tokio::time::timeout(PERIOD, beat(&app, &myself));
        let said = tokio::select! {
            () = shutdown.cancelled() => break,
            said = is_there => said,
        };
        match said {
            Ok(Ok(())) => ready.set(1.0),
            Ok(Err(error)) => {
                ready.set(0.0);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot say that this server is there"
                );
            }
            Err(_) => {
                ready.set(0.0);
                tracing::warn!("cannot say that this server is there: the database does not answer in time");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
    ready.set(0.0);
    let stopped = async {
        let mut tx = app.begin().await?;
        servers::stop(&mut tx, &myself.holder).await?;
        tx.commit().await?;
        Ok::<_, Error>(())
    };
    if !matches!(tokio::time::timeout(PERIOD, stopped).await, Ok(Ok(()))) {
        tracing::info!("could not say that this server stops; it is taken for gone soon");
    }
}

/// Processes seen within the last day, the living first.
///
/// # Errors
/// Without `server.read` on everything.
pub async fn list(tx: &mut Tx, actor: &Actor) -> Result<Vec<Server>, Error> {
    actor.require(Permission::ServerRead, &Place::everywhere())?;
    Ok(servers::list(tx, MOST).await?)
}

/// How many processes of each role are alive, for `/readyz?verbose`.
///
/// # Errors
/// When the database is unavailable.
pub async fn alive_by_role(app: &App) -> Result<Vec<(String, i64)>, Error> {
    let mut tx = app.read().await?;
    Ok(servers::alive_by_role(&mut tx).await?)
}

/// Who could take the work of clusters, to tell people why nobody does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hands {
    clusters: BTreeMap<ClusterId, servers::Serving>,
    limits: Vec<Labels>,
    last_seen: Option<jiff::Timestamp>,
}

impl Hands {
    /// Of these clusters.
    pub(crate) async fn of(tx: &mut Tx, clusters: &BTreeSet<ClusterId>) -> Result<Self, Error> {
        if clusters.is_empty() {
            return Ok(Self::default());
        }
        let ids: Vec<ClusterId> = clusters.iter().copied().collect();
        let clusters: BTreeMap<_, _> = servers::serving(tx, &ids).await?.into_iter().collect();
        if clusters.values().all(|cluster| cluster.served) {
            return Ok(Self {
                clusters,
                ..Self::default()
            });
        }
        let (limits, last_seen) = servers::executors(tx).await?;
        Ok(Self {
            clusters,
            limits,
            last_seen,
        })
    }

    /// Why no executor takes work of this cluster, and what would help; none when one can.
    pub(crate) fn lacking(&self, cluster: ClusterId, name: &str) -> Option<(String, String)> {
        let serving = self.clusters.get(&cluster).filter(|serving| !serving.served)?;
        if self.limits.is_empty() {
            let since = match self.last_seen {
                Some(at) => format!("none has been seen since {at:.0}"),
                None => "none has ever been seen".to_owned(),
            };
            return Some((
                format!("waiting for an executor: {since}"),
                "a server with the role executor".to_owned(),
            ));
        }
        let labels = shown(&serving.labels);
        let limits: Vec<String> = self.limits.iter().map(shown).collect();
        Some((
            format!(
                "no executor serves cluster {name} (labels {labels}); those that run are limited to {}",
                limits.join("; ")
            ),
            format!("an executor whose executor.cluster_labels {name} carries, or other labels on {name}"),
        ))
    }
}

fn shown(labels: &Labels) -> String {
    if labels.is_empty() {
        return "none".to_owned();
    }
    let all: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn hands(served: bool, limits: &[Labels]) -> (Hands, ClusterId) {
        let id = ClusterId::new();
        let serving = servers::Serving {
            labels: labels(&[("region", "eu"), ("tier", "a")]),
            served,
        };
        let hands = Hands {
            clusters: BTreeMap::from([(id, serving)]),
            limits: limits.to_vec(),
            last_seen: "2026-11-23T01:02:03.456Z".parse().ok(),
        };
        (hands, id)
    }

    #[test]
    fn people_are_told_what_is_missing() {
        let (hands, id) = hands(false, &[labels(&[("region", "us")])]);
        assert_eq!(
            hands.lacking(id, "eu").unwrap().0,
            "no executor serves cluster eu (labels region=eu, tier=a); those that run are limited to region=us"
        );
        let (hands, id) = self::hands(false, &[]);
        assert_eq!(
            hands.lacking(id, "eu").unwrap().0,
            "waiting for an executor: none has been seen since 2026-11-23T01:02:03Z"
        );
        let (hands, id) = self::hands(true, &[]);
        assert_eq!(hands.lacking(id, "eu"), None);
    }
}
