//! The rows of a delivery, and the one way a deployment changes its state.

use crate::{cluster::Cluster, executor::Executor, oracle::Violation, queue::Unit};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use slipway_domain::{
    Digest,
    approval::Approval,
    component::bundle::Limits,
    deployment::{Kind, State, StateName, TargetState, Transition},
    gates::Gate,
    ids::{ComponentVersionId, DeploymentId, PrincipalId, ReleaseId, ServiceId, TeamId},
    plan::{
        deployment::WaveRule,
        target::{Intent, Progress},
    },
    registry::Inventory,
    release::{Release, ReleaseComponent, ReleaseState},
    render::{ComponentInput, Input, Rendering, render},
};
use std::collections::{BTreeMap, BTreeSet};

/// One rule broken on purpose, to prove that its invariant notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    SealedReleaseEdited,
    RenderedAgainAtTheClaim,
    NotJudgedAtTheClaim,
    ApprovalGateLeftOut,
    ConcurrencyGateLeftOut,
    StaleReportsCount,
    RescueIgnoresTheLease,
    LeaseClockIgnored,
    GuardNotCompared,
    ObjectVersionIgnored,
    PauseNotRecorded,
    RecordedTwice,
    CancelledIsRevived,
    NothingIsRescued,
    ResumeLeavesWorkParked,
    SoakHasNoEnd,
    UndoneIsForgotten,
    RollbackRendersAgain,
    RollbackNeedsTheRelease,
    ReasonsTellValues,
    ClockOfItsOwn,
}

/// Where one service lands.
pub(crate) struct Place {
    pub(crate) environment: usize,
    pub(crate) wave: usize,
    pub(crate) generation: i64,
    pub(crate) now: Option<Now>,
    pub(crate) inventory: Inventory,
    pub(crate) cluster: Cluster,
}

/// What runs on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) release: usize,
    pub(crate) deployment: usize,
    pub(crate) rendering: Digest,
}

#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) promotes_from: Option<usize>,
    pub(crate) waves: Vec<WaveRule>,
    pub(crate) approvals: u32,
    pub(crate) automatic_rollback: bool,
    pub(crate) promotion_soak: SignedDuration,
    pub(crate) expires_after: SignedDuration,
    /// Changes with time; what was planned before keeps what it was planned with.
    pub(crate) colour: u32,
}

#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) id: DeploymentId,
    pub(crate) kind: Kind,
    pub(crate) environment: usize,
    pub(crate) release: Option<usize>,
    pub(crate) digest: Option<Digest>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) state: State,
    pub(crate) approval: Option<Approval>,
    pub(crate) rolls_back: Option<usize>,
    pub(crate) rolled_back_by: Option<usize>,
    pub(crate) targets: Vec<Target>,
    pub(crate) look_at: Option<Timestamp>,
    pub(crate) gates: Vec<Gate>,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) place: usize,
    pub(crate) wave: usize,
    pub(crate) intent: Intent,
    pub(crate) release: Option<usize>,
    pub(crate) rendering: Digest,
    pub(crate) generation: Option<i64>,
    pub(crate) previous: Option<Now>,
    pub(crate) state: TargetState,
    pub(crate) reason: Option<String>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) progress: Progress,
}

/// A change of a state, as a trigger below the application would see it, or as the record says it.
pub(crate) type Move = (u64, usize, StateName, StateName);

/// Everything.
pub(crate) struct World {
    pub(crate) broken: Broken,
    pub(crate) start: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) action: u64,
    pub(crate) people: Vec<PrincipalId>,
    /// Who lost the role of an approver.
    pub(crate) disentitled: BTreeSet<usize>,
    pub(crate) releases: Vec<Release>,
    /// The renderer and the library are away.
    pub(crate) library_lost: bool,
    pub(crate) renderings: BTreeMap<Digest, Rendering>,
    pub(crate) environments: Vec<Environment>,
    pub(crate) places: Vec<Place>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) work: Vec<Unit>,
    pub(crate) fence: i64,
    pub(crate) units: usize,
    pub(crate) executors: Vec<Executor>,
    /// Below the application.
    pub(crate) moves: Vec<Move>,
    /// The record.
    pub(crate) entries: Vec<Move>,
    /// What people are told.
    pub(crate) told: Vec<String>,
    /// The first that did not hold.
    pub(crate) violation: Option<Violation>,
}

