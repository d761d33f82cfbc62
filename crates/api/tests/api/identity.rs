//! Who sends a request: tokens that are refused, API tokens, role bindings.

use slipway_testkit::{AUDIENCE, ISSUER, Issuer, TestApp, World, json};

#[tokio::test]
async fn a_request_without_a_good_token_is_refused_with_a_challenge() {
    let app = TestApp::start().await;
    let missing = app.nobody().get("/v1/me").await;
    assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"slipway\"");
    assert_eq!(missing.problem(401), "unauthenticated");
    let forged = Issuer::generate().token("root");
    let spoil = |change: &dyn Fn(&mut slipway_testkit::Value)| {
        let mut claims = Issuer::claims("root", 3600);
        change(&mut claims);
        app.issuer.sign(&claims)
    };
    let cases = [
        ("forged", forged),
        ("nonsense", "nonsense".to_owned()),
        ("expired", app.issuer.token_for("root", -120)),
        ("audience", spoil(&|claims| claims["aud"] = json!("another"))),
        (
            "issuer",
            spoil(&|claims| claims["iss"] = json!("https://evil.test")),
        ),
        ("no subject", spoil(&|claims| claims["sub"] = json!(""))),
        (
            "exp as text",
            spoil(&|claims| claims["exp"] = json!("9999999999")),
        ),
        ("unknown API token", format!("slp_{}", "A".repeat(43))),
    ];
    for (case, token) in cases {
        let reply = app.nobody().with_token(&token).get("/v1/me").await;
        assert!(
            reply.header("www-authenticate").contains("invalid_token"),
            "{case}"
        );
        assert!(!reply.body.to_string().contains(&token), "{case}");
        assert_eq!(reply.problem(401), "unauthenticated", "{case}");
    }
    assert_eq!(app.audience(), AUDIENCE);
}

#[tokio::test]
async fn me_says_who_i_am_and_what_i_may_do() {
    let app = TestApp::start().await;
    let manager = app.person("ana", &["manager"]).await;
    let me = manager.get("/v1/me").await.expect(200);
    assert_eq!(
        (&me["principal"]["subject"], &me["principal"]["issuer"]),
        (&json!("ana"), &json!(ISSUER))
    );
    assert_eq!(me["proof"], "signed_in");
    assert_eq!(me["roles"][0]["role"], "manager");
    assert!(
        me["roles"][0]["permissions"]
            .as_array()
            .unwrap()
            .contains(&json!("release.seal"))
    );
    let stranger = app.as_("sam").get("/v1/me").await.expect(200);
    assert_eq!(stranger["roles"], json!([]));
}

#[tokio::test]
async fn an_api_token_may_what_it_was_made_for_until_it_is_revoked() {
    let app = TestApp::start().await;
    let both = app.person("bea", &["engineer", "admin"]).await;
    let body = json!({"name": "nightly", "roles": ["engineer"], "expires_in": "PT10M"});
    let made = both.post("/v1/tokens", body).await.ok(201);
    assert!(made.header("location").starts_with("/v1/tokens/tok_"));
    let made = made.body;
    let token = both.with_token(made["secret"].as_str().unwrap());
    assert_eq!(token.get("/v1/me").await.expect(200)["proof"], "api_token");
    assert_eq!(
        token
            .post("/v1/teams", json!({"name": "shop"}))
            .await
            .problem(403),
        "forbidden"
    );
    let path = format!("/v1/tokens/{}", made["token"]["id"].as_str().unwrap());
    let shown = both.get(&path).await.expect(200);
    assert!(shown.get("secret").is_none());
    assert_eq!(app.as_("sam").get(&path).await.problem(404), "not-found");
    assert_eq!(app.as_("sam").delete(&path).await.problem(404), "not-found");
    both.delete(&path).await.expect(204);
    assert_eq!(token.get("/v1/me").await.problem(401), "unauthenticated");
    assert!(both.get(&path).await.expect(200)["revoked_at"].is_string());
}

#[tokio::test]
async fn an_api_token_never_may_more_nor_lives_longer_than_what_it_was_made_with() {
    let app = TestApp::start().await;
    let engineer = app.person("eve", &["engineer"]).await;
    let ask = |roles: slipway_testkit::Value, expires_in: &str| json!({"name": "nightly", "roles": roles, "expires_in": expires_in});
    let more = engineer
        .post("/v1/tokens", ask(json!(["admin", "authority"]), "PT10M"))
        .await;
    assert_eq!(more.pointers(), ["/roles/0", "/roles/1"]);
    more.problem(422);
    let longer = engineer
        .post("/v1/tokens", ask(json!(["engineer"]), "PT10H"))
        .await;
    assert_eq!(longer.pointers(), ["/expires_in"]);
    longer.problem(422);
    let short = engineer
        .post("/v1/tokens", ask(json!(["engineer"]), "PT5M"))
        .await
        .expect(201);
    let short = engineer.with_token(short["secret"].as_str().unwrap());
    for life in ["PT30M", "PT1M"] {
        let another = short.post("/v1/tokens", ask(json!(["engineer"]), life)).await;
        assert_eq!(another.problem(403), "refused", "{life}");
    }
}

#[tokio::test]
async fn a_role_that_was_taken_away_is_gone_with_the_next_request() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let binding = json!({"principal": {"subject": "new"}, "role": "viewer"});
    let made = world
        .admin
        .post("/v1/role-bindings", binding.clone())
        .await
        .ok(201);
    let path = made.header("location").to_owned();
    assert_eq!(
        world.admin.post("/v1/role-bindings", binding).await.problem(409),
        "exists"
    );
    let new = app.as_("new");
    new.get("/v1/teams").await.expect(200);
    let shown = world.admin.get(&path).await.expect(200);
    assert_eq!(
        (&shown["role"], &shown["principal"]["subject"]),
        (&json!("viewer"), &json!("new"))
    );
    let listed = world
        .admin
        .get("/v1/role-bindings?subject=new&role=viewer")
        .await
        .expect(200);
    assert_eq!(listed["items"], json!([shown]));
    world.admin.delete(&path).await.expect(204);
    assert_eq!(new.get("/v1/teams").await.problem(403), "forbidden");
    assert_eq!(world.admin.delete(&path).await.problem(404), "not-found");
}

#[tokio::test]
async fn nobody_grants_themselves_the_right_to_approve() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let to_self = json!({"principal": {"subject": "root"}, "role": "authority"});
    assert_eq!(
        world.admin.post("/v1/role-bindings", to_self).await.problem(403),
        "self-grant"
    );
    let wrong =
        json!({"principal": {"subject": "x", "issuer": "https://evil.test"}, "role": "boss", "team": "none"});
    let reply = world.admin.post("/v1/role-bindings", wrong).await;
    let mut pointers = reply.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/principal/issuer", "/role", "/team"]);
    reply.problem(422);
}
