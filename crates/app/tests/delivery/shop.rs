//! The world of these tests: a shop with people, clusters that nobody contacts, and an executor that the test plays.

use jiff::SignedDuration;
use serde_json::Value;
use slipway_app::{
    App, Config, Error, SecretKey, Tx,
    approvals::{self, ApprovalView, Decide, Decided, RequirementInput},
    clusters, components, deployments,
    environments::{self, SettingsInput, WaveInput},
    execution::Queue,
    releases, services, teams, timers,
};
use slipway_domain::{
    Digest,
    approval::{Answer, SignedIn},
    deployment::{StateName, TargetState},
    identity::{Actor, Grant, PrincipalKind, Proof, Rights, Role, Scope},
    ids::DeploymentId,
    plan::target::{Step, StepKey},
    ports::{ClaimRequest, WorkQueue as _},
    work::{Ack, Assignment, Report, StepOutcome},
};
use slipway_store::{principals, role_bindings};
use slipway_testkit::{Clusters, TestDb};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ISSUER: &str = "https://issuer.test";

/// Counts what changes, below the application: every change of a state, and every audit entry, with its transaction.
const WITNESSES: &str = "
CREATE TABLE witness_moves (id uuid, old text, new text, tx text);
CREATE TABLE witness_entries (subject text, old text, new text, tx text);
CREATE FUNCTION witness_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness_moves VALUES (NEW.id, OLD.state, NEW.state, pg_current_xact_id()::text); RETURN NULL; END $$;
CREATE TRIGGER witness_move AFTER UPDATE OF state ON deployments FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION witness_move();
CREATE FUNCTION witness_entry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness_entries VALUES (NEW.subject, NEW.data->'data'->>'from',
    NEW.data->'data'->>'to', pg_current_xact_id()::text); RETURN NULL; END $$;
CREATE TRIGGER witness_entry AFTER INSERT ON audit_entries FOR EACH ROW
  WHEN (NEW.action LIKE 'deployment.%' AND NEW.data->'data' ? 'to') EXECUTE FUNCTION witness_entry();
";

/// How production wants it.
pub(crate) struct Setup {
    /// Clusters of production, in order; the text before `-` is the region.
    pub(crate) clusters: &'static [&'static str],
    /// Its settings.
    pub(crate) production: SettingsInput,
    /// Staging's.
    pub(crate) staging: SettingsInput,
}

/// A wave of one region.
pub(crate) fn wave(region: &str) -> WaveInput {
    WaveInput {
        name: region.to_owned(),
        match_labels: BTreeMap::from([("region".to_owned(), region.to_owned())]),
        ..WaveInput::default()
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            clusters: &["eu", "us"],
            production: SettingsInput {
                approvals: Some(Some(RequirementInput {
                    count: 1,
                    role: "authority".to_owned(),
                    ..RequirementInput::default()
                })),
                waves: Some(vec![wave("eu"), wave("us")]),
                ..SettingsInput::default()
            },
            staging: SettingsInput::default(),
        }
    }
}

