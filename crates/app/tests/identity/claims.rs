//! Tokens for others, of other times, of nobody.

use crate::support::{Everything, actor, authenticate};
use serde_json::{Value, json};
use slipway_app::{
    App, Error, Unauthenticated,
    identity::{self},
};
use slipway_domain::identity::{Permission, PrincipalKind, Role};
use slipway_testkit::{AUDIENCE, Issuer, TestApp};

/// Why a token is refused; it must be.
pub(crate) async fn refused(app: &App, token: &str) -> String {
    match authenticate(app, token).await {
        Err(Unauthenticated::Refused { detail }) => detail,
        other => panic!("{token} is not refused: {other:?}"),
    }
}

pub(crate) fn spoiled(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = Issuer::claims("ana", 3600);
    change(&mut claims);
    claims
}

fn without(claim: &str) -> Value {
    spoiled(|claims| {
        claims.as_object_mut().unwrap().remove(claim);
    })
}

#[tokio::test]
async fn attack_1_a_token_for_another_audience_is_refused() {
    let app = TestApp::start().await;
    for audience in [
        json!("another"),
        json!(["another", "yet-another"]),
        json!([]),
        json!(""),
        json!(null),
        json!(7),
    ] {
        let token = app
            .issuer
            .sign(&spoiled(|claims| claims["aud"] = audience.clone()));
        let detail = refused(&app.app, &token).await;
        assert!(
            detail.contains("audience") || detail.contains("aud"),
            "{audience}: {detail}"
        );
    }
    let among_others = app
        .issuer
        .sign(&spoiled(|claims| claims["aud"] = json!(["another", AUDIENCE])));
    assert!(authenticate(&app.app, &among_others).await.is_ok());
}

#[tokio::test]
async fn attack_2_times_that_are_no_numbers_and_missing_claims_are_refused() {
    let app = TestApp::start().await;
    let good = Issuer::claims("ana", 3600);
    for claim in ["exp", "iat", "nbf"] {
        let as_text = app
            .issuer
            .sign(&spoiled(|claims| claims[claim] = json!(good[claim].to_string())));
        assert!(
            refused(&app.app, &as_text).await.contains("required claim"),
            "{claim}"
        );
    }
    for claim in ["exp", "iat", "iss", "aud", "sub"] {
        refused(&app.app, &app.issuer.sign(&without(claim))).await;
        refused(
            &app.app,
            &app.issuer.sign(&spoiled(|claims| claims[claim] = Value::Null)),
        )
        .await;
    }
    assert!(
        authenticate(&app.app, &app.issuer.sign(&without("nbf")))
            .await
            .is_ok(),
        "nbf may be absent"
    );
}

#[tokio::test]
async fn attack_3_a_subject_that_is_none_is_refused() {
    let app = TestApp::start().await;
    let long = "x".repeat(256);
    for subject in [
        json!(""),
        json!("   "),
        json!(null),
        json!(7),
        json!(["ana"]),
        json!("a\nb"),
        json!("a\u{0}"),
        json!(long),
    ] {
        let token = app
            .issuer
            .sign(&spoiled(|claims| claims["sub"] = subject.clone()));
        refused(&app.app, &token).await;
    }
    let registered: i64 =
        sqlx::query_scalar("SELECT count(*) FROM principals WHERE issuer <> 'slipway:itself'")
            .fetch_one(app.app.database().pool())
            .await
            .unwrap();
    assert_eq!(registered, 0, "nobody is registered by a token that is refused");
}

#[tokio::test]
async fn what_is_no_token_or_is_too_large_is_refused_without_being_repeated() {
    let app = TestApp::start().await;
    let large = app
        .issuer
        .sign(&spoiled(|claims| claims["pad"] = json!("x".repeat(9000))));
    let junk = [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "Bearer x",
        "slp_",
        "slp_AAAA",
        "🦀.🦀.🦀",
        "s3cret",
    ];
    for token in junk.into_iter().chain([large.as_str()]) {
        let detail = refused(&app.app, token).await;
        assert!(token.len() < 4 || !detail.contains(token), "{detail}");
    }
    assert!(refused(&app.app, &large).await.contains("too large"));
}

