//! Attacks on who may decide, who makes the rules, and who carries things out, by their numbers in the design (`quality.md`).

use crate::matrix::operations;
use axum::http::Method;
use slipway_app::execution::Queue;
use slipway_domain::{
    plan::target::Step,
    ports::{ClaimRequest, WorkQueue as _},
    work::{Ack, Assignment, Report, StepOutcome},
};
use slipway_testkit::{Issuer, TestApp, Value, World, json};
use std::collections::BTreeMap;

/// A deployment to a protected environment, which waits for an approval.
async fn waiting(world: &World) -> Value {
    let guarded = json!({
        "name": "guarded", "tier": "production", "clusters": ["eu"],
        "settings": {"approvals": {"count": 1, "role": "authority"}},
    });
    world.admin.post("/v1/environments", guarded).await.expect(201);
    world.sealed("1.0.0").await;
    world.deploy("storefront@1.0.0", "guarded").await
}

/// How many changes there are in the record, whoever made them.
async fn changes(app: &TestApp, world: &World) -> Value {
    // Who signs in for the first time is written down.
    world.stranger.get("/v1/me").await.expect(200);
    app.settle().await;
    world.auditor.get("/v1/audit/checkpoint").await.expect(200)["entries"].clone()
}

#[tokio::test]
async fn attack_16_a_reader_approves() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let deployment = waiting(&world).await;
    let approval = format!("/v1/approvals/{}", deployment["approval"].as_str().unwrap());
    let of = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    let request = world.viewer.get(&approval).await.expect(200);
    let path = format!("{approval}/decisions");
    let decide = |answer: &str| json!({"decision": answer, "digest": request["digest"], "comment": "fine"});
    // Those who only hold the role elsewhere, and those who hold every role but that one.
    world
        .admin
        .post("/v1/teams", json!({"name": "bank"}))
        .await
        .expect(201);
    let elsewhere = |scope: Value| {
        let mut binding = json!({"principal": {"subject": "ulf"}, "role": "authority"});
        binding
            .as_object_mut()
            .unwrap()
            .extend(scope.as_object().unwrap().clone());
        binding
    };
    for scope in [json!({"team": "bank"}), json!({"environment": "staging"})] {
        world
            .admin
            .post("/v1/role-bindings", elsewhere(scope))
            .await
            .expect(201);
    }
    let seeing = json!({"principal": {"subject": "ulf"}, "role": "viewer"});
    world.admin.post("/v1/role-bindings", seeing).await.expect(201);
    let ulf = app.as_("ulf");
    let others = app
        .person(
            "max",
            &["viewer", "operator", "engineer", "manager", "auditor", "admin"],
        )
        .await;
    let before = changes(&app, &world).await;
    for (who, called) in [
        (&world.viewer, "a viewer"),
        (&world.auditor, "an auditor"),
        (&world.operator, "an operator"),
        (&world.engineer, "an engineer"),
        (&world.manager, "a manager"),
        (&world.admin, "an admin"),
        (&others, "somebody with every other role"),
        (&ulf, "an authority of elsewhere"),
    ] {
        for answer in ["approve", "reject"] {
            let reply = who.post(&path, decide(answer)).await;
            assert_eq!(reply.problem(403), "forbidden", "{called} may {answer}");
        }
        let inbox = who.get("/v1/approvals?mine=pending").await.expect(200);
        assert_eq!(inbox["items"], json!([]), "{called} is asked to decide");
    }
    assert!(
        !world
            .stranger
            .post(&path, decide("approve"))
            .await
            .status
            .is_success()
    );
    assert!(
        !app.nobody()
            .post(&path, decide("approve"))
            .await
            .status
            .is_success()
    );
    assert_eq!(changes(&app, &world).await, before, "something was changed");
    assert_eq!(world.viewer.get(&of).await.expect(200)["state"], "pending");
    let approved = world.authority.post(&path, decide("approve")).await.expect(200);
    assert_eq!(approved["state"], "approved", "and who may, may");
}

