//! Drift on a real API server: what others change of what was applied is seen, with who did it; nothing else is.

use crate::world::{SERVICE, World, config, web};
use serde_json::{Value, json};
use slipway_domain::{
    component::bundle::ObjectRef,
    drift::{
        ClusterWatch, Drift, DriftKind, DriftLedger, DriftReport, LedgerUnavailable, Overview, Taken,
        WatchRequest, WatchedTarget,
    },
    ids::TargetId,
    plan::target::Intent,
    registry::Connection,
    render::Rendering,
};
use slipway_executor::{Clients, DriftSettings, DriftWatcher};
use slipway_testkit::live::{KubeProxy, WatchEnd};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

/// A ledger that remembers what it was told of one cluster.
#[derive(Clone)]
struct Ledger(Arc<Inner>);

struct Inner {
    connection: Connection,
    state: Mutex<State>,
    told: Notify,
}

#[derive(Default)]
struct State {
    targets: BTreeMap<TargetId, WatchedTarget>,
    /// What is known to have drifted now, by name of the object.
    open: BTreeMap<String, Drift>,
    reports: Vec<DriftReport>,
    gone: bool,
}

impl Ledger {
    fn new(connection: &Connection) -> Self {
        Self(Arc::new(Inner {
            connection: connection.clone(),
            state: Mutex::default(),
            told: Notify::new(),
        }))
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.state.lock().unwrap())
    }

    /// What runs on the world's target, from now on.
    fn runs(&self, world: &World, rendering: Rendering) {
        let target = WatchedTarget {
            target: world.target,
            generation: world.generation,
            namespace: world.namespace.clone(),
            rendering: Arc::new(rendering),
            open: Vec::new(),
        };
        self.state(|state| state.targets.insert(world.target, target));
    }

    /// A deployment is at work there.
    fn busy(&self, world: &World) {
        self.state(|state| state.targets.remove(&world.target));
    }

    /// Waits until what is known is so.
    async fn until<T>(&self, what: &str, mut is: impl FnMut(&State) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let told = self.0.told.notified();
                if let Some(found) = self.state(|state| is(state)) {
                    return found;
                }
                told.await;
            }
        };
        timeout(Duration::from_secs(45), waiting)
            .await
            .unwrap_or_else(|_| panic!("{what}: never; open are {:?}", self.state(|s| s.open.clone())))
    }

    async fn drifted(&self, name: &str) -> Drift {
        self.until(name, |state| state.open.get(name).cloned()).await
    }

    async fn resolved(&self, name: &str) {
        self.until(name, |state| (!state.open.contains_key(name)).then_some(()))
            .await;
    }
}

impl DriftLedger for Ledger {
    async fn keep(&self, request: &WatchRequest) -> Result<Vec<ClusterWatch>, LedgerUnavailable> {
        Ok(vec![ClusterWatch {
            cluster: self.0.connection.cluster,
            name: self.0.connection.name.clone(),
            holder: request.holder.clone(),
            fence: 1,
        }])
    }

    async fn leave(&self, _: &str) -> Result<(), LedgerUnavailable> {
        self.state(|state| state.gone = true);
        Ok(())
    }

    async fn overview(
        &self,
        _: &ClusterWatch,
        revision: Option<i64>,
    ) -> Result<Option<Overview>, LedgerUnavailable> {
        let targets = self.state(|s| s.targets.values().map(|t| (t.target, t.generation)).collect());
        let connection = (revision != Some(self.0.connection.revision)).then(|| self.0.connection.clone());
        Ok(Some(Overview {
            connection,
            busy: false,
            targets,
        }))
    }

    async fn details(
        &self,
        _: &ClusterWatch,
        targets: &[TargetId],
    ) -> Result<Vec<WatchedTarget>, LedgerUnavailable> {
        Ok(self.state(|s| {
            targets
                .iter()
                .filter_map(|id| s.targets.get(id).cloned())
                .collect()
        }))
    }

    async fn report(&self, _: &ClusterWatch, report: &DriftReport) -> Result<Taken, LedgerUnavailable> {
        let taken = self.state(|state| {
            if state.targets.get(&report.target).map(|t| t.generation) != Some(report.generation) {
                return Taken::Stale;
            }
            for judged in &report.judged {
                match &judged.drift {
                    Some(drift) => drop(state.open.insert(judged.object.name.clone(), drift.clone())),
                    None => drop(state.open.remove(&judged.object.name)),
                }
            }
            state.reports.push(report.clone());
            Taken::Recorded
        });
        self.0.told.notify_waiters();
        Ok(taken)
    }
}