#[tokio::test]
async fn a_token_holds_from_its_beginning_to_its_end_by_the_databases_clock() {
    let app = TestApp::start().await;
    assert!(
        refused(&app.app, &app.issuer.token_for("ana", -60))
            .await
            .contains("expired")
    );
    let now = Issuer::claims("ana", 0)["exp"].as_i64().unwrap();
    let later = app
        .issuer
        .sign(&spoiled(|claims| claims["nbf"] = json!(now + 300)));
    assert!(refused(&app.app, &later).await.contains("not valid yet"));
    let from_the_future = app
        .issuer
        .sign(&spoiled(|claims| claims["iat"] = json!(now + 300)));
    assert!(
        refused(&app.app, &from_the_future)
            .await
            .contains("not valid yet")
    );
    let claims = Issuer::claims("ana", 600);
    let good = authenticate(&app.app, &app.issuer.sign(&claims)).await.unwrap();
    assert_eq!(good.until().unwrap().as_second(), claims["exp"]);
}

#[tokio::test]
async fn whoever_is_new_is_registered_once_and_without_any_right() {
    let app = TestApp::start().await;
    let token = app.issuer.token("ana");
    let at_once = futures::future::join_all((0..8).map(|_| authenticate(&app.app, &token))).await;
    let ids: Vec<_> = at_once.into_iter().map(|actor| actor.unwrap()).collect();
    assert!(ids.iter().all(|actor| actor.principal.id == ids[0].principal.id));
    assert!(ids[0].rights.grants().is_empty());
    let everything = Everything::read(&app.app).await;
    assert_eq!(
        everything.rows("principals"),
        2,
        "and Slipway itself, who was there before"
    );
    assert_eq!(everything.count("audit_entries", "principal.register"), 1);
}

#[tokio::test]
async fn what_an_issuer_says_of_somebody_counts_from_then_on() {
    let app = TestApp::start().await;
    let robot = app
        .issuer
        .sign(&spoiled(|claims| claims["kind"] = json!("machine")));
    assert_eq!(
        authenticate(&app.app, &robot).await.unwrap().principal.kind,
        PrincipalKind::Machine
    );
    // Nothing said: it stays what it was.
    let silent = authenticate(&app.app, &app.issuer.sign(&spoiled(|_| {})))
        .await
        .unwrap();
    assert_eq!(silent.principal.kind, PrincipalKind::Machine);
    let renamed = app.issuer.sign(&spoiled(|claims| {
        claims["kind"] = json!("human");
        claims["name"] = json!("Ana Author");
    }));
    let ana = authenticate(&app.app, &renamed).await.unwrap();
    assert_eq!(
        (ana.principal.kind, ana.principal.name.as_str()),
        (PrincipalKind::Human, "Ana Author")
    );
    // And Slipway itself, who was there before.
    assert_eq!(Everything::read(&app.app).await.rows("principals"), 2);
}

#[tokio::test]
async fn me_says_who_one_is_and_what_one_may_do() {
    let app = TestApp::start().await;
    app.person("ana", &["manager", "viewer"]).await;
    let ana = actor(&app, "ana").await;
    let mut tx = app.app.read().await.unwrap();
    let me = identity::me(&mut tx, &ana).await.unwrap();
    assert_eq!(me.principal.subject, "ana");
    assert_eq!(
        me.roles.iter().map(|held| held.role).collect::<Vec<_>>(),
        [Role::Viewer, Role::Manager]
    );
    assert!(me.roles[1].permissions.contains(&Permission::ReleaseSeal));
    assert_eq!(me.until, ana.until());
}

#[tokio::test]
async fn a_database_that_is_gone_is_no_reason_to_doubt_a_token() {
    let app = TestApp::start().await;
    let token = app.issuer.token("ana");
    app.app.database().pool().close().await;
    let failed = authenticate(&app.app, &token).await;
    assert!(
        matches!(failed, Err(Unauthenticated::Failed(Error::Unavailable { .. }))),
        "{failed:?}"
    );
}
