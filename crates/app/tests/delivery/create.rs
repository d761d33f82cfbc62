//! Asking for a deployment.

use crate::{
    claims::plain,
    shop::{Shop, code, manifests, words},
};
use slipway_app::{Error, environments, targets};
use slipway_domain::{deployment::StateName, ids::DeploymentId};

async fn plan(shop: &Shop, id: DeploymentId) -> slipway_domain::Digest {
    shop.view(id).await.row.deployment.plan_digest
}

async fn places(shop: &Shop, id: DeploymentId) -> Vec<(String, String)> {
    let targets = shop.view(id).await.targets;
    targets
        .iter()
        .map(|t| (t.target.cluster_name.to_string(), t.target.namespace.to_string()))
        .collect()
}

#[tokio::test]
async fn a_draft_a_withdrawn_release_or_a_recalled_component_is_refused() {
    let shop = Shop::open().await;
    let draft = shop.draft("1.0.0").await;
    assert_eq!(code(shop.ask(&draft, "staging").await), "release-state");
    shop.seal(&draft).await;
    shop.sql("UPDATE component_versions SET state = 'recalled', state_reason = 'CVE'")
        .await
        .unwrap();
    assert_eq!(code(shop.ask(&draft, "staging").await), "component-recalled");
    shop.sql("UPDATE component_versions SET state = 'available'")
        .await
        .unwrap();
    let ana = shop.who("ana").await;
    let why = Some("x".to_owned());
    shop.act(async |tx| slipway_app::releases::withdraw(tx, &ana, "storefront@1.0.0", why).await)
        .await
        .unwrap();
    assert_eq!(code(shop.ask(&draft, "staging").await), "release-state");
    assert_eq!(code(shop.ask(&draft, "nowhere").await), "not-found");
    assert_eq!(shop.number("SELECT count(*) FROM deployments").await, 0);
}

#[tokio::test]
async fn a_stage_is_reached_only_through_the_one_before() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    let refused = shop.ask(&release, "production").await;
    assert!(words(refused).contains("staging"));
    assert_eq!(code(shop.ask(&release, "production").await), "not-promoted");
    let id = shop.ask(&release, "staging").await.unwrap();
    assert_eq!(
        code(shop.ask(&release, "production").await),
        "not-promoted",
        "asked for is not succeeded"
    );
    let a = shop.claim_one().await;
    shop.fail(&a, "bad").await;
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::RolledBack);
    assert_eq!(code(shop.ask(&release, "production").await), "not-promoted");
    let id = shop.staged(&release).await;
    shop.roll_back(id).await.unwrap();
    assert_eq!(
        code(shop.ask(&release, "production").await),
        "not-promoted",
        "undone is not succeeded"
    );
    shop.run_all().await;
    assert_eq!(code(shop.ask(&release, "production").await), "not-promoted");
    shop.check().await;
}

#[tokio::test]
async fn without_the_right_nothing_is_asked_for() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    for who in ["eve", "ada", "aud", "root"] {
        let actor = shop.who(who).await;
        let input = slipway_app::deployments::Create {
            release: release.clone(),
            environment: "staging".to_owned(),
            ..Default::default()
        };
        let refused = shop
            .act(async |tx| slipway_app::deployments::create(&shop.app, tx, &actor, input).await)
            .await;
        assert_eq!(code(refused), "lacking", "{who}");
    }
}

