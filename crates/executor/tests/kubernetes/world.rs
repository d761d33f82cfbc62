//! One test's cluster, namespace, service, and the deployments to it.

use crate::queue::{Entry, Recorder, State, unclaimed};
use jiff::SignedDuration;
use serde_json::{Value, json};
use slipway_domain::{
    Digest, Name,
    clock::process_now,
    component::bundle::{Bundle, Limits},
    ids::{ClusterId, DeploymentId, DeploymentTargetId, TargetId},
    plan::target::{Intent, Progress},
    registry::{ClusterGrants, Connection, Inventory, kubeconfig},
    render::{ComponentInput, Input, Rendering, render},
    work::{Assignment, Note, Readiness, StepOutcome},
};
use slipway_executor::{ClientSettings, Clients, Executor, Settings};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

pub(crate) struct World {
    pub(crate) connection: Connection,
    pub(crate) namespace: Name,
    pub(crate) service: Name,
    pub(crate) target: TargetId,
    pub(crate) generation: i64,
    pub(crate) inventory: Inventory,
    pub(crate) grants: ClusterGrants,
    pub(crate) deadline: SignedDuration,
    kube: kube::Client,
    /// How to reach the cluster itself, whatever the connection says.
    pub(crate) direct: Connection,
}

/// The kubeconfig, or why there is none.
fn kubeconfig_text() -> String {
    let path = std::env::var("SLIPWAY_TEST_KUBECONFIG").unwrap_or_else(|_| {
        panic!("SLIPWAY_TEST_KUBECONFIG is not set: run `tests/run executor`, which starts real Kubernetes API servers")
    });
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("SLIPWAY_TEST_KUBECONFIG={path}: {e}"))
}

/// A name nobody else has.
pub(crate) fn unique(prefix: &str) -> Name {
    format!("{prefix}-{}", &uuid::Uuid::now_v7().simple().to_string()[20..])
        .parse()
        .unwrap()
}

/// Connection details of a context.
pub(crate) fn connection(context: &str) -> Connection {
    let details =
        kubeconfig::read(&kubeconfig_text(), Some(context)).expect("the kubeconfig has the context");
    Connection {
        cluster: ClusterId::new(),
        name: context.parse().unwrap(),
        revision: 1,
        server: details.server,
        certificate_authority: details.certificate_authority,
        tls_server_name: details.tls_server_name,
        credential: details.credential,
    }
}

impl World {
    pub(crate) async fn new(context: &str) -> Self {
        let kubeconfig = kube::config::Kubeconfig::from_yaml(&kubeconfig_text()).unwrap();
        let options = kube::config::KubeConfigOptions {
            context: Some(context.to_owned()),
            ..Default::default()
        };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .unwrap();
        Self {
            connection: connection(context),
            direct: connection(context),
            namespace: unique("exec"),
            service: "shop".parse().unwrap(),
            target: TargetId::new(),
            generation: 0,
            inventory: Inventory::default(),
            grants: ClusterGrants::default(),
            deadline: SignedDuration::from_secs(30),
            kube: kube::Client::try_from(config).unwrap(),
        }
    }

    /// Renders a bundle as a release of one component would be.
    pub(crate) fn render(&self, yaml: &str) -> Rendering {
        let bundle = Bundle::parse(yaml, &Limits::default()).expect("the bundle is good");
        let component = ComponentInput {
            name: "web",
            version: "1.0.0",
            objects: &bundle.objects,
            images: &[],
        };
        render(&Input {
            service: self.service.as_str(),
            environment: "staging",
            release: "1.0.0",
            release_digest: Digest::of_bytes(b"release"),
            namespace: self.namespace.as_str(),
            components: &[component],
            overlays: Vec::new(),
            cluster_scoped_grants: &["*".to_owned()],
            limits: &Limits::default(),
        })
        .expect("the bundle renders")
    }

    /// The next deployment's work on this target.
    pub(crate) fn deploy(&mut self, yaml: &str) -> Assignment {
        let rendering = self.render(yaml);
        self.assign(Intent::Apply, rendering)
    }

    pub(crate) fn assign(&mut self, intent: Intent, rendering: Rendering) -> Assignment {
        self.generation += 1;
        Assignment {
            lease: unclaimed(),
            deployment: DeploymentId::new(),
            deployment_target: DeploymentTargetId::new(),
            target: self.target,
            connection: self.connection.clone(),
            grants: self.grants.clone(),
            namespace: self.namespace.clone(),
            service: self.service.clone(),
            environment: "staging".parse().unwrap(),
            release: "shop 1.0.0".to_owned(),
            release_digest: Digest::of_bytes(b"release"),
            generation: self.generation,
            intent,
            rendering_digest: rendering.digest(),
            rendering: Arc::new(rendering),
            inventory: self.inventory.clone(),
            progress: Progress::default(),
            progress_deadline: self.deadline,
            force_conflicts: false,
            heals: Vec::new(),
            attempts: 0,
            now: process_now(),
            traceparent: None,
        }
    }

