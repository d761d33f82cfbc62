//! Fault 22: a cluster's credential is revoked while work is under way. The work is parked and says which cluster needs a new
//! credential; there is no hot loop, and the credential is to be read nowhere. It goes on when a new one is given, and when
//! an operator resumes.

use crate::cluster_scene::{Scene, blocked, meanwhile};
use serde_json::{Value, json};
use slipway_testkit::live::{
    Answer, Fate, Namespace,
    manifests::{GOOD, config, deployment},
    text, within,
};
use std::time::{Duration, Instant};

/// A `ServiceAccount` that may do everything, and its tokens.
struct Account {
    namespace: Namespace,
}

impl Account {
    async fn new(context: &str, name: &str) -> Self {
        let account = Self {
            namespace: Namespace::of(context, &format!("{name}-robots")).await,
        };
        let namespace = json!({"metadata": {"name": account.namespace.name}});
        account.send("POST", "/api/v1/namespaces", &namespace).await;
        let binding = json!({
            "metadata": {"name": account.namespace.name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": account.namespace.name}],
        });
        account
            .send(
                "POST",
                "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                &binding,
            )
            .await;
        account
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        self.namespace
            .send(method, path, body)
            .await
            .expect("the path is there")
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/serviceaccounts{rest}", self.namespace.name)
    }

    /// Makes the account, and a token for it.
    async fn token(&self) -> String {
        self.send("POST", &self.path(""), &json!({"metadata": {"name": "robot"}}))
            .await;
        let wanted = json!({"spec": {"expirationSeconds": 3600}});
        let answered = self.send("POST", &self.path("/robot/token"), &wanted).await;
        text(&answered["status"]["token"])
    }

    /// Deletes the account: its tokens are worth nothing from now on, as soon as the API server notices.
    async fn revoke(&self) {
        self.send("DELETE", &self.path("/robot"), &json!({})).await;
    }

    async fn close(self) {
        let name = &self.namespace.name;
        let binding = format!("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}");
        self.send("DELETE", &binding, &json!({})).await;
        self.namespace.close().await;
    }
}

/// A Deployment whose pod is ready after so many seconds.
fn slow(seconds: u32) -> String {
    deployment("web", GOOD).replace(
        "labels: {app: web}}",
        &format!("labels: {{app: web}}, annotations: {{sandbox.slipway.dev/ready-after: PT{seconds}S}}}}"),
    )
}

#[tokio::test]
async fn a_revoked_credential_parks_the_work_until_there_is_another() {
    let mut scene = Scene::bare("revoked", "eu").await;
    let account = Account::new("eu", &scene.world.service).await;
    let old = account.token().await;
    let cluster = json!({"name": "eu", "server": scene.proxy.url, "credential": {"token": old}});
    scene.world.admin.post("/v1/clusters", cluster).await.expect(201);
    scene.environment("eu").await;
    let world = &scene.world;
    // Somewhere else everything goes on meanwhile; here the pod is not ready before the credential is gone.
    world
        .sealed("1.0.0", &(config("settings", "one") + &slow(25)))
        .await;
    let id = world.deploy("1.0.0", "staging").await;
    world
        .until(&id, "waiting for its pod", |d| blocked(d).contains("web: 0 of 1"))
        .await;
    account.revoke().await;

    let parked = world
        .until(&id, "parked", |d| blocked(d).contains("parked"))
        .await;
    let reason = blocked(&parked);
    assert!(
        reason.contains("cluster eu does not accept the credential (401); give it a new one"),
        "{reason}"
    );
    assert_eq!(parked["state"], "running", "{parked:#}");
    let by = text(&parked["blockers"][0]["unblocked_by"]);
    assert!(
        by.contains("connection details") && by.contains("slipway deploy resume"),
        "{by}"
    );
    let told = world.told(&id, "target.parked").await;
    assert_eq!(told.len(), 1, "{told:#?}");
    let since = Instant::now();
    meanwhile(Duration::from_secs(6)).await;
    let hot: Vec<_> = scene.since(since).into_values().flatten().collect();
    assert!(
        hot.is_empty(),
        "the cluster is asked although the work is parked: {hot:#?}"
    );
    let refused = scene.proxy.log().iter().filter(|l| l.code == Some(401)).count();
    assert!((1..=20).contains(&refused), "{refused} requests were refused");

    let new = account.token().await;
    let given = json!({"credential": {"token": new}});
    world.admin.patch("/v1/clusters/eu", "*", given).await.expect(200);
    world.ends(&id, "succeeded").await;
    secrets_stay_secret(&scene, &[&old, &new]).await;
    scene.close(&["eu"]).await;
    account.close().await;
}

/// Neither logs, tables nor answers hold a token, or the part of it that proves it.
async fn secrets_stay_secret(scene: &Scene, tokens: &[&str]) {
    for token in tokens {
        let signature = token.rsplit('.').next().expect("a signature");
        assert!(signature.len() > 40);
        for server in &scene.world.servers {
            assert!(!server.log().contains(signature), "a log holds a credential");
        }
        let tables = scene.world.database.tables_with(signature).await;
        assert!(tables.is_empty(), "it can be read in {tables:?}");
        let seen = scene.world.seen.lock().expect("no panic");
        assert!(
            !seen.iter().any(|body| body.contains(signature)),
            "an answer holds a credential"
        );
    }
}

#[tokio::test]
async fn what_was_parked_goes_on_when_an_operator_resumes() {
    let scene = Scene::start("resumed", "us").await;
    let world = &scene.world;
    world.sealed("1.0.0", &config("settings", "one")).await;
    scene
        .proxy
        .rule(|_| Some(Fate::Answer(Answer::status(401, "Unauthorized"))));
    let id = world.deploy("1.0.0", "staging").await;
    world
        .until(&id, "parked", |d| blocked(d).contains("parked"))
        .await;
    let why = world
        .vera
        .get(&format!("/v1/deployments/{id}/explain"))
        .await
        .expect(200);
    assert!(
        why["allowed"]
            .as_array()
            .expect("verbs")
            .contains(&json!("resume")),
        "{why:#}"
    );
    // Resumed too early: tried again, and parked again.
    world.steer(&id, "resume").await.expect(200);
    let twice = async || world.told(&id, "target.parked").await.len() == 2;
    within(Duration::from_secs(20), "it is parked again", twice).await;
    scene.proxy.clear();
    world.steer(&id, "resume").await.expect(200);
    world.ends(&id, "succeeded").await;
    scene.close(&["us"]).await;
}

#[tokio::test]
async fn what_was_parked_can_be_cancelled_and_paused() {
    let scene = Scene::start("parked", "staging").await;
    let world = &scene.world;
    world.sealed("1.0.0", &config("settings", "one")).await;
    scene
        .proxy
        .rule(|_| Some(Fate::Answer(Answer::status(401, "Unauthorized"))));
    let id = world.deploy("1.0.0", "staging").await;
    world
        .until(&id, "parked", |d| blocked(d).contains("parked"))
        .await;
    world.steer(&id, "pause").await.expect(200);
    world.until(&id, "paused", |d| d["state"] == "paused").await;
    world.steer(&id, "resume").await.expect(200);
    world
        .until(&id, "parked again", |d| blocked(d).contains("parked"))
        .await;
    world.steer(&id, "cancel").await.expect(200);
    world.ends(&id, "cancelled").await;
    assert_eq!(world.database.number("SELECT count(*) FROM work").await, 0);
    scene.close(&[]).await;
}
