//! Where a test begins: servers, their people, a team, a cluster or more, an environment, a service and its component.

use super::{
    binary,
    database::Database,
    kubernetes::{Namespace, kubeconfig},
    person::{Person, Reply, Seen, text},
    server::{ADMIN, ALL, DEV_ISSUER, Server, ServerOptions, operator, test_folder, within},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

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

/// An installation of Slipway with what a service needs; closed with [`World::close`].
pub struct World {
    /// The bootstrap admin.
    pub admin: Person,
    /// Composes and seals.
    pub ana: Person,
    /// Deploys.
    pub otto: Person,
    /// Approves.
    pub ada: Person,
    /// Approves, too.
    pub abe: Person,
    /// Looks.
    pub vera: Person,
    /// Checks the record.
    pub iris: Person,
    /// The service, its component, and the namespace where it lands: one name that nobody else has.
    pub service: String,
    /// Every body that the API has sent to anybody.
    pub seen: Seen,
    /// The servers. The first one has the role `api`.
    pub servers: Vec<Server>,
    /// The test's folder: configurations, logs, keys.
    pub dir: PathBuf,
    /// The database of all servers.
    pub database: Database,
}

impl World {
    /// A server with every role, the cluster `staging`, and the environment `staging` on it.
    pub async fn start(prefix: &str) -> Self {
        Self::start_as(prefix, &[ALL]).await
    }

    /// As [`World::start`], with these processes; the first one must have the role `api`.
    pub async fn start_as(prefix: &str, processes: &[&str]) -> Self {
        let servers: Vec<_> = processes
            .iter()
            .map(|roles| ServerOptions::roles(roles))
            .collect();
        Self::start_with(prefix, Database::create().await, &servers).await
    }

    /// As [`World::start`], on this database, with servers as told; the first one must have the role `api`.
    pub async fn start_with(prefix: &str, database: Database, servers: &[ServerOptions]) -> Self {
        let mut world = Self::empty_with(prefix, database, servers).await;
        world.cluster("staging").await;
        world
            .environment("staging", &["staging"], json!({"progress_deadline": "PT40S"}))
            .await;
        world
    }

    /// People, a team, a service and its component; no cluster.
    pub async fn empty(prefix: &str, processes: &[&str]) -> Self {
        let servers: Vec<_> = processes
            .iter()
            .map(|roles| ServerOptions::roles(roles))
            .collect();
        Self::empty_with(prefix, Database::create().await, &servers).await
    }

    /// As [`World::empty`], on this database, with servers as told; the first one must have the role `api`.
    pub async fn empty_with(prefix: &str, database: Database, options: &[ServerOptions]) -> Self {
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let service = format!("{prefix}-{}", &unique[20..]);
        let dir = test_folder(&service);
        let mut servers = Vec::new();
        for (i, options) in options.iter().enumerate() {
            servers.push(Server::start(&dir, &format!("server-{i}"), &database, options).await);
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
                let principal = json!({"issuer": DEV_ISSUER, "subject": who});
                let binding = json!({"principal": principal, "role": role});
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

    /// Starts one more server.
    pub async fn server(&mut self, options: &ServerOptions) -> usize {
        let name = format!("server-{}", self.servers.len());
        let server = Server::start(&self.dir, &name, &self.database, options).await;
        self.servers.push(server);
        self.servers.len() - 1
    }

    /// Everybody turns to this server from now on.
    pub fn turn_to(&mut self, server: usize) {
        let api = self.servers[server].api.clone();
        let Self {
            admin,
            ana,
            otto,
            ada,
            abe,
            vera,
            iris,
            ..
        } = self;
        for person in [admin, ana, otto, ada, abe, vera, iris] {
            *person = person.at(&api);
        }
    }

    /// Registers one of the tests' clusters.
    pub async fn cluster(&self, context: &str) {
        self.cluster_at(context, &kubeconfig(), context).await;
    }

    /// Registers a cluster under a name, as a context of this kubeconfig says.
    pub async fn cluster_at(&self, name: &str, kubeconfig: &str, context: &str) {
        let cluster = json!({
            "name": name,
            "credential": {"kubeconfig": kubeconfig, "context": context},
            "labels": {"region": name},
        });
        self.admin.post("/v1/clusters", cluster).await.expect(201);
    }

    /// Makes an environment.
    pub async fn environment(&mut self, name: &str, clusters: &[&str], settings: Value) {
        let environment =
            json!({"name": name, "tier": "staging", "clusters": clusters, "settings": settings});
        self.admin.post("/v1/environments", environment).await.expect(201);
    }

    /// The namespace where the service lands on a cluster.
    pub async fn namespace(&self, context: &str) -> Namespace {
        Namespace::of(context, &self.service).await
    }

    /// Name of a release of the service.
    pub fn release(&self, version: &str) -> String {
        format!("{}@{version}", self.service)
    }

    /// Path below a release of the service.
    pub fn release_path(&self, version: &str, rest: &str) -> String {
        format!("/v1/releases/{}{rest}", self.release(version))
    }

    /// Registers a version of the component.
    pub async fn version(&self, version: &str, manifests: &str) -> Value {
        let body = json!({"version": version, "manifests": manifests});
        let path = format!("/v1/components/{}/versions", self.service);
        self.ana.post(&path, body).await.expect(201)
    }

    /// What composes a release of one version of the component.
    pub fn composition(&self, version: &str) -> Value {
        let components = json!([{"name": self.service, "version": version}]);
        json!({"service": self.service, "version": version, "components": components})
    }

    /// Registers a version and composes a release of it.
    pub async fn draft(&self, version: &str, manifests: &str) -> Value {
        self.version(version, manifests).await;
        self.ana
            .post("/v1/releases", self.composition(version))
            .await
            .expect(201)
    }

    /// Registers a version, composes a release of it and seals it. Gives back its digest.
    pub async fn sealed(&self, version: &str, manifests: &str) -> String {
        self.draft(version, manifests).await;
        self.seal(version).await
    }

    /// Seals a release. Gives back its digest.
    pub async fn seal(&self, version: &str) -> String {
        let sealed = self
            .ana
            .act(&self.release_path(version, "/seal"))
            .await
            .expect(200);
        text(&sealed["digest"])
    }

    /// Asks for a deployment.
    pub async fn ask(&self, version: &str, environment: &str) -> Reply {
        let body = json!({"release": self.release(version), "environment": environment});
        self.otto.post("/v1/deployments", body).await
    }

    /// Asks for a deployment that is to be taken. Gives back its id.
    pub async fn deploy(&self, version: &str, environment: &str) -> String {
        text(&self.ask(version, environment).await.expect(201)["id"])
    }

    /// A deployment, as a viewer sees it.
    pub async fn deployment(&self, id: &str) -> Value {
        self.vera.get(&format!("/v1/deployments/{id}")).await.expect(200)
    }

    /// Does something to a deployment: `pause`, `cancel`, … Gives back the answer.
    pub async fn steer(&self, id: &str, verb: &str) -> Reply {
        self.otto.act(&format!("/v1/deployments/{id}/{verb}")).await
    }

    /// Waits until a deployment is as told.
    ///
    /// # Panics
    /// When it is not within 90 s, or ends before.
    pub async fn until(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
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
    pub async fn ends(&self, id: &str, state: &str) -> Value {
        let ended = self.until(id, "over", |d| !d["finished_at"].is_null()).await;
        assert_eq!(ended["state"], state, "{ended:#}");
        ended
    }

    /// Everything that was done in a deployment, oldest first.
    pub async fn activities(&self, id: &str) -> Vec<Value> {
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
    pub async fn told(&self, id: &str, kind: &str) -> Vec<String> {
        let all = self.activities(id).await;
        let of_kind = all.iter().filter(|activity| activity["kind"] == kind);
        of_kind.map(|activity| text(&activity["message"])).collect()
    }

    /// Does what must change nothing, and proves it: every table holds what it held.
    pub async fn changes_nothing(&self, request: impl Future<Output = Reply>) -> Reply {
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
    ///
    /// # Panics
    /// When it does not run.
    pub fn slipway(&self, who: &Person, args: &[&str]) -> Output {
        Command::new(binary())
            .args(args)
            .env("SLIPWAY_SERVER", &who.api)
            .env("SLIPWAY_TOKEN", &who.token)
            .env("XDG_CONFIG_HOME", self.dir.join("config"))
            .output()
            .expect("the command line runs")
    }

    /// The chain of the record holds, in the eyes of the command line, which recomputes every link.
    pub fn audit_holds(&self) {
        let output = self.slipway(&self.iris, &["audit", "verify"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }

    /// The eight invariants hold, in the eyes of `slipway doctor`, which reads the database, the record and the clusters.
    /// Gives back what it says.
    ///
    /// # Panics
    /// When it finds something, or cannot look.
    pub async fn examine(&self) -> Value {
        let file = operator(&self.dir, &self.database);
        // Proxies and simulated nodes may live in the test's runtime: it must not stand still meanwhile.
        let output = tokio::process::Command::new(binary())
            .args(["doctor", "--output", "json", "--config"])
            .arg(file)
            .env_remove("DATABASE_URL")
            .output()
            .await
            .expect("the doctor runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "the doctor ended with {}: {said}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("the doctor does not speak JSON: {e}: {said}"))
    }

    /// Stops every server as an operator does, and checks that each ended well; those that the test killed are over.
    pub async fn close(mut self) {
        for server in self.servers.iter_mut().filter(|server| !server.is_killed()) {
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
