//! Writes a snapshot down as the status of a Pod.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::timeline::{ContainerState, Ended, Now, Phase, Snapshot, Wait};

/// What a status says besides what the snapshot does.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    /// When the Pod began on the node.
    pub(super) started: Timestamp,
    pub(super) now: Timestamp,
    pub(super) host_ip: String,
    pub(super) pod_ip: String,
}

/// The strategic merge patch that gives `pod` the status of `snapshot`, refused by the server if the Pod of this name
/// is another one by now.
pub(super) fn patch(pod: &Pod, snapshot: &Snapshot, stamp: &Stamp) -> Value {
    let writer = Writer { pod, stamp };
    let spec = pod.spec.as_ref();
    let init = spec
        .and_then(|spec| spec.init_containers.as_deref())
        .unwrap_or_default();
    let containers = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let mut status = json!({
        "phase": format!("{:?}", snapshot.phase),
        "hostIP": stamp.host_ip,
        "podIP": stamp.pod_ip,
        "podIPs": [{ "ip": stamp.pod_ip }],
        "startTime": stamp.started.to_string_seconds(),
        "conditions": writer.conditions(snapshot, containers),
        "containerStatuses": writer.containers(containers, &snapshot.containers),
    });
    if !init.is_empty() {
        status["initContainerStatuses"] = writer.containers(init, &snapshot.init);
    }
    json!({ "metadata": { "uid": pod.metadata.uid }, "status": status })
}

/// Kubernetes' own form of a time, which has no fractions.
trait Seconds {
    fn to_string_seconds(&self) -> String;
}

impl Seconds for Timestamp {
    fn to_string_seconds(&self) -> String {
        self.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

struct Writer<'a> {
    pod: &'a Pod,
    stamp: &'a Stamp,
}

impl Writer<'_> {
    fn at(&self, offset: Duration) -> String {
        self.stamp
            .started
            .saturating_add(offset)
            .unwrap_or(self.stamp.started)
            .to_string_seconds()
    }

    fn conditions(&self, snapshot: &Snapshot, containers: &[Container]) -> Vec<Value> {
        let unready: Vec<&str> = containers
            .iter()
            .zip(&snapshot.containers)
            .filter(|(_, state)| !state.is_ready())
            .map(|(container, _)| container.name.as_str())
            .collect();
        let initialized = snapshot.init.iter().all(ContainerState::has_succeeded);
        let why_not = match snapshot.phase {
            Phase::Succeeded => ("PodCompleted", String::new()),
            Phase::Failed => ("PodFailed", String::new()),
            _ => (
                "ContainersNotReady",
                format!("containers with unready status: [{}]", unready.join(" ")),
            ),
        };
        let ready = unready.is_empty();
        let because = |is: bool| (!is).then_some((why_not.0, why_not.1.as_str()));
        vec![
            self.condition(
                "Initialized",
                initialized,
                (!initialized).then_some(("ContainersNotInitialized", "")),
            ),
            self.condition("ContainersReady", ready, because(ready)),
            self.condition("Ready", ready, because(ready)),
        ]
    }