#[tokio::test]
async fn attack_16_a_machine_or_a_token_approves() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let deployment = waiting(&world).await;
    let path = format!(
        "/v1/approvals/{}/decisions",
        deployment["approval"].as_str().unwrap()
    );
    let request = path.trim_end_matches("/decisions");
    let request = world.viewer.get(request).await.expect(200);
    // What would do, from a person who may.
    let decision = json!({"decision": "approve", "digest": request["digest"]});
    // No token is made for it, and none that is made otherwise decides.
    let bea = app.person("bea", &["authority", "viewer"]).await;
    let wanted = json!({"name": "bot", "roles": ["authority"], "expires_in": "PT10M"});
    assert_eq!(
        bea.post("/v1/tokens", wanted).await.pointers(),
        ["/roles/0"],
        "a token for approving"
    );
    let token = json!({"name": "bot", "roles": ["viewer"], "expires_in": "PT10M"});
    let token = bea.post("/v1/tokens", token).await.expect(201);
    let bot = bea.with_token(token["secret"].as_str().unwrap());
    assert_eq!(
        bot.post(&path, decision.clone()).await.problem(403),
        "forbidden",
        "a token approves"
    );
    // As if a token had been made for it by somebody who could write to the database.
    app.damage("UPDATE api_tokens SET roles = '{authority,viewer}'")
        .await
        .unwrap();
    let reply = bot.post(&path, decision.clone()).await;
    assert_eq!(reply.problem(403), "forbidden", "a token approves");
    // Nor does a machine, whoever grants it the role.
    let mut claims = Issuer::claims("robo", 600);
    claims["kind"] = json!("machine");
    let robo = app.nobody().with_token(app.issuer.sign(&claims));
    robo.get("/v1/me").await.expect(200);
    let binding = json!({"principal": {"subject": "robo", "kind": "machine"}, "role": "authority"});
    assert_eq!(
        world.admin.post("/v1/role-bindings", binding).await.pointers(),
        ["/role"]
    );
    app.person("robo", &["authority", "viewer"]).await;
    let reply = robo.post(&path, decision.clone()).await;
    assert_eq!(reply.problem(403), "forbidden", "a machine approves");
    let of = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    assert_eq!(world.viewer.get(&of).await.expect(200)["state"], "pending");
    // The same, from her: nothing else was wrong with it.
    let approved = bea.post(&path, decision).await.expect(200);
    assert_eq!(approved["state"], "approved");
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, from the grant to what nobody may change"
)]
async fn attack_17_a_developer_changes_what_protects_an_environment() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let deployment = waiting(&world).await;
    let both = app.person("dev", &["engineer", "operator", "manager"]).await;
    let us = world.viewer.get("/v1/clusters/us").await.ok(200).etag();
    let guarded = world.viewer.get("/v1/environments/guarded").await.ok(200).etag();
    let before = changes(&app, &world).await;
    let person = json!({"subject": "dev"});
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    for (method, path, tag, body) in [
        (
            Method::PATCH,
            "environments/guarded",
            &guarded,
            json!({"settings": {"approvals": null}}),
        ),
        (
            Method::PATCH,
            "environments/guarded",
            &guarded,
            json!({"settings": {"waves": [], "expires_after": "P1D"}}),
        ),
        (
            Method::PATCH,
            "environments/guarded",
            &guarded,
            json!({"clusters": ["us"]}),
        ),
        (Method::PATCH, "environments/guarded", &guarded, json!({})),
        (
            Method::POST,
            "environments",
            &guarded,
            json!({"name": "side-door", "tier": "production", "clusters": ["eu"]}),
        ),
        (
            Method::PATCH,
            "clusters/us",
            &us,
            json!({"grants": {"cluster_scoped_kinds": ["*"]}}),
        ),
        (
            Method::PATCH,
            "clusters/us",
            &us,
            json!({"credential": {"token": "mine"}}),
        ),
        (
            Method::PATCH,
            "clusters/us",
            &us,
            json!({"labels": {"region": "eu"}}),
        ),
        (
            Method::POST,
            "clusters",
            &us,
            json!({"name": "mine", "server": "https://m.example", "credential": {"token": "t"}}),
        ),
        (
            Method::POST,
            "role-bindings",
            &us,
            json!({"principal": person, "role": "authority", "environment": "guarded"}),
        ),
        (
            Method::POST,
            "role-bindings",
            &us,
            json!({"principal": person, "role": "admin"}),
        ),
        (Method::POST, "teams", &us, json!({"name": "mine"})),
        (
            Method::POST,
            "evidence-keys",
            &us,
            json!({"name": "mine", "pem": pem}),
        ),
        (
            Method::POST,
            "evidence-schemas",
            &us,
            json!({"name": "lax", "schema": {"type": "object"}}),
        ),
        (
            Method::POST,
            "processes",
            &us,
            json!({"name": "for-all", "document": {"stages": [{"name": "all", "place": "any"}]}}),
        ),
    ] {
        for (who, called) in [
            (&world.engineer, "an engineer"),
            (&both, "an engineer who deploys and seals"),
        ] {
            let request = who.request(method.clone(), &format!("/v1/{path}"));
            let reply = request.header("if-match", tag).json(&body).send().await;
            let written = path == "processes" && reply.status == 201;
            // Written by engineers, and in force by nobody's word but another one's.
            if written || (path == "processes" && reply.status == 409) {
                let act = "/v1/processes/for-all/versions/1/activate";
                assert_eq!(
                    who.act(act).await.problem(403),
                    "forbidden",
                    "{called} puts a process in force"
                );
                continue;
            }
            assert_eq!(
                reply.problem(403),
                "forbidden",
                "{called}: {method} {path} {body}"
            );
        }
    }
    // `for-all` was written; nothing else was changed.
    let after = changes(&app, &world).await;
    assert_eq!(
        after.as_i64(),
        before.as_i64().map(|n| n + 1),
        "something was changed"
    );
    let of = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    assert_eq!(world.viewer.get(&of).await.expect(200)["state"], "pending");
}