/// The shop.
pub(crate) struct Shop {
    pub(crate) app: App,
    pub(crate) queue: Queue,
    _db: TestDb,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let db = TestDb::create().await;
        let key = SecretKey::parse("secret_key", SECRET_KEY).unwrap();
        let app = App::new(
            db.database.clone(),
            Config::new(Vec::new(), key),
            Arc::new(Clusters::default()),
        )
        .unwrap();
        let queue = Queue::new(app.clone(), db.database.clone()).looking_at_everything();
        let shop = Self { app, queue, _db: db };
        sqlx::raw_sql(WITNESSES)
            .execute(shop.app.database().pool())
            .await
            .unwrap();
        let root = shop.person("root", &[Role::Admin]).await;
        let eve = shop.person("eve", &[Role::Engineer]).await;
        for (name, role) in [
            ("ana", Role::Manager),
            ("otto", Role::Operator),
            ("ada", Role::Authority),
            ("abe", Role::Authority),
            ("aud", Role::Auditor),
        ] {
            shop.person(name, &[role]).await;
        }
        shop.act(async |tx| {
            teams::create(
                tx,
                &root,
                teams::Create {
                    name: "shop".to_owned(),
                },
            )
            .await
        })
        .await
        .unwrap();
        let mut all: Vec<&str> = setup.clusters.to_vec();
        all.push("stage");
        for name in all {
            let region = name.split('-').next().unwrap().to_owned();
            let cluster = json_cluster(name, region);
            shop.act(async |tx| clusters::create(tx, &shop.app, &root, cluster.clone()).await)
                .await
                .unwrap();
        }
        let staging = environments::Create {
            name: "staging".to_owned(),
            tier: "staging".to_owned(),
            clusters: vec!["stage".to_owned()],
            settings: setup.staging,
            ..environments::Create::default()
        };
        let production = environments::Create {
            name: "production".to_owned(),
            tier: "production".to_owned(),
            promotes_from: Some("staging".to_owned()),
            clusters: setup.clusters.iter().map(|&c| c.to_owned()).collect(),
            settings: setup.production,
        };
        for environment in [staging, production] {
            shop.act(async |tx| environments::create(tx, &root, environment.clone()).await)
                .await
                .unwrap();
        }
        shop.service("storefront").await;
        let part = components::Create {
            name: "web".to_owned(),
            team: "shop".to_owned(),
            ..Default::default()
        };
        shop.act(async |tx| components::create(tx, &eve, part.clone()).await)
            .await
            .unwrap();
        shop
    }

    pub(crate) async fn service(&self, name: &str) {
        let eve = self.who("eve").await;
        let service = services::Create {
            name: name.to_owned(),
            team: "shop".to_owned(),
            criticality: None,
            description: None,
            escalation: None,
        };
        self.act(async |tx| services::create(tx, &eve, service).await)
            .await
            .unwrap();
    }

    /// One use-case in one transaction: committed when it succeeds.
    ///
    /// What is refused is over when this returns: a claim passes what is locked, and would come back without it.
    pub(crate) async fn act<T>(&self, f: impl AsyncFnOnce(&mut Tx) -> Result<T, Error>) -> Result<T, Error> {
        let mut tx = self.app.begin().await?;
        let result = f(&mut tx).await;
        if result.is_ok() {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        result
    }

    /// Raw SQL, below the application.
    ///
    /// What failed is over when this returns. Postgres tells an error first and frees the locks then; a claim in between
    /// passes what is locked.
    pub(crate) async fn sql(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let mut connection = self.app.database().pool().acquire().await?;
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
            .execute(&mut *connection)
            .await;
        // Answered once the session is ready for it, with the failed transaction behind it.
        sqlx::Connection::ping(&mut *connection).await?;
        Ok(done?.rows_affected())
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(self.app.database().pool())
            .await
            .unwrap()
    }

    pub(crate) async fn text(&self, sql: &str) -> String {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(self.app.database().pool())
            .await
            .unwrap()
    }

    /// Somebody with these roles on everything.
    pub(crate) async fn person(&self, subject: &str, roles: &[Role]) -> Actor {
        let mut tx = self.app.begin().await.unwrap();
        let (principal, _) = principals::ensure(&mut tx, ISSUER, subject, PrincipalKind::Human, subject)
            .await
            .unwrap();
        for role in roles {
            role_bindings::insert(
                &mut tx,
                principal.id,
                Grant {
                    role: *role,
                    scope: Scope::Everything,
                },
            )
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        self.who(subject).await
    }

    /// Somebody, with the rights they have now.
    pub(crate) async fn who(&self, subject: &str) -> Actor {
        let mut tx = self.app.begin().await.unwrap();
        let principal = principals::find(&mut tx, ISSUER, subject).await.unwrap().unwrap();
        let rights = Rights::new(role_bindings::grants(&mut tx, principal.id).await.unwrap());
        let until = tx.now.checked_add(SignedDuration::from_hours(1)).unwrap();
        Actor {
            principal: Arc::new(principal),
            proof: Proof::SignedIn {
                until,
                signed_in: SignedIn::default(),
            },
            rights: Arc::new(rights),
            request: "req-test".to_owned(),
            traceparent: None,
        }
    }

    pub(crate) async fn version_of(&self, version: &str, manifests: &str) -> Result<(), Error> {
        let eve = self.who("eve").await;
        let input = components::CreateVersion {
            version: version.to_owned(),
            manifests: manifests.to_owned(),
            ..Default::default()
        };
        self.act(async |tx| components::create_version(tx, &self.app, &eve, "web", input).await)
            .await?;
        Ok(())
    }

    /// A draft of the storefront, with a component version of its own.
    pub(crate) async fn draft(&self, version: &str) -> String {
        self.draft_of("storefront", version).await
    }

    pub(crate) async fn draft_of(&self, service: &str, version: &str) -> String {
        self.version_of(version, &manifests(version)).await.unwrap();
        let ana = self.who("ana").await;
        self.act(async |tx| releases::compose(tx, &ana, compose(service, version)).await)
            .await
            .unwrap();
        format!("{service}@{version}")
    }

    /// A sealed release, by `ana`.
    pub(crate) async fn release(&self, version: &str) -> String {
        let name = self.draft(version).await;
        self.seal(&name).await;
        name
    }

    pub(crate) async fn seal(&self, name: &str) {
        let ana = self.who("ana").await;
        self.act(async |tx| releases::seal(tx, &ana, name).await)
            .await
            .unwrap();
    }

    /// Asks for a deployment, as `otto`.
    pub(crate) async fn ask(&self, release: &str, environment: &str) -> Result<DeploymentId, Error> {
        let otto = self.who("otto").await;
        let input = deployments::Create {
            release: release.to_owned(),
            environment: environment.to_owned(),
            ..Default::default()
        };
        let view = self
            .act(async |tx| deployments::create(&self.app, tx, &otto, input).await)
            .await?;
        Ok(view.row.deployment.id)
    }

    /// Has the release succeed in staging.
    pub(crate) async fn staged(&self, release: &str) -> DeploymentId {
        let id = self.ask(release, "staging").await.unwrap();
        self.run_all().await;
        assert_eq!(self.state(id).await, StateName::Succeeded);
        id
    }

    /// A deployment to production that is approved and queued.
    pub(crate) async fn ready(&self, version: &str) -> DeploymentId {
        let release = self.release(version).await;
        self.staged(&release).await;
        let id = self.ask(&release, "production").await.unwrap();
        self.approve(id).await.unwrap();
        assert_eq!(self.state(id).await, StateName::Queued);
        id
    }

    /// A deployment to production that succeeded everywhere.
    pub(crate) async fn released(&self, version: &str) -> DeploymentId {
        let id = self.ready(version).await;
        self.run_all().await;
        assert_eq!(self.state(id).await, StateName::Succeeded);
        id
    }

    pub(crate) async fn view(&self, id: DeploymentId) -> deployments::DeploymentView {
        let root = self.who("root").await;
        let mut tx = self.app.begin().await.unwrap();
        deployments::get(&mut tx, &root, &id.to_string()).await.unwrap()
    }

    pub(crate) async fn state(&self, id: DeploymentId) -> StateName {
        self.view(id).await.row.deployment.state.name()
    }

    pub(crate) async fn reason(&self, id: DeploymentId) -> String {
        self.view(id)
            .await
            .row
            .deployment
            .state
            .reason()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) async fn target(&self, id: DeploymentId, cluster: &str) -> TargetState {
        let view = self.view(id).await;
        view.targets
            .iter()
            .find(|t| t.target.cluster_name.as_str() == cluster)
            .unwrap()
            .target
            .state
    }

    /// The rollback that undoes a deployment.
    pub(crate) async fn undoing(&self, id: DeploymentId) -> DeploymentId {
        self.view(id).await.row.rolled_back_by.expect("a rollback")
    }

    /// Which version runs on a cluster.
    pub(crate) async fn now(&self, cluster: &str) -> Option<String> {
        sqlx::query_scalar(
            "SELECT r.version FROM targets t JOIN clusters c ON c.id = t.cluster_id \
             LEFT JOIN releases r ON r.id = t.now_release_id WHERE c.name = $1",
        )
        .bind(cluster)
        .fetch_one(self.app.database().pool())
        .await
        .unwrap()
    }

    pub(crate) async fn decide(
        &self,
        actor: &Actor,
        id: DeploymentId,
        answer: Answer,
        digest: Option<Digest>,
    ) -> Result<ApprovalView, Error> {
        let view = self.view(id).await;
        let approval = view.approval.expect("a request for approval").to_string();
        let digest = match digest {
            Some(digest) => digest,
            None => self.shown(&approval).await,
        };
        let input = Decide {
            answer,
            digest,
            comment: None,
            on_behalf_of: None,
        };
        self.decide_as(actor, &approval, input).await
    }

    /// Decides as given; a refusal that is put on record is kept.
    pub(crate) async fn decide_as(
        &self,
        actor: &Actor,
        approval: &str,
        input: Decide,
    ) -> Result<ApprovalView, Error> {
        let decided = self
            .act(async |tx| approvals::decide(tx, actor, approval, input).await)
            .await?;
        match decided {
            Decided::Taken(view) => Ok(*view),
            Decided::Refused(error) => Err(error),
        }
    }

    /// The digest of what approvers see now.
    pub(crate) async fn shown(&self, approval: &str) -> Digest {
        let id: slipway_domain::ids::ApprovalId = approval.parse().unwrap();
        let digest: String = sqlx::query_scalar("SELECT document_digest FROM approvals WHERE id = $1")
            .bind(id.uuid())
            .fetch_one(self.app.database().pool())
            .await
            .unwrap();
        digest.parse().unwrap()
    }

    /// Approves, as `ada`.
    pub(crate) async fn approve(&self, id: DeploymentId) -> Result<ApprovalView, Error> {
        let ada = self.who("ada").await;
        self.decide(&ada, id, Answer::Approve, None).await
    }

    pub(crate) async fn cancel(&self, id: DeploymentId) -> Result<(), Error> {
        let otto = self.who("otto").await;
        self.act(async |tx| deployments::cancel(tx, &otto, &id.to_string(), None).await)
            .await
            .map(drop)
    }

    pub(crate) async fn pause(&self, id: DeploymentId) -> Result<(), Error> {
        let otto = self.who("otto").await;
        self.act(async |tx| deployments::pause(tx, &otto, &id.to_string(), None).await)
            .await
            .map(drop)
    }

    pub(crate) async fn resume(&self, id: DeploymentId) -> Result<(), Error> {
        let otto = self.who("otto").await;
        self.act(async |tx| deployments::resume(tx, &otto, &id.to_string()).await)
            .await
            .map(drop)
    }

    pub(crate) async fn roll_back(&self, id: DeploymentId) -> Result<DeploymentId, Error> {
        let otto = self.who("otto").await;
        let view = self
            .act(async |tx| deployments::rollback(tx, &otto, &id.to_string(), None).await)
            .await?;
        Ok(view.row.deployment.id)
    }

    pub(crate) async fn retry(&self, id: DeploymentId) -> Result<DeploymentId, Error> {
        let otto = self.who("otto").await;
        let view = self
            .act(async |tx| deployments::retry(&self.app, tx, &otto, &id.to_string(), None).await)
            .await?;
        Ok(view.row.deployment.id)
    }

    pub(crate) async fn look(&self) {
        timers::look(&self.app).await.unwrap();
    }

    // The executor.

    pub(crate) async fn claim_as(&self, holder: &str, max: u32) -> Vec<Assignment> {
        self.queue
            .claim(&ClaimRequest {
                holder: holder.to_owned(),
                max,
                lease: SignedDuration::from_secs(30),
                cluster_labels: BTreeMap::new(),
            })
            .await
            .unwrap()
    }

    pub(crate) async fn claim(&self) -> Vec<Assignment> {
        self.claim_as("executor", 100).await
    }

    /// The one unit that is due.
    pub(crate) async fn claim_one(&self) -> Assignment {
        let mut all = self.claim().await;
        assert_eq!(all.len(), 1, "one unit is due");
        all.remove(0)
    }

    pub(crate) async fn say(&self, a: &Assignment, step: Step, outcome: StepOutcome) -> Ack {
        self.queue.report(a, report(step, outcome)).await.unwrap()
    }

    /// Takes the guard, so that the target counts as touched.
    pub(crate) async fn touch(&self, a: &Assignment) {
        assert_eq!(self.say(a, Step::Guard, StepOutcome::Begun).await, Ack::Continue);
        assert_eq!(
            self.say(a, Step::Guard, StepOutcome::Done(Value::Null)).await,
            Ack::Continue
        );
    }

    pub(crate) async fn succeed(&self, a: &Assignment) -> Ack {
        self.touch(a).await;
        self.say(a, Step::Prune, StepOutcome::Succeeded).await
    }

    pub(crate) async fn fail(&self, a: &Assignment, reason: &str) -> Ack {
        self.touch(a).await;
        self.say(
            a,
            Step::AwaitHealth,
            StepOutcome::Failed {
                reason: reason.to_owned(),
            },
        )
        .await
    }

    /// Claims and succeeds until nothing is due.
    pub(crate) async fn run_all(&self) {
        loop {
            self.look().await;
            let all = self.claim().await;
            if all.is_empty() {
                return;
            }
            for a in all {
                assert_eq!(self.succeed(&a).await, Ack::Released);
            }
        }
    }

    /// Everything that must hold at any time, by the one checker; and, seen from below the application, that every change
    /// of a state and its audit entry were written in one transaction.
    pub(crate) async fn check(&self) {
        self.check_but(&[]).await;
    }

    /// As [`Shop::check`], after damage that the test itself did below the application: the checker finds exactly that, by
    /// the names of its checks, in order.
    pub(crate) async fn check_but(&self, damage: &[&str]) {
        let pool = self.app.database().pool();
        let mut moves: Vec<(String, String, String, String)> =
            sqlx::query_as("SELECT id::text, old, new, tx FROM witness_moves")
                .fetch_all(pool)
                .await
                .unwrap();
        let entries: Vec<(String, String, String, String)> =
            sqlx::query_as("SELECT subject, old, new, tx FROM witness_entries")
                .fetch_all(pool)
                .await
                .unwrap();
        let mut entries: Vec<_> = entries
            .into_iter()
            .map(|(subject, old, new, tx)| {
                (
                    subject.parse::<DeploymentId>().unwrap().uuid().to_string(),
                    old,
                    new,
                    tx,
                )
            })
            .collect();
        moves.sort();
        entries.sort();
        assert_eq!(moves, entries, "one audit entry a transition, in its transaction");
        while timers::chain(&self.app).await.unwrap() > 0 {}
        let report = slipway_testkit::doctor::examine(&self.app, false).await;
        let found: BTreeSet<&str> = report.findings.iter().map(|finding| finding.check).collect();
        let found: Vec<&str> = found.into_iter().collect();
        assert_eq!(found, damage, "{:#?}", report.findings);
        assert!(report.is_complete(), "not examined: {:#?}", report.unexamined);
    }
}

fn json_cluster(name: &str, region: String) -> clusters::Create {
    clusters::Create {
        name: name.to_owned(),
        server: Some(format!("https://{name}.kube.example:6443")),
        credential: clusters::CredentialInput {
            token: Some(secrecy::SecretString::from("cluster-token")),
            ..Default::default()
        },
        labels: BTreeMap::from([("region".to_owned(), region)]),
        ..clusters::Create::default()
    }
}

/// A bundle that differs by version.
pub(crate) fn manifests(version: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata: {{version: \"{version}\"}}\n")
}

/// A release of one version of `web`.
pub(crate) fn compose(service: &str, version: &str) -> releases::Compose {
    releases::Compose {
        service: service.to_owned(),
        version: version.to_owned(),
        components: vec![releases::ComponentChoice {
            name: "web".to_owned(),
            version: version.to_owned(),
        }],
        notes: String::new(),
        config: Vec::new(),
    }
}

pub(crate) fn report(step: Step, outcome: StepOutcome) -> Report {
    Report {
        step: StepKey::from(step),
        outcome,
        notes: Vec::new(),
        inventory: None,
        readiness: None,
    }
}

/// The slug of a refusal.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::Conflict { code, .. } | Error::Refused { code, .. }) => code,
        Err(Error::Lacking(_)) => "lacking",
        Err(Error::Stale { .. }) => "stale",
        Err(Error::NotFound { .. }) => "not-found",
        Err(Error::Invalid(_)) => "invalid",
        Err(Error::Unavailable { .. }) => "unavailable",
        other => panic!("not refused: {other:?}"),
    }
}

/// What a refusal says.
#[track_caller]
pub(crate) fn words<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("a refusal").to_string()
}
