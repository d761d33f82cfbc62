//! Drift: who watches which cluster, what is written down of what they see, and what they may not say.

use crate::shop::{Setup, Shop, code};
use jiff::SignedDuration;
use serde_json::json;
use slipway_app::drift::{self, DriftView, Filter, Ledger};
use slipway_domain::{
    component::bundle::ObjectRef,
    deployment::StateName,
    drift::{
        ClusterWatch, Drift, DriftKind, DriftLedger as _, DriftReport, DriftedField, Hand, Judged, Taken,
        WatchRequest,
    },
    identity::{Grant, Role, Scope},
    ids::{DeploymentId, TargetId},
};
use slipway_store::role_bindings;
use std::collections::BTreeMap;

pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(30);

pub(crate) fn request(holder: &str, region: Option<&str>) -> WatchRequest {
    WatchRequest {
        holder: holder.to_owned(),
        lease: LEASE,
        cluster_labels: region
            .map(|region| ("region".to_owned(), region.to_owned()))
            .into_iter()
            .collect(),
    }
}

/// One executor that watches everything.
pub(crate) struct Watch {
    pub(crate) ledger: Ledger,
    watches: BTreeMap<String, ClusterWatch>,
}

impl Watch {
    pub(crate) async fn start(shop: &Shop) -> Self {
        let ledger = Ledger::new(shop.app.clone());
        let watches = ledger.keep(&request("watcher", None)).await.unwrap();
        let watches = watches.into_iter().map(|w| (w.name.to_string(), w)).collect();
        Self { ledger, watches }
    }

    pub(crate) fn on(&self, cluster: &str) -> &ClusterWatch {
        &self.watches[cluster]
    }

    /// The one target of a cluster that may be judged, with its generation.
    pub(crate) async fn target(&self, cluster: &str) -> Option<(TargetId, i64)> {
        let overview = self
            .ledger
            .overview(self.on(cluster), None)
            .await
            .unwrap()
            .unwrap();
        assert!(overview.targets.len() <= 1);
        overview.targets.into_iter().next()
    }

    /// Says what became of the `ConfigMap` on a cluster.
    pub(crate) async fn says(&self, cluster: &str, drift: Option<Drift>) -> Taken {
        let (target, generation) = self.target(cluster).await.expect("a target to judge");
        self.ledger
            .report(self.on(cluster), &report(target, generation, drift))
            .await
            .unwrap()
    }
}

pub(crate) fn report(target: TargetId, generation: i64, drift: Option<Drift>) -> DriftReport {
    DriftReport {
        target,
        generation,
        judged: vec![Judged {
            object: object(),
            drift,
        }],
    }
}

fn object() -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some("storefront".to_owned()),
        name: "web".to_owned(),
    }
}

/// Somebody set the version.
pub(crate) fn edited(found: &str, manager: &str) -> Drift {
    Drift {
        kind: DriftKind::Changed,
        fields: vec![DriftedField {
            pointer: "/data/version".to_owned(),
            applied: Some(json!("1.0.0")),
            found: Some(json!(found)),
            manager: Some(manager.to_owned()),
        }],
        omitted: 0,
        hand: Some(Hand {
            manager: manager.to_owned(),
            operation: "Update".to_owned(),
            subresource: None,
            at: "2026-11-23T01:00:00Z".parse().ok(),
        }),
        problem: None,
    }
}

pub(crate) async fn all(shop: &Shop) -> Vec<DriftView> {
    let root = shop.who("root").await;
    let mut tx = shop.app.begin().await.unwrap();
    drift::list(&mut tx, &root, &Filter::default(), None, 100)
        .await
        .unwrap()
}

async fn actions(shop: &Shop, table: &str, column: &str) -> Vec<String> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT {column} FROM {table} WHERE starts_with({column}, 'drift.') ORDER BY id"
    )))
    .fetch_all(shop.app.database().pool())
    .await
    .unwrap()
}

async fn count_on(shop: &Shop, id: DeploymentId) -> u32 {
    shop.view(id).await.drift.values().sum()
}

