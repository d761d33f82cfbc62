//! What a plan looks like at a time.

use std::time::Duration;

use super::behaviour::{Exit, Life, PodPlan};

/// From when an image cannot be pulled until that is known, and from then until pulling is put off.
const PULL_TRIED: Duration = Duration::from_millis(300);
const PULL_PUT_OFF: Duration = Duration::from_millis(1300);
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);

/// A Pod at one time. Times within count from the start of the Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) phase: Phase,
    pub(super) init: Vec<ContainerState>,
    pub(super) containers: Vec<ContainerState>,
    /// When it looks different next; never, if `None`.
    pub(super) next: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

/// A container at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContainerState {
    pub(super) now: Now,
    pub(super) restarts: u32,
    /// How the life before this one ended.
    pub(super) last: Option<Ended>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Now {
    Waiting(Wait),
    Running { since: Duration, ready: bool },
    Terminated(Ended),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// For the init containers.
    Initializing,
    Creating,
    PullFailed,
    PullBackOff,
    CrashBackOff(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) started: Duration,
    pub(super) finished: Duration,
}

impl ContainerState {
    fn fresh(now: Now) -> Self {
        Self {
            now,
            restarts: 0,
            last: None,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.now, Now::Running { ready: true, .. })
    }

    pub(super) fn has_succeeded(&self) -> bool {
        matches!(self.now, Now::Terminated(Ended { code: 0, .. }))
    }
}

/// What `plan` looks like `at` that long after the start of the Pod.
pub(super) fn snapshot(plan: &PodPlan, at: Duration) -> Snapshot {
    let mut next = Vec::new();
    let mut begins = Some(Duration::ZERO);
    let mut step = |life: &Life, begins: Option<Duration>| match begins {
        Some(begins) if begins <= at => {
            let (state, change) = container(life, begins, at);
            next.extend(change);
            state
        }
        later => {
            next.extend(later);
            ContainerState::fresh(Now::Waiting(Wait::Initializing))
        }
    };
    let mut init = Vec::new();
    for life in &plan.init {
        init.push(step(life, begins));
        begins = begins.and_then(|begins| succeeds_after(life).map(|after| begins + after));
    }
    let containers: Vec<_> = plan.containers.iter().map(|life| step(life, begins)).collect();
    let phase = phase(&init, &containers);
    let finished = matches!(phase, Phase::Succeeded | Phase::Failed);
    Snapshot {
        phase,
        init,
        containers,
        next: next.into_iter().min().filter(|_| !finished),
    }
}

/// How long a container takes to exit with 0, if it does.
fn succeeds_after(life: &Life) -> Option<Duration> {
    match life {
        Life::Runs {
            exit: Some(Exit { after, code: 0, .. }),
            ..
        } => Some(*after),
        _ => None,
    }
}

fn container(life: &Life, begins: Duration, at: Duration) -> (ContainerState, Option<Duration>) {
    match *life {
        Life::PullFails => {
            let (wait, next) = if at < begins + PULL_TRIED {
                (Wait::Creating, Some(begins + PULL_TRIED))
            } else if at < begins + PULL_PUT_OFF {
                (Wait::PullFailed, Some(begins + PULL_PUT_OFF))
            } else {
                (Wait::PullBackOff, None)
            };
            (ContainerState::fresh(Now::Waiting(wait)), next)
        }
        Life::Runs { started, .. } if at < begins + started => (
            ContainerState::fresh(Now::Waiting(Wait::Creating)),
            Some(begins + started),
        ),
        Life::Runs { started, ready, exit } => lives(begins, started, ready, exit, at),
    }
}

/// A container that has been started, perhaps more than once.
fn lives(
    begins: Duration,
    started: Duration,
    ready: Option<Duration>,
    exit: Option<Exit>,
    at: Duration,
) -> (ContainerState, Option<Duration>) {
    let (mut begins, mut since) = (begins, begins + started);
    let (mut restarts, mut last) = (0, None);
    loop {
        let ends = exit.map(|exit| (begins + exit.after, exit));
        let Some((finished, exit)) = ends.filter(|(finished, _)| *finished <= at) else {
            let ready = ready.map(|ready| begins + ready);
            let is_ready = ready.is_some_and(|ready| ready <= at);
            let next = ready
                .filter(|_| !is_ready)
                .into_iter()
                .chain(ends.map(|(finished, _)| finished))
                .min();
            return (
                ContainerState {
                    now: Now::Running {
                        since,
                        ready: is_ready,
                    },
                    restarts,
                    last,
                },
                next,
            );
        };
        let ended = Ended {
            code: exit.code,
            started: since,
            finished,
        };
        if !exit.restarts {
            return (
                ContainerState {
                    now: Now::Terminated(ended),
                    restarts,
                    last,
                },
                None,
            );
        }
        let back_off = FIRST_BACK_OFF
            .saturating_mul(1 << restarts.min(16))
            .min(LONGEST_BACK_OFF);
        last = Some(ended);
        if at < finished + back_off {
            let now = Now::Waiting(Wait::CrashBackOff(back_off));
            return (ContainerState { now, restarts, last }, Some(finished + back_off));
        }
        begins = finished + back_off;
        since = begins;
        restarts += 1;
    }
}

/// As the kubelet counts it: a container between two lives is a running one.
fn phase(init: &[ContainerState], containers: &[ContainerState]) -> Phase {
    if init
        .iter()
        .any(|it| matches!(it.now, Now::Terminated(Ended { code, .. }) if code != 0))
    {
        return Phase::Failed;
    }
    if !init.iter().all(ContainerState::has_succeeded) {
        return Phase::Pending;
    }
    if containers.iter().all(|it| matches!(it.now, Now::Terminated(_))) {
        return if containers.iter().all(ContainerState::has_succeeded) {
            Phase::Succeeded
        } else {
            Phase::Failed
        };
    }
    let never_ran = |it: &ContainerState| matches!(it.now, Now::Waiting(_)) && it.last.is_none();
    if containers.iter().any(never_ran) {
        Phase::Pending
    } else {
        Phase::Running
    }
}

#[cfg(test)]
mod tests;
