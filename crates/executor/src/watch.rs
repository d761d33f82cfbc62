//! Watches on namespaces in which something is waited for. A change there makes the waiting work due at once; the pods
//! seen are kept, so that a hundred targets that wait do not each list them again and again.
//!
//! Watches are a shortcut and never the truth: work that waits is looked at every few seconds anyhow, and a watch that
//! is not in step (yet, or any more) is not read from. One that has said nothing for a while is checked against a list: a
//! connection can be open and dead.

use crate::{
    api::{Cluster, Resource},
    fault::CallError,
    object,
};
use futures::{Stream, StreamExt as _};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde_json::Value;
use slipway_domain::{
    ids::{ClusterId, DeploymentTargetId},
    ports::WorkQueue,
    render::LABEL_SERVICE,
};
use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Work is woken at most this often.
const COALESCE: Duration = Duration::from_millis(150);
/// A watch that nobody asked for in this time is closed; what waits asks every few seconds.
const UNUSED: Duration = Duration::from_mins(1);

/// A watch of pods is believed for this long after it last said something; then a list tells whether it still follows.
const BELIEVED: Duration = Duration::from_secs(10);
/// The API server is asked to end every watch after so many seconds: a dead one is left soon after, and begun anew.
const WATCH_SECONDS: u32 = 60;

/// Which namespace of which cluster, reached with which connection details.
type Key = (ClusterId, i64, String);

/// All watches of this process. Cheap to clone; clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Watches(Arc<Inner>);

#[derive(Default)]
struct Inner {
    namespaces: Mutex<HashMap<Key, Arc<Namespace>>>,
    woken: Mutex<HashSet<DeploymentTargetId>>,
    bell: Notify,
}

/// One namespace in which something is waited for.
struct Namespace {
    used: Mutex<Instant>,
    /// By path of the collection.
    watches: Mutex<HashMap<String, AbortOnDropHandle<()>>>,
    waiting: Mutex<HashMap<DeploymentTargetId, Waiting>>,
    pods: Mutex<Pods>,
}

/// A target that waits for something in a namespace.
struct Waiting {
    asked: Instant,
    changed: Option<Instant>,
}

/// The pods of a namespace, as watched.
#[derive(Default)]
struct Pods {
    in_step: bool,
    /// When the watch last said something, or was found to follow.
    heard: Option<Instant>,
    by_name: HashMap<String, Value>,
    /// What a new listing has brought so far.
    listing: HashMap<String, Value>,
}

fn pods_resource() -> Resource {
    Resource::built_in("v1", "Pod", "pods", true)
}

impl Watches {
    /// Watches the namespace's pods on behalf of a target.
    pub(crate) fn pods(&self, cluster: &Arc<Cluster>, namespace: &str, target: DeploymentTargetId) {
        let resource = pods_resource();
        let place = self.place(cluster, namespace, target);
        let mut watches = lock(&place.watches);
        watches.retain(|_, watch| !watch.is_finished());
        watches.entry(resource.path(namespace, None)).or_insert_with(|| {
            let api: Api<DynamicObject> =
                Api::namespaced_with(cluster.client(), namespace, &api_resource(&resource));
            let (inner, namespace) = (Arc::downgrade(&self.0), Arc::downgrade(&place));
            let stream = watcher(api, config()).default_backoff();
            spawn(stream, move |event| {
                let (Some(inner), Some(namespace)) = (inner.upgrade(), namespace.upgrade()) else {
                    return;
                };
                if lock(&namespace.pods).take(event) {
                    inner.changed(&namespace);
                }
            })
        });
    }