#[tokio::test]
async fn clusters_are_shared_out_evenly_among_those_who_may_and_move_when_one_comes_or_goes() {
    let shop = Shop::with(Setup {
        clusters: &["eu-1", "eu-2", "us-1"],
        ..Setup::default()
    })
    .await;
    let ledger = Ledger::new(shop.app.clone());
    let names = async |holder: &str, region| -> Vec<String> {
        let watches = ledger.keep(&request(holder, region)).await.unwrap();
        watches.iter().map(|watch| watch.name.to_string()).collect()
    };
    assert_eq!(names("a", None).await, ["eu-1", "eu-2", "stage", "us-1"]);
    // The second gets nothing before the first has let go of it.
    assert!(names("b", Some("eu")).await.is_empty());
    assert_eq!(names("a", None).await.len(), 2);
    assert_eq!(names("b", Some("eu")).await, ["eu-1", "eu-2"]);
    assert_eq!(names("a", None).await, ["stage", "us-1"]);
    // One who may watch nothing that there is has nothing, and takes nothing.
    assert!(names("c", Some("moon")).await.is_empty());
    ledger.leave("b").await.unwrap();
    assert_eq!(names("a", None).await.len(), 4);
    // A watcher that says nothing any more is forgotten with its lease, by the database's clock.
    assert!(names("d", None).await.is_empty());
    shop.sql("UPDATE cluster_watches SET lease_until = now() - interval '1 s' WHERE holder = 'a'")
        .await
        .unwrap();
    shop.sql("UPDATE cluster_watchers SET lease_until = now() - interval '1 s' WHERE holder = 'a'")
        .await
        .unwrap();
    assert_eq!(names("d", None).await.len(), 4);
}

#[tokio::test]
async fn two_who_ask_at_once_never_both_watch_a_cluster() {
    let shop = Shop::with(Setup {
        clusters: &["eu-1", "eu-2", "us-1"],
        ..Setup::default()
    })
    .await;
    for round in 0..5 {
        let ledgers: Vec<_> = (0..6)
            .map(|i| (Ledger::new(shop.app.clone()), format!("e{i}")))
            .collect();
        let asked = ledgers.iter().map(|(ledger, holder)| {
            let request = request(holder, None);
            async move { ledger.keep(&request).await.unwrap() }
        });
        let mut held: Vec<_> = futures::future::join_all(asked).await.concat();
        held.sort_by_key(|watch| (watch.cluster, watch.fence));
        assert!(
            held.windows(2).all(|two| two[0].cluster != two[1].cluster),
            "round {round}: {held:?}"
        );
    }
    assert_eq!(
        shop.number("SELECT count(*) FROM cluster_watches WHERE lease_until > now()")
            .await,
        4
    );
}

#[tokio::test]
async fn what_has_drifted_is_recorded_once_and_so_is_that_it_is_over() {
    let shop = Shop::open().await;
    let id = shop.released("1.0.0").await;
    let watch = Watch::start(&shop).await;
    assert_eq!(watch.says("eu", None).await, Taken::Recorded);
    assert!(all(&shop).await.is_empty());

    let revision = shop.view(id).await.row.deployment.revision;
    assert_eq!(
        watch.says("eu", Some(edited("9", "kubectl-edit"))).await,
        Taken::Recorded
    );
    // The same again changes nothing, but for another time on it.
    let mut again = edited("9", "kubectl-edit");
    again.hand.as_mut().unwrap().at = "2026-11-23T02:00:00Z".parse().ok();
    assert_eq!(watch.says("eu", Some(again)).await, Taken::Recorded);
    assert_eq!(
        watch.says("eu", Some(edited("10", "kubectl-edit"))).await,
        Taken::Recorded
    );
    let drifts = all(&shop).await;
    assert_eq!(drifts.len(), 1);
    let one = &drifts[0];
    assert_eq!(
        (one.cluster.as_str(), one.deployment, one.revision),
        ("eu", id, 2)
    );
    assert_eq!(one.drift, edited("10", "kubectl-edit"));
    assert_eq!(count_on(&shop, id).await, 1);
    assert!(shop.view(id).await.row.deployment.revision > revision);
    // What a new executor is told is what is known.
    let (target, _) = watch.target("eu").await.unwrap();
    let known = watch.ledger.details(watch.on("eu"), &[target]).await.unwrap();
    assert_eq!(known[0].open, [(object(), edited("10", "kubectl-edit"))]);
    assert_eq!(known[0].rendering.objects.len(), 1);

    assert_eq!(watch.says("eu", None).await, Taken::Recorded);
    let drifts = all(&shop).await;
    assert_eq!(drifts[0].resolved.map(|(_, how)| how.as_str()), Some("reverted"));
    assert_eq!(count_on(&shop, id).await, 0);
    assert_eq!(watch.says("eu", Some(Drift::missing())).await, Taken::Recorded);
    assert_eq!(all(&shop).await.len(), 2, "another time is another drift");

    assert_eq!(
        actions(&shop, "audit_entries", "action").await,
        ["drift.found", "drift.resolved", "drift.found"]
    );
    assert_eq!(
        actions(&shop, "events", "kind").await,
        ["drift.found", "drift.changed", "drift.resolved", "drift.found"]
    );
    let entry = shop
        .text("SELECT data::text FROM audit_entries WHERE action = 'drift.found' ORDER BY id LIMIT 1")
        .await;
    assert!(
        entry.contains("kubectl-edit") && entry.contains("/data/version"),
        "{entry}"
    );
    let refused = shop
        .sql(
            "INSERT INTO drifts (id, target_id, deployment_id, generation, object, object_key, kind) \
             SELECT gen_random_uuid(), target_id, deployment_id, generation, object, object_key, kind FROM drifts \
             WHERE resolved_at IS NULL",
        )
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("drifts_one_open_an_object")
    );
    shop.check().await;
}

