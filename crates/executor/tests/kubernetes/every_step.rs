//! Every step is failed before its effect, failed after its effect, and done twice; in the end the cluster, the inventory
//! and the hooks' runs are as if nothing had happened, and at no moment is anything on the cluster that the inventory does
//! not know.
//!
//! The steps are the planner's own: one of a new kind does not compile here before [`effect`] says what its effect is.
//!
//! There are several ways in which a step can fail before its effect, and several after it. By default they take turns from
//! step to step, so that every step fails before, fails after and is repeated, and every way is taken somewhere; with
//! `SLIPWAY_EVERY_FAULT=1` every step takes every way, which is minutes longer.

use crate::{
    every_step_bundle::{Contents, bundle, contents, take_away},
    every_step_faults::{Fault, Injected, WAYS, whose_turn},
    queue::{Recorder, State},
    world::{Finished, Running, World},
};
use jiff::SignedDuration;
use serde_json::Value;
use slipway_domain::{
    component::bundle::ObjectRef,
    ids::DeploymentTargetId,
    plan::target::{Intent, Step, StepKey, next, steps},
    render::Rendering,
    work::{Assignment, StepOutcome},
};
use slipway_executor::{ClientSettings, RetryDelays};
use slipway_testkit::live::{Asked, KubeProxy};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

/// A world whose cluster is reached through a proxy that sees every write.
struct Scene {
    world: World,
    proxy: KubeProxy,
    /// The queue of the work under way.
    now: Arc<Mutex<Option<(Recorder, DeploymentTargetId)>>>,
    injected: Arc<Mutex<Option<Arc<Injected>>>>,
    /// Objects that were written before the inventory knew them.
    unknown: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    async fn new(context: &str) -> Self {
        let mut world = World::new(context).await;
        world.grants.cluster_scoped_kinds = vec!["*".to_owned()];
        world.deadline = SignedDuration::from_mins(1);
        let proxy = KubeProxy::start(
            &world.direct.server,
            world.direct.certificate_authority.as_deref(),
        );
        world.connection.server.clone_from(&proxy.url);
        world.connection.certificate_authority = None;
        let scene = Self {
            world,
            proxy,
            now: Arc::default(),
            injected: Arc::default(),
            unknown: Arc::default(),
        };
        let (now, unknown) = (Arc::clone(&scene.now), Arc::clone(&scene.unknown));
        let injected = Arc::clone(&scene.injected);
        scene.proxy.rule(move |asked| {
            let (queue, target) = now.lock().unwrap().clone()?;
            let work = queue.with(target, |entry| entry.work.clone());
            if asked.method == "PATCH" && asked.is_write() {
                unknown.lock().unwrap().extend(not_in_inventory(&work, asked));
            }
            let injected = injected.lock().unwrap().clone()?;
            // Watches and what follows a fault are not the step's doing.
            let current = next(work.intent, &work.rendering, &work.progress);
            (current == Some(injected.step))
                .then(|| injected.of_request(asked))
                .flatten()
        });
        scene
    }

    fn assign(&mut self, intent: Intent, version: Option<char>) -> Assignment {
        let rendering = match version {
            Some(version) => self.world.render(&bundle(&self.world, version)),
            None => Rendering {
                objects: Vec::new(),
                hooks: Vec::new(),
            },
        };
        let mut work = self.world.assign(intent, rendering);
        if intent == Intent::Heal {
            work.heals = work.rendering.object_refs();
        }
        work
    }

    /// Somebody changes a field by hand.
    async fn drift(&self) {
        let path = self.world.path("/api/v1", "configmaps/settings");
        self.world
            .merge(&path, &serde_json::json!({"data": {"version": "by hand"}}))
            .await;
    }

