//! Where it happens: a Postgres and proxies of its own, two servers, clusters behind proxies, services.

use crate::{
    caller::Caller,
    load::Ledger,
    plan::{CLUSTERS, Plan, SERVERS, SERVICES},
};
use serde_json::{Value, json};
use slipway_testkit::live::{
    Database, KubeProxy, Mode, Namespace, OwnPostgres, Person, Server, ServerOptions, TcpProxy, World,
    kubeconfig,
};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

pub(crate) struct Field {
    pub(crate) dir: PathBuf,
    pub(crate) services: Vec<String>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) people: People,
    /// One before each server's database.
    pub(crate) networks: Arc<Vec<TcpProxy>>,
    /// One before each cluster.
    pub(crate) clusters: Arc<Vec<KubeProxy>>,
    pub(crate) postgres: Arc<OwnPostgres>,
    /// URL of the database, past the proxies.
    pub(crate) database: String,
    /// Everything has ended.
    pub(crate) over: Arc<AtomicBool>,
    world: World,
}

/// Who acts.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) ana: Person,
    pub(crate) otto: Person,
    pub(crate) ada: Person,
}

impl Field {
    pub(crate) async fn prepare(plan: &Plan) -> Self {
        let postgres = OwnPostgres::start("soak-postgres").await;
        let database = Database::create_on(&postgres.url).await;
        let url = database.url.clone();
        let (networks, through): (Vec<_>, Vec<_>) =
            (0..SERVERS).map(|_| TcpProxy::before_postgres(&url)).unzip();
        let options: Vec<_> = through
            .iter()
            .map(|url| ServerOptions::default().over(url))
            .collect();
        let world = World::empty_with(&format!("soak{}", plan.seed), database, &options).await;
        let clusters: Vec<_> = CLUSTERS
            .iter()
            .map(|name| KubeProxy::before(&kubeconfig(), name))
            .collect();
        for (name, proxy) in CLUSTERS.iter().zip(&clusters) {
            world.cluster_at(name, proxy.kubeconfig(), name).await;
        }
        environments(&world).await;
        let mut services = vec![world.service.clone()];
        for n in 1..SERVICES {
            let name = format!("{}-{n}", world.service);
            let service = json!({"name": name, "team": "shop", "criticality": "high"});
            world.ana.post("/v1/services", service).await.expect(201);
            world
                .ana
                .post("/v1/components", json!({"name": name, "team": "shop"}))
                .await
                .expect(201);
            services.push(name);
        }
        let apis = world.servers.iter().map(|server| server.api.clone()).collect();
        // Also writes the configuration that the doctor is asked with from now on.
        world.examine().await;
        Self {
            dir: world.dir.clone(),
            services,
            caller: Arc::new(Caller::new(apis)),
            ledger: Arc::default(),
            people: People {
                ana: world.ana.clone(),
                otto: world.otto.clone(),
                ada: world.ada.clone(),
            },
            networks: Arc::new(networks),
            clusters: Arc::new(clusters),
            postgres: Arc::new(postgres),
            database: url,
            over: Arc::default(),
            world,
        }
    }

    /// The servers, for whoever starts and ends them.
    pub(crate) fn servers(&mut self) -> Vec<Server> {
        std::mem::take(&mut self.world.servers)
    }

    /// Where services land, past the proxies: those of one cluster after those of another.
    pub(crate) async fn namespaces(&self) -> Vec<(&'static str, Namespace)> {
        let mut all = Vec::new();
        for cluster in CLUSTERS {
            for service in &self.services {
                all.push((cluster, Namespace::of(cluster, service).await));
            }
        }
        all
    }

    /// Every network and every API server is well again.
    pub(crate) fn calm(&self) {
        for network in self.networks.iter() {
            network.set(Mode::Pass);
        }
        for cluster in self.clusters.iter() {
            cluster.clear();
        }
    }

    /// Rows of the database, past the proxies.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Value> {
        self.world.database.rows(sql).await
    }

    /// Stops the servers as an operator does, and takes away what is left.
    pub(crate) async fn close(mut self, servers: Vec<Server>) {
        for (_, namespace) in self.namespaces().await {
            namespace.close().await;
        }
        self.world.servers = servers;
        self.world.close().await;
    }
}

async fn environments(world: &World) {
    let wave = |name: &str| json!({"name": name, "match_labels": {"region": name}, "soak": "PT1S"});
    let deadline = "PT30S";
    let staging = json!({"name": "staging", "tier": "staging", "clusters": ["staging"],
        "settings": {"progress_deadline": deadline, "automatic_rollback": true}});
    let production = json!({"name": "production", "tier": "production", "clusters": ["eu", "us"], "promotes_from": "staging",
        "settings": {"progress_deadline": deadline, "automatic_rollback": true, "waves": [wave("eu"), wave("us")],
            "approvals": {"count": 1, "role": "authority"}}});
    for environment in [staging, production] {
        world
            .admin
            .post("/v1/environments", environment)
            .await
            .expect(201);
    }
}
