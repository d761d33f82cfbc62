//! Drift: seen by whoever may see the target, newest first, and never more of it than the object may show.

use jiff::SignedDuration;
use slipway_app::{drift::Ledger, execution::Queue};
use slipway_domain::{
    component::bundle::ObjectRef,
    drift::{
        Drift, DriftKind, DriftLedger as _, DriftReport, DriftedField, Hand, Judged, Taken, WatchRequest,
    },
    plan::target::Step,
    ports::{ClaimRequest, WorkQueue as _},
    work::{Report, StepOutcome},
};
use slipway_testkit::{TestApp, Value, World, json};
use std::collections::BTreeMap;

fn object(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some("storefront".to_owned()),
        name: name.to_owned(),
    }
}

fn scaled() -> Drift {
    Drift {
        kind: DriftKind::Changed,
        fields: vec![DriftedField {
            pointer: "/spec/replicas".to_owned(),
            applied: Some(json!(2)),
            found: Some(json!(5)),
            manager: Some("kubectl-scale".to_owned()),
        }],
        omitted: 0,
        hand: Some(Hand {
            manager: "kubectl-scale".to_owned(),
            operation: "Update".to_owned(),
            subresource: Some("scale".to_owned()),
            at: "2026-11-23T01:00:00Z".parse().ok(),
        }),
        problem: None,
    }
}

/// A deployment to staging that succeeded, with objects that have drifted since; the older is over.
pub(crate) async fn drifted(app: &TestApp, world: &World) -> Value {
    world.sealed("1.0.0").await;
    let deployment = world.deploy("storefront@1.0.0", "staging").await;
    let lease = SignedDuration::from_secs(30);
    let queue = Queue::new(app.app.clone(), app.app.database().clone());
    let claim = ClaimRequest {
        holder: "executor".to_owned(),
        max: 10,
        lease,
        cluster_labels: BTreeMap::new(),
    };
    let work = queue.claim(&claim).await.unwrap().remove(0);
    for outcome in [StepOutcome::Begun, StepOutcome::Succeeded] {
        let report = Report {
            step: Step::Guard.into(),
            outcome,
            notes: Vec::new(),
            inventory: None,
            readiness: None,
        };
        queue.report(&work, report).await.unwrap();
    }
    let ledger = Ledger::new(app.app.clone());
    let request = WatchRequest {
        holder: "executor".to_owned(),
        lease,
        cluster_labels: BTreeMap::new(),
    };
    let watches = ledger.keep(&request).await.unwrap();
    let watch = watches.iter().find(|watch| watch.name.as_str() == "eu").unwrap();
    for (name, drift) in [
        ("old", Some(Drift::missing())),
        ("web", Some(scaled())),
        ("old", None),
    ] {
        let report = DriftReport {
            target: work.target,
            generation: work.generation,
            judged: vec![Judged {
                object: object(name),
                drift,
            }],
        };
        assert_eq!(ledger.report(watch, &report).await.unwrap(), Taken::Recorded);
    }
    deployment
}

#[tokio::test]
async fn drift_is_listed_newest_first_with_who_did_it_and_filtered() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let deployment = drifted(&app, &world).await;
    let all = world.viewer.get("/v1/drift").await.expect(200);
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let open = &items[0];
    assert_eq!(
        (
            &open["service"],
            &open["environment"],
            &open["cluster"],
            &open["kind"],
            &open["state"]
        ),
        (
            &json!("storefront"),
            &json!("staging"),
            &json!("eu"),
            &json!("changed"),
            &json!("open")
        )
    );
    assert_eq!(open["object"]["name"], "web");
    assert_eq!(open["deployment"], deployment["id"]);
    assert_eq!(
        open["fields"],
        json!([{"pointer": "/spec/replicas", "applied": 2, "found": 5, "manager": "kubectl-scale"}])
    );
    assert_eq!(
        open["hand"],
        json!({"manager": "kubectl-scale", "operation": "Update", "subresource": "scale", "at": "2026-11-23T01:00:00Z"})
    );
    let over = &items[1];
    assert_eq!(
        (
            &over["kind"],
            &over["state"],
            &over["resolution"],
            over.get("hand")
        ),
        (&json!("missing"), &json!("resolved"), &json!("reverted"), None)
    );

    for (query, names) in [
        ("?state=open", vec!["web"]),
        ("?state=resolved", vec!["old"]),
        (
            "?service=storefront&environment=staging&cluster=eu",
            vec!["web", "old"],
        ),
        ("?environment=production", vec![]),
        ("?cluster=us", vec![]),
        ("?service=unknown", vec![]),
    ] {
        let found = world.viewer.get(&format!("/v1/drift{query}")).await.expect(200);
        let found: Vec<&str> = found["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["object"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(found, names, "{query}");
    }
    let first = world.viewer.get("/v1/drift?limit=1").await.expect(200);
    let cursor = first["next"].as_str().unwrap();
    let second = world
        .viewer
        .get(&format!("/v1/drift?limit=1&cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(
        (&second["items"][0]["object"]["name"], second.get("next")),
        (&json!("old"), None)
    );
    assert_eq!(
        world.viewer.get("/v1/drift?state=broken").await.problem(400),
        "malformed"
    );
    assert_eq!(
        world.viewer.get("/v1/drift?cursor=x").await.problem(400),
        "malformed"
    );
    assert_eq!(
        world.viewer.get("/v1/drift?name=x").await.problem(400),
        "malformed"
    );

    // The deployment that is what runs there says how much of it is not as it was applied.
    let path = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    assert_eq!(
        world.viewer.get(&path).await.expect(200)["targets"][0]["drift"],
        1
    );
}

#[tokio::test]
async fn one_drift_is_shown_with_its_tag_to_those_who_may_see_it() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    drifted(&app, &world).await;
    let all = world.viewer.get("/v1/drift?state=open").await.expect(200);
    let path = format!("/v1/drift/{}", all["items"][0]["id"].as_str().unwrap());
    let reply = world.viewer.get(&path).await;
    let tag = reply.header("etag").to_owned();
    assert_eq!(reply.expect(200), all["items"][0]);
    let again = world
        .viewer
        .request(axum::http::Method::GET, &path)
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!(again.status.as_u16(), 304);
    assert_eq!(world.stranger.get(&path).await.problem(404), "not-found");
    assert_eq!(
        world.stranger.get("/v1/drift").await.expect(200)["items"],
        json!([])
    );
    assert_eq!(
        world.viewer.get("/v1/drift/drf_none").await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn an_environment_says_what_is_done_about_drift() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let reply = world.admin.get("/v1/environments/staging").await.expect(200);
    assert_eq!(reply["settings"]["drift"], "report");
    let patch = async |drift: &str| {
        world
            .admin
            .request(axum::http::Method::PATCH, "/v1/environments/staging")
            .header("if-match", "*")
            .json(&json!({"settings": {"drift": drift}}))
            .send()
            .await
    };
    assert_eq!(patch("heal").await.expect(200)["settings"]["drift"], "heal");
    let refused = patch("fight").await;
    assert_eq!(refused.status.as_u16(), 422);
    assert_eq!(
        refused.body["errors"][0]["pointer"], "/settings/drift",
        "{:#}",
        refused.body
    );
}
