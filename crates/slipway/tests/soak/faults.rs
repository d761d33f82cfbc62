//! Carries out the plan's faults: in three lanes, each one after the other, each mended before the next of its lane.

use crate::{
    field::Field,
    load::Ledger,
    plan::{CLUSTERS, Fault, Plan, Timeline},
};
use rustix::process::Signal;
use serde_json::json;
use slipway_testkit::live::{
    Answer, Asked, Database, Fate, KubeProxy, Mode, Namespace, OwnPostgres, Server, ServerOptions, TcpProxy,
    WatchEnd,
};
use sqlx::{Connection as _, PgConnection};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinHandle, time::sleep};

/// Starts them; a lane gives back the servers that it has.
pub(crate) fn lanes(plan: &Plan, field: &mut Field, began: Instant) -> Vec<JoinHandle<Vec<Server>>> {
    let servers = Servers {
        all: field.servers(),
        dir: field.dir.clone(),
        url: field.database.clone(),
        ledger: field.ledger.clone(),
    };
    let database = Network {
        networks: field.networks.clone(),
        postgres: field.postgres.clone(),
        url: field.database.clone(),
        ledger: field.ledger.clone(),
    };
    let clusters = Clusters {
        proxies: field.clusters.clone(),
        services: field.services.clone(),
        ledger: field.ledger.clone(),
    };
    let (first, second, third) = (plan.servers.clone(), plan.database.clone(), plan.clusters.clone());
    let ledger = &field.ledger;
    vec![
        ledger.watched(servers.suffer(first, began)),
        ledger.watched(database.suffer(second, began)),
        ledger.watched(clusters.suffer(third, began)),
    ]
}

/// Waits for a fault's time.
async fn until(began: Instant, at: Duration) {
    tokio::time::sleep_until((began + at).into()).await;
}

struct Servers {
    all: Vec<Server>,
    dir: PathBuf,
    url: String,
    ledger: Arc<Ledger>,
}

impl Servers {
    async fn suffer(mut self, timeline: Timeline, began: Instant) -> Vec<Server> {
        for (at, fault) in timeline {
            until(began, at).await;
            let _now = self.ledger.fault(fault);
            match fault {
                Fault::Kill(server, rest) => {
                    self.all[server].kill();
                    sleep(rest).await;
                    self.all[server].again().await;
                }
                Fault::HoldStill(server, time) => {
                    self.all[server].signal(Signal::STOP);
                    sleep(time).await;
                    self.all[server].signal(Signal::CONT);
                }
                Fault::Terminate(server) => {
                    let (status, took) = self.all[server].terminate().await;
                    assert!(status.success(), "a server ended with {status} after {took:?}");
                    assert!(took < Duration::from_secs(30), "draining took {took:?}");
                    self.all[server].again().await;
                }
                Fault::Join(time) => self.third(time).await,
                _ => {}
            }
        }
        self.all
    }

    async fn third(&self, time: Duration) {
        // Past the proxies: what happens to the others' networks does not happen to it.
        let options = ServerOptions::default().over(&self.url);
        let database = Database::at(&self.url);
        let mut server = Server::start(&self.dir, "third", &database, &options).await;
        sleep(time).await;
        let (status, took) = server.terminate().await;
        assert!(
            status.success(),
            "the third server ended with {status} after {took:?}"
        );
    }
}

struct Network {
    networks: Arc<Vec<TcpProxy>>,
    postgres: Arc<OwnPostgres>,
    url: String,
    ledger: Arc<Ledger>,
}

impl Network {
    async fn suffer(self, timeline: Timeline, began: Instant) -> Vec<Server> {
        for (at, fault) in timeline {
            until(began, at).await;
            let _now = self.ledger.fault(fault);
            match fault {
                Fault::CutDatabase(server) => self.networks[server].cut(),
                Fault::BlackHoleDatabase(server, time) => {
                    self.for_a_while(server, Mode::BlackHole, time).await;
                }
                Fault::DelayDatabase(server, by, time) => {
                    self.for_a_while(server, Mode::Delay(by), time).await;
                }
                Fault::RefuseDatabase(server, time) => {
                    self.networks[server].set(Mode::Refuse);
                    self.networks[server].cut();
                    sleep(time).await;
                    self.networks[server].set(Mode::Pass);
                }
                Fault::KillPostgres => {
                    self.postgres.kill().await;
                    self.answers_again().await;
                }
                Fault::KillListeners => self.kill_listeners().await,
                _ => {}
            }
        }
        Vec::new()
    }