/// A watcher at work.
struct Watching {
    ledger: Ledger,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Watching {
    fn start(connection: &Connection, compare_every: Duration) -> Self {
        let ledger = Ledger::new(connection);
        let mut settings = DriftSettings::new("test");
        settings.look_every = Duration::from_millis(200);
        settings.compare_every = compare_every;
        let shutdown = CancellationToken::new();
        let watcher = DriftWatcher::new(ledger.clone(), Clients::default(), settings);
        let task = tokio::spawn(watcher.run(shutdown.clone()));
        Self {
            ledger,
            shutdown,
            task,
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(10), self.task)
            .await
            .unwrap()
            .unwrap();
        assert!(
            self.ledger.state(|state| state.gone),
            "it lets go of what it watched"
        );
    }
}

const HOUR: Duration = Duration::from_hours(1);

async fn deployed(world: &mut World, bundle: &str) -> Rendering {
    let work = world.deploy(bundle);
    let rendering = work.rendering.as_ref().clone();
    world.succeed(work).await;
    rendering
}

/// Changes something as this field manager.
async fn edit(world: &World, path: &str, manager: &str, change: Value) {
    world
        .merge(&format!("{path}?fieldManager={manager}"), &change)
        .await;
}

/// Names are the sentinels of these tests: when this one's drift is told, whatever changed before it was looked at too.
async fn everything_before_is_judged(world: &World, ledger: &Ledger) {
    let path = world.path("/api/v1", "configmaps/sentinel");
    edit(world, &path, "sentinel", json!({"data": {"key": "moved"}})).await;
    ledger.drifted("sentinel").await;
    edit(world, &path, "sentinel", json!({"data": {"key": "still"}})).await;
    ledger.resolved("sentinel").await;
}

#[tokio::test]
async fn an_edit_by_hand_is_seen_with_who_and_both_values_and_its_reversal_too() {
    let mut world = World::new("eu").await;
    let rendering = deployed(&mut world, &config("settings", "one")).await;
    let watching = Watching::start(&world.connection, HOUR);
    watching.ledger.runs(&world, rendering);
    let path = world.path("/api/v1", "configmaps/settings");
    edit(
        &world,
        &path,
        "kubectl-edit",
        json!({"data": {"key": "two", "other": "x"}}),
    )
    .await;
    let drift = watching.ledger.drifted("settings").await;
    assert_eq!(drift.kind, DriftKind::Changed);
    assert_eq!(drift.fields.len(), 1, "{:?}", drift.fields);
    let field = &drift.fields[0];
    assert_eq!(
        (field.pointer.as_str(), &field.applied, &field.found),
        ("/data/key", &Some(json!("one")), &Some(json!("two")))
    );
    let hand = drift.hand.as_ref().unwrap();
    assert_eq!(
        (hand.manager.as_str(), hand.operation.as_str()),
        ("kubectl-edit", "Update")
    );
    assert!(hand.at.is_some());
    edit(&world, &path, "kubectl-edit", json!({"data": {"key": "one"}})).await;
    watching.ledger.resolved("settings").await;

    // What was taken away leaves no trace of who did it.
    edit(&world, &path, "kubectl-edit", json!({"data": {"key": null}})).await;
    let drift = watching.ledger.drifted("settings").await;
    assert_eq!((&drift.fields[0].found, &drift.hand), (&None, &None));
    watching.stop().await;
    world.close().await;
}

#[tokio::test]
async fn a_deletion_is_seen_and_so_is_what_comes_back() {
    let mut world = World::new("us").await;
    let rendering = deployed(&mut world, &format!("{}{SERVICE}", config("settings", "one"))).await;
    let watching = Watching::start(&world.connection, HOUR);
    watching.ledger.runs(&world, rendering);
    let path = world.path("/api/v1", "configmaps/settings");
    world
        .send("DELETE", &path, "application/json", &json!({}))
        .await
        .unwrap();
    assert_eq!(watching.ledger.drifted("settings").await.kind, DriftKind::Missing);
    // Made anew by somebody else, without our label, and as it was applied.
    let again = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings",
        "labels": {"slipway.dev/service": "shop"}}, "data": {"key": "one"}});
    let all = world.path("/api/v1", "configmaps");
    world
        .send("POST", &all, "application/json", &again)
        .await
        .unwrap();
    watching.ledger.resolved("settings").await;
    watching.stop().await;
    world.close().await;
}

/// What servers write in another way than it was written: quantities, defaults, `stringData`.
const NORMALISED: &str = "---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter-two}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: heavy}
spec:
  replicas: 1
  selector: {matchLabels: {app: heavy}}
  template:
    metadata: {labels: {app: heavy}}
    spec:
      serviceAccountName: runner
      containers:
      - name: heavy
        image: 'registry/heavy:1.0'
        env: [{name: A, value: a}]
        ports: [{containerPort: 80}]
        resources: {requests: {cpu: 1000m, memory: 1024Mi}, limits: {cpu: '2.0'}}