    /// Carries work out to its end with an executor of its own; keeps the inventory it leaves.
    pub(crate) async fn run(&mut self, work: Assignment) -> Finished {
        let queue = Recorder::default();
        let target = work.deployment_target;
        queue.add(work);
        let running = Running::start(&queue);
        queue
            .until(target, |entry| matches!(entry.state, State::Over(_)))
            .await;
        running.stop().await;
        let finished = queue.with(target, Finished::of);
        self.inventory = finished.work.inventory.clone();
        finished
    }

    /// Carries out work that is to succeed.
    pub(crate) async fn succeed(&mut self, work: Assignment) -> Finished {
        let finished = self.run(work).await;
        assert_eq!(finished.outcome, StepOutcome::Succeeded, "{:#?}", finished.notes);
        finished
    }

    /// Path of an object in the namespace: `/api/v1`, `configmaps/x`.
    pub(crate) fn path(&self, root: &str, rest: &str) -> String {
        format!("{root}/namespaces/{}/{rest}", self.namespace)
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &Value,
    ) -> Result<Value, kube::Error> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind);
        self.kube
            .request(request.body(body.to_string().into_bytes()).unwrap())
            .await
    }

    pub(crate) fn client(&self) -> kube::Client {
        self.kube.clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let got = self.send("GET", path, "application/json", &Value::Null).await;
        match got {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    pub(crate) async fn merge(&self, path: &str, change: &Value) -> Value {
        self.send("PATCH", path, "application/merge-patch+json", change)
            .await
            .expect("the patch is taken")
    }

    pub(crate) async fn create_namespace(&self) {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        self.send("POST", "/api/v1/namespaces", "application/json", &namespace)
            .await
            .expect("a new namespace");
    }

    pub(crate) fn deployment_path(&self) -> String {
        self.path("/apis/apps/v1", "deployments/web")
    }

    /// Takes the namespace away; what a failed test leaves behind is in nobody's way.
    pub(crate) async fn close(self) {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        self.send("DELETE", &path, "application/json", &json!({}))
            .await
            .expect("the namespace goes");
    }
}

/// What work came to.
pub(crate) struct Finished {
    pub(crate) outcome: StepOutcome,
    pub(crate) notes: Vec<Note>,
    pub(crate) readiness: Vec<Readiness>,
    pub(crate) steps: Vec<String>,
    pub(crate) work: Assignment,
}

impl Finished {
    pub(crate) fn of(entry: &mut Entry) -> Self {
        let State::Over(outcome) = entry.state.clone() else {
            panic!("not over")
        };
        Self {
            outcome,
            notes: entry.reports.iter().flat_map(|r| r.notes.clone()).collect(),
            readiness: entry.reports.iter().filter_map(|r| r.readiness.clone()).collect(),
            steps: entry
                .reports
                .iter()
                .filter(|r| matches!(r.outcome, StepOutcome::Done(_) | StepOutcome::Succeeded))
                .map(|r| r.step.to_string())
                .collect(),
            work: entry.work.clone(),
        }
    }

    pub(crate) fn failed(&self) -> &str {
        let StepOutcome::Failed { reason } = &self.outcome else {
            panic!("not failed: {:?}", self.outcome)
        };
        reason
    }

    pub(crate) fn errored(&self) -> &str {
        let StepOutcome::Errored { reason } = &self.outcome else {
            panic!("not errored: {:?}", self.outcome)
        };
        reason
    }

    /// Messages of a kind of note.
    pub(crate) fn told(&self, kind: &str) -> Vec<&str> {
        self.notes
            .iter()
            .filter(|n| n.kind == kind)
            .map(|n| n.message.as_str())
            .collect()
    }
}

/// An executor at work.
pub(crate) struct Running {
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(queue: &Recorder) -> Self {
        Self::start_with(queue, ClientSettings::default(), |_| {})
    }

    pub(crate) fn start_with(
        queue: &Recorder,
        clients: ClientSettings,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = Settings::new("test");
        settings.poll = SignedDuration::from_millis(100);
        settings.heartbeat_every = Duration::from_millis(500);
        change(&mut settings);
        let shutdown = CancellationToken::new();
        let executor = Executor::new(queue.clone(), Clients::new(clients), settings);
        let task = tokio::spawn(executor.run(shutdown.clone()));
        Self { shutdown, task }
    }

    /// Ends it at once, as a process that is killed.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Tells it to stop, and waits for it.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.task)
            .await
            .expect("it drains")
            .expect("it does not panic");
    }
}

/// A Deployment `web`.
pub(crate) fn web(image: &str, replicas: u32) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: '{image}'}}]}}
"
    )
}

/// A `ConfigMap`.
pub(crate) fn config(name: &str, value: &str) -> String {
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n")
}

/// A Service `web`.
pub(crate) const SERVICE: &str = "---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";
