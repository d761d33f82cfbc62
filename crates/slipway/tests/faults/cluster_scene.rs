//! Two full servers, and a cluster that they reach through a proxy: what the faults of clusters begin with.

use serde_json::{Value, json};
use slipway_testkit::live::{Database, KubeProxy, Logged, ServerOptions, World, kubeconfig, text};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A world whose environment `staging` is one cluster behind a proxy.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) proxy: KubeProxy,
}

impl Scene {
    /// With the cluster of this context, under its name.
    pub(crate) async fn start(prefix: &str, context: &str) -> Self {
        let mut scene = Self::bare(prefix, context).await;
        scene
            .world
            .cluster_at(context, scene.proxy.kubeconfig(), context)
            .await;
        scene.environment(context).await;
        scene
    }

    /// As [`Scene::start`], without registering the cluster.
    pub(crate) async fn bare(prefix: &str, context: &str) -> Self {
        // Attempts follow each other closely, or a test of all eight would take four minutes.
        let mut server =
            ServerOptions::default().settings("[executor]\nretry_first_ms = 100\nretry_longest_ms = 400");
        // No lease is to be lost here, however busy the machine: that would be another fault, and count as an attempt.
        server.lease_seconds = 20;
        Self::of(prefix, context, &[server.clone(), server]).await
    }

    /// As [`Scene::start`]; the second server's executor is for other clusters, so that one alone does all that is done here.
    pub(crate) async fn start_alone(prefix: &str, context: &str) -> Self {
        let elsewhere = "[executor.cluster_labels]\nregion = 'elsewhere'";
        let servers = [
            ServerOptions::default(),
            ServerOptions::default().settings(elsewhere),
        ];
        let mut scene = Self::of(prefix, context, &servers).await;
        scene
            .world
            .cluster_at(context, scene.proxy.kubeconfig(), context)
            .await;
        scene.environment(context).await;
        scene
    }

    async fn of(prefix: &str, context: &str, servers: &[ServerOptions]) -> Self {
        let database = Database::create().await;
        let world = World::empty_with(prefix, database, servers).await;
        let proxy = KubeProxy::before(&kubeconfig(), context);
        Self { world, proxy }
    }

    pub(crate) async fn environment(&mut self, cluster: &str) {
        let settings = json!({"progress_deadline": "PT2M", "automatic_rollback": false});
        self.world.environment("staging", &[cluster], settings).await;
    }

    /// Another service with one release of this bundle, sealed: somebody else on the same cluster.
    pub(crate) async fn neighbour(&self, number: usize, manifests: &str) -> String {
        let (ana, name) = (&self.world.ana, format!("{}-by{number}", self.world.service));
        let service = json!({"name": name, "team": "shop", "criticality": "low"});
        ana.post("/v1/services", service).await.expect(201);
        ana.post("/v1/components", json!({"name": name, "team": "shop"}))
            .await
            .expect(201);
        let version = json!({"version": "1.0.0", "manifests": manifests});
        ana.post(&format!("/v1/components/{name}/versions"), version)
            .await
            .expect(201);
        let components = json!([{"name": name, "version": "1.0.0"}]);
        let release = json!({"service": name, "version": "1.0.0", "components": components});
        ana.post("/v1/releases", release).await.expect(201);
        ana.act(&format!("/v1/releases/{name}@1.0.0/seal"))
            .await
            .expect(200);
        name
    }

    /// Asks for a deployment of such a release.
    pub(crate) async fn deploy_neighbour(&self, name: &str) -> String {
        let body = json!({"release": format!("{name}@1.0.0"), "environment": "staging"});
        text(&self.world.otto.post("/v1/deployments", body).await.expect(201)["id"])
    }

    /// What the executors have sent since then, by server. What people asked is not among it.
    pub(crate) fn since(&self, then: Instant) -> BTreeMap<String, Vec<Logged>> {
        let mut by_agent = BTreeMap::<_, Vec<_>>::new();
        for logged in self.proxy.log().into_iter().filter(|logged| logged.at >= then) {
            by_agent.entry(logged.agent.clone()).or_default().push(logged);
        }
        by_agent
    }

    /// The doctor finds nothing; everything ends as it should.
    pub(crate) async fn close(self, namespaces: &[&str]) {
        self.proxy.clear();
        self.world.audit_holds();
        self.world.examine().await;
        for namespace in namespaces {
            self.world.namespace(namespace).await.close().await;
        }
        self.world.close().await;
    }
}

/// The first reason why a deployment does not go on.
pub(crate) fn blocked(deployment: &Value) -> String {
    text(&deployment["blockers"][0]["reason"])
}

/// A pause without anything to wait for: what is counted is what does not come meanwhile.
pub(crate) async fn meanwhile(time: Duration) {
    tokio::time::sleep(time).await;
}
