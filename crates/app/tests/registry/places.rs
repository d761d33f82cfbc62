//! Clusters and environments.

use crate::setup::{SECRET, admin, cluster, engineer, environment};
use crate::support::{Everything, faults};
use secrecy::{ExposeSecret as _, SecretString};
use slipway_app::{
    App, Config, Error, SecretKey,
    approvals::RequirementInput,
    clusters::{self, CredentialInput},
    environments::{self, SettingsInput, WaveInput},
};
use slipway_domain::{
    identity::{Actor, Grant, Rights, Role, Scope},
    ports::ClusterFault,
    registry::Credential,
};
use slipway_testkit::{Clusters, TestApp};
use std::sync::Arc;

#[tokio::test]
async fn a_clusters_credential_goes_in_and_never_comes_out() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    let eu = clusters::create(&mut tx, &app.app, &admin, cluster("eu"))
        .await
        .unwrap();
    let replaced = clusters::Update {
        credential: Some(cluster("eu").credential),
        ..clusters::Update::default()
    };
    let changed = clusters::update(&mut tx, &app.app, &admin, "eu", 1, replaced)
        .await
        .unwrap();
    assert!(!format!("{eu:?}{changed:?}").contains(SECRET));
    let connection = clusters::connection(&mut tx, &app.app, eu.id).await.unwrap();
    assert!(!format!("{connection:?}").contains(SECRET));
    assert!(matches!(&connection.credential, Credential::Token(token) if token.expose_secret() == SECRET));
    assert_eq!(connection.revision, 2);
    tx.commit().await.unwrap();
    let everything = Everything::read(&app.app).await;
    everything.assert_lacks(SECRET);
    assert_eq!(everything.rows("clusters"), 1);
    assert_eq!(
        everything.count("audit_entries", "\"credential\":\"replaced\"")
            + everything.count("audit_entries", "\"credential\": \"replaced\""),
        1
    );
}

#[tokio::test]
async fn a_credential_cannot_be_moved_to_another_cluster_or_read_with_another_key() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    let eu = clusters::create(&mut tx, &app.app, &admin, cluster("eu"))
        .await
        .unwrap();
    let us = clusters::create(&mut tx, &app.app, &admin, cluster("us"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    sqlx::query("UPDATE clusters SET credential = (SELECT credential FROM clusters WHERE name = 'eu') WHERE name = 'us'")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    let mut tx = app.app.read().await.unwrap();
    let moved = clusters::connection(&mut tx, &app.app, us.id).await;
    assert!(
        matches!(moved, Err(Error::Cluster(ClusterFault::Misconfigured { .. }))),
        "{moved:?}"
    );
    assert!(clusters::connection(&mut tx, &app.app, eu.id).await.is_ok());
    let key = SecretKey::parse("key", "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=").unwrap();
    let config = Config::new(vec![app.issuer.config()], key);
    let other = App::new(app.app.database().clone(), config, Arc::new(Clusters::default())).unwrap();
    let mut tx = other.read().await.unwrap();
    let unread = clusters::connection(&mut tx, &other, eu.id).await;
    assert!(
        matches!(unread, Err(Error::Cluster(ClusterFault::Misconfigured { .. }))),
        "{unread:?}"
    );
}

#[tokio::test]
async fn attack_27_a_cluster_does_not_move_with_its_credential() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    clusters::create(&mut tx, &app.app, &admin, cluster("eu"))
        .await
        .unwrap();
    let moved = |credential| clusters::Update {
        server: Some("https://evil.example".to_owned()),
        credential,
        ..clusters::Update::default()
    };
    assert_eq!(
        faults(clusters::update(&mut tx, &app.app, &admin, "eu", 1, moved(None)).await),
        ["/credential"]
    );
    let same = clusters::Update {
        server: Some("https://EU.kube.example:6443/".to_owned()),
        ..clusters::Update::default()
    };
    assert!(
        clusters::update(&mut tx, &app.app, &admin, "eu", 1, same)
            .await
            .is_ok(),
        "the same server, written otherwise"
    );
    let again = Some(cluster("eu").credential);
    let changed = clusters::update(&mut tx, &app.app, &admin, "eu", 2, moved(again))
        .await
        .unwrap();
    assert_eq!(changed.server, "https://evil.example");
}

#[tokio::test]
async fn every_fault_of_a_cluster_is_found_at_once() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    let mut wrong = cluster("eu");
    wrong.name = "E U".to_owned();
    wrong.server = Some("http://eu.example".to_owned());
    wrong.certificate_authority = Some("no PEM".to_owned());
    wrong.credential.client_key = Some(SecretString::from(SECRET));
    wrong.labels.insert("a b".to_owned(), "x".to_owned());
    wrong.grants.cluster_scoped_kinds = vec!["*".to_owned(), "Namespace".to_owned(), "crds".to_owned()];
    let found = faults(clusters::create(&mut tx, &app.app, &admin, wrong).await);
    assert_eq!(
        found,
        [
            "/name",
            "/credential",
            "/server",
            "/certificate_authority",
            "/labels/a b",
            "/grants/cluster_scoped_kinds/2"
        ]
    );
    let nowhere = clusters::Create {
        server: None,
        ..cluster("eu")
    };
    assert_eq!(
        faults(clusters::create(&mut tx, &app.app, &admin, nowhere).await),
        ["/server"]
    );
}