#[tokio::test]
async fn nothing_is_judged_where_a_deployment_is_at_work_and_what_was_judged_before_it_touches_nothing() {
    let shop = Shop::open().await;
    shop.released("1.0.0").await;
    let watch = Watch::start(&shop).await;
    let (target, generation) = watch.target("eu").await.unwrap();
    watch.says("eu", Some(edited("9", "kubectl-edit"))).await;

    let next = shop.ready("2.0.0").await;
    assert!(watch.target("eu").await.is_some(), "what waits is not at work");
    let work = shop.claim_one().await;
    assert_eq!(watch.target("eu").await, None);
    let stale = report(target, generation, None);
    assert_eq!(
        watch.ledger.report(watch.on("eu"), &stale).await.unwrap(),
        Taken::Stale
    );
    let newer = report(target, generation + 1, Some(Drift::missing()));
    assert_eq!(
        watch.ledger.report(watch.on("eu"), &newer).await.unwrap(),
        Taken::Stale
    );
    assert!(all(&shop).await[0].resolved.is_none());

    // Applied over it: whatever had drifted is over.
    shop.succeed(&work).await;
    assert_eq!(
        all(&shop).await[0].resolved.map(|(_, how)| how.as_str()),
        Some("redeployed")
    );
    shop.run_all().await;
    assert_eq!(shop.state(next).await, StateName::Succeeded);
    let (_, now) = watch.target("eu").await.unwrap();
    assert_eq!(now, generation + 1);
    assert_eq!(
        watch.ledger.report(watch.on("eu"), &stale).await.unwrap(),
        Taken::Stale
    );
    shop.check().await;
}

#[tokio::test]
async fn a_target_on_which_a_deployment_failed_half_way_is_not_judged() {
    let shop = Shop::with(Setup {
        staging: slipway_app::environments::SettingsInput {
            automatic_rollback: Some(false),
            ..Default::default()
        },
        ..Setup::default()
    })
    .await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let watch = Watch::start(&shop).await;
    assert!(watch.target("stage").await.is_some());
    let release = shop.release("2.0.0").await;
    let id = shop.ask(&release, "staging").await.unwrap();
    let work = shop.claim_one().await;
    shop.fail(&work, "not healthy").await;
    assert_eq!(shop.state(id).await, StateName::Failed);
    assert_eq!(watch.target("stage").await, None, "there is a mixture");
    shop.roll_back(id).await.unwrap();
    shop.run_all().await;
    assert!(
        watch.target("stage").await.is_some(),
        "what ran before runs again"
    );
}