    async fn for_a_while(&self, server: usize, mode: Mode, time: Duration) {
        self.networks[server].set(mode);
        sleep(time).await;
        self.networks[server].set(Mode::Pass);
    }

    async fn answers_again(&self) {
        let began = Instant::now();
        while PgConnection::connect(&self.url).await.is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "Postgres does not come back"
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn kill_listeners(&self) {
        let Ok(mut connection) = PgConnection::connect(&self.url).await else {
            return;
        };
        let listening = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' \
            AND pid <> pg_backend_pid()";
        let _ = sqlx::query(listening).execute(&mut connection).await;
    }
}

struct Clusters {
    proxies: Arc<Vec<KubeProxy>>,
    services: Vec<String>,
    ledger: Arc<Ledger>,
}

impl Clusters {
    async fn suffer(self, timeline: Timeline, began: Instant) -> Vec<Server> {
        for (at, fault) in timeline {
            until(began, at).await;
            let _now = self.ledger.fault(fault);
            match fault {
                Fault::TooManyRequests(cluster, time) => {
                    self.rule(cluster, time, |asked| {
                        (asked.n % 2 == 1).then(|| Fate::Answer(Answer::too_many_requests(1)))
                    })
                    .await;
                }
                Fault::Fails(cluster, time) => {
                    self.rule(cluster, time, |asked| {
                        (asked.n % 3 != 0).then(|| Fate::Answer(Answer::status(500, "etcd is away")))
                    })
                    .await;
                }
                Fault::LosesAnswers(cluster, time) => {
                    self.rule(cluster, time, |asked| {
                        (asked.is_write() && asked.n % 2 == 1).then_some(Fate::PassThenBreak)
                    })
                    .await;
                }
                Fault::Breaks(cluster, time) => {
                    self.rule(cluster, time, |asked| (asked.n % 2 == 1).then_some(Fate::Break))
                        .await;
                }
                Fault::Slow(cluster, time) => {
                    let delay = Duration::from_millis(400);
                    self.rule(cluster, time, move |_| Some(Fate::Delay(delay))).await;
                }
                Fault::SilentWatches(cluster) => self.proxies[cluster].end_watches(WatchEnd::Silent),
                Fault::ExpiredWatches(cluster) => self.proxies[cluster].end_watches(WatchEnd::Expired),
                Fault::ScaledByHand(cluster, service) => {
                    let scaled = json!({"spec": {"replicas": 2}});
                    self.by_hand(
                        cluster,
                        service,
                        "PATCH",
                        "/apis/apps/v1",
                        "deployments/web",
                        &scaled,
                    )
                    .await;
                }
                Fault::DeletedByHand(cluster, service) => {
                    self.by_hand(
                        cluster,
                        service,
                        "DELETE",
                        "/api/v1",
                        "configmaps/settings",
                        &json!({}),
                    )
                    .await;
                }
                _ => {}
            }
        }
        Vec::new()
    }

    /// Breaks an API server in a way, for a while.
    async fn rule(
        &self,
        cluster: usize,
        time: Duration,
        rule: impl Fn(&Asked<'_>) -> Option<Fate> + Send + Sync + 'static,
    ) {
        self.proxies[cluster].rule(rule);
        sleep(time).await;
        self.proxies[cluster].clear();
    }

    async fn by_hand(
        &self,
        cluster: usize,
        service: usize,
        method: &str,
        root: &str,
        object: &str,
        body: &serde_json::Value,
    ) {
        let namespace = Namespace::of(CLUSTERS[cluster], &self.services[service]).await;
        let path = format!("{root}/namespaces/{}/{object}", self.services[service]);
        namespace.send(method, &path, body).await;
    }
}