#[tokio::test]
async fn attack_17_where_a_service_lands_is_changed_under_a_deployment_that_waits() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let deployment = waiting(&world).await;
    let of = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    // Engineers say where services land, and what was asked for before keeps to what it said then.
    let target =
        json!({"service": "storefront", "environment": "guarded", "cluster": "eu", "namespace": "elsewhere"});
    world.engineer.post("/v1/targets", target).await.expect(201);
    let approval = format!("/v1/approvals/{}", deployment["approval"].as_str().unwrap());
    let shown = world.authority.get(&approval).await.expect(200);
    let decision = json!({"decision": "approve", "digest": shown["digest"]});
    let decisions = format!("{approval}/decisions");
    world.authority.post(&decisions, decision).await.expect(200);
    let now = world.viewer.get(&of).await.expect(200);
    assert_eq!(
        now["targets"][0]["namespace"], "storefront",
        "it goes where nobody approved: {now:#}"
    );
    let work = claim(&app, "executor").await;
    assert!(
        work.iter().all(|work| work.namespace.as_str() == "storefront"),
        "it is carried out where nobody approved"
    );
}

async fn claim(app: &TestApp, holder: &str) -> Vec<Assignment> {
    let request = ClaimRequest {
        holder: holder.to_owned(),
        max: 100,
        lease: jiff::SignedDuration::from_secs(30),
        cluster_labels: BTreeMap::new(),
    };
    queue(app).claim(&request).await.unwrap()
}

fn queue(app: &TestApp) -> Queue {
    Queue::new(app.app.clone(), app.app.database().clone()).looking_at_everything()
}

#[tokio::test]
async fn attack_23_a_client_pretends_to_be_an_executor() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let all = [
        "viewer",
        "operator",
        "engineer",
        "manager",
        "authority",
        "auditor",
        "admin",
    ];
    let eva = app.person("eva", &all).await;
    world.sealed("1.0.0").await;
    let deployment = world.deploy("storefront@1.0.0", "staging").await;
    let of = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    // What executors say they say to the database: there is no operation for it, with any role.
    for operation in operations() {
        for part in operation.path.split('/') {
            assert!(
                ![
                    "work",
                    "leases",
                    "claim",
                    "report-step",
                    "heartbeat",
                    "steps",
                    "executors",
                    "inventory",
                ]
                .contains(&part),
                "{} {} looks like what an executor says",
                operation.method,
                operation.path
            );
        }
    }
    let stolen = json!({"release": "storefront@1.0.0", "environment": "staging", "state": "succeeded"});
    assert_eq!(
        eva.post("/v1/deployments", stolen).await.problem(422),
        "validation"
    );
    for state in ["running", "succeeded"] {
        for method in [Method::PATCH, Method::PUT] {
            let request = eva.request(method, &of).header("if-match", "*");
            assert_eq!(request.json(&json!({"state": state})).send().await.status, 405);
        }
    }
    assert_eq!(world.viewer.get(&of).await.expect(200)["state"], "queued");
}