    /// Watches a kind in the namespace on behalf of a target, for what changes only.
    pub(crate) fn kind(
        &self,
        cluster: &Arc<Cluster>,
        namespace: &str,
        resource: &Resource,
        target: DeploymentTargetId,
    ) {
        if !resource.namespaced || *resource == pods_resource() {
            return;
        }
        let place = self.place(cluster, namespace, target);
        let mut watches = lock(&place.watches);
        watches.retain(|_, watch| !watch.is_finished());
        watches.entry(resource.path(namespace, None)).or_insert_with(|| {
            let resource = api_resource(resource);
            let api: Api<PartialObjectMeta<DynamicObject>> =
                Api::namespaced_with(cluster.client(), namespace, &resource);
            let (inner, namespace) = (Arc::downgrade(&self.0), Arc::downgrade(&place));
            let ours = config().labels(LABEL_SERVICE);
            spawn(watcher(api, ours).default_backoff(), move |event| {
                let (Some(inner), Some(namespace)) = (inner.upgrade(), namespace.upgrade()) else {
                    return;
                };
                if matches!(event, Event::Apply(_) | Event::Delete(_) | Event::InitDone) {
                    inner.changed(&namespace);
                }
            })
        });
    }

    /// The pods of a namespace: from the watch when it is in step, else from the API server.
    pub(crate) async fn read_pods(
        &self,
        cluster: &Arc<Cluster>,
        namespace: &str,
    ) -> Result<Vec<Value>, CallError> {
        let place = lock(&self.0.namespaces).get(&key(cluster, namespace)).cloned();
        let asked = Instant::now();
        if let Some(pods) = place.as_ref().and_then(|place| lock(&place.pods).believed(asked)) {
            return Ok(pods);
        }
        let listed = cluster.list(&pods_resource(), namespace, "").await?;
        if let Some(place) = place
            && lock(&place.pods).compare(&listed, asked) == Followed::No
        {
            tracing::info!(cluster = %cluster.name(), namespace, "a watch had fallen silent and begins anew");
            lock(&place.watches).remove(&pods_resource().path(namespace, None));
            *lock(&place.pods) = Pods::default();
        }
        Ok(listed)
    }

    /// The target was given back to wait. What changed since its last look began would not wake it, since it was not
    /// waiting then: wake it now.
    pub(crate) fn given_back(&self, target: DeploymentTargetId, look_began: Instant) {
        let places: Vec<_> = lock(&self.0.namespaces).values().cloned().collect();
        let changed = places.iter().any(|place| {
            let waiting = lock(&place.waiting);
            waiting
                .get(&target)
                .and_then(|w| w.changed)
                .is_some_and(|at| at >= look_began)
        });
        if changed {
            lock(&self.0.woken).insert(target);
            self.0.bell.notify_one();
        }
    }

    /// Wakes work when something changed, and closes watches that are not used, until told to stop.
    pub(crate) async fn deliver<Q: WorkQueue>(&self, queue: &Q, stop: &CancellationToken) {
        let mut sweep = interval(UNUSED / 4);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = sweep.tick() => self.sweep(),
                () = self.0.bell.notified() => {
                    let targets: Vec<_> = std::mem::take(&mut *lock(&self.0.woken)).into_iter().collect();
                    if !targets.is_empty() && let Err(error) = queue.wake(&targets).await {
                        tracing::debug!(%error, "work is not woken; it is looked at anyhow");
                    }
                    sleep(COALESCE).await;
                }
            }
        }
    }

    /// The namespace, marked as used, with the target among those to be woken.
    fn place(&self, cluster: &Arc<Cluster>, namespace: &str, target: DeploymentTargetId) -> Arc<Namespace> {
        let now = Instant::now();
        let mut namespaces = lock(&self.0.namespaces);
        let place = namespaces.entry(key(cluster, namespace)).or_insert_with(|| {
            Arc::new(Namespace {
                used: Mutex::new(now),
                watches: Mutex::default(),
                waiting: Mutex::default(),
                pods: Mutex::default(),
            })
        });
        *lock(&place.used) = now;
        lock(&place.waiting)
            .entry(target)
            .or_insert(Waiting {
                asked: now,
                changed: None,
            })
            .asked = now;
        Arc::clone(place)
    }

    fn sweep(&self) {
        let mut namespaces = lock(&self.0.namespaces);
        namespaces.retain(|_, place| lock(&place.used).elapsed() < UNUSED);
        for place in namespaces.values() {
            lock(&place.waiting).retain(|_, waiting| waiting.asked.elapsed() < UNUSED);
        }
        #[expect(clippy::cast_precision_loss, reason = "a count for a gauge")]
        metrics::gauge!(slipway_telemetry::catalogue::WATCHED_NAMESPACES).set(namespaces.len() as f64);
    }
}

