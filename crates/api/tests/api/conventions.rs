//! What holds for every request: ids, problems, tags, pages.

use axum::http::Method;
use slipway_testkit::{TestApp, World, json};

#[tokio::test]
async fn every_response_carries_the_requests_id_and_a_sane_given_one_is_kept() {
    let app = TestApp::start().await;
    let nobody = app.nobody();
    let made = nobody.get("/healthz").await.ok(200);
    assert_eq!(made.header("x-request-id").len(), 36);
    let kept = nobody
        .request(Method::GET, "/v1/me")
        .header("x-request-id", "build-1234")
        .send()
        .await;
    assert_eq!(kept.header("x-request-id"), "build-1234");
    assert_eq!(kept.body["instance"], "/requests/build-1234");
    let evil = nobody
        .request(Method::GET, "/v1/me")
        .header("x-request-id", "<script>alert(1)</script>")
        .send()
        .await;
    assert!(!evil.header("x-request-id").contains('<'));
}

#[tokio::test]
async fn a_path_or_method_that_is_not_there_is_a_problem_too() {
    let app = TestApp::start().await;
    let admin = app.person("root", &["admin"]).await;
    assert_eq!(admin.get("/v1/nothing").await.problem(404), "not-found");
    assert_eq!(app.nobody().get("/nothing").await.problem(404), "not-found");
    let wrong = admin.request(Method::PUT, "/v1/teams").send().await;
    assert!(wrong.header("allow").contains("POST"), "{:?}", wrong.headers);
    assert_eq!(wrong.problem(405), "method-not-allowed");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_says_why() {
    let app = TestApp::start().await;
    let admin = app.person("root", &["admin"]).await;
    let post = || admin.request(Method::POST, "/v1/teams");
    let broken = post()
        .header("content-type", "application/json")
        .raw("{\"name\":\n shop}")
        .send()
        .await;
    assert!(
        broken.body["detail"].as_str().unwrap().contains("line 2"),
        "{:#}",
        broken.body
    );
    assert_eq!(broken.problem(400), "malformed");
    let text = post()
        .header("content-type", "text/plain")
        .raw("{\"name\": \"shop\"}")
        .send()
        .await;
    assert_eq!(text.problem(415), "unsupported-media-type");
    let empty = post().header("content-type", "application/json").send().await;
    assert_eq!(empty.problem(400), "malformed");
    let deep = "[".repeat(100_000);
    let deep = post()
        .header("content-type", "application/json")
        .raw(deep)
        .send()
        .await;
    assert_eq!(deep.problem(400), "malformed");
}

#[tokio::test]
async fn all_faults_of_a_body_come_at_once_unknown_fields_too() {
    let app = TestApp::start().await;
    let admin = app.person("root", &["admin"]).await;
    let body = json!({"name": "No Name", "descripton": "x", "criticality": 3});
    let reply = admin.post("/v1/services", body).await;
    let mut pointers = reply.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/criticality", "/descripton", "/name", "/team"]);
    assert_eq!(reply.problem(422), "validation");
    admin.get("/v1/services/no-name").await.problem(404);
}

#[tokio::test]
async fn unknown_and_wrong_query_parameters_are_refused_together() {
    let app = TestApp::start().await;
    let viewer = app.person("vic", &["viewer"]).await;
    let reply = viewer.get("/v1/services?limit=0&colour=blue").await;
    let mut pointers = reply.pointers();
    pointers.sort();
    assert_eq!(pointers, ["?colour", "?limit"]);
    assert_eq!(reply.problem(400), "malformed");
    assert_eq!(
        viewer
            .get("/v1/services?cursor=%27%20OR%201%3D1")
            .await
            .problem(400),
        "malformed"
    );
    viewer.get("/v1/services?limit=201").await.problem(400);
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended_whatever_was_added_meanwhile() {
    let app = TestApp::start().await;
    let admin = app.person("root", &["admin"]).await;
    for n in 0..5 {
        admin
            .post("/v1/teams", json!({"name": format!("team-{n}")}))
            .await
            .expect(201);
    }
    let first = admin.get("/v1/teams?limit=2").await.expect(200);
    let names = |page: &slipway_testkit::Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["team-4", "team-3"]);
    admin
        .post("/v1/teams", json!({"name": "later"}))
        .await
        .expect(201);
    let second = admin
        .get(&format!(
            "/v1/teams?limit=2&cursor={}",
            first["next"].as_str().unwrap()
        ))
        .await
        .expect(200);
    assert_eq!(names(&second), ["team-2", "team-1"]);
    let last = admin
        .get(&format!(
            "/v1/teams?limit=2&cursor={}",
            second["next"].as_str().unwrap()
        ))
        .await
        .expect(200);
    assert_eq!(names(&last), ["team-0"]);
    assert!(last.get("next").is_none());
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again_and_what_changed_is() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let service = world.viewer.get("/v1/services/storefront").await.ok(200);
    let again = |tag: String| {
        world
            .viewer
            .request(Method::GET, "/v1/services/storefront")
            .header("if-none-match", &tag)
            .send()
    };
    let unchanged = again(service.etag()).await.ok(304);
    assert!(unchanged.body.is_null());
    assert_eq!(unchanged.etag(), service.etag());
    let changed = world
        .engineer
        .patch(
            "/v1/services/storefront",
            &service.etag(),
            json!({"description": "the shop"}),
        )
        .await
        .ok(200);
    assert_ne!(changed.etag(), service.etag());
    let fresh = again(service.etag()).await.expect(200);
    assert_eq!(fresh["description"], "the shop");
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let path = "/v1/services/storefront";
    let seen = world.engineer.get(path).await.etag();
    world
        .engineer
        .patch(path, &seen, json!({"description": "first"}))
        .await
        .expect(200);
    let stale = world
        .engineer
        .patch(path, &seen, json!({"description": "second"}))
        .await;
    assert_eq!(stale.problem(412), "stale");
    let missing = world
        .engineer
        .request(Method::PATCH, path)
        .json(&json!({"description": "second"}))
        .send()
        .await;
    assert_eq!(missing.problem(428), "precondition-required");
    assert_eq!(
        world.engineer.patch(path, "three", json!({})).await.problem(400),
        "malformed"
    );
    let whichever = world
        .engineer
        .patch(path, "*", json!({"description": "third"}))
        .await
        .expect(200);
    assert_eq!(whichever["description"], "third");
}

#[tokio::test]
async fn an_id_and_a_name_lead_to_the_same_thing() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    for kind in [
        "teams/shop",
        "services/storefront",
        "environments/staging",
        "clusters/eu",
        "components/web",
    ] {
        let by_name = world.viewer.get(&format!("/v1/{kind}")).await.expect(200);
        let folder = kind.split('/').next().unwrap();
        let by_id = world
            .viewer
            .get(&format!("/v1/{folder}/{}", by_name["id"].as_str().unwrap()))
            .await
            .expect(200);
        assert_eq!(by_id, by_name);
    }
}