#[tokio::test]
async fn attack_23_somebody_signs_in_as_slipway_itself() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    // Whom Slipway calls itself, no issuer vouches for.
    let mut claims = Issuer::claims("slipway", 600);
    claims["iss"] = json!("slipway:itself");
    let itself = app.nobody().with_token(app.issuer.sign(&claims));
    assert_eq!(itself.get("/v1/me").await.problem(401), "unauthenticated");
    let binding = json!({"principal": {"issuer": "slipway:itself", "subject": "slipway"}, "role": "admin"});
    let granted = world.admin.post("/v1/role-bindings", binding).await;
    assert_eq!(
        granted.pointers(),
        ["/principal/issuer"],
        "Slipway itself is granted a role"
    );
    // Somebody whose name it is has no more than anybody, and the record does not take them for it.
    let namesake = app.as_("slipway");
    let team = json!({"name": "mine"});
    assert_eq!(
        namesake.post("/v1/teams", team.clone()).await.problem(403),
        "forbidden"
    );
    let namesake = app.person("slipway", &["admin"]).await;
    namesake.post("/v1/teams", team).await.expect(201);
    app.settle().await;
    let entries = world
        .auditor
        .get("/v1/audit/entries?action=team.create&limit=200")
        .await
        .expect(200);
    let last = entries["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["subject"], "mine", "{last:#}");
    assert_ne!(
        last["actor"], "slipway",
        "the record says that Slipway itself did what somebody did"
    );
}

/// A report of a step on the work of an assignment.
fn done(outcome: StepOutcome) -> Report {
    Report {
        step: Step::Guard.into(),
        outcome,
        notes: Vec::new(),
        inventory: None,
        readiness: None,
    }
}

#[tokio::test]
async fn attack_23_an_executor_speaks_for_another_one() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let deployment = world.deploy("storefront@1.0.0", "staging").await;
    let of = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    let mine = claim(&app, "mine").await.remove(0);
    assert!(
        claim(&app, "other").await.is_empty(),
        "what one holds another is given"
    );
    let before = world.viewer.get(&of).await.expect(200);
    let minute = jiff::SignedDuration::from_secs(60);
    let held = queue(&app)
        .heartbeat("other", std::slice::from_ref(&mine.lease), minute)
        .await
        .unwrap();
    assert!(
        held.extended.is_empty() && held.busy.is_empty(),
        "another one extends my lease"
    );
    // Fences are numbers in order, and guessing one that is not held says nothing.
    for fence in [mine.lease.fence - 1, mine.lease.fence + 1, 0, i64::MAX] {
        let mut guessed = mine.clone();
        guessed.lease.fence = fence;
        for outcome in [
            StepOutcome::Begun,
            StepOutcome::Done(Value::Null),
            StepOutcome::Succeeded,
            StepOutcome::Failed {
                reason: "theirs".to_owned(),
            },
        ] {
            let ack = queue(&app).report(&guessed, done(outcome)).await.unwrap();
            assert_eq!(ack, Ack::Lost, "fence {fence} is taken for {}", mine.lease.fence);
        }
        let held = queue(&app)
            .heartbeat("mine", &[guessed.lease], minute)
            .await
            .unwrap();
        assert!(held.extended.is_empty(), "fence {fence} extends the lease");
    }
    assert_eq!(
        world.viewer.get(&of).await.expect(200),
        before,
        "what another one said was recorded"
    );
    let ack = queue(&app).report(&mine, done(StepOutcome::Begun)).await.unwrap();
    assert_eq!(ack, Ack::Continue, "and the one that holds it goes on");
}