    /// Carries work out, disturbed or not, until it succeeded.
    async fn carry_out(&mut self, work: Assignment, injected: Option<Injected>) -> Finished {
        let (queue, target) = (Recorder::default(), work.deployment_target);
        let injected = injected.map(Arc::new);
        if let Some(injected) = injected.clone() {
            queue.tamper(move |report| injected.of_report(report));
        }
        (*self.injected.lock().unwrap()).clone_from(&injected);
        queue.add(work);
        *self.now.lock().unwrap() = Some((queue.clone(), target));
        let mut running = start(&queue, injected.clone());
        let over = queue.until(target, |entry| matches!(entry.state, State::Over(_)));
        tokio::select! {
            () = over => {}
            () = queue.0.unanswered.notified() => {
                running.kill().await;
                // It may have claimed the work once more before its end: nobody waits here for a lease to run out.
                queue.with(target, |entry| entry.state = State::Ready(slipway_domain::clock::process_now()));
                running = start(&queue, None);
                queue.until(target, |entry| matches!(entry.state, State::Over(_))).await;
            }
        }
        running.stop().await;
        let finished = queue.with(target, Finished::of);
        self.world.inventory = finished.work.inventory.clone();
        assert_eq!(finished.outcome, StepOutcome::Succeeded, "{:#?}", finished.notes);
        if let Some(injected) = injected {
            assert!(injected.fired.load(SeqCst), "nothing was disturbed");
        }
        finished
    }
}

fn start(queue: &Recorder, injected: Option<Arc<Injected>>) -> Running {
    Running::start_with(queue, ClientSettings::default(), |settings| {
        settings.poll = SignedDuration::from_millis(50);
        settings.retry = RetryDelays {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(100),
        };
        settings.seam = injected.map(|injected| {
            let seam: slipway_executor::Seam =
                Arc::new(move |_: &Assignment, step: &StepKey, moment| injected.of_step(step, moment));
            seam
        });
    })
}

/// The object that is written, if the recorded inventory does not know it.
fn not_in_inventory(work: &Assignment, asked: &Asked<'_>) -> Option<String> {
    let body: Value = serde_json::from_slice(asked.body).ok()?;
    let object = ObjectRef::of(&body)?;
    let known = work.inventory.0.iter().any(|item| {
        item.object.kind == object.kind
            && item.object.name == object.name
            && item.object.api_version == object.api_version
    });
    (!known).then(|| format!("{} {}", object.kind, object.name))
}

/// Contents alone, without uids.
fn plain(contents: &Contents) -> BTreeMap<&(String, String), &Value> {
    contents
        .iter()
        .map(|(key, (content, _))| (key, content))
        .collect()
}

/// What each version looks like when nothing is disturbed.
struct Reference {
    a: Contents,
    b: Contents,
}

/// One intent's way from version to version, without faults.
async fn reference(context: &str, intent: Intent) -> Reference {
    let mut scene = Scene::new(context).await;
    let work = scene.assign(Intent::Apply, Some('a'));
    scene.carry_out(work, None).await;
    let mut a = contents(&scene.world).await;
    let mut b = Contents::new();
    if intent == Intent::Clean {
        let work = scene.assign(intent, None);
        scene.carry_out(work, None).await;
        b = contents(&scene.world).await;
    } else if intent != Intent::Heal {
        for version in ['b', 'a'] {
            let work = scene.assign(intent, Some(version));
            scene.carry_out(work, None).await;
            let now = contents(&scene.world).await;
            if version == 'a' { a = now } else { b = now }
        }
    }
    take_away(scene.world).await;
    Reference { a, b }
}