";

#[tokio::test]
async fn what_slipway_applied_itself_and_what_it_does_not_set_is_no_drift() {
    let mut world = World::new("staging").await;
    let bundle = format!(
        "{}{NORMALISED}{SERVICE}{}",
        config("sentinel", "still"),
        web("registry/web:1.0", 1)
    );
    let rendering = deployed(&mut world, &bundle).await;
    // Everything is compared again and again meanwhile.
    let watching = Watching::start(&world.connection, Duration::from_secs(2));
    watching.ledger.runs(&world, rendering);
    everything_before_is_judged(&world, &watching.ledger).await;
    let deployment = world.deployment_path();
    let others = json!({"metadata": {"labels": {"owner": "b"}, "annotations": {"note": "n"}},
        "spec": {"revisionHistoryLimit": 3, "template": {"metadata": {"annotations": {"restarted": "now"}}}}});
    edit(&world, &deployment, "kubectl-annotate", others).await;
    let sidecar = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "mesh", "image": "registry/mesh:1.0"}]}}}});
    world
        .send(
            "PATCH",
            &format!("{deployment}?fieldManager=mesh"),
            "application/strategic-merge-patch+json",
            &sidecar,
        )
        .await
        .unwrap();
    everything_before_is_judged(&world, &watching.ledger).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    everything_before_is_judged(&world, &watching.ledger).await;
    let told: Vec<ObjectRef> = watching.ledger.state(|s| {
        s.reports
            .iter()
            .flat_map(|r| r.judged.iter().map(|j| j.object.clone()))
            .collect()
    });
    assert!(told.iter().all(|object| object.name == "sentinel"), "{told:?}");

    // The next deployment is Slipway's own: nothing is judged while it is at work, and nothing has drifted after it.
    watching.ledger.busy(&world);
    let next = bundle
        .replace("web:1.0", "web:1.1")
        .replace("hunter-two", "hunter-three");
    let rendering = deployed(&mut world, &next).await;
    watching.ledger.runs(&world, rendering);
    everything_before_is_judged(&world, &watching.ledger).await;
    assert!(watching.ledger.state(|s| s.open.is_empty()));
    // A secret is compared, and never told.
    let secret = world.path("/api/v1", "secrets/login");
    edit(
        &world,
        &secret,
        "thief",
        json!({"data": {"password": "c2VzYW1l"}}),
    )
    .await;
    let drift = watching.ledger.drifted("login").await;
    assert_eq!(drift.fields[0].pointer, "/data/password");
    let text = format!("{drift:?}");
    assert!(
        !text.contains("c2VzYW1l") && !text.contains("hunter") && !text.contains("aHVudGVy"),
        "{text}"
    );
    watching.stop().await;
    world.close().await;
}