#[tokio::test]
async fn other_namespaces_and_kinds_beyond_the_grant_are_refused_with_every_fault() {
    let shop = Shop::open().await;
    let bad = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: kube-system}\n---\n\
        apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: b}\nrules: []\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let eve = shop.who("eve").await;
    let input = slipway_app::components::CreateVersion {
        version: "1.0.0".to_owned(),
        manifests: bad.to_owned(),
        ..Default::default()
    };
    shop.act(async |tx| slipway_app::components::create_version(tx, &shop.app, &eve, "web", input).await)
        .await
        .unwrap();
    let ana = shop.who("ana").await;
    let draft = crate::shop::compose("storefront", "1.0.0");
    shop.act(async |tx| slipway_app::releases::compose(tx, &ana, draft).await)
        .await
        .unwrap();
    shop.seal("storefront@1.0.0").await;
    match shop.ask("storefront@1.0.0", "staging").await {
        Err(Error::Invalid(faults)) => {
            let said: Vec<_> = faults.as_slice().iter().map(|f| f.detail.as_str()).collect();
            assert_eq!(said.len(), 2, "{said:?}");
            assert!(said.iter().all(|d| d.starts_with("on stage: ")), "{said:?}");
            assert!(
                said.iter().any(|d| d.contains("kube-system"))
                    && said.iter().any(|d| d.contains("ClusterRole")),
                "{said:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(shop.number("SELECT count(*) FROM deployments").await, 0);
}

#[tokio::test]
async fn targets_are_every_cluster_until_some_are_declared() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let first = shop.ask(&release, "production").await.unwrap();
    let by_default = [("eu", "storefront"), ("us", "storefront")].map(|(c, n)| (c.to_owned(), n.to_owned()));
    assert_eq!(places(&shop, first).await, by_default);
    shop.cancel(first).await.unwrap();
    let ana = shop.who("ana").await;
    let declared = targets::Create {
        service: "storefront".to_owned(),
        environment: "production".to_owned(),
        cluster: "us".to_owned(),
        namespace: "elsewhere".to_owned(),
        labels: std::collections::BTreeMap::new(),
    };
    shop.act(async |tx| targets::create(tx, &ana, declared).await)
        .await
        .unwrap();
    let second = shop.ask(&release, "production").await.unwrap();
    assert_eq!(
        places(&shop, second).await,
        [("us".to_owned(), "elsewhere".to_owned())]
    );
    assert_ne!(plan(&shop, first).await, plan(&shop, second).await);
    shop.run_all().await;
    assert_eq!(shop.state(second).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn the_plan_is_named_by_a_digest_that_changes_with_targets_and_renderings_and_with_nothing_else() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let mut plans = Vec::new();
    let again = [
        shop.ask(&release, "production").await.unwrap(),
        shop.ask(&release, "production").await.unwrap(),
    ];
    assert_eq!(plan(&shop, again[0]).await, plan(&shop, again[1]).await);
    plans.push(plan(&shop, again[0]).await);
    let root = shop.who("root").await;
    let overlay: slipway_domain::render::Overlay = serde_json::from_value(serde_json::json!({
        "target": {"kind": "ConfigMap", "name": "web"}, "merge": {"data": {"mode": "production"}},
    }))
    .unwrap();
    let changes = [
        environments::Update {
            settings: environments::SettingsInput {
                config: Some(vec![overlay]),
                ..Default::default()
            },
            ..Default::default()
        },
        environments::Update {
            clusters: Some(vec!["eu".to_owned()]),
            ..Default::default()
        },
    ];
    for change in changes {
        let revision = slipway_app::ANY_REVISION;
        shop.act(async |tx| environments::update(tx, &root, "production", revision, change).await)
            .await
            .unwrap();
        plans.push(plan(&shop, shop.ask(&release, "production").await.unwrap()).await);
    }
    shop.sql("UPDATE deployments SET look_at = now() WHERE state = 'pending'")
        .await
        .unwrap();
    let other = shop.release("2.0.0").await;
    shop.run_all().await;
    shop.staged(&other).await;
    plans.push(plan(&shop, shop.ask(&other, "production").await.unwrap()).await);
    let mut distinct = plans.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), plans.len(), "{plans:?}");
    assert!(manifests("1.0.0") != manifests("2.0.0"));
    shop.check().await;
}

#[tokio::test]
async fn settings_changed_after_the_request_do_not_change_it() {
    let shop = Shop::open().await;
    let id = shop.ready("1.0.0").await;
    let root = shop.who("root").await;
    let change = environments::Update {
        settings: environments::SettingsInput {
            approvals: Some(None),
            waves: Some(Vec::new()),
            ..Default::default()
        },
        ..Default::default()
    };
    let revision = slipway_app::ANY_REVISION;
    shop.act(async |tx| environments::update(tx, &root, "production", revision, change).await)
        .await
        .unwrap();
    shop.sql("DELETE FROM role_bindings WHERE role = 'authority'")
        .await
        .unwrap();
    assert!(shop.claim().await.is_empty());
    assert_eq!(
        shop.state(id).await,
        StateName::Pending,
        "it was asked for under the rule, and stays under it"
    );
    shop.check().await;
}