/// How a history's world is set up.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) max_parallel: Option<u32>,
    pub(crate) max_failures: u32,
    pub(crate) soak: i64,
    pub(crate) approvals: u32,
    pub(crate) automatic_rollback: bool,
    pub(crate) promotion_soak: i64,
}

/// What never may be told.
pub(crate) const SECRET: &str = "aHVudGVyMg-hunter2";
/// Length of a lease.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(10);
/// How long workloads may take.
pub(crate) const DEADLINE: SignedDuration = SignedDuration::from_secs(40);

fn uuid<T: type_safe_id::StaticType>(n: usize) -> type_safe_id::TypeSafeId<T> {
    type_safe_id::TypeSafeId::from_uuid(format!("01900000-0000-7000-8000-{n:012x}").parse().unwrap())
}

impl World {
    /// Staging with one target; production, that promotes from it, with three in two waves. Everybody's clock says `start`.
    pub(crate) fn new(setup: &Setup, start: Timestamp, broken: Broken) -> Self {
        let rule = |name: &str, setup: &Setup| WaveRule {
            name: name.to_owned(),
            max_parallel: setup.max_parallel,
            max_failures: setup.max_failures,
            soak: SignedDuration::from_secs(setup.soak),
        };
        let environment = |promotes_from, approvals, waves| Environment {
            promotes_from,
            waves,
            approvals,
            automatic_rollback: setup.automatic_rollback,
            promotion_soak: SignedDuration::from_secs(setup.promotion_soak),
            expires_after: SignedDuration::from_secs(600),
            colour: 0,
        };
        let places = [(0, 0), (1, 0), (1, 0), (1, 1)];
        let places = places.into_iter().map(|(environment, wave)| Place {
            environment,
            wave,
            generation: 0,
            now: None,
            inventory: Inventory::default(),
            cluster: Cluster::default(),
        });
        Self {
            broken,
            start,
            now: start,
            action: 0,
            people: (0..5).map(|n| uuid(100 + n)).collect(),
            disentitled: BTreeSet::new(),
            releases: Vec::new(),
            library_lost: false,
            renderings: BTreeMap::new(),
            environments: vec![
                environment(None, 0, Vec::new()),
                environment(
                    Some(0),
                    setup.approvals,
                    vec![rule("first", setup), rule("rest", setup)],
                ),
            ],
            places: places.collect(),
            deployments: Vec::new(),
            work: Vec::new(),
            fence: 0,
            units: 0,
            executors: (0..2).map(|_| Executor::default()).collect(),
            moves: Vec::new(),
            entries: Vec::new(),
            told: Vec::new(),
            violation: None,
        }
    }

    pub(crate) fn after(&self, seconds: i64) -> Timestamp {
        self.now + SignedDuration::from_secs(seconds)
    }

    pub(crate) fn violated(&mut self, invariant: u8, what: impl Into<String>) {
        let what = what.into();
        self.violation.get_or_insert(Violation { invariant, what });
    }

    pub(crate) fn next_deployment_id(&self) -> DeploymentId {
        uuid(1000 + self.deployments.len())
    }

    /// A draft of the next version.
    pub(crate) fn compose(&mut self) {
        let n = self.releases.len();
        let version = semver::Version::new(1, n as u64, 0);
        self.releases.push(Release {
            id: ReleaseId::from_uuid(uuid::<slipway_domain::ids::ReleaseTag>(n).uuid()),
            service: ServiceId::from_uuid(uuid::<slipway_domain::ids::ServiceTag>(0).uuid()),
            service_name: "shop".parse().unwrap(),
            team: TeamId::from_uuid(uuid::<slipway_domain::ids::TeamTag>(0).uuid()),
            version: version.clone(),
            components: vec![ReleaseComponent {
                id: ComponentVersionId::from_uuid(uuid::<slipway_domain::ids::ComponentVersionTag>(n).uuid()),
                name: "web".parse().unwrap(),
                version,
                digest: Digest::of_bytes(&n.to_be_bytes()),
            }],
            config: Vec::new(),
            notes: String::new(),
            author: self.people[0],
            editors: Vec::new(),
            state: ReleaseState::Draft,
            revision: 1,
            created_at: self.now,
        });
    }

