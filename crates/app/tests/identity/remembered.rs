//! What is remembered of a token: not for long, and not beyond what took it away.

use crate::support::{actor, authenticate};
use secrecy::ExposeSecret as _;
use slipway_app::{
    App, Config, Database, SecretKey, Unauthenticated,
    identity::{
        role_bindings::{self, Create as Grant},
        tokens::{self, Create as NewToken},
    },
};
use slipway_domain::identity::{Permission, Place};
use slipway_testkit::TestApp;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long a server may believe what it read.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Another server on the same database: it hears of changes as any other does.
fn another(app: &TestApp) -> App {
    let database = Database::over(app.app.database().pool().clone());
    let key = SecretKey::parse("secret_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let config = Config::new(vec![app.issuer.config()], key);
    App::new(database, config, app.app.probe().clone()).expect("an application")
}

async fn may_deploy(app: &App, token: &str) -> bool {
    let actor = authenticate(app, token).await.unwrap();
    actor
        .rights
        .allows(Permission::DeploymentCreate, &Place::everywhere())
}

#[tokio::test]
async fn attack_4_another_server_hears_of_a_role_and_a_token_that_were_taken() {
    let app = TestApp::start().await;
    let other = another(&app);
    let listening = tokio::spawn({
        let other = other.clone();
        async move { other.feed().follow(other.database()).await }
    });
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
    app.person("otto", &["engineer"]).await;
    let otto = actor(&app, "otto").await;
    let token = app.issuer.token("otto");
    for round in 0..3 {
        let mut tx = app.app.begin().await.unwrap();
        let grant = Grant {
            subject: "otto".to_owned(),
            role: "operator".to_owned(),
            ..Grant::default()
        };
        let binding = role_bindings::create(&mut tx, &app.app, &root, grant)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(may_deploy(&app.app, &token).await, "round {round}");
        within(MAX_AGE, || async { may_deploy(&other, &token).await }).await;
        let mut tx = app.app.begin().await.unwrap();
        role_bindings::delete(&mut tx, &root, &binding.id.to_string())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(!may_deploy(&app.app, &token).await, "round {round}");
        within(MAX_AGE, || async { !may_deploy(&other, &token).await }).await;
    }

    let mut tx = app.app.begin().await.unwrap();
    let new = NewToken {
        name: "nightly".to_owned(),
        roles: vec!["engineer".to_owned()],
        expires_in: "PT30M".to_owned(),
    };
    let made = tokens::create(&mut tx, &app.app, &otto, new).await.unwrap();
    tx.commit().await.unwrap();
    let secret = made.secret.expose_secret();
    authenticate(&app.app, secret).await.unwrap();
    authenticate(&other, secret).await.unwrap();
    let mut tx = app.app.begin().await.unwrap();
    tokens::revoke(&mut tx, &otto, &made.token.id.to_string())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(is_refused(&app.app, secret).await, "at once where it was revoked");
    within(MAX_AGE, || is_refused(&other, secret)).await;
    listening.abort();
}

/// Heard at once when somebody listens; but that is a hint, and this must not need it.
#[tokio::test]
async fn a_server_that_hears_nothing_asks_again_within_a_second() {
    let app = TestApp::start().await;
    let deaf = another(&app);
    app.person("otto", &["operator"]).await;
    let token = app.issuer.token("otto");
    assert!(may_deploy(&deaf, &token).await);
    let asked = Instant::now();
    sqlx::query("DELETE FROM role_bindings")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    sleep_until(asked + MAX_AGE).await;
    assert!(!may_deploy(&deaf, &token).await);
}

#[tokio::test]
async fn whoever_writes_the_change_by_hand_is_heard_too() {
    let app = TestApp::start().await;
    let other = another(&app);
    let listening = tokio::spawn({
        let other = other.clone();
        async move { other.feed().follow(other.database()).await }
    });
    app.person("otto", &["operator"]).await;
    let token = app.issuer.token("otto");
    assert!(may_deploy(&other, &token).await);
    // Until it listens, it says by itself that it may have missed something: wait for what it hears after that.
    let changes = other.database().changes();
    within(Duration::from_secs(20), || async { changes.identity() > 0 }).await;
    let before = changes.identity();
    sqlx::query("DELETE FROM role_bindings")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    within(Duration::from_secs(20), || async { changes.identity() > before }).await;
    assert!(!may_deploy(&other, &token).await);
    listening.abort();
}

#[tokio::test]
async fn nobody_is_let_in_when_the_database_has_been_away_for_longer_than_a_second() {
    let app = TestApp::start().await;
    app.person("otto", &["operator"]).await;
    let token = app.issuer.token("otto");
    authenticate(&app.app, &token).await.unwrap();
    let asked = Instant::now();
    app.app.database().pool().close().await;
    sleep_until(asked + MAX_AGE).await;
    let gone = authenticate(&app.app, &token).await.unwrap_err();
    assert!(matches!(gone, Unauthenticated::Failed(_)), "{gone:?}");
}

#[tokio::test]
async fn a_token_that_is_remembered_still_ends_in_time() {
    let app = TestApp::start().await;
    app.person("otto", &["operator"]).await;
    let otto = actor(&app, "otto").await;
    let mut tx = app.app.begin().await.unwrap();
    let new = NewToken {
        name: "short".to_owned(),
        roles: vec!["operator".to_owned()],
        expires_in: "PT1S".to_owned(),
    };
    let made = tokens::create(&mut tx, &app.app, &otto, new).await.unwrap();
    tx.commit().await.unwrap();
    let secret = made.secret.expose_secret();
    let ended = Instant::now() + Duration::from_secs(1);
    // Asked all the time, so that it is remembered when it ends.
    while Instant::now() < ended {
        let _ = authenticate(&app.app, secret).await;
    }
    assert!(is_refused(&app.app, secret).await, "it lives on in memory");
}

async fn is_refused(app: &App, token: &str) -> bool {
    matches!(
        authenticate(app, token).await,
        Err(Unauthenticated::Refused { .. })
    )
}

/// Waits for it, and no longer than this (and what a machine with much to do adds).
async fn within<F: Future<Output = bool>>(bound: Duration, holds: impl Fn() -> F) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(bound * 3 / 2, waiting).await.expect("it, in time");
}