#[tokio::test]
async fn a_kubeconfig_brings_its_server_and_what_it_would_run_is_refused() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let kubeconfig = |user: &str| clusters::Create {
        server: None,
        credential: CredentialInput {
            kubeconfig: Some(SecretString::from(format!(
                "{{current-context: c, contexts: [{{name: c, context: {{cluster: k, user: u}}}}], \
                 clusters: [{{name: k, cluster: {{server: 'https://k.example:6443', tls-server-name: k}}}}], \
                 users: [{{name: u, user: {user}}}]}}"
            ))),
            ..CredentialInput::default()
        },
        ..cluster("eu")
    };
    let mut tx = app.app.begin().await.unwrap();
    let runs = clusters::create(
        &mut tx,
        &app.app,
        &admin,
        kubeconfig("{exec: {command: rm}, token: s3cret}"),
    )
    .await;
    let Err(Error::Invalid(refused)) = runs else {
        panic!("{runs:?}")
    };
    assert_eq!(refused.as_slice()[0].pointer, "/credential/kubeconfig/users/exec");
    assert!(!refused.to_string().contains("s3cret"));
    let made = clusters::create(&mut tx, &app.app, &admin, kubeconfig("{token: s3cret}"))
        .await
        .unwrap();
    let connection = clusters::connection(&mut tx, &app.app, made.id).await.unwrap();
    assert_eq!(
        (connection.server.as_str(), connection.tls_server_name.as_deref()),
        ("https://k.example:6443", Some("k"))
    );
}

#[tokio::test]
async fn a_check_says_what_the_cluster_said_and_notes_when_it_answered() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let engineer = engineer(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    clusters::create(&mut tx, &app.app, &admin, cluster("eu"))
        .await
        .unwrap();
    clusters::create(&mut tx, &app.app, &admin, cluster("us"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    app.clusters
        .fails("us", |cluster| ClusterFault::Unauthorized { cluster });
    assert!(matches!(
        clusters::check(&app.app, &engineer, "eu").await,
        Err(Error::Lacking(_))
    ));
    assert_eq!(
        clusters::check(&app.app, &admin, "eu").await.unwrap().version,
        "v1.33.2"
    );
    assert!(matches!(
        clusters::check(&app.app, &admin, "us").await,
        Err(Error::Cluster(_))
    ));
    let mut tx = app.app.read().await.unwrap();
    let (eu, us) = (
        clusters::get(&mut tx, &admin, "eu").await.unwrap(),
        clusters::get(&mut tx, &admin, "us").await.unwrap(),
    );
    assert!(eu.last_seen_at.is_some() && us.last_seen_at.is_none());
    assert_eq!(eu.revision, 1, "being seen is no change");
}

#[tokio::test]
async fn every_fault_of_an_environment_is_found_at_once_and_where_it_is_written() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    clusters::create(&mut tx, &app.app, &admin, cluster("eu"))
        .await
        .unwrap();
    let wrong = environments::Create {
        name: "prod_1".to_owned(),
        tier: "live".to_owned(),
        promotes_from: Some("nowhere".to_owned()),
        settings: SettingsInput {
            approvals: Some(Some(RequirementInput {
                count: 1,
                role: "boss".to_owned(),
                ..RequirementInput::default()
            })),
            waves: Some(vec![WaveInput {
                name: "EU".to_owned(),
                ..WaveInput::default()
            }]),
            expires_after: Some("a week".to_owned()),
            ..SettingsInput::default()
        },
        ..environment("", &["eu", "mars", "eu"])
    };
    let found = faults(environments::create(&mut tx, &admin, wrong).await);
    assert_eq!(
        found,
        [
            "/name",
            "/tier",
            "/promotes_from",
            "/clusters/1",
            "/clusters/2",
            "/settings/approvals/role",
            "/settings/waves/0/name",
            "/settings/expires_after"
        ]
    );
    assert_eq!(
        faults(environments::create(&mut tx, &admin, environment("staging", &[])).await),
        ["/clusters"]
    );
    let own = environments::Create {
        promotes_from: Some("staging".to_owned()),
        ..environment("staging", &["eu"])
    };
    assert_eq!(
        faults(environments::create(&mut tx, &admin, own).await),
        ["/promotes_from"]
    );
}

#[tokio::test]
async fn attack_17_only_an_admin_changes_what_an_environment_asks_for() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    clusters::create(&mut tx, &app.app, &admin, cluster("eu"))
        .await
        .unwrap();
    let guarded = environments::Create {
        settings: SettingsInput {
            approvals: Some(Some(RequirementInput {
                count: 1,
                role: "authority".to_owned(),
                ..RequirementInput::default()
            })),
            ..SettingsInput::default()
        },
        ..environment("production", &["eu"])
    };
    environments::create(&mut tx, &admin, guarded).await.unwrap();
    tx.commit().await.unwrap();
    let open = || environments::Update {
        settings: SettingsInput {
            approvals: Some(None),
            ..SettingsInput::default()
        },
        ..environments::Update::default()
    };
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Admin) {
        let somebody = Actor {
            rights: Arc::new(Rights::new(vec![Grant {
                role,
                scope: Scope::Everything,
            }])),
            ..admin.clone()
        };
        let mut tx = app.app.begin().await.unwrap();
        let refused = environments::update(&mut tx, &somebody, "production", 1, open()).await;
        assert!(matches!(refused, Err(Error::Lacking(_))), "{role}");
    }
    let mut tx = app.app.begin().await.unwrap();
    let opened = environments::update(&mut tx, &admin, "production", 1, open())
        .await
        .unwrap();
    assert_eq!((opened.settings.approvals, opened.revision), (None, 2));
}