    /// Keeps the time of the transition while there is none.
    fn condition(&self, kind: &str, holds: bool, reason: Option<(&str, &str)>) -> Value {
        let holds = if holds { "True" } else { "False" };
        let before = self
            .pod
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_ref());
        let since = before
            .into_iter()
            .flatten()
            .find(|condition| condition.type_ == kind && condition.status == holds)
            .and_then(|condition| condition.last_transition_time.as_ref())
            .map_or(self.stamp.now, |time| time.0);
        let (reason, message) = reason.unzip();
        // A null takes away the reason of a condition that holds now.
        json!({
            "type": kind,
            "status": holds,
            "lastTransitionTime": since.to_string_seconds(),
            "reason": reason,
            "message": message.filter(|message| !message.is_empty()),
        })
    }

    fn containers(&self, containers: &[Container], states: &[ContainerState]) -> Value {
        containers
            .iter()
            .zip(states)
            .map(|(container, state)| self.container(container, state))
            .collect()
    }

    fn container(&self, container: &Container, state: &ContainerState) -> Value {
        let image = container.image.as_deref().unwrap_or_default();
        let pulled = !matches!(state.now, Now::Waiting(_)) || state.last.is_some();
        let id = self.container_id(container, state.restarts);
        let mut status = json!({
            "name": container.name,
            "image": image,
            "imageID": if pulled { image_id(image) } else { String::new() },
            "ready": state.is_ready() || (state.has_succeeded() && self.is_init(container)),
            "restartCount": state.restarts,
            "started": matches!(state.now, Now::Running { .. }),
            "state": self.state(container, &state.now, &id),
        });
        if pulled {
            status["containerID"] = id.into();
        }
        if let Some(ended) = state.last {
            let before = self.container_id(container, state.restarts.saturating_sub(1));
            status["lastState"] = self.terminated(ended, &before);
        }
        status
    }

    fn is_init(&self, container: &Container) -> bool {
        let init = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.init_containers.as_ref());
        init.into_iter().flatten().any(|it| it.name == container.name)
    }

    fn state(&self, container: &Container, now: &Now, id: &str) -> Value {
        match *now {
            Now::Running { since, .. } => json!({ "running": { "startedAt": self.at(since) } }),
            Now::Terminated(ended) => self.terminated(ended, id),
            Now::Waiting(wait) => {
                let (reason, message) = self.waiting(container, wait);
                let mut waiting = Map::from_iter([("reason".to_owned(), reason.into())]);
                if let Some(message) = message {
                    waiting.insert("message".to_owned(), message.into());
                }
                json!({ "waiting": waiting })
            }
        }
    }

    /// The words of a kubelet with containerd.
    fn waiting(&self, container: &Container, wait: Wait) -> (&'static str, Option<String>) {
        let image = container.image.as_deref().unwrap_or_default();
        match wait {
            Wait::Initializing => ("PodInitializing", None),
            Wait::Creating => ("ContainerCreating", None),
            Wait::PullFailed => (
                "ErrImagePull",
                Some(format!(
                    "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": \
                     failed to resolve reference \"{image}\": {image}: not found"
                )),
            ),
            Wait::PullBackOff => (
                "ImagePullBackOff",
                Some(format!("Back-off pulling image \"{image}\"")),
            ),
            Wait::CrashBackOff(delay) => {
                let meta = &self.pod.metadata;
                let of = |part: &Option<String>| part.clone().unwrap_or_default();
                let message = format!(
                    "back-off {}s restarting failed container={} pod={}_{}({})",
                    delay.as_secs(),
                    container.name,
                    of(&meta.name),
                    of(&meta.namespace),
                    of(&meta.uid),
                );
                ("CrashLoopBackOff", Some(message))
            }
        }
    }

    fn terminated(&self, ended: Ended, id: &str) -> Value {
        json!({ "terminated": {
            "exitCode": ended.code,
            "reason": if ended.code == 0 { "Completed" } else { "Error" },
            "startedAt": self.at(ended.started),
            "finishedAt": self.at(ended.finished),
            "containerID": id,
        } })
    }

    fn container_id(&self, container: &Container, life: u32) -> String {
        let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
        format!(
            "containerd://{}",
            sha256(&format!("{uid}/{}/{life}", container.name))
        )
    }
}

/// The image by digest: its own where it names one, else one made of its name.
fn image_id(image: &str) -> String {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, digest)| (name, Some(digest)));
    let slash = name.rfind('/').map_or(0, |slash| slash + 1);
    let repository = name[slash..]
        .find(':')
        .map_or(name, |colon| &name[..slash + colon]);
    match digest {
        Some(digest) => format!("{repository}@{digest}"),
        None => format!("{repository}@sha256:{}", sha256(image)),
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