impl Inner {
    /// Something changed in a namespace.
    fn changed(&self, place: &Namespace) {
        let now = Instant::now();
        let mut woken = lock(&self.woken);
        for (target, waiting) in lock(&place.waiting).iter_mut() {
            waiting.changed = Some(now);
            woken.insert(*target);
        }
        self.bell.notify_one();
    }
}

/// Whether a watch had seen what a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Followed {
    Yes,
    No,
    /// It was not in step, or said something meanwhile.
    Unknown,
}

impl Pods {
    /// The pods, when the watch is in step and not silent for too long.
    fn believed(&self, now: Instant) -> Option<Vec<Value>> {
        let heard = self.heard.filter(|_| self.in_step)?;
        (now.duration_since(heard) < BELIEVED).then(|| self.by_name.values().cloned().collect())
    }

    /// Compares with what was listed, asked for at that instant.
    fn compare(&mut self, listed: &[Value], asked: Instant) -> Followed {
        if !self.in_step || self.heard.is_some_and(|heard| heard >= asked) {
            return Followed::Unknown;
        }
        let version = |pod: &Value| pod["metadata"]["resourceVersion"].clone();
        let seen = |pod: &Value| self.by_name.get(object::name(pod)).map(version) == Some(version(pod));
        if listed.len() == self.by_name.len() && listed.iter().all(seen) {
            self.heard = Some(Instant::now());
            return Followed::Yes;
        }
        Followed::No
    }

    /// Takes an event in; says whether something may have changed.
    fn take(&mut self, event: Event<DynamicObject>) -> bool {
        self.heard = Some(Instant::now());
        match event {
            Event::Init => {
                self.listing.clear();
                return false;
            }
            Event::InitApply(pod) => {
                self.listing.extend(named(pod));
                return false;
            }
            Event::InitDone => {
                self.by_name = std::mem::take(&mut self.listing);
                self.in_step = true;
            }
            Event::Apply(pod) => self.by_name.extend(named(pod)),
            Event::Delete(pod) => {
                self.by_name.remove(&pod.metadata.name.unwrap_or_default());
            }
        }
        true
    }
}

fn config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

fn named(mut pod: DynamicObject) -> Option<(String, Value)> {
    pod.metadata.managed_fields = None;
    let name = pod.metadata.name.clone()?;
    Some((name, serde_json::to_value(pod).ok()?))
}

fn key(cluster: &Cluster, namespace: &str) -> Key {
    (cluster.id(), cluster.revision(), namespace.to_owned())
}

fn api_resource(resource: &Resource) -> ApiResource {
    let (group, version) = resource
        .api_version
        .split_once('/')
        .unwrap_or(("", &resource.api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
        plural: resource.plural.clone(),
    }
}

/// Follows a watch for as long as its handle is kept. Faults are the watcher's to get over: it lists anew.
fn spawn<K: Send + 'static>(
    stream: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    take: impl Fn(Event<K>) + Send + 'static,
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut stream = pin!(stream);
        while let Some(event) = stream.next().await {
            match event {
                Ok(event) => take(event),
                // Asking again and again with a credential that is refused helps nobody; what waits begins a new watch.
                Err(error) if is_refused(&error) => {
                    tracing::debug!(%error, "a watch ends");
                    return;
                }
                Err(error) => tracing::debug!(%error, "a watch starts anew"),
            }
        }
    }))
}

/// Whether the credential is not accepted.
fn is_refused(error: &watcher::Error) -> bool {
    use kube::Error::Api;
    match error {
        watcher::Error::InitialListFailed(Api(status))
        | watcher::Error::WatchStartFailed(Api(status))
        | watcher::Error::WatchFailed(Api(status))
        | watcher::Error::WatchError(status) => status.code == 401,
        _ => false,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
