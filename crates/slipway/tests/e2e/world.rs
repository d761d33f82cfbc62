//! Where a test begins: a server, its people, a team, a cluster or more, an environment, a service and its component.

use crate::{
    database::Database,
    kubernetes::{Namespace, kubeconfig},
    person::{Person, Reply, Seen, text},
    server::{ADMIN, SLIPWAY, Server, within},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

/// Every role of a server.
pub(crate) const ALL: &str = "api,scheduler,executor";

/// Who there is, and their roles.
const PEOPLE: [(&str, &[&str]); 6] = [
    // Ana may decide as far as roles go: what stops her is that she is the author.
    ("ana", &["engineer", "manager", "authority"]),
    ("otto", &["operator"]),
    ("ada", &["authority"]),
    ("abe", &["authority"]),
    ("vera", &["viewer"]),
    ("iris", &["auditor"]),
];

pub(crate) struct World {
    pub(crate) admin: Person,
    /// Composes and seals.
    pub(crate) ana: Person,
    /// Deploys.
    pub(crate) otto: Person,
    /// Approves.
    pub(crate) ada: Person,
    /// Approves, too.
    pub(crate) abe: Person,
    /// Looks.
    pub(crate) vera: Person,
    /// Checks the record.
    pub(crate) iris: Person,
    /// The service, its component, and the namespace where it lands: one name that nobody else has.
    pub(crate) service: String,
    pub(crate) seen: Seen,
    /// The first one has the role `api`.
    pub(crate) servers: Vec<Server>,
    pub(crate) dir: PathBuf,
    pub(crate) database: Database,
}

impl World {
    /// A server with every role, the cluster `staging`, and the environment `staging` on it.
    pub(crate) async fn start(prefix: &str) -> Self {
        Self::start_as(prefix, &[ALL]).await
    }

    /// As [`World::start`], with these processes; the first one must have the role `api`.
    pub(crate) async fn start_as(prefix: &str, processes: &[&str]) -> Self {
        let mut world = Self::empty(prefix, processes).await;
        world.cluster("staging").await;
        world
            .environment("staging", &["staging"], json!({"progress_deadline": "PT40S"}))
            .await;
        world
    }

    /// People, a team, a service and its component; no cluster.
    pub(crate) async fn empty(prefix: &str, processes: &[&str]) -> Self {
        let database = Database::create().await;
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let service = format!("{prefix}-{}", &unique[20..]);
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&service);
        fs::create_dir_all(&dir).expect("a folder");
        let mut servers = Vec::new();
        for (i, roles) in processes.iter().enumerate() {
            servers.push(Server::start(&dir, &format!("server-{i}"), &database.url, roles).await);
        }
        let nobody = Person {
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            api: servers[0].api.clone(),
            token: String::new(),
            seen: Seen::default(),
        };
        let issuer = servers[0].issuer.clone();
        let person = async |who: &str| nobody.with_token(&token(&nobody, &issuer, who).await);
        let admin = person(ADMIN).await;
        for (who, roles) in PEOPLE {
            for role in roles {
                let binding = json!({"principal": {"subject": who}, "role": role});
                admin.post("/v1/role-bindings", binding).await.expect(201);
            }
        }
        let world = Self {
            ana: person("ana").await,
            otto: person("otto").await,
            ada: person("ada").await,
            abe: person("abe").await,
            vera: person("vera").await,
            iris: person("iris").await,
            admin,
            service,
            seen: nobody.seen.clone(),
            servers,
            dir,
            database,
        };
        for person in [
            &world.ana,
            &world.otto,
            &world.ada,
            &world.abe,
            &world.vera,
            &world.iris,
        ] {
            person.get("/v1/me").await.expect(200);
        }
        world
            .admin
            .post("/v1/teams", json!({"name": "shop"}))
            .await
            .expect(201);
        let service = json!({"name": world.service, "team": "shop", "criticality": "high"});
        world.ana.post("/v1/services", service).await.expect(201);
        let component = json!({"name": world.service, "team": "shop"});
        world.ana.post("/v1/components", component).await.expect(201);
        world
    }

    /// Registers one of the tests' clusters.
    pub(crate) async fn cluster(&self, context: &str) {
        let cluster = json!({
            "name": context,
            "credential": {"kubeconfig": kubeconfig(), "context": context},
            "labels": {"region": context},
        });
        self.admin.post("/v1/clusters", cluster).await.expect(201);
    }

    /// Makes an environment.
    pub(crate) async fn environment(&mut self, name: &str, clusters: &[&str], settings: Value) {
        let environment =
            json!({"name": name, "tier": "staging", "clusters": clusters, "settings": settings});
        self.admin.post("/v1/environments", environment).await.expect(201);
    }

    /// The namespace where the service lands on a cluster.
    pub(crate) async fn namespace(&self, context: &str) -> Namespace {
        Namespace::of(context, &self.service).await
    }

    /// Name of a release of the service.
    pub(crate) fn release(&self, version: &str) -> String {
        format!("{}@{version}", self.service)
    }

    /// Path below a release of the service.
    pub(crate) fn release_path(&self, version: &str, rest: &str) -> String {
        format!("/v1/releases/{}{rest}", self.release(version))
    }

    /// Registers a version of the component.
    pub(crate) async fn version(&self, version: &str, manifests: &str) -> Value {
        let body = json!({"version": version, "manifests": manifests});
        let path = format!("/v1/components/{}/versions", self.service);
        self.ana.post(&path, body).await.expect(201)
    }

    /// What composes a release of one version of the component.
    pub(crate) fn composition(&self, version: &str) -> Value {
        let components = json!([{"name": self.service, "version": version}]);
        json!({"service": self.service, "version": version, "components": components})
    }

    /// Registers a version and composes a release of it.
    pub(crate) async fn draft(&self, version: &str, manifests: &str) -> Value {
        self.version(version, manifests).await;
        self.ana
            .post("/v1/releases", self.composition(version))
            .await
            .expect(201)
    }

    /// Registers a version, composes a release of it and seals it. Gives back its digest.
    pub(crate) async fn sealed(&self, version: &str, manifests: &str) -> String {
        self.draft(version, manifests).await;
        self.seal(version).await
    }

    pub(crate) async fn seal(&self, version: &str) -> String {
        let sealed = self
            .ana
            .act(&self.release_path(version, "/seal"))
            .await
            .expect(200);
        text(&sealed["digest"])
    }

    /// Asks for a deployment.
    pub(crate) async fn ask(&self, version: &str, environment: &str) -> Reply {
        let body = json!({"release": self.release(version), "environment": environment});
        self.otto.post("/v1/deployments", body).await
    }

    /// Asks for a deployment that is to be taken. Gives back its id.
    pub(crate) async fn deploy(&self, version: &str, environment: &str) -> String {
        text(&self.ask(version, environment).await.expect(201)["id"])
    }

    pub(crate) async fn deployment(&self, id: &str) -> Value {
        self.vera.get(&format!("/v1/deployments/{id}")).await.expect(200)
    }

    /// Does something to a deployment: `pause`, `cancel`, … Gives back the answer.
    pub(crate) async fn steer(&self, id: &str, verb: &str) -> Reply {
        self.otto.act(&format!("/v1/deployments/{id}/{verb}")).await
    }

    /// Waits until a deployment is as told.
    pub(crate) async fn until(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let looked = async || {
            last = self.deployment(id).await;
            let over = !last["finished_at"].is_null();
            assert!(is_so(&last) || !over, "{id} ended before it was {what}: {last:#}");
            is_so(&last)
        };
        within(Duration::from_secs(90), &format!("{id} is {what}"), looked).await;
        last
    }

    /// Waits until a deployment has ended, in this state.
    pub(crate) async fn ends(&self, id: &str, state: &str) -> Value {
        let ended = self.until(id, "over", |d| !d["finished_at"].is_null()).await;
        assert_eq!(ended["state"], state, "{ended:#}");
        ended
    }

    /// Everything that was done in a deployment, oldest first.
    pub(crate) async fn activities(&self, id: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut path = format!("/v1/deployments/{id}/activities?limit=200");
        loop {
            let page = self.vera.get(&path).await.expect(200);
            all.extend(page["items"].as_array().expect("a page").iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/deployments/{id}/activities?limit=200&cursor={next}");
        }
        all.sort_by_key(|activity| activity["seq"].as_i64());
        all
    }

    /// Messages of one kind of activity of a deployment.
    pub(crate) async fn told(&self, id: &str, kind: &str) -> Vec<String> {
        let all = self.activities(id).await;
        let of_kind = all.iter().filter(|activity| activity["kind"] == kind);
        of_kind.map(|activity| text(&activity["message"])).collect()
    }

    /// Does what must change nothing, and proves it: every table holds what it held.
    pub(crate) async fn changes_nothing(&self, request: impl Future<Output = Reply>) -> Reply {
        let before = self.database.contents().await;
        let reply = request.await;
        assert_eq!(
            self.database.contents().await,
            before,
            "{reply:#?} changed something"
        );
        reply
    }

    /// Runs the command line as somebody.
    pub(crate) fn slipway(&self, who: &Person, args: &[&str]) -> Output {
        Command::new(SLIPWAY)
            .args(args)
            .env("SLIPWAY_SERVER", &who.api)
            .env("SLIPWAY_TOKEN", &who.token)
            .env("XDG_CONFIG_HOME", self.dir.join("config"))
            .output()
            .expect("the command line runs")
    }

    /// The chain of the record holds, in the eyes of the command line, which recomputes every link.
    pub(crate) fn audit_holds(&self) {
        let output = self.slipway(&self.iris, &["audit", "verify"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }

    /// Stops every server as an operator does, and checks that each ended well.
    pub(crate) async fn close(mut self) {
        for server in &mut self.servers {
            let (status, took) = server.terminate().await;
            assert!(status.success(), "{status} after {took:?}: {}", server.log());
        }
        self.servers.clear();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A token of the development issuer.
async fn token(nobody: &Person, issuer: &str, who: &str) -> String {
    let request = nobody.client.post(format!("{issuer}/token"));
    let answer = request.json(&json!({"subject": who, "name": who})).send().await;
    let answer: Value = answer.expect("an answer").json().await.expect("a token");
    text(&answer["token"])
}
