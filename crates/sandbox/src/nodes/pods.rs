//! Schedules Pods to the node and plays its kubelet, driven by one watch; each Pod has a task of its own.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::retry::answered;
use super::status::{Stamp, patch};
use super::timeline::{Phase, snapshot};
use super::{Pace, behaviour, node};
use crate::clock;

/// Requests at a time, for each is a connection.
const REQUESTS: usize = 16;
/// How long the containers of a deleted Pod take to end, at most.
const END: Duration = Duration::from_millis(100);
/// A look that does not last longer than this, at the very start, is not told.
const TOO_SHORT: Duration = Duration::from_millis(500);

/// Acts on all Pods until dropped.
pub(super) async fn run(client: Client, pace: Pace) {
    let pods: Api<Pod> = Api::all(client.clone());
    let mut events = pin!(watcher(pods, watcher::Config::default()).default_backoff());
    let kubelet = Arc::new(Kubelet {
        client,
        pace,
        requests: Semaphore::new(REQUESTS),
    });
    let mut tasks: HashMap<String, PodTask> = HashMap::new();
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(pod)) => observe(&kubelet, &mut tasks, pod),
            Ok(watcher::Event::InitApply(pod)) => {
                listed.extend(pod.metadata.uid.clone());
                observe(&kubelet, &mut tasks, pod);
            }
            Ok(watcher::Event::Delete(pod)) => {
                tasks.remove(pod.metadata.uid.as_deref().unwrap_or_default());
            }
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitDone) => tasks.retain(|uid, _| listed.contains(uid)),
            Err(error) => tracing::debug!(%error, "the watch of Pods begins anew"),
        }
    }
}

/// What is being done about a Pod; dropping it stops that.
struct PodTask {
    ending: bool,
    _task: AbortOnDropHandle<()>,
}

/// Begins what a Pod needs, unless that is under way.
fn observe(kubelet: &Arc<Kubelet>, tasks: &mut HashMap<String, PodTask>, pod: Pod) {
    let Some(uid) = pod.metadata.uid.clone() else {
        return;
    };
    let ending = pod.metadata.deletion_timestamp.is_some();
    if tasks.get(&uid).is_some_and(|task| task.ending == ending) {
        return;
    }
    let assigned = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    if assigned.is_some_and(|name| name != node::NAME) {
        return;
    }
    // What was under way stops before what is next begins.
    tasks.remove(&uid);
    let kubelet = Arc::clone(kubelet);
    let task = tokio::spawn(async move {
        let _: Option<()> = if ending {
            kubelet.end(&pod).await
        } else {
            kubelet.live(pod).await
        };
    });
    tasks.insert(
        uid,
        PodTask {
            ending,
            _task: AbortOnDropHandle::new(task),
        },
    );
}

struct Kubelet {
    client: Client,
    pace: Pace,
    requests: Semaphore,
}

impl Kubelet {
    /// Schedules a Pod and leads it through its plan; ends when it will look no different any more, or is gone.
    async fn live(&self, mut pod: Pod) -> Option<()> {
        let finished = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if matches!(finished, Some("Succeeded" | "Failed")) {
            return None;
        }
        let spec = pod.spec.as_ref()?;
        if spec.node_name.is_none() {
            if let Some(message) = why_not_here(spec) {
                return self.report_unschedulable(&pod, &message).await;
            }
            self.bind(&pod).await?;
        }

        let plan = behaviour::plan(&pod, self.pace);
        // A Pod of an earlier run goes on where it was.
        let resumed = pod
            .status
            .as_ref()
            .and_then(|status| status.start_time.as_ref())
            .map(|time| time.0);
        let started = resumed.unwrap_or_else(clock::now);
        let ran: Duration = clock::now()
            .duration_since(started)
            .try_into()
            .unwrap_or_default();
        let begun = Instant::now();
        let mut told = resumed.is_some();
        loop {
            let at = ran + begun.elapsed();
            let look = snapshot(&plan, at);
            let soon = look.next.is_some_and(|next| next.saturating_sub(at) < TOO_SHORT);
            let hidden = soon && !told && look.phase == Phase::Pending;
            if !hidden {
                pod = self.tell(&pod, &look, started).await?;
                told = true;
            }
            let Some(next) = look.next else { return Some(()) };
            tokio::time::sleep_until(begun + next.saturating_sub(ran)).await;
        }
    }