/// Disturbs every step of an intent, one deployment after the other, in these ways in turns from this one on.
async fn campaign(
    context: String,
    intent: Intent,
    (ways, from): (&'static [Fault], usize),
    reference: Arc<Reference>,
) -> BTreeSet<String> {
    let mut scene = Scene::new(&context).await;
    let jobs = Jobs::follow(&scene.world);
    let (mut version, mut covered, mut taken) = ('a', BTreeSet::new(), BTreeSet::new());
    let all = {
        let rendering = scene
            .assign(intent, (intent != Intent::Clean).then_some('a'))
            .rendering;
        scene.world.generation -= 1;
        steps(intent, &rendering)
    };
    if intent != Intent::Apply {
        let work = scene.assign(Intent::Apply, Some('a'));
        scene.carry_out(work, None).await;
        version = if intent == Intent::Heal { 'a' } else { 'b' };
    }
    // First where the namespace is made, then where it is there.
    let mut order = all.clone();
    if intent == Intent::Apply {
        order.sort_by_key(|step| *step != Step::Namespace);
    }
    for step in order {
        if step == Step::Namespace && intent != Intent::Apply {
            continue; // It is there: nothing is written, and nothing is to be lost.
        }
        let at = all.iter().position(|other| *other == step).unwrap();
        let previous = at.checked_sub(1).map(|before| StepKey::from(all[before]));
        let Some(fault) = whose_turn(ways, from + at, step, intent) else {
            covered.insert(StepKey::from(step));
            continue;
        };
        taken.insert(format!("{fault:?}"));
        if intent == Intent::Heal {
            scene.drift().await;
        }
        let before = contents(&scene.world).await;
        let wanted = (intent != Intent::Clean).then_some(version);
        let work = scene.assign(intent, wanted);
        let injected = Injected {
            fault,
            step,
            previous,
            fired: AtomicBool::new(false),
        };
        let name = format!("{intent:?}, {fault:?} at {}", StepKey::from(step));
        let finished = scene.carry_out(work, Some(injected)).await;
        check(&scene, &name, &finished, &before, &reference, version).await;
        covered.insert(StepKey::from(step));
        if intent == Intent::Clean {
            let work = scene.assign(Intent::Apply, Some('a'));
            scene.carry_out(work, None).await;
        } else if intent != Intent::Heal {
            version = if version == 'a' { 'b' } else { 'a' };
        }
    }
    let skipped = StepKey::from(Step::Namespace);
    for step in &all {
        let key = StepKey::from(*step);
        assert!(
            covered.contains(&key) || intent != Intent::Apply && key == skipped,
            "{key} was not disturbed"
        );
    }
    jobs.ran_once(&format!("{intent:?}, {ways:?} from {from}"));
    take_away(scene.world).await;
    taken
}

/// All is as it would have been.
async fn check(
    scene: &Scene,
    name: &str,
    finished: &Finished,
    before: &Contents,
    reference: &Reference,
    version: char,
) {
    let now = contents(&scene.world).await;
    let wanted = if version == 'a' {
        &reference.a
    } else {
        &reference.b
    };
    // A Job of an earlier phase is left or not; those that ran now are counted by who follows them.
    let is_job = |key: &(String, String)| key.0 == "Job";
    let (mut is, mut should) = (plain(&now), plain(wanted));
    is.retain(|key, _| !is_job(key));
    should.retain(|key, _| !is_job(key));
    assert_eq!(is, should, "{name}");
    for (key, (_, uid)) in now.iter().filter(|(key, _)| !is_job(key)) {
        if let Some((_, was)) = before.get(key) {
            assert_eq!(uid, was, "{name}: {key:?} was made anew");
        }
    }
    let inventory: BTreeMap<_, _> = finished
        .work
        .inventory
        .0
        .iter()
        .map(|item| {
            let plain = item.object.name.replace(scene.world.namespace.as_str(), "unique");
            ((item.object.kind.clone(), plain), item.uid.clone())
        })
        .collect();
    // Pruning leaves what holds things of others, and says so; the rest is exactly what is there.
    let holds = |key: &(String, String)| {
        matches!(
            key.0.as_str(),
            "Namespace" | "CustomResourceDefinition" | "PersistentVolumeClaim"
        )
    };
    let cleaned = finished.work.intent == Intent::Clean;
    let there: BTreeMap<_, _> = now
        .iter()
        .filter(|(key, _)| !(is_job(key) || cleaned && holds(key)))
        .map(|(key, (_, uid))| (key.clone(), Some(uid.clone())))
        .collect();
    assert_eq!(inventory, there, "{name}: the inventory and the cluster");
    let unknown = scene.unknown.lock().unwrap().clone();
    assert!(
        unknown.is_empty(),
        "{name}: written before the inventory knew: {unknown:?}"
    );
}

/// The uids of every Job that was ever seen, by deployment and name.
type Runs = BTreeMap<(String, String), BTreeSet<String>>;

/// Follows the Jobs.
struct Jobs {
    seen: Arc<Mutex<Runs>>,
    task: tokio::task::JoinHandle<()>,
}

impl Jobs {
    fn follow(world: &World) -> Self {
        use futures::StreamExt as _;
        use kube::{api::DynamicObject, core::GroupVersionKind, discovery::ApiResource, runtime::watcher};
        let jobs = ApiResource::from_gvk(&GroupVersionKind::gvk("batch", "v1", "Job"));
        let api: kube::Api<DynamicObject> =
            kube::Api::namespaced_with(world.client(), world.namespace.as_str(), &jobs);
        let seen = Arc::new(Mutex::new(BTreeMap::<_, BTreeSet<String>>::new()));
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
            while let Some(event) = events.next().await {
                if let Ok(watcher::Event::Apply(job) | watcher::Event::InitApply(job)) = event {
                    let metadata = job.metadata;
                    let deployment = metadata
                        .annotations
                        .unwrap_or_default()
                        .remove("slipway.dev/generation");
                    let key = (deployment.unwrap_or_default(), metadata.name.unwrap_or_default());
                    kept.lock()
                        .unwrap()
                        .entry(key)
                        .or_default()
                        .insert(metadata.uid.unwrap_or_default());
                }
            }
        });
        Self { seen, task }
    }

    fn ran_once(self, name: &str) {
        self.task.abort();
        let seen = self.seen.lock().unwrap();
        assert!(seen.len() >= 2, "{name}: few hooks were seen: {seen:?}");
        for (job, uids) in seen.iter() {
            assert_eq!(uids.len(), 1, "{name}: hook {job:?} ran as {uids:?}");
        }
    }
}

