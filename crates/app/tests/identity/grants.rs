//! Granting roles, and what nobody grants.

use crate::api_tokens::mint;
use crate::support::{actor, authenticate, faults};
use slipway_app::{
    Error,
    identity::role_bindings::{self, Create as Grant},
};
use slipway_domain::identity::Role;
use slipway_testkit::TestApp;

#[tokio::test]
async fn only_who_manages_identities_grants_roles() {
    let app = TestApp::start().await;
    for (subject, role) in [
        ("eve", "engineer"),
        ("ana", "manager"),
        ("ada", "authority"),
        ("otto", "operator"),
        ("aud", "auditor"),
        ("vic", "viewer"),
    ] {
        app.person(subject, &[role]).await;
        let actor = actor(&app, subject).await;
        let mut tx = app.app.begin().await.unwrap();
        let grant = Grant {
            subject: subject.to_owned(),
            role: "admin".to_owned(),
            ..Grant::default()
        };
        let refused = role_bindings::create(&mut tx, &app.app, &actor, grant).await;
        assert!(matches!(refused, Err(Error::Lacking(_))), "{role}");
        assert!(matches!(
            role_bindings::list(&mut tx, &actor, &role_bindings::Filter::default(), None, 10).await,
            Err(Error::Lacking(_))
        ));
    }
}

#[tokio::test]
async fn nobody_makes_themselves_an_authority() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
    let by_token = authenticate(&app.app, &mint(&app, &root, &["admin"], "PT10M").await.unwrap())
        .await
        .unwrap();
    let mut tx = app.app.begin().await.unwrap();
    let grant = |subject: &str, role: &str| Grant {
        subject: subject.to_owned(),
        role: role.to_owned(),
        ..Grant::default()
    };
    for actor in [&root, &by_token] {
        let refused = role_bindings::create(&mut tx, &app.app, actor, grant("root", "authority")).await;
        assert!(
            matches!(
                refused,
                Err(Error::Refused {
                    code: "self-grant",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    role_bindings::create(&mut tx, &app.app, &root, grant("root", "manager"))
        .await
        .unwrap();
    role_bindings::create(&mut tx, &app.app, &root, grant("ada", "authority"))
        .await
        .unwrap();
    let again = role_bindings::create(&mut tx, &app.app, &root, grant("ada", "authority")).await;
    assert!(matches!(again, Err(Error::Conflict { code: "exists", .. })));
}

#[tokio::test]
async fn a_machine_is_never_an_authority() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
    let mut tx = app.app.begin().await.unwrap();
    let grant = Grant {
        subject: "robot".to_owned(),
        kind: Some("machine".to_owned()),
        role: "authority".to_owned(),
        ..Grant::default()
    };
    assert_eq!(
        faults(role_bindings::create(&mut tx, &app.app, &root, grant).await),
        ["/role"]
    );
}

#[tokio::test]
async fn every_fault_of_a_grant_is_found_at_once() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
    let mut tx = app.app.begin().await.unwrap();
    let grant = Grant {
        issuer: Some("https://other.test".to_owned()),
        subject: " ".to_owned(),
        kind: Some("robot".to_owned()),
        role: "boss".to_owned(),
        team: Some("nobody".to_owned()),
        environment: None,
    };
    let found = faults(role_bindings::create(&mut tx, &app.app, &root, grant).await);
    assert_eq!(
        found,
        [
            "/principal/issuer",
            "/principal/subject",
            "/principal/kind",
            "/role",
            "/team"
        ]
    );
}

#[tokio::test]
async fn the_last_admin_stays_and_the_first_are_made_only_once() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    app.bootstrap("intruder").await;
    let intruder = actor(&app, "intruder").await;
    assert!(intruder.rights.grants().is_empty(), "there was an admin already");
    let root = actor(&app, "root").await;
    let mut tx = app.app.begin().await.unwrap();
    let filter = role_bindings::Filter {
        role: Some(Role::Admin),
        ..role_bindings::Filter::default()
    };
    let own = role_bindings::list(&mut tx, &root, &filter, None, 10)
        .await
        .unwrap()
        .remove(0);
    let kept = role_bindings::delete(&mut tx, &root, &own.id.to_string()).await;
    assert!(matches!(kept, Err(Error::Conflict { code: "in-use", .. })));
    let grant = Grant {
        subject: "ria".to_owned(),
        role: "admin".to_owned(),
        ..Grant::default()
    };
    role_bindings::create(&mut tx, &app.app, &root, grant)
        .await
        .unwrap();
    role_bindings::delete(&mut tx, &root, &own.id.to_string())
        .await
        .unwrap();
}
