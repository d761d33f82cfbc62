//! Teams, services and targets: whose they are.

use crate::setup::{admin, cluster, environment, member, service, team};
use crate::support::{Everything, faults};
use slipway_app::{
    Error,
    clusters::{self},
    environments::{self},
    services, targets, teams,
};
use slipway_domain::{
    identity::{Role, Scope},
    registry::Labels,
};
use slipway_testkit::TestApp;

#[tokio::test]
async fn what_a_team_owns_is_not_there_for_others() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    let shop = team(&mut tx, &admin, "shop").await;
    let bank = team(&mut tx, &admin, "bank").await;
    services::create(&mut tx, &admin, service("storefront", "shop"))
        .await
        .unwrap();
    services::create(&mut tx, &admin, service("ledger", "bank"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mine = member(&app, "eve", Role::Engineer, Scope::Team(shop.id)).await;
    let mut tx = app.app.begin().await.unwrap();
    let seen = services::list(&mut tx, &mine, &services::Filter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(
        seen.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["storefront"]
    );
    let hidden = services::get(&mut tx, &mine, "ledger").await;
    assert!(matches!(hidden, Err(Error::NotFound { .. })), "{hidden:?}");
    assert!(matches!(
        services::revision(&mut tx, &mine, "ledger").await,
        Err(Error::NotFound { .. })
    ));
    let update = services::update(&mut tx, &mine, "ledger", -1, services::Update::default()).await;
    assert!(matches!(update, Err(Error::NotFound { .. })));
    let elsewhere = services::create(&mut tx, &mine, service("loans", "bank")).await;
    let Err(Error::Lacking(lacking)) = elsewhere else {
        panic!("{elsewhere:?}")
    };
    assert!(lacking.to_string().contains("team bank"), "{lacking}");
    // Nor is a service given away to where one has no right.
    let gift = services::Update {
        team: Some("bank".to_owned()),
        ..services::Update::default()
    };
    assert!(matches!(
        services::update(&mut tx, &mine, "storefront", 1, gift).await,
        Err(Error::Lacking(_))
    ));
    let _ = bank;
}

#[tokio::test]
async fn a_change_says_which_revision_it_was_made_on() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    team(&mut tx, &admin, "shop").await;
    services::create(&mut tx, &admin, service("storefront", "shop"))
        .await
        .unwrap();
    let critical = || services::Update {
        criticality: Some("critical".to_owned()),
        ..services::Update::default()
    };
    let changed = services::update(&mut tx, &admin, "storefront", 1, critical())
        .await
        .unwrap();
    assert_eq!((changed.revision, changed.criticality.as_str()), (2, "critical"));
    let stale = services::update(&mut tx, &admin, "storefront", 1, critical()).await;
    assert!(matches!(stale, Err(Error::Stale { current: 2 })));
    let wrong = services::Update {
        team: Some("nobody".to_owned()),
        criticality: Some("huge".to_owned()),
        description: Some("a\u{0}".to_owned()),
        escalation: Some(Some("nobody".to_owned())),
    };
    let found = faults(services::update(&mut tx, &admin, "storefront", 2, wrong).await);
    assert_eq!(found, ["/team", "/criticality", "/description", "/escalation"]);
    tx.commit().await.unwrap();
    let everything = Everything::read(&app.app).await;
    assert_eq!(everything.count("audit_entries", "service.create"), 1);
    assert_eq!(
        everything.count("audit_entries", "service.update"),
        1,
        "what was refused is no change"
    );
    assert_eq!(
        everything.count("audit_entries", "registered service storefront of team shop"),
        1
    );
}

#[tokio::test]
async fn names_are_taken_once() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    for attempt in ["shop", "Shop", "shop"].into_iter().enumerate() {
        let mut tx = app.app.begin().await.unwrap();
        let made = teams::create(
            &mut tx,
            &admin,
            teams::Create {
                name: attempt.1.to_owned(),
            },
        )
        .await;
        match attempt.0 {
            0 => assert!(made.is_ok()),
            1 => assert_eq!(faults(made), ["/name"]),
            _ => assert!(matches!(made, Err(Error::Conflict { code: "exists", .. }))),
        }
        if attempt.0 == 0 {
            tx.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_target_is_declared_on_a_cluster_of_its_environment_and_taken_back() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    team(&mut tx, &admin, "shop").await;
    for name in ["eu", "us"] {
        clusters::create(&mut tx, &app.app, &admin, cluster(name))
            .await
            .unwrap();
    }
    environments::create(&mut tx, &admin, environment("staging", &["eu"]))
        .await
        .unwrap();
    services::create(&mut tx, &admin, service("storefront", "shop"))
        .await
        .unwrap();
    let target = |cluster: &str, namespace: &str| targets::Create {
        service: "storefront".to_owned(),
        environment: "staging".to_owned(),
        cluster: cluster.to_owned(),
        namespace: namespace.to_owned(),
        labels: Labels::from([("wave".to_owned(), "1".to_owned())]),
    };
    assert_eq!(
        faults(targets::create(&mut tx, &admin, target("us", "front")).await),
        ["/cluster"]
    );
    assert_eq!(
        faults(targets::create(&mut tx, &admin, target("mars", "kube-system")).await),
        ["/cluster", "/namespace"]
    );
    let made = targets::create(&mut tx, &admin, target("eu", "front"))
        .await
        .unwrap();
    assert_eq!((made.cluster.as_str(), made.declared), ("eu", true));
    assert_eq!(
        made.target.labels.len(),
        2,
        "the cluster's labels, and its own over them"
    );
    let again = targets::create(&mut tx, &admin, target("eu", "front")).await;
    assert!(matches!(again, Err(Error::Conflict { code: "exists", .. })));
    let fewer = environments::Update {
        clusters: Some(vec!["us".to_owned()]),
        ..environments::Update::default()
    };
    assert_eq!(
        faults(environments::update(&mut tx, &admin, "staging", 1, fewer).await),
        ["/clusters"]
    );
    let id = made.target.id.to_string();
    targets::delete(&mut tx, &admin, &id).await.unwrap();
    assert!(matches!(
        targets::delete(&mut tx, &admin, &id).await,
        Err(Error::NotFound { .. })
    ));
    assert!(
        targets::list(&mut tx, &admin, &targets::Filter::default(), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn attack_20_nobody_lands_in_another_teams_namespace() {
    let app = TestApp::start().await;
    let admin = admin(&app).await;
    let mut tx = app.app.begin().await.unwrap();
    let shop = team(&mut tx, &admin, "shop").await;
    team(&mut tx, &admin, "bank").await;
    clusters::create(&mut tx, &app.app, &admin, cluster("eu"))
        .await
        .unwrap();
    environments::create(&mut tx, &admin, environment("staging", &["eu"]))
        .await
        .unwrap();
    services::create(&mut tx, &admin, service("storefront", "shop"))
        .await
        .unwrap();
    services::create(&mut tx, &admin, service("ledger", "bank"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let eve = member(&app, "eve", Role::Engineer, Scope::Team(shop.id)).await;
    let mut tx = app.app.begin().await.unwrap();
    let target = |service: &str, namespace: &str| targets::Create {
        service: service.to_owned(),
        environment: "staging".to_owned(),
        cluster: "eu".to_owned(),
        namespace: namespace.to_owned(),
        labels: Labels::new(),
    };
    assert_eq!(
        faults(targets::create(&mut tx, &eve, target("storefront", "ledger")).await),
        ["/namespace"]
    );
    assert_eq!(
        faults(targets::create(&mut tx, &eve, target("ledger", "front")).await),
        ["/service"]
    );
    targets::create(&mut tx, &eve, target("storefront", "payments"))
        .await
        .unwrap();
    let squatted = services::create(&mut tx, &admin, service("payments", "bank")).await;
    assert_eq!(faults(squatted), ["/name"]);
}
