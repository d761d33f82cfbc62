//! The audit chain, as it is published.

use slipway_app::timers;
use slipway_domain::{
    Digest,
    audit::{Entry, SignedCheckpoint, TreeHead, Verifier, export::ExportVerifier},
    certificate::{self, Outcome},
    signing::VerifyingKey,
};
use slipway_testkit::{Person, TestApp, Value, World, json};

#[tokio::test]
async fn the_published_chain_can_be_verified_by_whoever_reads_it() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    app.settle().await;
    let (mut after, mut verifier, mut count) = (0, Verifier::default(), 0);
    loop {
        let page = world
            .auditor
            .get(&format!("/v1/audit/entries?after={after}&limit=5"))
            .await
            .expect(200);
        for item in page["items"].as_array().unwrap() {
            let entry: Entry = serde_json::from_value(item.clone()).unwrap();
            let digest = item["digest"].as_str().unwrap().parse().unwrap();
            verifier.check(&entry, digest).unwrap();
            count += 1;
        }
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    let head = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    assert_eq!(head["entries"], count);
    assert_eq!(head["digest"], verifier.head().1.to_string());
    assert_eq!(head["unchained"], 0);
    let seals = world
        .auditor
        .get("/v1/audit/entries?action=release.seal&actor=ana")
        .await
        .expect(200);
    assert_eq!(seals["items"].as_array().unwrap().len(), 1);
    assert_eq!(seals["items"][0]["subject"], "storefront@1.0.0");
}

#[tokio::test]
async fn what_was_refused_leaves_no_entry() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    app.settle().await;
    let before = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    world.sealed("1.0.0").await;
    app.settle().await;
    let between = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    world
        .manager
        .act("/v1/releases/storefront@1.0.0/seal")
        .await
        .problem(409);
    world
        .viewer
        .act("/v1/releases/storefront@1.0.0/withdraw")
        .await
        .problem(403);
    app.settle().await;
    let after = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    assert_eq!(after, between);
    assert_eq!(
        between["entries"].as_i64().unwrap(),
        before["entries"].as_i64().unwrap() + 2
    );
}

#[tokio::test]
async fn only_auditors_read_the_chain() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    for person in [&world.admin, &world.manager, &world.viewer, &world.stranger] {
        assert_eq!(person.get("/v1/audit/entries").await.problem(403), "forbidden");
        assert_eq!(person.get("/v1/audit/checkpoint").await.problem(403), "forbidden");
    }
}

async fn keys(world: &World) -> Vec<VerifyingKey> {
    let keys = world.auditor.get("/v1/audit/keys").await.expect(200);
    let keys = keys["items"].as_array().unwrap().iter();
    keys.map(|key| key["verifier_key"].as_str().unwrap().parse().unwrap())
        .collect()
}

fn hashes(proof: &Value) -> Vec<Digest> {
    let hashes = proof["hashes"].as_array().unwrap().iter();
    hashes
        .map(|hash| hash.as_str().unwrap().parse().unwrap())
        .collect()
}

/// What is signed of an answer, as whoever has the keys trusts it.
fn head(of: &Value, keys: &[VerifyingKey]) -> TreeHead {
    let note: SignedCheckpoint = of["note"].as_str().unwrap().parse().unwrap();
    let (checkpoint, by) = note.verify(keys).unwrap();
    assert_eq!(by.len(), 1);
    assert_eq!(of["size"], checkpoint.head.size);
    assert_eq!(of["root"], checkpoint.head.root.to_string());
    checkpoint.head
}

