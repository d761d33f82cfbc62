//! The ground that faults happen on: two full servers, a cluster whose API server is seen through a proxy, and the end that
//! every test has.

use serde_json::{Value, json};
use slipway_testkit::live::{
    Database, KubeProxy, Logged, Namespace, ServerOptions, World, kubeconfig,
    manifests::{GOOD, config, deployment},
    text,
};
use std::{collections::BTreeMap, time::Instant};

/// The cluster of these tests, on the API server that all tests share.
pub(crate) const CLUSTER: &str = "staging";

/// Two full servers on one database of their own, and the environment `staging`.
pub(crate) async fn two(prefix: &str) -> World {
    let both = [ServerOptions::default(), ServerOptions::default()];
    World::start_with(prefix, Database::create().await, &both).await
}

/// As [`two`], with what is between the servers and the API server.
pub(crate) async fn behind_a_proxy(
    prefix: &str,
    servers: &[ServerOptions],
    database: Database,
) -> (World, KubeProxy) {
    let proxy = KubeProxy::before(&kubeconfig(), CLUSTER);
    let mut world = World::empty_with(prefix, database, servers).await;
    world.cluster_at(CLUSTER, proxy.kubeconfig(), CLUSTER).await;
    let patient = json!({"progress_deadline": "PT60S", "automatic_rollback": false});
    world.environment("staging", &[CLUSTER], patient).await;
    (world, proxy)
}

/// So many pieces of configuration with this value, and a Deployment.
pub(crate) fn bundle(pieces: usize, value: &str) -> String {
    let pieces = (0..pieces).map(|i| config(&format!("settings-{i}"), value));
    pieces.chain([deployment("web", GOOD)]).collect()
}

/// Whether a request writes one of the pieces of [`bundle`]. A dry run does not: before the first write of a release, what
/// would come of it is asked for every piece that is there already.
pub(crate) fn writes_piece(method: &str, path: &str, query: &str) -> bool {
    method == "PATCH" && path.contains("/configmaps/settings-") && !query.contains("dryRun")
}

/// When a server (by what names it, see `Server::is_named`) sent its writes of pieces.
pub(crate) fn writes(proxy: &KubeProxy, is_his: impl Fn(&str) -> bool) -> Vec<Logged> {
    let mut log = proxy.log();
    log.retain(|one| writes_piece(&one.method, &one.path, &one.query) && is_his(&one.agent));
    log
}

/// Which server holds a lease: its place among the world's. Waits for one.
pub(crate) async fn holder(world: &World) -> usize {
    let mut held = None;
    let found = async || {
        let rows = world
            .database
            .rows("SELECT holder FROM work WHERE state = 'leased' LIMIT 1")
            .await;
        held = rows.first().and_then(|row| {
            let name = row["holder"].as_str()?;
            world.servers.iter().position(|server| server.is_named(name))
        });
        held.is_some()
    };
    let most = std::time::Duration::from_secs(20);
    slipway_testkit::live::within(most, "a server holds a lease", found).await;
    held.expect("a holder")
}

/// A moment of the database, as one of this process.
pub(crate) struct Clocks {
    here: Instant,
    there: jiff::Timestamp,
}

impl Clocks {
    pub(crate) async fn read(database: &Database) -> Self {
        let row = database.rows("SELECT clock_timestamp() AS now").await.remove(0);
        Self {
            here: Instant::now(),
            there: text(&row["now"]).parse().expect("a time"),
        }
    }

    /// Seconds from this reading to a moment of this process.
    pub(crate) fn until(&self, moment: Instant) -> f64 {
        moment.saturating_duration_since(self.here).as_secs_f64()
            - self.here.saturating_duration_since(moment).as_secs_f64()
    }

    /// Seconds from this reading to a time of the database.
    pub(crate) fn until_there(&self, time: &Value) -> f64 {
        let time: jiff::Timestamp = text(time).parse().expect("a time");
        time.duration_since(self.there).as_secs_f64()
    }
}

/// Every object is on the cluster as this deployment applied it, none is missing, and it was applied by it: its mark is on
/// each, and the record names each.
pub(crate) async fn check_applied(
    world: &World,
    namespace: &Namespace,
    id: &str,
    pieces: usize,
    value: &str,
) {
    let mut live = namespace.list("ConfigMap").await;
    live.retain(|name, _| name.starts_with("settings-"));
    assert_eq!(live.len(), pieces);
    for (name, object) in &live {
        assert_eq!(object["data"]["key"], value, "{name}");
    }
    live.extend(namespace.list("Deployment").await);
    assert_eq!(live.len(), pieces + 1);
    for (name, object) in &live {
        let mark = &object["metadata"]["annotations"]["slipway.dev/deployment"];
        assert_eq!(mark, id, "{name}");
    }
    let applied = applied(world, id).await;
    assert_eq!(
        applied.keys().collect::<Vec<_>>(),
        live.keys().collect::<Vec<_>>()
    );
}

/// How often each object was recorded as applied by a deployment.
pub(crate) async fn applied(world: &World, id: &str) -> BTreeMap<String, usize> {
    let mut applied = BTreeMap::new();
    for activity in world.activities(id).await {
        for object in activity["data"]["objects"].as_array().into_iter().flatten() {
            *applied.entry(text(&object["name"])).or_insert(0) += 1;
        }
    }
    applied
}

/// How every test ends: the chain of the record holds in the eyes of the command line, the eight invariants in those of the
/// doctor; then what was made is taken away.
pub(crate) async fn finish(world: World, namespaces: Vec<Namespace>) {
    world.audit_holds();
    world.examine().await;
    for namespace in namespaces {
        namespace.close().await;
    }
    world.close().await;
}
