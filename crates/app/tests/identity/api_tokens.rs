//! API tokens: what they may, how long they live, and that their secrets are nowhere.

use crate::claims::refused;
use crate::support::{Everything, actor, authenticate, faults};
use secrecy::ExposeSecret as _;
use slipway_app::{
    Error,
    identity::{
        role_bindings::{self, Create as Grant},
        tokens::{self, Create as NewToken},
    },
};
use slipway_domain::identity::{Actor, Permission, Place};
use slipway_testkit::TestApp;
use std::time::{Duration, Instant};

#[tokio::test]
async fn attack_4_whoever_loses_a_role_or_a_token_has_lost_it_for_the_next_request() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
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
    let otto = actor(&app, "otto").await;
    let secret = mint(&app, &otto, &["operator"], "PT30M").await.unwrap();
    let carried = authenticate(&app.app, &secret).await.unwrap();
    assert!(
        carried
            .rights
            .allows(Permission::DeploymentCreate, &Place::everywhere())
    );

    let mut tx = app.app.begin().await.unwrap();
    role_bindings::delete(&mut tx, &root, &binding.id.to_string())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for token in [&app.issuer.token("otto"), &secret] {
        let actor = authenticate(&app.app, token).await.unwrap();
        assert!(
            !actor
                .rights
                .allows(Permission::DeploymentCreate, &Place::everywhere())
        );
    }
    let mut tx = app.app.begin().await.unwrap();
    let token = tokens::list(&mut tx, &otto, false, None, 10)
        .await
        .unwrap()
        .remove(0);
    tokens::revoke(&mut tx, &otto, &token.id.to_string())
        .await
        .unwrap();
    let again = tokens::revoke(&mut tx, &otto, &token.id.to_string())
        .await
        .unwrap();
    assert!(again.revoked_at.is_some(), "revoking again is no fault");
    tx.commit().await.unwrap();
    assert!(refused(&app.app, &secret).await.contains("revoked"));
}

#[tokio::test]
async fn an_api_token_ends_by_the_databases_clock() {
    let app = TestApp::start().await;
    app.person("eve", &["engineer"]).await;
    let eve = actor(&app, "eve").await;
    let secret = mint(&app, &eve, &["engineer"], "PT30M").await.unwrap();
    assert!(authenticate(&app.app, &secret).await.is_ok());
    sqlx::query("UPDATE api_tokens SET expires_at = now()")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    // Written by hand: the server believes for up to a second what it read before.
    let written = Instant::now();
    loop {
        let asked = Instant::now();
        if authenticate(&app.app, &secret).await.is_err() {
            break;
        }
        assert!(asked - written < Duration::from_secs(1), "it lives on");
    }
    assert!(refused(&app.app, &secret).await.contains("expired"));
}

pub(crate) async fn mint(app: &TestApp, actor: &Actor, roles: &[&str], life: &str) -> Result<String, Error> {
    let mut tx = app.app.begin().await?;
    let input = NewToken {
        name: "nightly".to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        expires_in: life.to_owned(),
    };
    let made = tokens::create(&mut tx, &app.app, actor, input).await?;
    tx.commit().await?;
    Ok(made.secret.expose_secret().to_owned())
}

#[tokio::test]
async fn attack_5_a_token_never_outlives_what_it_was_made_with() {
    let app = TestApp::start().await;
    app.person("eve", &["engineer"]).await;
    let eve = authenticate(&app.app, &app.issuer.token_for("eve", 3600))
        .await
        .unwrap();
    for life in ["PT2H", "P1D", "P400D", "PT0S", "-PT1H", "P1M", "tomorrow", ""] {
        assert_eq!(
            faults(mint(&app, &eve, &["engineer"], life).await),
            ["/expires_in"],
            "{life}"
        );
    }
    let first = authenticate(&app.app, &mint(&app, &eve, &["engineer"], "PT30M").await.unwrap())
        .await
        .unwrap();
    assert!(first.until().unwrap() <= eve.until().unwrap());
    // Not even for a shorter life: what a token makes, nobody would revoke with it.
    let second = mint(&app, &first, &["engineer"], "PT20M").await.unwrap_err();
    assert!(
        second.to_string().contains("no API token makes another"),
        "{second}"
    );
}

#[tokio::test]
async fn attack_5_a_token_never_may_more_than_what_it_was_made_with() {
    let app = TestApp::start().await;
    app.person("mia", &["engineer", "viewer", "authority"]).await;
    let mia = actor(&app, "mia").await;
    for (roles, pointer) in [
        (&["authority"][..], "/roles/0"),
        (&["engineer", "admin"], "/roles/1"),
        (&["engineer", "engineer"], "/roles/1"),
        (&["boss"], "/roles/0"),
        (&[], "/roles"),
    ] {
        assert_eq!(
            faults(mint(&app, &mia, roles, "PT10M").await),
            [pointer],
            "{roles:?}"
        );
    }
    let viewer = authenticate(&app.app, &mint(&app, &mia, &["viewer"], "PT30M").await.unwrap())
        .await
        .unwrap();
    assert!(
        !viewer
            .rights
            .allows(Permission::ComponentWrite, &Place::everywhere())
    );
    assert!(!viewer.is_person_signed_in(), "nobody approves with an API token");
    // Even where the row says so: whatever wrote it.
    sqlx::query("UPDATE api_tokens SET roles = '{viewer,authority}'")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    let secret = mint(&app, &mia, &["viewer"], "PT30M").await.unwrap();
    sqlx::query("UPDATE api_tokens SET roles = '{viewer,authority}'")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    let altered = authenticate(&app.app, &secret).await.unwrap();
    assert!(
        !altered
            .rights
            .allows(Permission::ApprovalDecide, &Place::everywhere())
    );
}

#[tokio::test]
async fn other_peoples_tokens_are_an_admins_business() {
    let app = TestApp::start().await;
    app.person("eve", &["engineer"]).await;
    app.person("root", &["admin"]).await;
    app.person("vic", &["viewer"]).await;
    let (eve, root, vic) = (
        actor(&app, "eve").await,
        actor(&app, "root").await,
        actor(&app, "vic").await,
    );
    mint(&app, &eve, &["engineer"], "PT30M").await.unwrap();
    let mut tx = app.app.begin().await.unwrap();
    let token = tokens::list(&mut tx, &root, true, None, 10)
        .await
        .unwrap()
        .remove(0);
    assert!(matches!(
        tokens::list(&mut tx, &vic, true, None, 10).await,
        Err(Error::Lacking(_))
    ));
    assert!(
        tokens::list(&mut tx, &vic, false, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let id = token.id.to_string();
    assert!(matches!(
        tokens::revoke(&mut tx, &vic, &id).await,
        Err(Error::NotFound { .. })
    ));
    assert!(
        tokens::revoke(&mut tx, &root, &id)
            .await
            .unwrap()
            .revoked_at
            .is_some()
    );
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_nowhere() {
    let app = TestApp::start().await;
    app.person("eve", &["engineer"]).await;
    let eve = actor(&app, "eve").await;
    let secret = mint(&app, &eve, &["engineer"], "PT30M").await.unwrap();
    let everything = Everything::read(&app.app).await;
    assert_eq!(everything.count("audit_entries", "token.create"), 1);
    everything.assert_lacks(&secret);
    everything.assert_lacks(secret.strip_prefix("slp_").unwrap());
}