#[tokio::test]
async fn heads_of_the_record_are_signed_and_lead_to_every_entry() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    assert_eq!(
        world.auditor.get("/v1/audit/proof?entry=1").await.problem(409),
        "not-signed"
    );
    assert_eq!(
        world.auditor.get("/v1/audit/export").await.problem(409),
        "not-signed"
    );
    let nothing = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    assert!(nothing.get("signed").is_none());
    app.sign().await;
    let keys = keys(&world).await;
    let earlier = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    let earlier = head(&earlier["signed"], &keys);
    // Not at once when something is recorded.
    world.sealed("1.0.0").await;
    app.settle().await;
    timers::grow(&app.app).await.unwrap();
    let same = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    assert_eq!(same["signed"]["size"], earlier.size);
    let too_far = format!("/v1/audit/proof?entry={}", earlier.size + 1);
    assert_eq!(
        world.auditor.get(&too_far).await.problem(409),
        "not-in-the-record"
    );
    app.sign().await;
    let checkpoint = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    let now = head(&checkpoint["signed"], &keys);
    assert_eq!(checkpoint["entries"], now.size);
    for seq in 1..=i64::try_from(now.size).unwrap() {
        let proof = world
            .auditor
            .get(&format!("/v1/audit/proof?entry={seq}"))
            .await
            .expect(200);
        let digest: Digest = proof["digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(head(&proof["checkpoint"], &keys), now);
        now.verify_inclusion(seq, digest, &hashes(&proof)).unwrap();
        now.verify_inclusion(seq + 1, digest, &hashes(&proof))
            .unwrap_err();
        let entry = world
            .auditor
            .get(&format!("/v1/audit/entries?after={}&limit=1", seq - 1))
            .await
            .expect(200);
        assert_eq!(entry["items"][0]["digest"], proof["digest"]);
    }
    let proof = world
        .auditor
        .get(&format!("/v1/audit/proof?from={}", earlier.size))
        .await
        .expect(200);
    assert_eq!(proof["digest"], earlier.root.to_string());
    now.verify_consistency(earlier, &hashes(&proof)).unwrap();
    let forged = TreeHead {
        root: now.root,
        ..earlier
    };
    now.verify_consistency(forged, &hashes(&proof)).unwrap_err();
    let under_the_earlier = format!("/v1/audit/proof?entry=1&size={}", earlier.size);
    let proof = world.auditor.get(&under_the_earlier).await.expect(200);
    assert_eq!(head(&proof["checkpoint"], &keys), earlier);
    for (query, status) in [
        ("", 422),
        ("?entry=1&from=1", 422),
        ("?entry=1&size=1", 409),
        ("?entry=x", 400),
    ] {
        assert_eq!(
            world.auditor.get(&format!("/v1/audit/proof{query}")).await.status,
            status,
            "{query}"
        );
    }
}

#[tokio::test]
async fn an_export_is_verified_without_the_server() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    app.sign().await;
    let keys = keys(&world).await;
    let reply = world.auditor.get("/v1/audit/export").await;
    assert_eq!(reply.header("content-type"), "application/jsonl");
    let export = reply.body.as_str().unwrap().to_owned();
    let verify = |export: &str, keys: &[VerifyingKey]| {
        let mut verifier = ExportVerifier::new(keys, None);
        verifier.feed(export.as_bytes())?;
        verifier.finish()
    };
    let report = verify(&export, &keys).unwrap();
    let checkpoint = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    assert_eq!(checkpoint["entries"], report.entries);
    assert_eq!(checkpoint["digest"], report.head.to_string());
    verify(&export.replacen("\"ana\"", "\"eve\"", 1), &keys).unwrap_err();
    verify(&export, &[]).unwrap_err();
}

#[tokio::test]
async fn only_auditors_have_the_record() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    for path in ["proof?entry=1", "keys", "export", "checkpoint?verify=true"] {
        for person in [&world.admin, &world.manager, &world.viewer, &world.stranger] {
            let path = format!("/v1/audit/{path}");
            assert_eq!(person.get(&path).await.problem(403), "forbidden", "{path}");
        }
    }
}

#[tokio::test]
async fn what_was_changed_below_is_found_when_it_is_looked_for() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    app.sign().await;
    let path = "/v1/audit/checkpoint?verify=true";
    world.auditor.get(path).await.expect(200);
    let changed = "UPDATE audit_entries SET actor = 'eve' WHERE seq = 2";
    app.damage(changed).await.unwrap_err();
    app.damage("ALTER TABLE audit_entries DISABLE TRIGGER ALL")
        .await
        .unwrap();
    app.damage(changed).await.unwrap();
    assert_eq!(world.auditor.get(path).await.problem(409), "audit-chain-broken");
    let keys = keys(&world).await;
    let export = world
        .auditor
        .get("/v1/audit/export")
        .await
        .body
        .as_str()
        .unwrap()
        .to_owned();
    let mut verifier = ExportVerifier::new(&keys, None);
    let found = verifier.feed(export.as_bytes()).unwrap_err();
    assert_eq!((found.line, found.after), (3, Some(1)), "{found}");
}

