//! One cluster: looks at what there is to watch there, follows it, compares what changed, and says what became of it.

use super::{
    DriftSettings,
    compare::compare,
    follow::{Collection, News, follow},
    known::{Key, Known, Question, Served, applied},
};
use crate::{
    api::{Clients, Cluster},
    concurrent::all,
    fault::CallError,
    object,
};
use slipway_domain::{
    drift::{ClusterWatch, Drift, DriftLedger, DriftReport, Judged, Overview, Taken, WatchedTarget},
    ids::TargetId,
};
use slipway_telemetry::catalogue as names;
use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Objects compared at once.
const BATCH: usize = 16;
/// Before an object is tried again that could not be compared, or reported.
const AGAIN: Duration = Duration::from_secs(10);
/// Targets that are read from the ledger at once.
const CHUNK: usize = 20;

struct Watching<L> {
    ledger: Arc<L>,
    clients: Clients,
    watch: ClusterWatch,
    cluster: Option<Arc<Cluster>>,
    known: Known,
    follows: HashMap<Collection, AbortOnDropHandle<()>>,
    /// Whether what is followed is to be settled anew.
    unsettled: bool,
    tell: mpsc::Sender<(Collection, News)>,
}

/// Whether to go on.
type Go = ControlFlow<()>;

/// Watches a cluster until told to stop, or until it is somebody else's.
pub(super) async fn watch<L: DriftLedger>(
    ledger: Arc<L>,
    clients: Clients,
    settings: Arc<DriftSettings>,
    watch: ClusterWatch,
    stop: CancellationToken,
) {
    let (tell, mut hear) = mpsc::channel(1024);
    let mut looks = interval(settings.look_every.max(Duration::from_millis(10)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let name = watch.name.to_string();
    tracing::info!(cluster = name, fence = watch.fence, "watches for drift");
    let mut watching = Watching {
        ledger,
        clients,
        watch,
        cluster: None,
        known: Known::new(settings.compare_every),
        follows: HashMap::new(),
        unsettled: false,
        tell,
    };
    let work = async {
        loop {
            let next = watching.known.next().filter(|_| watching.cluster.is_some());
            let go = tokio::select! {
                _ = looks.tick() => watching.look().await,
                Some((collection, news)) = hear.recv() => watching.heard(&collection, news),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => watching.judge().await,
            };
            if go.is_break() {
                break;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
    metrics::gauge!(names::DRIFT_WATCHES, "cluster" => name.clone()).set(0.0);
    tracing::info!(cluster = name, "watches for drift no more");
}

impl<L: DriftLedger> Watching<L> {
    /// Looks at what there is to watch now.
    async fn look(&mut self) -> Go {
        let revision = self.cluster.as_ref().map(|cluster| cluster.revision());
        let overview = match self.ledger.overview(&self.watch, revision).await {
            Ok(Some(overview)) => overview,
            Ok(None) => return Go::Break(()),
            Err(error) => {
                tracing::debug!(%error, "what to watch for drift is not known");
                return Go::Continue(());
            }
        };
        let Some(cluster) = self.connected(&overview) else {
            return Go::Continue(());
        };
        self.known.set_busy(overview.busy);
        for target in self.known.over(&overview.targets) {
            self.known.forget(target);
            self.unsettled = true;
        }
        let new = overview.targets.keys().filter(|id| !self.known.has(**id));
        let new: Vec<TargetId> = new.take(CHUNK).copied().collect();
        if !new.is_empty() {
            match self.ledger.details(&self.watch, &new).await {
                Ok(targets) => self.add(&cluster, targets).await,
                Err(error) => tracing::warn!(%error, "what was applied cannot be read"),
            }
        }
        self.known.compare_all();
        if std::mem::take(&mut self.unsettled) {
            self.follow_all(&cluster);
        }
        Go::Continue(())
    }

    /// The cluster, reached as it is to be now.
    fn connected(&mut self, overview: &Overview) -> Option<Arc<Cluster>> {
        if let Some(connection) = &overview.connection {
            // What follows with the old details ends.
            self.follows.clear();
            self.known.reconnected();
            self.unsettled = true;
            self.cluster = match self.clients.get(connection) {
                Ok(cluster) => Some(cluster),
                Err(fault) => {
                    tracing::debug!(%fault, "a cluster cannot be watched for drift");
                    None
                }
            };
        }
        self.cluster.clone()
    }

    async fn add(&mut self, cluster: &Cluster, targets: Vec<WatchedTarget>) {
        for target in targets {
            match served(cluster, &target).await {
                Ok(served) => {
                    self.known.add(&target, &served);
                    self.unsettled = true;
                }
                // Asked again at the next look.
                Err(error) => {
                    tracing::debug!(?error, target = %target.target, "cannot be watched for drift yet");
                    return;
                }
            }
        }
    }

    fn follow_all(&mut self, cluster: &Arc<Cluster>) {
        let wanted = self.known.collections();
        self.follows.retain(|collection, _| wanted.contains(collection));
        for collection in wanted {
            let tell = self.tell.clone();
            self.follows
                .entry(collection.clone())
                .or_insert_with(|| follow(cluster, collection, tell));
        }
        #[expect(clippy::cast_precision_loss, reason = "a count for a gauge")]
        metrics::gauge!(names::DRIFT_WATCHES, "cluster" => self.watch.name.to_string())
            .set(self.follows.len() as f64);
    }

    fn heard(&mut self, collection: &Collection, news: News) -> Go {
        if self.known.heard(collection, news) {
            self.unsettled = true;
        }
        Go::Continue(())
    }

    /// Compares what is due, and says what became of it.
    async fn judge(&mut self) -> Go {
        let Some(cluster) = self.cluster.clone() else {
            return Go::Continue(());
        };
        let asked = self.known.take(BATCH);
        let answers = all(asked.iter().map(|question| answer(&cluster, question))).await;
        let mut reports: BTreeMap<TargetId, Vec<(Key, Judged)>> = BTreeMap::new();
        for (question, answer) in asked.into_iter().zip(answers) {
            match answer {
                Err(error) => {
                    metrics::counter!(names::DRIFT_FAULTS, "cluster" => self.watch.name.to_string())
                        .increment(1);
                    tracing::debug!(?error, object = ?question.key.1, "cannot be compared with what was applied");
                    self.known.again(&question.key, AGAIN);
                }
                Ok(drift) => {
                    if let Some(object) = self.known.compared(&question.key, drift.as_ref()) {
                        let judged = Judged {
                            object: object.reference.clone(),
                            drift,
                        };
                        reports
                            .entry(object.target)
                            .or_default()
                            .push((question.key, judged));
                    }
                }
            }
        }
        for (target, judged) in reports {
            if self.report(target, judged).await.is_break() {
                return Go::Break(());
            }
        }
        Go::Continue(())
    }

    async fn report(&mut self, target: TargetId, judged: Vec<(Key, Judged)>) -> Go {
        let Some(generation) = self.known.generation(target) else {
            return Go::Continue(());
        };
        let (keys, judged): (Vec<Key>, Vec<Judged>) = judged.into_iter().unzip();
        let report = DriftReport {
            target,
            generation,
            judged,
        };
        match self.ledger.report(&self.watch, &report).await {
            Ok(Taken::Recorded) => {
                for (key, judged) in keys.into_iter().zip(report.judged) {
                    self.known.reported(&key, judged.drift);
                }
            }
            // A deployment is at work there; it is looked at anew when that is done.
            Ok(Taken::Stale) => {
                self.known.forget(target);
                self.unsettled = true;
            }
            Ok(Taken::Lost) => return Go::Break(()),
            Err(error) => {
                tracing::warn!(%error, "drift could not be reported");
                for key in keys {
                    self.known.again(&key, AGAIN);
                }
            }
        }
        Go::Continue(())
    }
}

/// How the kinds of what was applied to a target are served.
async fn served(cluster: &Cluster, target: &WatchedTarget) -> Result<Served, CallError> {
    let mut all = Served::new();
    for applied in &target.rendering.objects {
        let (api_version, kind) = (object::api_version(applied), object::kind(applied));
        let of = (api_version.to_owned(), kind.to_owned());
        if all.contains_key(&of) {
            continue;
        }
        if let Some(resource) = cluster.resource(api_version, kind).await? {
            all.insert(of, resource);
        }
    }
    Ok(all)
}

async fn answer(cluster: &Cluster, question: &Question) -> Result<Option<Drift>, CallError> {
    let begun = Instant::now();
    let Some(applied) = applied(question) else {
        return Ok(None);
    };
    // Looked up anew: its definition may be gone, or back.
    let (api_version, kind) = (object::api_version(&applied), object::kind(&applied));
    let resource = cluster.resource(api_version, kind).await?;
    let drift = compare(cluster, resource.as_ref(), &question.namespace, &applied).await;
    metrics::histogram!(names::DRIFT_COMPARISON, "cluster" => cluster.name().to_string())
        .record(begun.elapsed().as_secs_f64());
    drift
}