async fn every_fault(intent: Intent) {
    // One that is new gets a test of its own, below.
    match intent {
        Intent::Apply | Intent::RollBack | Intent::Heal | Intent::Clean => {}
    }
    let reference = Arc::new(reference("staging", intent).await);
    let contexts = ["staging", "eu", "us"];
    let every = std::env::var_os("SLIPWAY_EVERY_FAULT").is_some();
    let turns = WAYS.into_iter().flat_map(|ways| {
        let turns = if every { ways.len() } else { 1 };
        (0..turns).map(move |turn| (ways, turn))
    });
    let campaigns: Vec<_> = turns
        .enumerate()
        .map(|(i, turn)| {
            let context = contexts[i % contexts.len()].to_owned();
            let campaign = campaign(context, intent, turn, Arc::clone(&reference));
            (turn, tokio::spawn(campaign))
        })
        .collect();
    let (mut failed, mut taken) = (Vec::new(), BTreeSet::new());
    for ((ways, turn), campaign) in campaigns {
        match campaign.await {
            Ok(ways) => taken.extend(ways),
            Err(error) => failed.push(format!("{ways:?} from {turn}: {error}")),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    let all: BTreeSet<String> = WAYS.concat().iter().map(|way| format!("{way:?}")).collect();
    // Few steps: some ways are other intents' to take.
    assert!(
        taken == all || !every && matches!(intent, Intent::Heal | Intent::Clean),
        "{taken:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_applying_fails_before_fails_after_and_is_repeated_to_the_same_end() {
    every_fault(Intent::Apply).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_rolling_back_fails_before_fails_after_and_is_repeated_to_the_same_end() {
    every_fault(Intent::RollBack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_healing_fails_before_fails_after_and_is_repeated_to_the_same_end() {
    every_fault(Intent::Heal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_cleaning_fails_before_fails_after_and_is_repeated_to_the_same_end() {
    every_fault(Intent::Clean).await;
}