#[tokio::test]
async fn nobody_changes_what_is_signed() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    app.sign().await;
    for change in [
        "UPDATE audit_checkpoints SET note = 'forged'",
        "DELETE FROM audit_checkpoints",
        "TRUNCATE audit_checkpoints",
        "TRUNCATE audit_nodes",
        "UPDATE audit_tree SET size = size - 1",
        "UPDATE audit_tree SET origin = 'other'",
        "DELETE FROM audit_tree",
        "DELETE FROM signing_keys",
    ] {
        app.damage(change).await.expect_err(change);
    }
}

#[tokio::test]
async fn a_release_is_certified_as_it_stands() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let path = "/v1/releases/storefront@1.0.0/certificate";
    world.draft("1.0.0").await;
    assert_eq!(world.viewer.get(path).await.problem(409), "release-state");
    world
        .manager
        .act("/v1/releases/storefront@1.0.0/seal")
        .await
        .expect(200);
    assert_eq!(world.viewer.get(path).await.problem(409), "not-signed");
    app.sign().await;
    let keys = keys(&world).await;
    let junit = "<testsuite><testcase name=\"a\"/></testsuite>";
    let body = json!({"kind": "test_report", "name": "unit", "document": junit});
    world
        .engineer
        .post("/v1/components/web/versions/1.0.0/evidence", body)
        .await
        .expect(201);
    let read = async |by: &Person| {
        let reply = by.get(path).await.expect(200);
        let bytes = serde_json::to_vec(&reply).unwrap();
        certificate::read(&bytes, &[]).unwrap_err();
        certificate::read(&bytes, &keys).unwrap().statement.predicate
    };
    let before = read(&world.viewer).await;
    assert_eq!(before.outcome, Outcome::NotDeployed);
    assert_eq!(before.release.display_name(), "storefront@1.0.0");
    assert_eq!(before.evidence.len(), 1);
    assert!(before.checkpoint.is_some() && before.release.process.is_some());
    let document = json!({"scope": {}, "rules": [{"name": "calm", "expression": "risk.score < 1000",
        "message": {"text": "calm"}, "effect": "refuse"}]});
    world
        .authority
        .post("/v1/policies", json!({"name": "guard", "document": document}))
        .await
        .expect(201);
    let other = app.person("abe", &["authority"]).await;
    other
        .act("/v1/policies/guard/versions/1/activate")
        .await
        .expect(200);
    let asked = world.deploy("storefront@1.0.0", "staging").await;
    let after = read(&world.auditor).await;
    assert_eq!(after.outcome, Outcome::UnderWay);
    let deployment = &after.deployments[0];
    assert_eq!(deployment.id.to_string(), asked["id"].as_str().unwrap());
    assert_eq!(
        deployment.targets.len(),
        asked["targets"].as_array().unwrap().len()
    );
    assert_eq!(deployment.policies[0].name.as_str(), "guard");
    assert!(deployment.targets.iter().all(|target| target.applied.is_none()));
    assert_eq!(world.stranger.get(path).await.problem(404), "not-found");
    assert_eq!(
        world
            .viewer
            .get("/v1/releases/storefront@9.9.9/certificate")
            .await
            .problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn a_certificate_names_more_deployments_than_are_read_at_once() {
    const DEPLOYMENTS: usize = 203;
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let mut asked = Vec::new();
    for _ in 0..DEPLOYMENTS {
        let deployment = world.deploy("storefront@1.0.0", "staging").await;
        asked.push(deployment["id"].as_str().unwrap().to_owned());
    }
    app.sign().await;
    let keys = keys(&world).await;
    let reply = world
        .viewer
        .get("/v1/releases/storefront@1.0.0/certificate")
        .await
        .expect(200);
    let read = certificate::read(&serde_json::to_vec(&reply).unwrap(), &keys).unwrap();
    let named = read.statement.predicate.deployments.iter();
    let named: Vec<_> = named.map(|deployment| deployment.id.to_string()).collect();
    assert_eq!(named, asked, "all of them, in their order");
}
