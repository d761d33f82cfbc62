//! The whole application over a database of its own, without a network.

use crate::{AUDIENCE, Clusters, ISSUER, Issuer, Person, TestDb, live::tables_with};
use axum::Router;
use slipway_api::ApiConfig;
use slipway_app::{
    App, Config, IssuerConfig, SecretKey,
    identity::{self, issuers::follow},
    timers,
};
use slipway_domain::identity::Role;
use slipway_issuers::HttpDocuments;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A secret key that is only good for tests.
const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The application under test.
pub struct TestApp {
    /// The use-cases.
    pub app: App,
    /// The API, as one server has it.
    pub router: Router,
    /// Who signs tokens.
    pub issuer: Issuer,
    /// What clusters answer.
    pub clusters: Clusters,
    /// Ends event streams, as a server that shuts down.
    pub shutdown: CancellationToken,
    background: JoinHandle<()>,
    fetching: JoinHandle<()>,
    _ends: DropGuard,
    // Dropped last: it takes its connections with it.
    _db: TestDb,
}

impl TestApp {
    /// Starts one with the limits that servers have.
    pub async fn start() -> Self {
        Self::with(ApiConfig::default()).await
    }

    /// Starts one with limits of the test's own.
    ///
    /// # Panics
    /// When it cannot be put together.
    pub async fn with(config: ApiConfig) -> Self {
        Self::with_issuers(config, Vec::new()).await
    }

    /// Starts one that knows more issuers.
    ///
    /// # Panics
    /// As [`Self::with`].
    pub async fn with_issuers(config: ApiConfig, more: Vec<IssuerConfig>) -> Self {
        let db = TestDb::create().await;
        let issuer = Issuer::generate();
        let clusters = Clusters::default();
        let key = SecretKey::parse("secret_key", SECRET_KEY).expect("a secret key");
        let mut issuers = vec![issuer.config()];
        issuers.extend(more);
        let app_config = Config::new(issuers, key);
        let app =
            App::new(db.database.clone(), app_config, Arc::new(clusters.clone())).expect("an application");
        let shutdown = CancellationToken::new();
        let router = slipway_api::router(app.clone(), config, shutdown.clone());
        let follower = app.clone();
        let background = tokio::spawn(async move { follower.feed().follow(follower.database()).await });
        let fetching = tokio::spawn(follow(app.clone(), documents(), shutdown.clone()));
        let ends = shutdown.clone().drop_guard();
        Self {
            app,
            router,
            issuer,
            clusters,
            shutdown,
            background,
            fetching,
            _ends: ends,
            _db: db,
        }
    }

    /// Nobody: sends no token.
    #[must_use]
    pub fn nobody(&self) -> Person {
        Person {
            router: self.router.clone(),
            token: None,
        }
    }

    /// Somebody whose roles are what they are: signs in only.
    #[must_use]
    pub fn as_(&self, subject: &str) -> Person {
        self.nobody().with_token(self.issuer.token(subject))
    }

    /// Somebody with these roles on everything, granted directly in the database.
    ///
    /// # Panics
    /// When a role is none or cannot be granted.
    pub async fn person(&self, subject: &str, roles: &[&str]) -> Person {
        let roles: Vec<Role> = roles.iter().map(|role| role.parse().expect("a role")).collect();
        self.grant(subject, &roles).await;
        self.as_(subject)
    }

    async fn grant(&self, subject: &str, roles: &[Role]) {
        use slipway_domain::identity::{Grant, PrincipalKind, Scope};
        use slipway_store::{principals, role_bindings};
        let mut tx = self.app.begin().await.expect("a transaction");
        let (principal, _) = principals::ensure(&mut tx, ISSUER, subject, PrincipalKind::Human, subject)
            .await
            .expect("a principal");
        for role in roles {
            let grant = Grant {
                role: *role,
                scope: Scope::Everything,
            };
            role_bindings::insert(&mut tx, principal.id, grant)
                .await
                .expect("a role binding");
        }
        tx.commit().await.expect("a commit");
    }

    /// Does what the timers do right after every commit: numbers events, chains audit entries.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn settle(&self) {
        while timers::chain(&self.app).await.expect("chained entries") > 0 {}
        while timers::number(&self.app).await.expect("numbered events") > 0 {}
    }

    /// Has the record signed, as the timers do after a while.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn sign(&self) {
        self.settle().await;
        let at_once = jiff::SignedDuration::ZERO;
        while slipway_app::audit::grow(&self.app, at_once)
            .await
            .expect("a grown tree")
            > 0
        {}
    }

    /// Does to the database what nobody should.
    ///
    /// # Errors
    /// What the database says against it.
    pub async fn damage(&self, sql: &'static str) -> Result<(), String> {
        let done = sqlx::raw_sql(sql).execute(self.app.database().pool()).await;
        done.map(|_| ()).map_err(|error| error.to_string())
    }

    /// The tables that hold a secret in a form that could be read.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn tables_with(&self, secret: &str) -> Vec<String> {
        let connection = self.app.database().pool().acquire().await;
        tables_with(&mut connection.expect("a connection"), secret).await
    }

    /// Does what the timers do of deployments: looks at those that are due.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn look(&self) {
        while timers::look(&self.app).await.expect("a look") > 0 {}
    }

    /// Hears nothing of other servers any more, nor that the database is gone.
    pub async fn deafen(&mut self) {
        self.background.abort();
        let _ = (&mut self.background).await;
    }

    /// Makes the first admin as a server's configuration does.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn bootstrap(&self, subject: &str) -> Person {
        let mut tx = self.app.begin().await.expect("a transaction");
        let grants = [(ISSUER.to_owned(), subject.to_owned(), Role::Admin)];
        identity::bootstrap(&mut tx, &grants)
            .await
            .expect("the first grants");
        tx.commit().await.expect("a commit");
        self.as_(subject)
    }

    /// Whom tokens are for.
    #[must_use]
    pub const fn audience(&self) -> &'static str {
        AUDIENCE
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.background.abort();
        self.fetching.abort();
    }
}

/// Asks issuers as servers do.
fn documents() -> Arc<HttpDocuments> {
    // Whoever was first has installed the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Arc::new(HttpDocuments::new().expect("a client"))
}
