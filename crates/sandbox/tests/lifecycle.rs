//! The sandbox from its start to its ends, with the real servers.
//!
//! Needs Postgres and the Kubernetes servers: `deploy/lib/postgres-binaries` and `deploy/lib/kubernetes-binaries`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Service};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{Condition, await_condition, conditions};
use kube::{Api, Client};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const CLUSTER: &str = "test";
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder of its own, taken away when the test has passed.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Where Postgres keeps its data when its user may not enter the folder.
    fn outside(&self) -> Option<PathBuf> {
        fs::read_link(self.file("postgres")).ok()
    }

    /// The processes whose command lines name the folder, or what belongs to it elsewhere.
    fn processes(&self) -> Vec<String> {
        let needles: Vec<_> = [Some(self.0.clone()), self.outside()]
            .into_iter()
            .flatten()
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| {
                let line = fs::read(entry.path().join("cmdline")).ok()?;
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                needles.iter().any(|it| line.contains(it)).then_some(line)
            })
            .collect()
    }

    async fn assert_nothing_is_left(&self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "still running: {left:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.0.exists() {
            if let Some(outside) = self.outside() {
                fs::remove_dir_all(outside).unwrap();
            }
            fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

/// The binary, in a folder.
async fn up(folder: &Folder, more: &[&str]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_slipway-sandbox"))
        .args(["up", "--dir"])
        .arg(&folder.0)
        .args(more)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    loop {
        let line = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .expect("the sandbox says something")
            .unwrap();
        let line = line.expect("the sandbox is ready before it ends; what it lacks is in the message above");
        println!("{line}");
        if line.starts_with("sandbox ready") {
            return child;
        }
    }
}

async fn end_by(child: &mut Child, signal: Signal) -> std::process::ExitStatus {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    tokio::time::timeout(PATIENCE, child.wait())
        .await
        .expect("the sandbox ends")
        .unwrap()
}

async fn database(folder: &Folder) -> PgConnection {
    let url = fs::read_to_string(folder.file("database-url")).unwrap();
    PgConnection::connect(url.trim()).await.unwrap()
}

async fn cluster(folder: &Folder) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(folder.file("kubeconfig")).unwrap();
    let options = KubeConfigOptions {
        context: Some(CLUSTER.to_owned()),
        ..Default::default()
    };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

async fn wait<K>(api: &Api<K>, name: &str, condition: impl Condition<K>) -> Option<K>
where
    K: kube::Resource + Clone + std::fmt::Debug + Send + serde::de::DeserializeOwned + 'static,
{
    let result = tokio::time::timeout(PATIENCE, await_condition(api.clone(), name, condition)).await;
    result
        .unwrap_or_else(|_| panic!("{name} did not come to be as expected"))
        .unwrap()
}

fn deployment(name: &str, image: &str) -> Deployment {
    let labels = json!({ "app": name });
    serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "main", "image": image }] },
            },
        },
    }))
    .unwrap()
}

fn job(name: &str, image: &str) -> Job {
    serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": { "backoffLimit": 0, "template": { "spec": {
            "restartPolicy": "Never", "containers": [{ "name": "main", "image": image }],
        } } },
    }))
    .unwrap()
}

fn is_available(deployment: Option<&Deployment>) -> bool {
    let status = deployment.and_then(|deployment| deployment.status.as_ref());
    status.and_then(|status| status.available_replicas) == Some(2)
}

fn has_failed(job: Option<&Job>) -> bool {
    let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Failed" && condition.status == "True")
}