    async fn tell(
        &self,
        pod: &Pod,
        look: &super::timeline::Snapshot,
        started: jiff::Timestamp,
    ) -> Option<Pod> {
        let stamp = Stamp {
            started,
            now: clock::now(),
            host_ip: node::ADDRESS.to_owned(),
            pod_ip: pod_ip(pod),
        };
        self.patch_status(pod, patch(pod, look, &stamp)).await
    }

    async fn patch_status(&self, pod: &Pod, patch: Value) -> Option<Pod> {
        let (api, name) = self.place(pod)?;
        let _turn = self.requests.acquire().await.ok()?;
        let (params, patch) = (PatchParams::default(), Patch::Strategic(patch));
        answered("report a Pod", || api.patch_status(name, &params, &patch)).await
    }

    async fn bind(&self, pod: &Pod) -> Option<()> {
        let (api, name) = self.place(pod)?;
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": { "name": name, "namespace": pod.metadata.namespace, "uid": pod.metadata.uid },
            "target": { "apiVersion": "v1", "kind": "Node", "name": node::NAME },
        });
        let _turn = self.requests.acquire().await.ok()?;
        let params = PostParams::default();
        answered("bind a Pod", || {
            api.create_subresource::<_, Value>("binding", name, &params, &binding)
        })
        .await?;
        Some(())
    }

    async fn report_unschedulable(&self, pod: &Pod, message: &str) -> Option<()> {
        let patch = json!({
            "metadata": { "uid": pod.metadata.uid },
            "status": { "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
                "lastTransitionTime": clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            }] },
        });
        self.patch_status(pod, patch).await.map(|_| ())
    }

    /// Completes the deletion of a Pod, as a kubelet does once its containers have ended.
    async fn end(&self, pod: &Pod) -> Option<()> {
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
        tokio::time::sleep(Duration::from_secs(u64::try_from(grace).unwrap_or(0)).min(END)).await;
        let (api, name) = self.place(pod)?;
        let preconditions = Preconditions {
            uid: pod.metadata.uid.clone(),
            resource_version: None,
        };
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(preconditions),
            ..Default::default()
        };
        let _turn = self.requests.acquire().await.ok()?;
        answered("delete a Pod", || api.delete(name, &params)).await?;
        Some(())
    }

    fn place<'a>(&self, pod: &'a Pod) -> Option<(Api<Pod>, &'a str)> {
        let namespace = pod.metadata.namespace.as_deref()?;
        Some((
            Api::namespaced(self.client.clone(), namespace),
            pod.metadata.name.as_deref()?,
        ))
    }
}

/// Why a Pod cannot run on the node, in the words of the scheduler.
fn why_not_here(spec: &PodSpec) -> Option<String> {
    let mut wanted = spec.node_selector.iter().flatten();
    let matches = wanted.all(|(key, value)| node::LABELS.contains(&(key.as_str(), value.as_str())));
    (!matches).then(|| "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity.".to_owned())
}

/// The address of a Pod: what it has, else one made of its uid.
fn pod_ip(pod: &Pod) -> String {
    if let Some(ip) = pod.status.as_ref().and_then(|status| status.pod_ip.clone()) {
        return ip;
    }
    let mut hasher = DefaultHasher::new();
    pod.metadata.uid.hash(&mut hasher);
    let [a, b, c, ..] = hasher.finish().to_le_bytes();
    // 10.128.0.0/9, without the first and the last address of a /24.
    format!("10.{}.{b}.{}", 128 | a, 1 + c % 254)
}
