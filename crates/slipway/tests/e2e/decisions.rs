//! Approvals: by whom, on what, how often, and when.

use serde_json::{Value, json};
use slipway_testkit::live::{World, manifests::config, text, within};
use std::time::Duration;

#[tokio::test]
async fn a_decision_is_taken_from_the_right_people_on_the_right_digest_once() {
    let mut world = World::start("approvals").await;
    let two = json!({"approvals": {"count": 2, "role": "authority"}});
    world.environment("guarded", &["staging"], two).await;
    world.sealed("1.0.0", &config("web", "blue")).await;
    let other = world.sealed("1.1.0", &config("web", "red")).await;
    let asked = world.ask("1.0.0", "guarded").await.expect(201);
    let (id, approval) = (text(&asked["id"]), text(&asked["approval"]));
    let digest = world.ada.looks_at(&approval).await;
    assert_eq!(asked["state"], "pending", "{asked:#}");
    assert_eq!(asked["blockers"][0]["kind"], "approval", "{asked:#}");

    // The wrong role, the author, and who asked for it.
    world
        .changes_nothing(world.vera.decide(&approval, "approve", &digest))
        .await
        .problem(403, "forbidden")
        .says("approval.decide");
    world
        .changes_nothing(world.ana.decide(&approval, "approve", &digest))
        .await
        .problem(403, "separation-of-duties")
        .says("authored, sealed");
    world
        .changes_nothing(world.otto.decide(&approval, "approve", &digest))
        .await
        .problem(403, "forbidden");
    // No token carries the right to approve, and one that carries others has not got it either.
    let token = json!({"name": "robot", "roles": ["authority"], "expires_in": "PT1H"});
    world
        .changes_nothing(world.ana.post("/v1/tokens", token))
        .await
        .problem(422, "validation")
        .at(&["/roles/0"])
        .says("API tokens never approve");
    let token = json!({"name": "robot", "roles": ["engineer", "manager"], "expires_in": "PT1H"});
    let secret = text(&world.ana.post("/v1/tokens", token).await.expect(201)["secret"]);
    let robot = world.ana.with_token(&secret);
    robot.get("/v1/me").await.expect(200);
    world
        .changes_nothing(robot.decide(&approval, "approve", &digest))
        .await
        .problem(403, "forbidden");
    // Another digest, and what is none.
    world
        .changes_nothing(world.ada.decide(&approval, "approve", &other))
        .await
        .problem(409, "approval-digest")
        .says(&digest);
    world
        .changes_nothing(world.ada.decide(&approval, "perhaps", "sha256:1"))
        .await
        .problem(422, "validation")
        .at(&["/decision", "/digest"]);

    // Once a person.
    let inbox = "/v1/approvals?mine=pending";
    assert_eq!(ids(&world.ada.get(inbox).await.expect(200)), [approval.as_str()]);
    assert!(ids(&world.ana.get(inbox).await.expect(200)).is_empty());
    let decided = world.ada.decide(&approval, "approve", &digest).await;
    assert_eq!(decided.expect(200)["state"], "pending");
    let again = world.ada.decide(&approval, "approve", &digest).await;
    again.problem(409, "already-decided");
    assert_eq!(world.deployment(&id).await["state"], "pending");

    // The second person lets it go; after that there is nothing to decide on.
    let decided = world.abe.decide(&approval, "approve", &digest).await;
    assert_eq!(decided.expect(200)["state"], "approved");
    world.ends(&id, "succeeded").await;
    let late = world.abe.decide(&approval, "reject", &digest).await;
    late.problem(409, "approval-state");

    // Nor after a cancel.
    let asked = world.ask("1.1.0", "guarded").await.expect(201);
    let (id, approval) = (text(&asked["id"]), text(&asked["approval"]));
    world.steer(&id, "cancel").await.expect(200);
    assert_eq!(world.deployment(&id).await["state"], "cancelled");
    let other = world.ada.looks_at(&approval).await;
    let late = world.ada.decide(&approval, "approve", &other).await;
    late.problem(409, "approval-state");
    assert_eq!(world.deployment(&id).await["state"], "cancelled");
    // What came late or again is on record.
    let recorded = async || {
        let refused = world.iris.get("/v1/audit/entries?action=approval.refuse").await;
        refused.expect(200)["items"].as_array().map(Vec::len) == Some(3)
    };
    within(
        Duration::from_secs(10),
        "three refusals are in the record",
        recorded,
    )
    .await;
    // And no is no.
    let asked = world.ask("1.1.0", "guarded").await.expect(201);
    let approval = text(&asked["approval"]);
    let other = world.ada.looks_at(&approval).await;
    world.ada.decide(&approval, "reject", &other).await.expect(200);
    assert_eq!(world.deployment(&text(&asked["id"])).await["state"], "rejected");

    let live = world.namespace("staging").await;
    let applied = live.get("ConfigMap", "web").await.expect("what was approved");
    assert_eq!(applied["data"]["key"], "blue");
    world.audit_holds();
    live.close().await;
    world.close().await;
}

fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("a page");
    items.iter().filter_map(|item| item["id"].as_str()).collect()
}
