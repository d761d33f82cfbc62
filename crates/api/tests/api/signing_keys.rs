//! The keys that the record is signed with: who has another one made, and what is verified across that.

use slipway_domain::{
    audit::{
        SignedCheckpoint, TreeHead,
        export::{ExportVerifier, Refused, Report},
    },
    certificate,
    signing::VerifyingKey,
};
use slipway_testkit::{TestApp, Value, World, json};

const ROTATE: &str = "/v1/audit/keys/rotate";
const CERTIFICATE: &str = "/v1/releases/storefront@1.0.0/certificate";

/// Each key, the newest first, and whether it is retired.
async fn keys(world: &World) -> Vec<(VerifyingKey, bool)> {
    let keys = world.auditor.get("/v1/audit/keys").await.expect(200);
    let keys = keys["items"].as_array().unwrap().iter();
    keys.map(|key| {
        let verifier = key["verifier_key"].as_str().unwrap().parse().unwrap();
        (verifier, key.get("retired_at").is_some())
    })
    .collect()
}

async fn rotate(world: &World) -> VerifyingKey {
    let made = world
        .admin
        .post(ROTATE, json!({"reason": "once a year"}))
        .await
        .expect(200);
    assert!(made.get("retired_at").is_none());
    made["verifier_key"].as_str().unwrap().parse().unwrap()
}

async fn signed(world: &World) -> SignedCheckpoint {
    let head = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    head["signed"]["note"].as_str().unwrap().parse().unwrap()
}

async fn export(world: &World) -> String {
    let reply = world.auditor.get("/v1/audit/export").await;
    reply.body.as_str().unwrap().to_owned()
}

fn verify(export: &str, keys: &[VerifyingKey], kept: Option<&SignedCheckpoint>) -> Result<Report, Refused> {
    let kept = kept.map(|kept| kept.verify(keys).unwrap().0.clone());
    let mut verifier = ExportVerifier::new(keys, kept);
    verifier.feed(export.as_bytes())?;
    verifier.finish()
}

async fn certified(world: &World) -> Vec<u8> {
    serde_json::to_vec(&world.auditor.get(CERTIFICATE).await.expect(200)).unwrap()
}

#[tokio::test]
async fn what_spans_a_rotation_is_verified_with_both_keys_and_goes_on_from_what_was_kept() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    app.sign().await;
    let first = keys(&world).await[0].0.clone();
    let (kept, before) = (signed(&world).await, certified(&world).await);

    let second = rotate(&world).await;
    assert_eq!(
        keys(&world).await,
        [(second.clone(), false), (first.clone(), true)]
    );
    let only_first = [first.clone()];
    let only_second = [second.clone()];
    let both = [first, second];

    // At once, with a checkpoint in it that the key before has signed.
    let between = certified(&world).await;
    certificate::read(&between, &both).unwrap();
    certificate::read(&between, &only_first).unwrap_err();
    certificate::read(&between, &only_second).unwrap_err();

    app.sign().await;
    let now = signed(&world).await;
    now.verify(&only_second).unwrap();
    now.verify(&only_first).unwrap_err();
    let export = export(&world).await;
    let report = verify(&export, &both, Some(&kept)).unwrap();
    assert_eq!(report.consistent_with, Some(kept.unverified().head));
    verify(&export, &only_second, None).unwrap();
    verify(&export, &only_first, None).unwrap_err();
    // What was kept holds the record to what it covered, whoever signs: one that differs there is refused.
    let forged = TreeHead {
        root: now.unverified().head.root,
        ..kept.unverified().head
    };
    let mut other = kept.unverified().clone();
    other.head = forged;
    let mut verifier = ExportVerifier::new(&both, Some(other));
    verifier.feed(export.as_bytes()).unwrap_err();

    let earlier = kept.unverified().head;
    let proof = world
        .auditor
        .get(&format!("/v1/audit/proof?from={}", earlier.size))
        .await
        .expect(200);
    let hashes = proof["hashes"].as_array().unwrap().iter();
    let hashes: Vec<_> = hashes
        .map(|hash| hash.as_str().unwrap().parse().unwrap())
        .collect();
    now.unverified()
        .head
        .verify_consistency(earlier, &hashes)
        .unwrap();

    let after = certified(&world).await;
    certificate::read(&before, &only_first).unwrap();
    certificate::read(&before, &only_second).unwrap_err();
    certificate::read(&after, &only_second).unwrap();
    certificate::read(&after, &only_first).unwrap_err();

    let entries = world
        .auditor
        .get("/v1/audit/entries?action=signing_key.rotate")
        .await
        .expect(200);
    let entries = entries["items"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    let data = &entries[0]["data"]["data"];
    assert_eq!(
        (&data["key"], &data["reason"]),
        (&json!(both[1].to_string()), &json!("once a year"))
    );
    assert_eq!(data["retired"]["key"], both[0].to_string());
}

#[tokio::test]
async fn only_who_manages_identity_has_another_key_made_and_says_why() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    app.sign().await;
    let before = keys(&world).await;
    let reason = || json!({"reason": "once a year"});
    for person in [
        &world.auditor,
        &world.authority,
        &world.manager,
        &world.engineer,
        &world.operator,
        &world.viewer,
        &world.stranger,
    ] {
        assert_eq!(person.post(ROTATE, reason()).await.problem(403), "forbidden");
    }
    let long = "x".repeat(2001);
    for body in [
        json!({}),
        json!({"reason": " "}),
        json!({"reason": long}),
        json!({"reason": "a\u{1b}b"}),
    ] {
        let wrong: Value = world.admin.post(ROTATE, body).await.expect(422);
        assert_eq!(wrong["errors"][0]["pointer"], "/reason");
    }
    assert_eq!(keys(&world).await, before);
    // Asked for again because the answer was lost: one rotation.
    let once = async || {
        let request = world.admin.request(axum::http::Method::POST, ROTATE);
        request
            .header("idempotency-key", "k1")
            .json(&reason())
            .send()
            .await
            .expect(200)
    };
    assert_eq!(once().await["id"], once().await["id"]);
    assert_eq!(keys(&world).await.len(), 2);
}
