//! What a Pod says about how it will fare.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{Container, Pod};

use super::Pace;

const READY_AFTER: &str = "sandbox.slipway.dev/ready-after";
const COMPLETE_AFTER: &str = "sandbox.slipway.dev/complete-after";
const EXIT_CODE: &str = "sandbox.slipway.dev/exit-code";

const SLOW: Duration = Duration::from_secs(8);
/// How long a container lives that crashes at once.
const CRASH: Duration = Duration::from_millis(200);
/// How long an init container takes.
const INIT: Duration = Duration::from_millis(100);

/// The lives of a Pod's containers, in the order of its specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodPlan {
    /// Each begins when the one before has exited with 0.
    pub(super) init: Vec<Life>,
    /// All begin when the last of `init` has exited with 0.
    pub(super) containers: Vec<Life>,
}

/// The life of a container. Times count from when it may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Its image cannot be pulled.
    PullFails,
    Runs {
        /// When it is running.
        started: Duration,
        /// When it is ready; never, if `None`.
        ready: Option<Duration>,
        /// How it ends; not by itself, if `None`.
        exit: Option<Exit>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) after: Duration,
    pub(super) code: i32,
    /// Whether the kubelet starts it again, with growing delays.
    pub(super) restarts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Broken,
    Crash,
    Slow,
    Never,
}

impl Trouble {
    fn of(container: &Container) -> Option<Self> {
        let tag = tag(container.image.as_deref()?)?;
        let endings = [
            ("-broken", Self::Broken),
            ("-crash", Self::Crash),
            ("-slow", Self::Slow),
            ("-never", Self::Never),
        ];
        endings
            .into_iter()
            .find(|(ending, _)| tag.ends_with(ending))
            .map(|(_, trouble)| trouble)
    }
}

/// The tag of an image reference, also where a digest follows it.
fn tag(image: &str) -> Option<&str> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
    last.split_once(':').map(|(_, tag)| tag)
}

/// What the annotations of a Pod say, which precedes what the tags say.
#[derive(Debug, Clone, Copy, Default)]
struct Wishes {
    ready_after: Option<Duration>,
    complete_after: Option<Duration>,
    exit_code: Option<i32>,
}

impl Wishes {
    /// What cannot be read is as if it were not said.
    fn of(pod: &Pod) -> Self {
        let said = |key| pod.metadata.annotations.as_ref().and_then(|all| all.get(key));
        let duration = |key| {
            let duration: SignedDuration = said(key)?.parse().ok()?;
            duration.try_into().ok()
        };
        Self {
            ready_after: duration(READY_AFTER),
            complete_after: duration(COMPLETE_AFTER),
            exit_code: said(EXIT_CODE).and_then(|code| code.trim().parse().ok()),
        }
    }
}

/// Reads the plan of a Pod.
pub(super) fn plan(pod: &Pod, pace: Pace) -> PodPlan {
    let Some(spec) = &pod.spec else {
        return PodPlan {
            init: Vec::new(),
            containers: Vec::new(),
        };
    };
    let wishes = Wishes::of(pod);
    let of_job = pod
        .metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.kind == "Job");
    let restarts = !of_job && spec.restart_policy.as_deref().unwrap_or("Always") == "Always";
    let life = |container: &Container| {
        let trouble = Trouble::of(container);
        if restarts {
            server(trouble, wishes, pace)
        } else {
            task(trouble, wishes, pace)
        }
    };
    PodPlan {
        init: spec
            .init_containers
            .iter()
            .flatten()
            .map(|it| init(Trouble::of(it), restarts))
            .collect(),
        containers: spec.containers.iter().map(life).collect(),
    }
}

/// A container that is to run for ever.
fn server(trouble: Option<Trouble>, wishes: Wishes, pace: Pace) -> Life {
    let usual = pace.ready_after;
    let by_tag = match trouble {
        Some(Trouble::Broken) => return Life::PullFails,
        Some(Trouble::Crash | Trouble::Never) => None,
        Some(Trouble::Slow) => Some(SLOW),
        None => Some(usual),
    };
    let ready = wishes.ready_after.or(by_tag);
    let crashes = trouble == Some(Trouble::Crash);
    let exit = (crashes || wishes.complete_after.is_some() || wishes.exit_code.is_some()).then(|| Exit {
        after: wishes
            .complete_after
            .unwrap_or(if crashes { CRASH } else { usual }),
        code: wishes.exit_code.unwrap_or(i32::from(crashes)),
        restarts: true,
    });
    runs(usual, ready, exit)
}

/// A container that is to end.
fn task(trouble: Option<Trouble>, wishes: Wishes, pace: Pace) -> Life {
    let usual = pace.ready_after;
    let by_tag = match trouble {
        Some(Trouble::Broken) => return Life::PullFails,
        Some(Trouble::Never) => None,
        Some(Trouble::Slow) => Some(SLOW),
        Some(Trouble::Crash) | None => Some(usual),
    };
    let after = wishes
        .complete_after
        .or(by_tag)
        .or(wishes.exit_code.map(|_| usual));
    let exit = after.map(|after| Exit {
        after,
        code: wishes
            .exit_code
            .unwrap_or(i32::from(trouble == Some(Trouble::Crash))),
        restarts: false,
    });
    let ready = wishes
        .ready_after
        .or((trouble != Some(Trouble::Never)).then_some(usual));
    runs(usual, ready, exit)
}

/// An init container. Annotations speak of the containers proper.
fn init(trouble: Option<Trouble>, restarts: bool) -> Life {
    let (after, code) = match trouble {
        Some(Trouble::Broken) => return Life::PullFails,
        Some(Trouble::Never) => {
            return Life::Runs {
                started: Duration::ZERO,
                ready: None,
                exit: None,
            };
        }
        Some(Trouble::Crash) => (INIT, 1),
        Some(Trouble::Slow) => (SLOW, 0),
        None => (INIT, 0),
    };
    let exit = Exit {
        after,
        code,
        restarts: restarts && code != 0,
    };
    Life::Runs {
        started: Duration::ZERO,
        ready: None,
        exit: Some(exit),
    }
}

/// Runs from the usual time on, or sooner where it is ready, or ends, before that.
fn runs(usual: Duration, ready: Option<Duration>, exit: Option<Exit>) -> Life {
    let by_exit = exit.map_or(usual, |exit| exit.after / 2);
    let started = usual.min(by_exit).min(ready.unwrap_or(usual));
    Life::Runs { started, ready, exit }
}

#[cfg(test)]
mod tests;
