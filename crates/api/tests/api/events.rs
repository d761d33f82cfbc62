//! Watching: what happens, as it happens.

use axum::{body::BodyDataStream, http::Method};
use futures::StreamExt as _;
use slipway_api::ApiConfig;
use slipway_testkit::{Person, TestApp, Value, World, json};
use std::time::Duration;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    pub(crate) async fn open(person: &Person, query: &str, last: Option<&str>) -> Self {
        let mut request = person.request(Method::GET, &format!("/v1/events{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.open().await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event, as `(id, kind, data)`; `None` when the stream ends.
    pub(crate) async fn next(&mut self) -> Option<(i64, String, Value)> {
        tokio::time::timeout(PATIENCE, self.read())
            .await
            .expect("an event, or the end, in time")
    }

    async fn read(&mut self) -> Option<(i64, String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                        .map(str::to_owned)
                };
                if let (Some(id), Some(kind), Some(data)) = (field("id"), field("event"), field("data")) {
                    return Some((id.parse().unwrap(), kind, serde_json::from_str(&data).unwrap()));
                }
            }
            let chunk = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test]
async fn a_watcher_is_told_what_happens_and_goes_on_after_a_break() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    app.settle().await;
    let mut stream = Stream::open(&world.viewer, "", None).await;
    world.draft("1.0.0").await;
    app.settle().await;
    let (first, kind, data) = stream.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &data["actor"]),
        ("release.compose", &json!("ana")),
        "{data:#}"
    );
    assert_eq!(data["seq"], first);
    drop(stream);
    world
        .manager
        .act("/v1/releases/storefront@1.0.0/seal")
        .await
        .expect(200);
    app.settle().await;
    let mut resumed = Stream::open(&world.viewer, "", Some(&first.to_string())).await;
    let (second, kind, data) = resumed.next().await.unwrap();
    assert_eq!((second, kind.as_str()), (first + 1, "release.seal"));
    assert_eq!(data["service"], "storefront");
}

#[tokio::test]
async fn a_stream_shows_only_what_was_asked_for_and_may_be_seen() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world
        .admin
        .post("/v1/teams", json!({"name": "bank"}))
        .await
        .expect(201);
    let binding = json!({"principal": {"subject": "bob"}, "role": "engineer", "team": "bank"});
    world.admin.post("/v1/role-bindings", binding).await.expect(201);
    app.settle().await;
    let bob = app.as_("bob");
    let mut own = Stream::open(&bob, "", None).await;
    let mut seals = Stream::open(&world.viewer, "?kind=release.seal&service=storefront", None).await;
    world.sealed("1.0.0").await;
    bob.post("/v1/components", json!({"name": "ledger", "team": "bank"}))
        .await
        .expect(201);
    app.settle().await;
    assert_eq!(own.next().await.unwrap().2["subject"], "ledger");
    assert_eq!(seals.next().await.unwrap().1, "release.seal");
    assert_eq!(
        bob.get("/v1/events?service=storefront").await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let config = ApiConfig {
        stream_recheck: Duration::from_millis(50),
        ..ApiConfig::default()
    };
    let app = TestApp::with(config).await;
    let viewer = app.person("vic", &["viewer"]).await;
    let token = json!({"name": "wall", "roles": ["viewer"], "expires_in": "PT10M"});
    let token = viewer.post("/v1/tokens", token).await.expect(201);
    app.settle().await;
    let mut stream = Stream::open(&viewer.with_token(token["secret"].as_str().unwrap()), "", None).await;
    viewer
        .delete(&format!("/v1/tokens/{}", token["token"]["id"].as_str().unwrap()))
        .await
        .expect(204);
    while stream.next().await.is_some() {}
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_the_server() {
    let app = TestApp::start().await;
    app.person("vic", &["viewer"]).await;
    let short = app.nobody().with_token(app.issuer.token_for("vic", 2));
    let mut stream = Stream::open(&short, "", None).await;
    assert!(stream.next().await.is_none());
    let mut stream = Stream::open(&app.as_("vic"), "", None).await;
    app.shutdown.cancel();
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_role_that_is_taken_away_shows_nothing_more() {
    let config = ApiConfig {
        stream_recheck: Duration::from_millis(50),
        ..ApiConfig::default()
    };
    let app = TestApp::with(config).await;
    let world = World::shop(&app).await;
    world
        .admin
        .post("/v1/teams", json!({"name": "bank"}))
        .await
        .expect(201);
    let role = |team: &str| json!({"principal": {"subject": "new"}, "role": "viewer", "team": team});
    let lost = world.admin.post("/v1/role-bindings", role("shop")).await.ok(201);
    world
        .admin
        .post("/v1/role-bindings", role("bank"))
        .await
        .expect(201);
    app.settle().await;
    let mut stream = Stream::open(&app.as_("new"), "?kind=component.create", None).await;
    world.admin.delete(lost.header("location")).await.expect(204);
    // Each round makes something in both teams. As soon as the stream knows, it shows only what is still allowed.
    let rounds = async {
        for round in 0.. {
            let name = |team: &str| format!("{team}-{round}");
            for team in ["shop", "bank"] {
                let body = json!({"name": name(team), "team": team});
                world.engineer.post("/v1/components", body).await.expect(201);
            }
            app.settle().await;
            let first = stream.read().await.unwrap().2["subject"].clone();
            if first == json!(name("bank")) {
                return;
            }
            assert_eq!(stream.read().await.unwrap().2["subject"], json!(name("bank")));
        }
    };
    tokio::time::timeout(PATIENCE, rounds)
        .await
        .expect("a role that is gone for the stream, too, in time");
}

#[tokio::test]
async fn too_many_streams_are_refused_with_a_hint() {
    let app = TestApp::with(ApiConfig {
        max_streams: 1,
        ..ApiConfig::default()
    })
    .await;
    let viewer = app.person("vic", &["viewer"]).await;
    let _open = Stream::open(&viewer, "", None).await;
    let refused = viewer.get("/v1/events").await;
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(refused.problem(503), "unavailable");
    let wrong = viewer
        .request(Method::GET, "/v1/events")
        .header("last-event-id", "x")
        .send()
        .await;
    assert!([400, 503].contains(&wrong.status.as_u16()));
}
