//! Watching what was applied: is it still what is there?
//!
//! The ledger gives each cluster to one executor at a time, evenly; on each a task of its own watches, so that a bad
//! cluster delays nobody else. A watch says that an object changed; whether it has drifted says a server-side dry run of
//! what was applied. Whatever watches may have missed is found by comparing everything, slowly, every few minutes.
//!
//! * `mod.rs`: which clusters are ours
//! * `cluster`: one cluster: looking, following, comparing, reporting
//! * `known`: what is known of a cluster, and what is to be compared next
//! * `follow`: one watch on a kind, metadata only
//! * `due`: what is to be compared, and when
//! * `compare`: one object

mod cluster;
mod compare;
mod due;
mod follow;
mod known;

use crate::api::Clients;
use jiff::SignedDuration;
use slipway_domain::{
    drift::{ClusterWatch, DriftLedger, WatchRequest},
    ids::ClusterId,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// How drift is watched.
#[derive(Debug, Clone)]
pub struct DriftSettings {
    /// Who watches: unique to the process.
    pub holder: String,
    /// For how long a cluster is this executor's.
    pub lease: SignedDuration,
    /// Time between two words to the ledger; several must fit into a lease.
    pub keep_every: Duration,
    /// Time between two looks at what there is to watch.
    pub look_every: Duration,
    /// Time between two comparisons of everything on one target, more or less.
    pub compare_every: Duration,
    /// Only clusters that carry all of these labels; empty for every cluster.
    pub cluster_labels: BTreeMap<String, String>,
}

impl DriftSettings {
    /// Leases of 15 s, a word every 3 s, a look every 2 s, and everything every 10 minutes.
    #[must_use]
    pub fn new(holder: impl Into<String>) -> Self {
        Self {
            holder: holder.into(),
            lease: SignedDuration::from_secs(15),
            keep_every: Duration::from_secs(3),
            look_every: Duration::from_secs(2),
            compare_every: Duration::from_mins(10),
            cluster_labels: BTreeMap::new(),
        }
    }
}

/// Watches clusters for drift.
pub struct DriftWatcher<L> {
    ledger: Arc<L>,
    clients: Clients,
    settings: Arc<DriftSettings>,
}

/// A cluster that is being watched.
struct Running {
    fence: i64,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl<L: DriftLedger> DriftWatcher<L> {
    /// Does nothing until [`DriftWatcher::run`].
    pub fn new(ledger: L, clients: Clients, settings: DriftSettings) -> Self {
        Self {
            ledger: Arc::new(ledger),
            clients,
            settings: Arc::new(settings),
        }
    }

    /// Watches until told to stop; then lets go of everything, and returns.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut running = HashMap::new();
        let request = WatchRequest {
            holder: self.settings.holder.clone(),
            lease: self.settings.lease,
            cluster_labels: self.settings.cluster_labels.clone(),
        };
        let lease = Duration::try_from(self.settings.lease).unwrap_or(Duration::from_secs(15));
        let mut ticks = interval(self.settings.keep_every.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let asked = Instant::now();
            match timeout(lease / 2, self.ledger.keep(&request)).await {
                Ok(Ok(watches)) => {
                    kept = asked;
                    self.follow(&mut running, watches).await;
                }
                failed => {
                    let error = failed.err().map_or_else(
                        || "the ledger of drift is unavailable".to_owned(),
                        |_| "the ledger of drift does not answer".to_owned(),
                    );
                    tracing::warn!(error, "watching for drift");
                    if kept.elapsed() >= lease {
                        self.follow(&mut running, Vec::new()).await;
                    }
                }
            }
        }
        self.follow(&mut running, Vec::new()).await;
        let heard = timeout(Duration::from_secs(5), self.ledger.leave(&self.settings.holder)).await;
        if !matches!(heard, Ok(Ok(()))) {
            tracing::info!("the ledger of drift does not hear that this executor goes; its leases will end");
        }
    }

    /// Starts what is ours, stops what is not any more.
    async fn follow(&self, running: &mut HashMap<ClusterId, Running>, watches: Vec<ClusterWatch>) {
        let ours = |cluster: &ClusterId, fence: i64| {
            watches
                .iter()
                .any(|watch| watch.cluster == *cluster && watch.fence == fence)
        };
        let over: Vec<ClusterId> = running
            .iter()
            .filter(|(cluster, one)| !ours(cluster, one.fence) || one.task.is_finished())
            .map(|(cluster, _)| *cluster)
            .collect();
        for cluster in over {
            if let Some(one) = running.remove(&cluster) {
                one.stop.cancel();
                if let Err(error) = one.task.await {
                    tracing::error!(%error, "watching a cluster for drift ended before its time");
                }
            }
        }
        for watch in watches {
            running.entry(watch.cluster).or_insert_with(|| {
                let stop = CancellationToken::new();
                let fence = watch.fence;
                let task = cluster::watch(
                    Arc::clone(&self.ledger),
                    self.clients.clone(),
                    Arc::clone(&self.settings),
                    watch,
                    stop.clone(),
                );
                Running {
                    fence,
                    stop,
                    task: tokio::spawn(task),
                }
            });
        }
    }
}
