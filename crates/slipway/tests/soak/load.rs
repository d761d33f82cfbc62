//! The stream of releases: a team for every service, that tells one story after the other and notes what was promised.

use crate::{
    caller::Caller,
    field::{Field, People},
    plan::{Bundle, Fault, Plan, Steer, Story},
};
use futures::FutureExt as _;
use serde_json::{Value, json};
use slipway_testkit::live::{
    manifests::{GOOD, config, deployment, hook},
    text,
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::JoinHandle, time::sleep};

/// How long a deployment may take, faults included, before it counts as standing still.
const PATIENCE: Duration = Duration::from_mins(4);
/// How often an approver looks at something that goes on changing.
const LOOKS: usize = 20;

/// A deployment that somebody was promised.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    pub(crate) id: String,
    pub(crate) release: String,
    pub(crate) environment: &'static str,
    pub(crate) digest: String,
    pub(crate) story: String,
    /// The states that it may end in.
    pub(crate) allowed: Vec<&'static str>,
    pub(crate) asked: Instant,
    /// How it ended, why, and how long that took.
    pub(crate) ended: Option<(String, String, Duration)>,
}

/// Everything that was promised, and every fault that there was.
#[derive(Default)]
pub(crate) struct Ledger {
    promises: Mutex<BTreeMap<String, Promise>>,
    releases: Mutex<BTreeMap<String, String>>,
    faults: Mutex<Vec<(Fault, Instant, Option<Instant>)>>,
    failed: Notify,
}

/// A fault under way; it is over when this is dropped.
pub(crate) struct Now {
    ledger: Arc<Ledger>,
    index: usize,
}

impl Drop for Now {
    fn drop(&mut self) {
        lock(&self.ledger.faults)[self.index].2 = Some(Instant::now());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Runs a part of it; when it fails, so does the whole, at once.
    pub(crate) fn watched<T: 'static>(
        self: &Arc<Self>,
        part: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        let ledger = self.clone();
        tokio::task::spawn_local(async move {
            let ended = AssertUnwindSafe(part).catch_unwind().await;
            ended.unwrap_or_else(|panic| {
                ledger.failed.notify_one();
                resume_unwind(panic)
            })
        })
    }

    /// Returns when a part of it has failed.
    pub(crate) async fn failed(&self) {
        self.failed.notified().await;
    }

    pub(crate) fn fault(self: &Arc<Self>, fault: Fault) -> Now {
        let mut all = lock(&self.faults);
        all.push((fault, Instant::now(), None));
        Now {
            ledger: self.clone(),
            index: all.len() - 1,
        }
    }

    pub(crate) fn promises(&self) -> Vec<Promise> {
        lock(&self.promises).values().cloned().collect()
    }

    /// Releases by name, with the digest that sealing gave.
    pub(crate) fn releases(&self) -> BTreeMap<String, String> {
        lock(&self.releases).clone()
    }

    pub(crate) fn faults(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for (fault, ..) in lock(&self.faults).iter() {
            *kinds.entry(fault.kind()).or_default() += 1;
        }
        kinds
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Promise)) {
        if let Some(promise) = lock(&self.promises).get_mut(id) {
            change(promise);
        }
    }

    /// Where it stands, in a line.
    pub(crate) fn line(&self) -> String {
        let all = lock(&self.promises);
        let open: Vec<_> = all.values().filter(|p| p.ended.is_none()).collect();
        let faults = lock(&self.faults);
        let now: Vec<_> = faults
            .iter()
            .filter(|(.., end)| end.is_none())
            .map(|(fault, ..)| fault.kind())
            .collect();
        let mut line = format!(
            "{} releases, {} deployments, {} under way, {} faults",
            lock(&self.releases).len(),
            all.len(),
            open.len(),
            faults.len()
        );
        if !now.is_empty() {
            let _ = write!(line, " (now {})", now.join(", "));
        }
        if let Some(oldest) = open.iter().min_by_key(|p| p.asked) {
            let _ = write!(
                line,
                "; the oldest {} to {} {} s",
                oldest.release,
                oldest.environment,
                oldest.asked.elapsed().as_secs()
            );
        }
        line
    }
}

/// Starts the teams.
pub(crate) fn teams(plan: &Plan, field: &Field, until: Instant) -> Vec<JoinHandle<()>> {
    let mut all = Vec::new();
    for (service, stories) in field.services.iter().zip(&plan.stories) {
        let (team, stories) = (Team::of(field, service), stories.clone());
        all.push(field.ledger.watched(async move {
            for (n, story) in stories.into_iter().enumerate() {
                sleep(story.rest).await;
                if Instant::now() >= until {
                    return;
                }
                team.tell(&format!("1.{n}.0"), story).await;
            }
        }));
    }
    all
}