    /// Renders a release for an environment as it is configured now; none when the library is away.
    pub(crate) fn render(&self, release: usize, environment: usize) -> Option<Rendering> {
        if self.library_lost {
            return None;
        }
        let objects = bundle(release, self.environments[environment].colour);
        let version = self.releases[release].version.to_string();
        let component = ComponentInput {
            name: "web",
            version: &version,
            objects: &objects,
            images: &[],
        };
        let rendering = render(&Input {
            service: "shop",
            environment: ["staging", "production"][environment],
            release: &version,
            release_digest: self.releases[release].content_digest().unwrap(),
            namespace: "shop",
            components: &[component],
            overlays: Vec::new(),
            cluster_scoped_grants: &[],
            limits: &Limits::RENDERING,
        });
        Some(rendering.expect("the bundle renders"))
    }

    /// Moves a deployment on: the rules' own state machine, the row, the record.
    pub(crate) fn apply(&mut self, of: usize, transition: Transition) -> bool {
        let from = self.deployments[of].state.clone();
        let paused = matches!(transition, Transition::Pause { .. });
        let revived = self.broken == Broken::CancelledIsRevived
            && matches!(
                (&from, &transition),
                (State::Cancelled(_), Transition::Queue | Transition::Admit)
            );
        let to = if revived {
            State::Running { started_at: self.now }
        } else {
            match from.clone().then(transition, self.now) {
                Ok(to) => to,
                Err(_) => return false,
            }
        };
        let change = (self.action, of, from.name(), to.name());
        let deployment = &mut self.deployments[of];
        deployment.look_at = (!to.name().is_terminal()).then_some(self.now);
        deployment.state = to;
        self.moves.push(change);
        if !(paused && self.broken == Broken::PauseNotRecorded) {
            self.entries.push(change);
        }
        if change.3 == StateName::Succeeded && self.broken == Broken::RecordedTwice {
            self.entries.push(change);
        }
        let reason = self.deployments[of].state.reason().map(str::to_owned);
        self.tell(&format!(
            "{of}: {} -> {}: {}",
            change.2,
            change.3,
            reason.unwrap_or_default()
        ));
        if change.3.is_terminal() {
            self.settle_undone(of);
            self.ended(of);
        }
        true
    }

    pub(crate) fn tell(&mut self, what: &str) {
        let at = self.now.duration_since(self.start).as_secs();
        self.told.push(format!("+{at} {what}"));
    }

    /// What an end brings with it.
    fn ended(&mut self, of: usize) {
        let (name, now) = (self.deployments[of].state.name(), self.now);
        self.drop_idle(of);
        for target in &mut self.deployments[of].targets {
            let begun = target.state == TargetState::Running && target.generation.is_some();
            if !target.state.is_terminal() {
                target.state = if begun && name == StateName::Cancelled {
                    TargetState::Cancelled
                } else {
                    TargetState::Skipped
                };
                target.finished_at = Some(now);
            }
        }
        self.look_again();
    }
}

/// A bundle of release `n`, as an environment of this colour wants it: what is in it comes and goes with `n`.
fn bundle(n: usize, colour: u32) -> Vec<Value> {
    let job = |name: &str, hook: &str| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "annotations": {"slipway.dev/hook": hook}},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x/y:1"}]}}}})
    };
    let deployment = |name: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": format!("x/y:{n}")}]}}}})
    };
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
            "data": {"n": n.to_string(), "colour": colour.to_string()}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"key": format!("{SECRET}{n}")}}),
        deployment("web"),
        deployment(&format!("worker-{}", n % 2)),
    ];
    if !n.is_multiple_of(3) {
        objects.push(job("migrate", "before"));
    }
    if n.is_multiple_of(2) {
        objects.push(job("check", "after,rollback"));
    }
    objects
}
