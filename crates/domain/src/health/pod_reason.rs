//! Why one pod is not ready, in a few words.

use super::{conditions, read};
use serde_json::Value;

/// Why a pod is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodReason {
    /// How bad it is; higher is worse.
    pub(super) severity: u8,
    /// Whether it cannot mend itself.
    pub(super) final_: bool,
    /// In words.
    pub(super) text: String,
}

impl PodReason {
    fn new(severity: u8, text: impl Into<String>) -> Self {
        Self {
            severity,
            final_: false,
            text: text.into(),
        }
    }
}

/// Why a pod is not ready; `None` for one that is, or that ran to its end.
///
/// What a container wrote when it ended is left out: it is the application's own and may hold anything.
pub(super) fn pod_reason(pod: &Value) -> Option<PodReason> {
    let phase = read::text(pod, "/status/phase").unwrap_or_default();
    if phase == "Succeeded" || (phase != "Failed" && conditions::is(pod, "Ready", "True").is_some()) {
        return None;
    }
    let containers = ["/status/initContainerStatuses", "/status/containerStatuses"]
        .into_iter()
        .flat_map(|pointer| read::list(pod, pointer))
        .filter_map(|container| container_reason(pod, container));
    let unschedulable = conditions::is(pod, "PodScheduled", "False")
        .map(|c| PodReason::new(5, with_detail(or(c.reason, "Unschedulable"), c.message)));
    let failed = (phase == "Failed").then(|| {
        let reason = read::text(pod, "/status/reason").unwrap_or_default();
        let text = with_detail(
            or(reason, "Failed"),
            read::text(pod, "/status/message").unwrap_or_default(),
        );
        PodReason::new(if reason.is_empty() { 4 } else { 7 }, text)
    });
    containers
        .chain(unschedulable)
        .chain(failed)
        // The last of equals would win; the first container is the one people look for.
        .reduce(|worst, next| if next.severity > worst.severity { next } else { worst })
        .or_else(|| Some(not_ready(pod, phase)))
}

fn not_ready(pod: &Value, phase: &str) -> PodReason {
    match conditions::is(pod, "Ready", "False") {
        Some(condition) if phase == "Running" => {
            PodReason::new(3, with_detail("not ready", condition.message))
        }
        _ if phase.is_empty() => PodReason::new(1, "Pending"),
        _ => PodReason::new(1, phase),
    }
}

fn container_reason(pod: &Value, container: &Value) -> Option<PodReason> {
    let several =
        read::list(pod, "/spec/containers").len() + read::list(pod, "/spec/initContainers").len() > 1;
    let name = read::text(container, "/name").unwrap_or_default();
    let said = |severity, text: String| {
        PodReason::new(
            severity,
            if several {
                format!("container {name}: {text}")
            } else {
                text
            },
        )
    };
    if let Some(waiting) = container.pointer("/state/waiting") {
        let reason = or(read::text(waiting, "/reason").unwrap_or_default(), "waiting");
        let message = read::text(waiting, "/message").unwrap_or_default();
        return Some(match reason {
            "CrashLoopBackOff" | "RunContainerError" => {
                let exit = container
                    .pointer("/lastState/terminated")
                    .map(|t| format!(", last {}", ended(t)));
                match exit {
                    Some(exit) => said(8, format!("{reason}{exit}")),
                    None => said(8, with_detail(reason, message)),
                }
            }
            "ContainerCreating" | "PodInitializing" | "waiting" => said(2, with_detail(reason, message)),
            "ImagePullBackOff"
            | "ErrImagePull"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "InvalidImageName"
            | "RegistryUnavailable" => {
                let image = image_of(pod, name)
                    .or_else(|| read::text(container, "/image"))
                    .unwrap_or_default();
                let text = with_detail(format!("{reason} {image}").trim_end(), message);
                PodReason {
                    final_: reason == "InvalidImageName",
                    ..said(9, text)
                }
            }
            _ => said(9, with_detail(reason, message)),
        });
    }
    if let Some(terminated) = container.pointer("/state/terminated") {
        let code = read::int(terminated, "/exitCode").unwrap_or_default();
        return (code != 0).then(|| said(7, ended(terminated)));
    }
    let restarts = read::count(container, "/restartCount");
    let ready = container.pointer("/ready").and_then(Value::as_bool) == Some(true);
    match container.pointer("/lastState/terminated") {
        Some(terminated) if restarts > 0 && !ready => Some(said(
            6,
            format!("not ready, {restarts} restarts, last {}", ended(terminated)),
        )),
        _ => None,
    }
}

/// `exit code 137 (OOMKilled)`; the reason `Error` says no more than the code does.
fn ended(terminated: &Value) -> String {
    let code = read::int(terminated, "/exitCode").unwrap_or_default();
    match read::text(terminated, "/reason") {
        Some(reason) if !matches!(reason, "" | "Error" | "Completed") => {
            format!("exit code {code} ({reason})")
        }
        _ => format!("exit code {code}"),
    }
}

/// The image as the pod asks for it: what a status says of it may be another name for the same.
fn image_of<'a>(pod: &'a Value, container: &str) -> Option<&'a str> {
    ["/spec/containers", "/spec/initContainers"]
        .into_iter()
        .flat_map(|pointer| read::list(pod, pointer))
        .find(|c| read::text(c, "/name") == Some(container))
        .and_then(|c| read::text(c, "/image"))
}

const fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// A reason with its message in brackets, on one line and not for ever.
fn with_detail(reason: &str, message: &str) -> String {
    const LONGEST: usize = 240;
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if message.is_empty() || message == reason {
        return reason.to_owned();
    }
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{reason} ({}…)", &message[..end]),
        None => format!("{reason} ({message})"),
    }
}