/// What an autoscaler does.
async fn scale(world: &World, name: &str, replicas: u32) {
    let path = world.path("/apis/apps/v1", &format!("deployments/{name}/scale"));
    let mut scale = world.get(&path).await.unwrap();
    scale["spec"]["replicas"] = replicas.into();
    world
        .send(
            "PUT",
            &format!("{path}?fieldManager=autoscaler"),
            "application/json",
            &scale,
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_scale_by_an_autoscaler_is_drift_only_where_the_bundle_sets_the_replicas() {
    let mut world = World::new("eu").await;
    let unset = web("registry/web:1.0", 1)
        .replace("name: web", "name: free")
        .replace("app: web", "app: free")
        .replace("  replicas: 1\n", "");
    let bundle = format!(
        "{}{}{unset}",
        config("sentinel", "still"),
        web("registry/web:1.0", 1)
    );
    let rendering = deployed(&mut world, &bundle).await;
    let watching = Watching::start(&world.connection, HOUR);
    watching.ledger.runs(&world, rendering);
    everything_before_is_judged(&world, &watching.ledger).await;
    scale(&world, "free", 2).await;
    scale(&world, "web", 2).await;
    let drift = watching.ledger.drifted("web").await;
    assert_eq!(drift.fields.len(), 1, "{drift:?}");
    assert_eq!(
        (drift.fields[0].pointer.as_str(), &drift.fields[0].found),
        ("/spec/replicas", &Some(json!(2)))
    );
    everything_before_is_judged(&world, &watching.ledger).await;
    assert!(watching.ledger.state(|s| !s.open.contains_key("free")));
    let live = world
        .get(&world.path("/apis/apps/v1", "deployments/free"))
        .await
        .unwrap();
    assert_eq!(live["spec"]["replicas"], 2, "nobody fights over it");
    watching.stop().await;
    world.close().await;
}

#[tokio::test]
async fn a_watch_that_expired_broke_or_fell_silent_misses_nothing() {
    let mut world = World::new("us").await;
    let rendering = deployed(&mut world, &config("settings", "one")).await;
    let proxy = KubeProxy::start(
        &world.direct.server,
        world.direct.certificate_authority.as_deref(),
    );
    world.connection.server.clone_from(&proxy.url);
    world.connection.certificate_authority = None;
    let watching = Watching::start(&world.connection, HOUR);
    watching.ledger.runs(&world, rendering);
    let path = world.path("/api/v1", "configmaps/settings");
    edit(&world, &path, "kubectl-edit", json!({"data": {"key": "zero"}})).await;
    watching.ledger.drifted("settings").await;
    for (n, end) in [WatchEnd::Expired, WatchEnd::Broken, WatchEnd::Silent]
        .into_iter()
        .enumerate()
    {
        proxy.end_watches(end);
        let value = json!(format!("value-{n}"));
        edit(&world, &path, "kubectl-edit", json!({"data": {"key": value}})).await;
        let found = |state: &State| {
            (state.open.get("settings")?.fields[0].found.as_ref() == Some(&value)).then_some(())
        };
        watching.ledger.until(&format!("{end:?}"), found).await;
    }
    watching.stop().await;
    world.close().await;
}

#[tokio::test]
async fn an_object_made_anew_that_cannot_be_brought_back_is_told_with_the_servers_words() {
    let mut world = World::new("staging").await;
    let rendering = deployed(&mut world, &web("registry/web:1.0", 1)).await;
    let watching = Watching::start(&world.connection, HOUR);
    watching.ledger.runs(&world, rendering);
    let path = world.deployment_path();
    let mut live = world.get(&path).await.unwrap();
    world
        .send("DELETE", &path, "application/json", &json!({}))
        .await
        .unwrap();
    live["metadata"] = json!({"name": "web", "labels": live["metadata"]["labels"]});
    live["spec"]["selector"]["matchLabels"]["app"] = "other".into();
    live["spec"]["template"]["metadata"]["labels"]["app"] = "other".into();
    let all = world.path("/apis/apps/v1", "deployments");
    world.send("POST", &all, "application/json", &live).await.unwrap();
    let is = |state: &State| state.open.get("web").filter(|d| d.problem.is_some()).cloned();
    let drift = watching.ledger.until("web", is).await;
    assert!(drift.problem.as_ref().unwrap().contains("immutable"), "{drift:?}");
    assert!(
        drift
            .fields
            .iter()
            .any(|f| f.pointer == "/spec/selector/matchLabels/app"),
        "{drift:?}"
    );
    watching.stop().await;
    world.close().await;
}

#[tokio::test]
async fn a_heal_takes_back_what_it_names_also_from_others_and_touches_nothing_else() {
    let mut world = World::new("us").await;
    let hook = "---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {slipway.dev/hook: before}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: 'registry/migrate:1.0'}]}}}
";
    let bundle = format!(
        "{}{}{}{SERVICE}{}{hook}",
        config("one", "1"),
        config("two", "2"),
        config("three", "3"),
        web("registry/web:1.0", 1)
    );
    let rendering = deployed(&mut world, &bundle).await;
    let path = |name: &str| world.path("/api/v1", &format!("configmaps/{name}"));
    edit(
        &world,
        &path("one"),
        "kubectl-edit",
        json!({"data": {"key": "mine", "other": "x"}}),
    )
    .await;
    edit(
        &world,
        &path("two"),
        "kubectl-edit",
        json!({"data": {"key": "mine"}}),
    )
    .await;
    world
        .send("DELETE", &path("three"), "application/json", &json!({}))
        .await
        .unwrap();
    let [one, two, three] = ["one", "two", "three"].map(path);
    let before = world.get(&two).await.unwrap();

    let mut work = world.assign(Intent::Heal, rendering.clone());
    let refs = rendering.object_refs();
    work.heals = refs.into_iter().filter(|object| object.name != "two").collect();
    let finished = world.succeed(work).await;
    let healed = world.get(&one).await.unwrap();
    assert_eq!(
        healed["data"],
        json!({"key": "1", "other": "x"}),
        "what others set stays theirs"
    );
    assert_eq!(world.get(&three).await.unwrap()["data"]["key"], "3");
    let after = world.get(&two).await.unwrap();
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    assert!(
        finished
            .steps
            .iter()
            .all(|step| !step.starts_with("hook") && step != "prune"),
        "{:?}",
        finished.steps
    );
    world.close().await;
}