#[tokio::test]
async fn who_watches_a_cluster_no_more_says_nothing_of_it() {
    let shop = Shop::open().await;
    shop.released("1.0.0").await;
    let watch = Watch::start(&shop).await;
    let (target, generation) = watch.target("eu").await.unwrap();
    let told = report(target, generation, Some(Drift::missing()));
    shop.sql("UPDATE cluster_watches SET lease_until = now() - interval '1 s'")
        .await
        .unwrap();
    assert_eq!(
        watch.ledger.report(watch.on("eu"), &told).await.unwrap(),
        Taken::Lost
    );
    assert!(
        watch
            .ledger
            .overview(watch.on("eu"), None)
            .await
            .unwrap()
            .is_none()
    );
    // It has it again, under another fence: what was judged under the old one does not count.
    let again = Watch::start(&shop).await;
    assert!(again.on("eu").fence > watch.on("eu").fence);
    assert_eq!(
        watch.ledger.report(watch.on("eu"), &told).await.unwrap(),
        Taken::Lost
    );
    // Nor does a word of one cluster count on another.
    let elsewhere = again.ledger.report(again.on("us"), &told).await.unwrap();
    assert_eq!(elsewhere, Taken::Stale);
    assert!(all(&shop).await.is_empty());
    assert_eq!(
        again.ledger.report(again.on("eu"), &told).await.unwrap(),
        Taken::Recorded
    );
    assert_eq!(all(&shop).await.len(), 1);
}

#[tokio::test]
async fn drift_is_seen_by_whoever_may_see_the_target() {
    let shop = Shop::open().await;
    shop.released("1.0.0").await;
    let watch = Watch::start(&shop).await;
    watch.says("eu", Some(Drift::missing())).await;
    watch.says("stage", Some(Drift::missing())).await;
    let mut tx = shop.app.begin().await.unwrap();
    let list = async |tx: &mut slipway_app::Tx, who: &str, filter: Filter| -> Vec<String> {
        let actor = shop.who(who).await;
        let found = drift::list(tx, &actor, &filter, None, 10).await.unwrap();
        found.iter().map(|view| view.cluster.to_string()).collect()
    };
    assert_eq!(list(&mut tx, "otto", Filter::default()).await, ["stage", "eu"]);
    let of = |service: Option<&str>, environment: Option<&str>, cluster: Option<&str>, open| Filter {
        service: service.map(str::to_owned),
        environment: environment.map(str::to_owned),
        cluster: cluster.map(str::to_owned),
        open,
    };
    assert_eq!(
        list(&mut tx, "otto", of(None, Some("production"), None, None)).await,
        ["eu"]
    );
    assert_eq!(
        list(
            &mut tx,
            "otto",
            of(Some("storefront"), None, Some("stage"), Some(true))
        )
        .await,
        ["stage"]
    );
    assert!(
        list(&mut tx, "otto", of(None, None, None, Some(false)))
            .await
            .is_empty()
    );
    assert!(
        list(&mut tx, "otto", of(Some("nothing"), None, None, None))
            .await
            .is_empty()
    );

    shop.person("nobody", &[]).await;
    let somebody = shop.person("somebody", &[]).await;
    let environment = shop
        .text("SELECT id::text FROM environments WHERE name = 'staging'")
        .await;
    let environment = slipway_domain::ids::EnvironmentId::from_uuid(environment.parse().unwrap());
    let grant = Grant {
        role: Role::Viewer,
        scope: Scope::Environment(environment),
    };
    shop.act(async |tx| {
        Ok(role_bindings::insert(tx, somebody.principal.id, grant)
            .await
            .map(drop)?)
    })
    .await
    .unwrap();
    assert!(list(&mut tx, "nobody", Filter::default()).await.is_empty());
    drop(tx);
    let mut tx = shop.app.begin().await.unwrap();
    assert_eq!(list(&mut tx, "somebody", Filter::default()).await, ["stage"]);
    let hidden = all(&shop)
        .await
        .into_iter()
        .find(|view| view.cluster.as_str() == "eu")
        .unwrap()
        .id
        .to_string();
    let somebody = shop.who("somebody").await;
    assert_eq!(code(drift::get(&mut tx, &somebody, &hidden).await), "not-found");
    let otto = shop.who("otto").await;
    assert_eq!(
        drift::get(&mut tx, &otto, &hidden).await.unwrap().id.to_string(),
        hidden
    );
    assert_eq!(
        code(drift::get(&mut tx, &otto, "drf_nonsense").await),
        "not-found"
    );
}