/// One more release of every service, when nothing is wrong any more: it must succeed everywhere.
pub(crate) async fn last_releases(_: &Plan, field: &Field) {
    let last = Story {
        bundle: Bundle::Hooked,
        production: true,
        steer: Steer::Nothing,
        duplicate: false,
        rest: Duration::ZERO,
    };
    let teams: Vec<_> = field
        .services
        .iter()
        .map(|service| Team::of(field, service))
        .collect();
    let told = teams.iter().map(|team| team.tell("2.0.0", last));
    futures::future::join_all(told).await;
    for promise in field
        .ledger
        .promises()
        .iter()
        .filter(|p| p.release.ends_with("@2.0.0"))
    {
        let state = promise.ended.as_ref().map(|(state, ..)| state.as_str());
        assert_eq!(state, Some("succeeded"), "the last release: {promise:#?}");
    }
}

struct Team {
    service: String,
    caller: Arc<Caller>,
    ledger: Arc<Ledger>,
    people: People,
}

impl Team {
    fn of(field: &Field, service: &str) -> Self {
        Self {
            service: service.to_owned(),
            caller: field.caller.clone(),
            ledger: field.ledger.clone(),
            people: field.people.clone(),
        }
    }

    async fn tell(&self, version: &str, story: Story) {
        let digest = self.sealed(version, story.bundle).await;
        let first = if story.production {
            Steer::Nothing
        } else {
            story.steer
        };
        let state = self.delivered(version, &digest, "staging", story, first).await;
        if story.production && state == "succeeded" {
            self.delivered(version, &digest, "production", story, story.steer)
                .await;
        }
    }

    /// Registers, composes and seals; the digest.
    async fn sealed(&self, version: &str, bundle: Bundle) -> String {
        let (ana, service) = (&self.people.ana, &self.service);
        let body = json!({"version": version, "manifests": manifests(bundle, version)});
        let path = format!("/v1/components/{service}/versions");
        self.caller.post(ana, &path, Some(body)).await.expect(201);
        let parts = json!([{"name": service, "version": version}]);
        let body = json!({"service": service, "version": version, "components": parts});
        self.caller
            .post(ana, "/v1/releases", Some(body))
            .await
            .expect(201);
        let path = format!("/v1/releases/{service}@{version}/seal");
        let digest = text(&self.caller.post(ana, &path, None).await.expect(200)["digest"]);
        lock(&self.ledger.releases).insert(format!("{service}@{version}"), digest.clone());
        digest
    }

    /// Asks for it, steers it, and waits for its end; the state it ended in.
    async fn delivered(
        &self,
        version: &str,
        digest: &str,
        environment: &'static str,
        story: Story,
        steer: Steer,
    ) -> String {
        let wanted: &[&str] = if story.bundle.is_good() {
            &["succeeded"]
        } else {
            &["rolled_back", "failed"]
        };
        let told = format!("{story:?}");
        let ask = async || {
            let body = json!({"release": format!("{}@{version}", self.service), "environment": environment});
            let key = uuid::Uuid::now_v7().to_string();
            let asked = self
                .caller
                .post_as(&self.people.otto, "/v1/deployments", Some(body.clone()), &key)
                .await
                .expect(201);
            let id = text(&asked["id"]);
            self.promise(&id, version, digest, environment, &told, wanted);
            if story.duplicate {
                let again = self
                    .caller
                    .post_as(&self.people.otto, "/v1/deployments", Some(body), &key)
                    .await
                    .expect(201);
                assert_eq!(text(&again["id"]), id, "one key, two deployments");
            }
            asked
        };
        let asked = ask().await;
        let id = text(&asked["id"]);
        if steer == Steer::AskTwice {
            let newer = ask().await;
            // Whichever is approved last or begins first: the older one may be replaced by the newer one.
            self.allow(&id, &["superseded"]);
            let newer_id = text(&newer["id"]);
            if environment == "production" {
                self.decide(&newer, "approve").await;
            }
            self.ends(&newer_id).await;
        }
        if environment == "production" {
            let reject = steer == Steer::Reject;
            if reject {
                self.only(&id, &["rejected"]);
            }
            self.decide(&asked, if reject { "reject" } else { "approve" })
                .await;
        }
        match steer {
            Steer::PauseAndResume if self.begins(&id).await => self.pause_and_resume(&id).await,
            Steer::Cancel if self.begins(&id).await && self.steer(&id, "cancel").await => {
                self.only(&id, &["cancelled"]);
            }
            _ => {}
        }
        let state = self.ends(&id).await;
        match (steer, state.as_str()) {
            (Steer::RollBack, "succeeded") => {
                let path = format!("/v1/deployments/{id}/rollback");
                let undo = self.caller.post(&self.people.ana, &path, None).await.expect(201);
                let undo_id = text(&undo["id"]);
                self.promise(&undo_id, version, "", environment, &told, &["succeeded"]);
                self.ends(&undo_id).await;
                return "rolled back".to_owned();
            }
            (Steer::Retry, "failed" | "rolled_back" | "cancelled") => {
                let path = format!("/v1/deployments/{id}/retry");
                let again = self.caller.post(&self.people.otto, &path, None).await.expect(201);
                let again_id = text(&again["id"]);
                self.promise(&again_id, version, digest, environment, &told, wanted);
                if environment == "production" {
                    self.decide(&again, "approve").await;
                }
                return self.ends(&again_id).await;
            }
            _ => {}
        }
        state
    }