/// Waits until the one container of some Pod of `app` waits for `reason`, and returns the message.
async fn waits_for(pods: &Api<Pod>, app: &str, reason: &str) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = pods
            .list(&ListParams::default().labels(&format!("app={app}")))
            .await
            .unwrap();
        let waiting = found.items.into_iter().find_map(|pod| {
            let container = pod.status?.container_statuses?.into_iter().next()?;
            container
                .state?
                .waiting
                .filter(|waiting| waiting.reason.as_deref() == Some(reason))
        });
        if let Some(waiting) = waiting {
            return waiting.message.unwrap_or_default();
        }
        assert!(Instant::now() < end, "no Pod of {app} waits for {reason}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn workloads_fare_as_they_say(client: &Client) {
    let create = PostParams::default();
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let jobs: Api<Job> = Api::default_namespaced(client.clone());
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    for (name, image) in [
        ("good", "web:1"),
        ("broken", "web:1-broken@sha256:00"),
        ("crashing", "web:1-crash"),
    ] {
        deployments
            .create(&create, &deployment(name, image))
            .await
            .unwrap();
    }
    for (name, image) in [("done", "task:1"), ("failed", "task:1-crash")] {
        jobs.create(&create, &job(name, image)).await.unwrap();
    }

    wait(&deployments, "good", is_available).await;
    wait(&jobs, "done", conditions::is_job_completed()).await;
    wait(&jobs, "failed", has_failed).await;
    let message = waits_for(&pods, "broken", "ImagePullBackOff").await;
    assert_eq!(message, "Back-off pulling image \"web:1-broken@sha256:00\"");
    assert!(
        waits_for(&pods, "crashing", "CrashLoopBackOff")
            .await
            .contains("restarting failed container=main")
    );
    let broken = deployments.get("broken").await.unwrap();
    assert!(!is_available(Some(&broken)));
}

async fn services_and_claims_are_provided_for(client: &Client) {
    let services: Api<Service> = Api::default_namespaced(client.clone());
    let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(client.clone());
    let service = json!({
        "metadata": { "name": "web" },
        "spec": { "type": "LoadBalancer", "selector": { "app": "good" }, "ports": [{ "port": 80 }] },
    });
    let claim = json!({
        "metadata": { "name": "data" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    });
    services
        .create(&PostParams::default(), &serde_json::from_value(service).unwrap())
        .await
        .unwrap();
    claims
        .create(&PostParams::default(), &serde_json::from_value(claim).unwrap())
        .await
        .unwrap();

    let address = |service: Option<&Service>| {
        let ingress = service.and_then(|it| it.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref());
        ingress.is_some_and(|all| all.iter().any(|one| one.ip.as_deref() == Some("127.0.0.1")))
    };
    wait(&services, "web", address).await;
    let bound = |claim: Option<&PersistentVolumeClaim>| {
        claim.and_then(|it| it.status.as_ref()?.phase.as_deref()) == Some("Bound")
    };
    wait(&claims, "data", bound).await;
}

async fn a_namespace_with_pods_can_be_deleted(client: &Client) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": "shop" } })).unwrap();
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "shop");
    deployments
        .create(&PostParams::default(), &deployment("web", "web:1"))
        .await
        .unwrap();
    wait(&deployments, "web", is_available).await;
    namespaces.delete("shop", &DeleteParams::default()).await.unwrap();
    wait(&namespaces, "shop", |it: Option<&Namespace>| it.is_none()).await;
}

