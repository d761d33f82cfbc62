//! Targets: where services land.

use crate::setup::{cluster, environment, labels, name, service};
use slipway_domain::{
    Digest,
    component::bundle::{Bundle, Limits},
    identity::Visible,
    ids::{DeploymentId, EnvironmentId, ReleaseId, TeamId},
    registry::{Inventory, TargetNow},
};
use slipway_store::{Error, environments, targets, teams};
use slipway_testkit::TestDb;

#[tokio::test]
async fn a_service_lands_on_every_cluster_until_somebody_says_otherwise() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let eu = cluster(&mut tx, "eu", &[("region", "eu"), ("tier", "1")]).await;
    let us = cluster(&mut tx, "us", &[("region", "us")]).await;
    let staging = environment(&mut tx, "staging", &[us.id, eu.id]).await;
    assert!(
        targets::of(&mut tx, front.id, staging.id)
            .await
            .unwrap()
            .is_empty()
    );

    let default = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    let again = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    assert_eq!((default.id, default.namespace.as_str()), (again.id, "storefront"));
    targets::ensure_default(&mut tx, &front, &staging, &us)
        .await
        .unwrap();
    let of = targets::of(&mut tx, front.id, staging.id).await.unwrap();
    let on: Vec<_> = of.iter().map(|row| (row.target.cluster, row.declared)).collect();
    assert_eq!(
        on,
        [(us.id, false), (eu.id, false)],
        "in the order of the environment's clusters"
    );

    let (namespace, own) = (name("front"), labels(&[("tier", "2")]));
    let declared = targets::Declared {
        service: front.id,
        environment: staging.id,
        cluster: eu.id,
        namespace: &namespace,
        labels: &own,
    };
    assert!(
        !targets::any_declared(&mut tx, front.id, staging.id)
            .await
            .unwrap()
    );
    let id = targets::declare(&mut tx, &declared).await.unwrap().unwrap();
    assert!(
        targets::declare(&mut tx, &declared).await.unwrap().is_none(),
        "it is declared already"
    );
    let of = targets::of(&mut tx, front.id, staging.id).await.unwrap();
    assert_eq!(of.iter().map(|row| row.target.id).collect::<Vec<_>>(), [id]);
    assert_eq!(of[0].target.labels, labels(&[("region", "eu"), ("tier", "2")]));

    targets::retire(&mut tx, id).await.unwrap();
    assert!(matches!(
        targets::retire(&mut tx, id).await,
        Err(Error::Guard { .. })
    ));
    assert_eq!(
        targets::of(&mut tx, front.id, staging.id).await.unwrap().len(),
        2,
        "the default counts again"
    );
    assert_eq!(
        targets::declare(&mut tx, &declared).await.unwrap(),
        Some(id),
        "the same target, with its history"
    );
}

#[tokio::test]
async fn a_default_target_is_declared_in_its_place_and_falls_back() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let eu = cluster(&mut tx, "eu", &[]).await;
    let staging = environment(&mut tx, "staging", &[eu.id]).await;
    let default = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    let own = labels(&[("wave", "1")]);
    let declared = targets::Declared {
        service: front.id,
        environment: staging.id,
        cluster: eu.id,
        namespace: &front.name,
        labels: &own,
    };
    assert_eq!(
        targets::declare(&mut tx, &declared).await.unwrap(),
        Some(default.id)
    );
    targets::retire(&mut tx, default.id).await.unwrap();
    let back = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    assert_eq!(back.id, default.id);
    let row = targets::get(&mut tx, back.id).await.unwrap().unwrap();
    assert_eq!(
        (row.declared, row.retired, row.target.labels.len()),
        (false, false, 0)
    );
    // A cluster that has left the environment is no place to land.
    let us = cluster(&mut tx, "us", &[]).await;
    environments::update(&mut tx, &staging, Some(&[us.id]))
        .await
        .unwrap();
    assert!(
        targets::of(&mut tx, front.id, staging.id)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_a_target_runs_and_holds_is_kept() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let eu = cluster(&mut tx, "eu", &[]).await;
    let staging = environment(&mut tx, "staging", &[eu.id]).await;
    let id = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap()
        .id;
    let bundle = Bundle::parse(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}",
        &Limits::default(),
    )
    .unwrap();
    let inventory = Inventory::default().union(&bundle.refs());
    targets::set_inventory(&mut tx, id, &inventory).await.unwrap();
    let now = TargetNow {
        release: ReleaseId::new(),
        deployment: DeploymentId::new(),
        rendering: Digest::of_bytes(b"rendering"),
    };
    targets::set_now(&mut tx, id, Some(&now)).await.unwrap();
    let row = targets::get(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((row.inventory, row.target.now), (inventory, Some(now)));
    targets::set_now(&mut tx, id, None).await.unwrap();
    assert_eq!(targets::get(&mut tx, id).await.unwrap().unwrap().target.now, None);
    assert_eq!(targets::busy(&mut tx, id).await.unwrap(), None);
    sqlx::query("UPDATE targets SET now_release_id = gen_random_uuid()")
        .execute(tx.conn())
        .await
        .unwrap();
    assert!(
        matches!(targets::get(&mut tx, id).await, Err(Error::ImpossibleRow { column, .. }) if column == "now_release_id")
    );
}

#[tokio::test]
async fn targets_are_listed_for_the_team_and_for_the_environment() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let eu = cluster(&mut tx, "eu", &[]).await;
    let staging = environment(&mut tx, "staging", &[eu.id]).await;
    targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    let filter = targets::Filter {
        service: Some(front.id),
        ..targets::Filter::default()
    };
    for (visible, seen) in [
        (
            Visible {
                teams: vec![shop],
                ..Visible::default()
            },
            1,
        ),
        (
            Visible {
                environments: vec![staging.id],
                ..Visible::default()
            },
            1,
        ),
        (
            Visible {
                environments: vec![EnvironmentId::new()],
                teams: vec![TeamId::new()],
                ..Visible::default()
            },
            0,
        ),
    ] {
        assert_eq!(
            targets::list(&mut tx, filter, &visible, None, 10)
                .await
                .unwrap()
                .len(),
            seen,
            "{visible:?}"
        );
    }
}
