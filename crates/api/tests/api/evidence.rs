//! Evidence over the API: stated, refused with everything that is wrong, listed, handed out as it came, withdrawn.

use slipway_testkit::{Person, TestApp, Value, World, json, signer::Signer};

const OF_WEB: &str = "/v1/components/web/versions/1.0.0/evidence";
/// A report that would be a page with a script, if anything showed it as one.
const REPORT: &str = "<testsuites><testsuite name=\"&lt;script&gt;alert(1)&lt;/script&gt;\"><testcase name=\"adds\"/></testsuite></testsuites>";

fn report() -> Value {
    json!({"kind": "test_report", "name": "unit", "document": REPORT})
}

fn pointers(reply: &slipway_testkit::Reply) -> Vec<String> {
    assert_eq!(reply.status, 422, "{:#}", reply.body);
    let all = reply.body["errors"].as_array().unwrap().iter();
    all.map(|fault| fault["pointer"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_is_stated_is_shown_listed_and_handed_out_as_it_came_and_never_as_a_page() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let reply = world.engineer.post(OF_WEB, report()).await;
    let location = reply.header("location").to_owned();
    assert!(location.starts_with("/v1/evidence/evd_"), "{location}");
    let made = reply.expect(201);
    assert_eq!(
        (
            &made["about"],
            &made["passed"],
            &made["standing"],
            &made["stated_by"]
        ),
        (&json!("web@1.0.0"), &json!(true), &json!("counts"), &json!("eve"))
    );
    assert_eq!(made["counts"]["passed"], 1);
    let shown = world.viewer.get(&location).await;
    let tag = shown.header("etag").to_owned();
    assert_eq!(shown.expect(200), made);
    let again = world
        .viewer
        .request(axum::http::Method::GET, &location)
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!(again.status, 304);
    let document = world.viewer.get(&format!("{location}/document")).await;
    assert_eq!(document.status, 200);
    assert_eq!(document.header("content-type"), "application/octet-stream");
    assert_eq!(document.header("x-content-type-options"), "nosniff");
    assert!(document.header("content-disposition").starts_with("attachment"));
    // Another of the same kind and name takes its place.
    world.engineer.post(OF_WEB, report()).await.expect(201);
    let page = world.viewer.get(&format!("{OF_WEB}?limit=1")).await.expect(200);
    assert_eq!(page["items"][0]["standing"], "counts");
    let next = page["next"].as_str().unwrap();
    let rest = world
        .viewer
        .get(&format!("{OF_WEB}?limit=1&cursor={next}"))
        .await
        .expect(200);
    assert_eq!(
        (&rest["items"][0]["id"], &rest["items"][0]["standing"]),
        (&made["id"], &json!("superseded"))
    );
    let newest = world
        .viewer
        .get(&format!("{OF_WEB}?newest=true&kind=test_report"))
        .await
        .expect(200);
    assert_eq!(newest["items"].as_array().unwrap().len(), 1);
    let none = world.viewer.get(&format!("{OF_WEB}?kind=sbom")).await.expect(200);
    assert_eq!(none["items"], json!([]));
    let odd = world.viewer.get(&format!("{OF_WEB}?kind=rumour")).await;
    assert_eq!(pointers(&odd), ["/kind"]);
    for missing in [
        "/v1/evidence/evd_00000000000000000000000000",
        "/v1/components/web/versions/9.0.0/evidence",
        "/v1/releases/storefront@9.0.0/evidence",
    ] {
        assert_eq!(
            world.viewer.get(missing).await.problem(404),
            "not-found",
            "{missing}"
        );
    }
    // Whose it is not, for them it is not there.
    assert_eq!(world.stranger.get(&location).await.problem(404), "not-found");
}

#[tokio::test]
async fn a_bad_document_is_refused_with_everything_that_is_wrong_with_it() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let sarif = json!({"version": "1.0.0", "runs": [{"results": [{"level": 7}]}, {"tool": 3}]});
    let body = json!({"kind": "scan", "document": sarif.to_string()});
    let told = pointers(&world.engineer.post(OF_WEB, body).await);
    assert!(told.len() > 2, "{told:?}");
    assert!(
        told.iter().all(|pointer| pointer.starts_with("/document")),
        "{told:?}"
    );
    let unknown = json!({"kind": "rumour", "format": "prose", "document": ""});
    assert_eq!(
        pointers(&world.engineer.post(OF_WEB, unknown).await),
        ["/kind", "/format"]
    );
    let typo = json!({"kind": "scan", "documnet": "{}"});
    world.engineer.post(OF_WEB, typo).await.problem(422);
    let none = world.viewer.get(OF_WEB).await.expect(200);
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn a_release_has_evidence_of_its_own_once_it_is_sealed_and_it_can_be_withdrawn() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.draft("1.0.0").await;
    let of_release = "/v1/releases/storefront@1.0.0/evidence";
    let looked = json!({"who": "eve", "what": "looked at it", "result": "passed"});
    let check = json!({"kind": "manual_check", "name": "looked", "document": looked.to_string()});
    let early = world.engineer.post(of_release, check.clone()).await;
    assert_eq!(early.problem(409), "release-state");
    world
        .manager
        .act("/v1/releases/storefront@1.0.0/seal")
        .await
        .expect(200);
    let made = world.engineer.post(of_release, check).await.expect(201);
    let withdraw = format!("/v1/evidence/{}/withdraw", made["id"].as_str().unwrap());
    assert_eq!(pointers(&world.engineer.act(&withdraw).await), ["/reason"]);
    let reason = json!({"reason": "looked at another one"});
    assert_eq!(
        world.manager.post(&withdraw, reason.clone()).await.problem(403),
        "forbidden"
    );
    let withdrawn = world.engineer.post(&withdraw, reason.clone()).await.expect(200);
    assert_eq!(
        (
            &withdrawn["standing"],
            &withdrawn["withdrawn_by"],
            &withdrawn["withdrawn_reason"]
        ),
        (
            &json!("withdrawn"),
            &json!("eve"),
            &json!("looked at another one")
        )
    );
    assert_eq!(
        world.engineer.post(&withdraw, reason).await.problem(409),
        "evidence-state"
    );
    let listed = world.viewer.get(of_release).await.expect(200);
    assert_eq!(listed["items"][0]["standing"], "withdrawn");
}

async fn register(by: &Person, name: &str, pem: &str) -> slipway_testkit::Reply {
    by.post("/v1/evidence-keys", json!({"name": name, "pem": pem}))
        .await
}

#[tokio::test]
async fn keys_are_registered_and_revoked_by_authorities_who_signed_in() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let signer = Signer::new();
    assert_eq!(
        register(&world.engineer, "ci", signer.pem()).await.problem(403),
        "forbidden"
    );
    let wrong = register(&world.authority, "C I", "-----BEGIN PUBLIC KEY-----").await;
    assert_eq!(pointers(&wrong), ["/name"]);
    let wrong = register(&world.authority, "ci", "-----BEGIN PUBLIC KEY-----").await;
    assert_eq!(pointers(&wrong), ["/pem"]);
    let made = register(&world.authority, "ci", signer.pem()).await.expect(201);
    assert_eq!(made["state"], "trusted");
    let other = Signer::new();
    assert_eq!(
        register(&world.authority, "ci", other.pem()).await.problem(409),
        "exists"
    );
    let digest = world
        .viewer
        .get("/v1/components/web/versions/1.0.0")
        .await
        .expect(200)["digest"]
        .clone();
    let envelope = signer.provenance(digest.as_str().unwrap(), "https://ci.example");
    let body = json!({"kind": "provenance", "document": envelope.to_string()});
    let stated = world.engineer.post(OF_WEB, body).await.expect(201);
    assert_eq!(
        (&stated["verified_by"], &stated["builder"]),
        (&json!("ci"), &json!("https://ci.example"))
    );
    // Signed by somebody whom nobody knows: refused, and not taken for what came without a signature.
    let forged = other.provenance(digest.as_str().unwrap(), "https://ci.example");
    let body = json!({"kind": "provenance", "document": forged.to_string()});
    assert_eq!(world.engineer.post(OF_WEB, body).await.status, 422);
    let reason = json!({"reason": "it leaked"});
    let revoke = "/v1/evidence-keys/ci/revoke";
    assert_eq!(
        world.engineer.post(revoke, reason.clone()).await.problem(403),
        "forbidden"
    );
    let revoked = world.authority.post(revoke, reason.clone()).await.expect(200);
    assert_eq!(
        (&revoked["state"], &revoked["revoked_by"]),
        (&json!("revoked"), &json!("ada"))
    );
    assert_eq!(
        world.authority.post(revoke, reason).await.problem(409),
        "evidence-state"
    );
    let listed = world.viewer.get("/v1/evidence-keys").await.expect(200);
    assert_eq!(listed["items"][0]["revoked_reason"], "it leaked");
    let id = stated["id"].as_str().unwrap();
    let shown = world.viewer.get(&format!("/v1/evidence/{id}")).await.expect(200);
    assert_eq!(shown["standing"], "withdrawn");
    assert_eq!(
        world.viewer.get("/v1/evidence-keys/none").await.problem(404),
        "not-found"
    );
    assert_eq!(
        world.viewer.get("/v1/evidence-keys/ci").await.expect(200)["name"],
        "ci"
    );
}