#[tokio::test]
async fn a_sandbox_works_keeps_its_data_and_leaves_nothing_running_however_it_ends() {
    let folder = Folder::new("lifecycle");

    let mut first = up(&folder, &["--clusters", CLUSTER]).await;
    let mut connection = database(&folder).await;
    sqlx::query("CREATE TABLE kept (id int)")
        .execute(&mut connection)
        .await
        .unwrap();
    let client = cluster(&folder).await;
    workloads_fare_as_they_say(&client).await;
    services_and_claims_are_provided_for(&client).await;
    a_namespace_with_pods_can_be_deleted(&client).await;
    let access = |folder: &Folder| {
        ["kubeconfig", "database-url"].map(|it| fs::read_to_string(folder.file(it)).unwrap())
    };
    let before = access(&folder);
    assert!(
        folder.processes().len() >= 5,
        "what is looked for later is there now: {:#?}",
        folder.processes()
    );
    assert!(end_by(&mut first, Signal::TERM).await.success());
    // All has been waited for: nothing more may end only later.
    assert_eq!(folder.processes(), Vec::<String>::new());

    let mut second = up(&folder, &["--clusters", CLUSTER]).await;
    assert_eq!(
        access(&folder),
        before,
        "addresses and credentials survive a restart"
    );
    let mut connection = database(&folder).await;
    sqlx::query("SELECT id FROM kept")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let deployments: Api<Deployment> = Api::default_namespaced(cluster(&folder).await);
    wait(&deployments, "good", is_available).await;
    assert!(!end_by(&mut second, Signal::KILL).await.success());

    // At once, while the kernel still ends what the killed run left behind.
    let mut third = up(&folder, &["--clusters", CLUSTER]).await;
    let mut connection = database(&folder).await;
    sqlx::query("SELECT id FROM kept")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert!(!end_by(&mut third, Signal::KILL).await.success());
    folder.assert_nothing_is_left().await;

    let mut fourth = up(&folder, &["--no-kubernetes"]).await;
    assert!(
        !folder.file("kubeconfig").exists(),
        "what is not running is not offered"
    );
    assert!(end_by(&mut fourth, Signal::INT).await.success());
    assert_eq!(folder.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_is_killed_is_started_again_at_the_same_place() {
    let folder = Folder::new("restarted");
    let mut running = up(&folder, &["--no-kubernetes"]).await;
    let started = "SELECT pg_postmaster_start_time()::text";
    let before: String = sqlx::query_scalar(started)
        .fetch_one(&mut database(&folder).await)
        .await
        .unwrap();
    let recorded = fs::read_to_string(folder.file("pids/postgres.pid")).unwrap();
    let pid = recorded.lines().next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();

    let url = fs::read_to_string(folder.file("database-url")).unwrap();
    let end = Instant::now() + PATIENCE;
    loop {
        if let Ok(mut connection) = PgConnection::connect(url.trim()).await {
            let now: String = sqlx::query_scalar(started)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_ne!(now, before);
            break;
        }
        assert!(Instant::now() < end, "Postgres did not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(end_by(&mut running, Signal::HUP).await.success());
    assert_eq!(folder.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_is_used_by_one_sandbox_which_can_be_told_to_end() {
    let folder = Folder::new("once");
    let ready = folder.0.with_extension("ready");
    let mut running = up(
        &folder,
        &["--no-kubernetes", "--ready-file", ready.to_str().unwrap()],
    )
    .await;
    // Said before the file is made.
    let end = Instant::now() + PATIENCE;
    while !ready.exists() {
        assert!(Instant::now() < end, "the file that says ready is missing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let second = Command::new(env!("CARGO_BIN_EXE_slipway-sandbox"))
        .args(["up", "--no-kubernetes", "--dir"])
        .arg(&folder.0)
        .output()
        .await
        .unwrap();
    assert!(!second.status.success());
    assert!(
        String::from_utf8_lossy(&second.stderr).contains("running"),
        "{second:?}"
    );

    let down = Command::new(env!("CARGO_BIN_EXE_slipway-sandbox"))
        .args(["down", "--dir"])
        .arg(&folder.0)
        .output();
    let (down, ended) = tokio::join!(down, running.wait());
    assert!(down.unwrap().status.success() && ended.unwrap().success());
    assert!(!ready.exists());
    assert_eq!(folder.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn data_outside_of_a_folder_that_is_closed_to_postgres_is_kept_and_deleted_with_it() {
    let closed = Folder::new("closed");
    fs::create_dir(&closed.0).unwrap();
    fs::set_permissions(&closed.0, fs::Permissions::from_mode(0o700)).unwrap();
    let folder = Folder(closed.file("sandbox"));

    let mut running = up(&folder, &["--no-kubernetes"]).await;
    database(&folder).await.close().await.unwrap();
    // Anybody but root runs Postgres in their own name.
    let outside = folder.outside();
    assert_eq!(outside.is_some(), rustix::process::geteuid().is_root());
    let running_now = folder.processes();
    let names_postgres = |line: &String| line.contains("/postgres -D");
    assert!(running_now.iter().any(names_postgres), "{running_now:#?}");
    assert!(end_by(&mut running, Signal::TERM).await.success());
    assert_eq!(folder.processes(), Vec::<String>::new());

    let deleted = Command::new(env!("CARGO_BIN_EXE_slipway-sandbox"))
        .args(["down", "--delete", "--dir"])
        .arg(&folder.0)
        .output()
        .await
        .unwrap();
    assert!(deleted.status.success(), "{deleted:?}");
    assert!(!folder.0.exists());
    assert!(outside.is_none_or(|it| !it.exists()), "its data is left outside");
}