    fn promise(
        &self,
        id: &str,
        version: &str,
        digest: &str,
        environment: &'static str,
        story: &str,
        allowed: &[&'static str],
    ) {
        let promise = Promise {
            id: id.to_owned(),
            release: format!("{}@{version}", self.service),
            environment,
            digest: digest.to_owned(),
            story: story.to_owned(),
            allowed: allowed.to_vec(),
            asked: Instant::now(),
            ended: None,
        };
        lock(&self.ledger.promises)
            .entry(id.to_owned())
            .or_insert(promise);
    }

    fn allow(&self, id: &str, more: &[&'static str]) {
        self.ledger.change(id, |promise| promise.allowed.extend(more));
    }

    fn only(&self, id: &str, states: &[&'static str]) {
        self.ledger
            .change(id, |promise| promise.allowed = states.to_vec());
    }

    /// Decides on what there is to be decided on, as it is shown; looks again when that has changed meanwhile.
    async fn decide(&self, deployment: &Value, decision: &str) {
        let approval = text(&deployment["approval"]);
        assert!(!approval.is_empty(), "nobody was asked: {deployment:#}");
        let path = format!("/v1/approvals/{approval}");
        for _ in 0..LOOKS {
            let shown = self.caller.get(&self.people.ada, &path).await.expect(200);
            let body = json!({"decision": decision, "digest": shown["digest"]});
            let decisions = format!("{path}/decisions");
            let reply = self.caller.post(&self.people.ada, &decisions, Some(body)).await;
            if reply.status.as_u16() == 409 && reply.body["type"] == "/problems/approval-digest" {
                continue;
            }
            // Withdrawn, when a newer request took its place in the meantime.
            let over = reply.status.as_u16() == 409;
            assert!(reply.status.is_success() || over, "{path}: {:#}", reply.body);
            return;
        }
        panic!("{path}: what is to be decided on changed {LOOKS} times while it was looked at");
    }

    async fn look(&self, id: &str) -> Value {
        self.caller
            .get(&self.people.otto, &format!("/v1/deployments/{id}"))
            .await
            .expect(200)
    }

    /// Does something to a deployment; false when its state does not allow it any more.
    async fn steer(&self, id: &str, verb: &str) -> bool {
        let reply = self
            .caller
            .post(&self.people.otto, &format!("/v1/deployments/{id}/{verb}"), None)
            .await;
        match reply.status.as_u16() {
            200 => true,
            409 => false,
            _ => panic!("{verb} {id}: {:#}", reply.body),
        }
    }

    async fn pause_and_resume(&self, id: &str) {
        if !self.steer(id, "pause").await {
            return;
        }
        sleep(Duration::from_millis(1500)).await;
        assert!(
            self.steer(id, "resume").await,
            "{id} was paused, and cannot be resumed: {:#}",
            self.look(id).await
        );
    }

    /// Waits until it has begun; false when it has ended already.
    async fn begins(&self, id: &str) -> bool {
        let began = Instant::now();
        loop {
            let seen = self.look(id).await;
            match seen["state"].as_str() {
                Some("running") => return true,
                Some("pending" | "queued") => {}
                _ => return false,
            }
            assert!(began.elapsed() < PATIENCE, "{id} does not begin: {seen:#}");
            sleep(Duration::from_millis(150)).await;
        }
    }

    /// Waits for its end.
    async fn ends(&self, id: &str) -> String {
        let began = Instant::now();
        loop {
            let seen = self.look(id).await;
            if !seen["finished_at"].is_null() {
                let state = text(&seen["state"]);
                self.ledger.change(id, |promise| {
                    promise.ended.get_or_insert((
                        state.clone(),
                        text(&seen["reason"]),
                        promise.asked.elapsed(),
                    ));
                });
                return state;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "invariant 5: {id} stands still: {seen:#}"
            );
            sleep(Duration::from_millis(300)).await;
        }
    }
}

/// What a release brings: configuration, a Deployment or two, hooks.
fn manifests(bundle: Bundle, version: &str) -> String {
    let image = |ending: &str| format!("registry.example/shop/web:{version}{ending}");
    let settings = config("settings", version);
    let web = match bundle {
        Bundle::Slow => deployment("web", &image("-slow")),
        Bundle::BrokenImage => deployment("web", &image("-broken")),
        _ => deployment("web", &image("")),
    };
    let more = match bundle {
        Bundle::Lean => String::new(),
        Bundle::Hooked => hook("migrate", GOOD) + &config("more", version) + &deployment("worker", GOOD),
        Bundle::BrokenHook => hook("migrate", &image("-crash")) + &config("more", version),
        _ => config("more", version) + &deployment("worker", GOOD),
    };
    settings + &web + &more
}