#[tokio::test]
async fn schemas_are_registered_once_and_shown() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let schema = json!({"type": "object", "required": ["passed"]});
    let body = json!({"name": "load-test", "schema": schema});
    let path = "/v1/evidence-schemas";
    assert_eq!(
        world.engineer.post(path, body.clone()).await.problem(403),
        "forbidden"
    );
    let wrong = json!({"name": "Load!", "schema": {"$ref": "https://example.com/schema"}});
    assert!(!pointers(&world.authority.post(path, wrong).await).is_empty());
    let outside = json!({"name": "load", "schema": {"$ref": "https://example.com/schema"}});
    assert_eq!(
        pointers(&world.authority.post(path, outside).await),
        ["/schema/$ref"]
    );
    let made = world.authority.post(path, body.clone()).await.expect(201);
    assert_eq!(made["schema"], schema);
    assert_eq!(world.authority.post(path, body).await.problem(409), "exists");
    assert_eq!(
        world
            .viewer
            .get("/v1/evidence-schemas/load-test")
            .await
            .expect(200),
        made
    );
    assert_eq!(world.viewer.get(path).await.expect(200)["items"], json!([made]));
    assert_eq!(
        world.viewer.get("/v1/evidence-schemas/none").await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn keys_and_schemas_are_listed_by_pages_that_go_on_where_the_one_before_ended() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let key = async |n: usize| {
        let (name, signer) = (format!("thing-{n}"), Signer::new());
        register(&world.authority, &name, signer.pem()).await.expect(201);
    };
    let schema = async |n: usize| {
        let body = json!({"name": format!("thing-{n}"), "schema": {"type": "object"}});
        world
            .authority
            .post("/v1/evidence-schemas", body)
            .await
            .expect(201);
    };
    for n in 0..5 {
        key(n).await;
        schema(n).await;
    }
    for (path, later) in [("/v1/evidence-keys", 0), ("/v1/evidence-schemas", 1)] {
        let mut names = Vec::new();
        let mut next = String::new();
        loop {
            let page = world
                .viewer
                .get(&format!("{path}?limit=2{next}"))
                .await
                .expect(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2, "{page}");
            names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            // What is added meanwhile moves nothing.
            match later {
                0 => key(5 + names.len()).await,
                _ => schema(5 + names.len()).await,
            }
            match page["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(
            names,
            ["thing-4", "thing-3", "thing-2", "thing-1", "thing-0"],
            "{path}"
        );
        for wrong in ["?limit=201", "?limit=0", "?cursor=none", "?page=2"] {
            assert_eq!(
                world.viewer.get(&format!("{path}{wrong}")).await.problem(400),
                "malformed",
                "{path}{wrong}"
            );
        }
        // A cursor of another list is none of this one.
        let other = world.viewer.get("/v1/clusters?limit=1").await.expect(200);
        if let Some(cursor) = other["next"].as_str() {
            world
                .viewer
                .get(&format!("{path}?cursor={cursor}"))
                .await
                .problem(400);
        }
    }
}

#[tokio::test]
async fn a_policy_asks_for_evidence_and_the_gate_says_how_to_state_it() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let effect = json!({"require_evidence": {"kind": "test_report", "name": "unit", "of": "every_component",
        "max_age": "PT168H", "signed": false}});
    let rules = json!([{"name": "tested", "message": {"text": "tested"}, "effect": effect}]);
    let policy = json!({"name": "proven", "document": {"scope": {"tiers": ["staging"]}, "rules": rules}});
    let made = world.authority.post("/v1/policies", policy).await.expect(201);
    assert_eq!(made["version"]["document"]["rules"][0]["effect"], effect);
    let other = app.person("abe", &["authority"]).await;
    other
        .act("/v1/policies/proven/versions/1/activate")
        .await
        .expect(200);
    let waiting = world.deploy("storefront@1.0.0", "staging").await;
    assert_eq!(waiting["state"], "pending");
    let blockers = waiting["blockers"].as_array().unwrap();
    let blocker = blockers
        .iter()
        .find(|blocker| blocker["kind"] == "evidence")
        .unwrap();
    assert_eq!(
        blocker["unblocked_by"],
        "slipway evidence add web@1.0.0 --kind test_report --name unit --file FILE"
    );
    let wrong = json!({"require_evidence": {"kind": "rumour", "of": "nothing", "max_age": "a week"}});
    let rules = json!([{"name": "tested", "message": {"text": "tested"}, "effect": wrong}]);
    let body = json!({"document": {"rules": rules}});
    let told = pointers(&world.authority.post("/v1/policies/proven/versions", body).await);
    let at = |field: &str| format!("/document/rules/0/effect/require_evidence/{field}");
    for field in ["kind", "of", "max_age"] {
        assert!(told.contains(&at(field)), "{told:?}");
    }
}
