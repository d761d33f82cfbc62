//! The command line against a small HTTP double: what it sends, when it sends it again, and how it exits.

mod people;

use super::*;
use crate::client::{
    exit::Exit,
    http::{Paging, Query, Reply},
    settings::Access,
    watch::{self, Until},
};
use axum::{
    Json, Router,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use backon::ExponentialBuilder;
use serde_json::{Value, json};
use slipway_api_types::registry::Team;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// A deployment as the API writes it.
pub(crate) fn deployment(state: &str) -> Value {
    json!({
        "id": "dep_1", "kind": "deploy", "service": "storefront", "environment": "production",
        "release": "storefront@1.0.0", "plan_digest": "sha256:0", "state": state, "since": "2026-01-02T03:04:05Z",
        "requested_by": "ana", "expires_at": "2026-01-09T03:04:05Z", "gates": [], "blockers": [], "targets": [],
        "force_conflicts": false, "created_at": "2026-01-02T03:04:05Z"
    })
}

fn event(seq: i64, message: &str) -> Value {
    json!({
        "seq": seq, "at": "2026-01-02T03:04:05Z", "kind": "deployment.activity", "message": message,
        "actor": "slipway", "subject": "dep_1", "deployment": "dep_1"
    })
}

fn team(name: &str) -> Value {
    json!({"id": format!("team_{name}"), "name": name, "created_at": "2026-01-02T03:04:05Z"})
}

/// What the double saw: method, path with query, headers.
type Seen = Arc<Mutex<Vec<(String, String, HeaderMap)>>>;

/// Serves `router` on a free port of loopback, and a context that speaks to it.
async fn against(router: Router) -> (Context, Seen) {
    let seen = Seen::default();
    let record = seen.clone();
    let router = router.layer(axum::middleware::from_fn(
        move |request: Request, next: axum::middleware::Next| {
            let record = record.clone();
            async move {
                let path = request.uri().path_and_query().unwrap().to_string();
                record
                    .lock()
                    .unwrap()
                    .push((request.method().to_string(), path, request.headers().clone()));
                next.run(request).await
            }
        },
    ));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (context(server), seen)
}

fn context(server: url::Url) -> Context {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let quick = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(1))
        .with_max_times(3);
    let api = Api::new(Access {
        server,
        token: Some("t0ken".to_owned().into()),
    })
    .unwrap()
    .with_retry(quick);
    Context {
        api,
        out: Out::default(),
    }
}

fn printed(cx: &Context) -> String {
    cx.out.sink.kept()
}

async fn carry_out(cx: &Context, line: &str) -> Result<(), Failure> {
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    match cli.command {
        Command::Team(command) => command.run(cx).await,
        Command::Service(command) => command.run(cx).await,
        Command::Deploy(command) => command.run(cx).await,
        Command::Approve(approve) => approve.run(cx).await,
        Command::Audit(command) => command.run(cx).await,
        Command::Group(command) => command.run(cx).await,
        Command::Delegation(command) => command.run(cx).await,
        Command::Away(away) => away.run(cx).await,
        other => panic!("not wired for tests: {other:?}"),
    }
}

/// Answers in turn, the last one for ever.
fn in_turn(answers: Vec<(StatusCode, Value)>) -> impl Fn() -> Response + Clone + Send + Sync + 'static {
    let left = Arc::new(Mutex::new(answers));
    move || {
        let mut left = left.lock().unwrap();
        let (status, body) = if left.len() > 1 {
            left.remove(0)
        } else {
            left[0].clone()
        };
        (status, Json(body)).into_response()
    }
}

fn problem(status: u16) -> (StatusCode, Value) {
    let body = json!({
        "type": "/problems/x", "title": "No", "status": status, "detail": "not so", "instance": "/requests/r"
    });
    (StatusCode::from_u16(status).unwrap(), body)
}

fn refused(status: u16) -> Response {
    let (status, body) = problem(status);
    (status, Json(body)).into_response()
}

#[test]
fn the_arguments_are_consistent() {
    Cli::command().debug_assert();
}

#[tokio::test]
async fn a_post_is_repeated_with_the_same_key_while_the_server_is_unavailable() {
    let answer = in_turn(vec![
        problem(503),
        problem(503),
        (StatusCode::CREATED, team("shop")),
    ]);
    let (cx, seen) = against(Router::new().route("/v1/teams", post(async move || answer()))).await;
    carry_out(&cx, "slipway team create shop").await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    let keys: Vec<_> = seen
        .iter()
        .map(|(_, _, headers)| headers["idempotency-key"].clone())
        .collect();
    assert!(keys.iter().all(|key| key == keys[0]) && !keys[0].is_empty());
    assert_eq!(seen[0].2["authorization"], "Bearer t0ken");
    assert!(printed(&cx).contains("shop"));
}

#[tokio::test]
async fn two_posts_have_two_keys() {
    let answer = in_turn(vec![(StatusCode::CREATED, team("shop"))]);
    let (cx, seen) = against(Router::new().route("/v1/teams", post(async move || answer()))).await;
    for _ in 0..2 {
        carry_out(&cx, "slipway team create shop").await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_ne!(seen[0].2["idempotency-key"], seen[1].2["idempotency-key"]);
}

#[tokio::test]
async fn what_is_refused_is_not_repeated_and_has_its_exit_code() {
    let table = [
        (401, Exit::NotPermitted),
        (403, Exit::NotPermitted),
        (404, Exit::NotFound),
        (409, Exit::Conflict),
        (412, Exit::Conflict),
        (422, Exit::Refused),
        (500, Exit::Unavailable),
    ];
    for (status, exit) in table {
        let answer = in_turn(vec![problem(status)]);
        let (cx, seen) = against(Router::new().route("/v1/teams", post(async move || answer()))).await;
        let failure = carry_out(&cx, "slipway team create shop").await.unwrap_err();
        assert_eq!(failure.exit(), exit, "{status}");
        assert_eq!(seen.lock().unwrap().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn repeating_is_bounded_and_does_not_outlast_patience() {
    let answer = in_turn(vec![problem(503)]);
    let (cx, seen) = against(Router::new().route("/v1/teams", post(async move || answer()))).await;
    assert_eq!(
        carry_out(&cx, "slipway team create shop")
            .await
            .unwrap_err()
            .exit(),
        Exit::Unavailable
    );
    assert_eq!(seen.lock().unwrap().len(), 4);

    let later = async || ([("retry-after", "3600")], refused(503));
    let later = Router::new().route("/v1/teams", get(later));
    let (cx, seen) = against(later).await;
    assert_eq!(
        carry_out(&cx, "slipway team list").await.unwrap_err().exit(),
        Exit::Unavailable
    );
    assert_eq!(seen.lock().unwrap().len(), 1, "an hour is not waited for");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_exit_code_six() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let cx = context(format!("http://{free}").parse().unwrap());
    assert_eq!(
        carry_out(&cx, "slipway team create shop")
            .await
            .unwrap_err()
            .exit(),
        Exit::Unavailable
    );
}

#[tokio::test]
async fn an_update_is_for_what_was_read() {
    let service = json!({
        "id": "svc_1", "name": "storefront", "team": "shop", "criticality": "high", "description": "",
        "created_at": "2026-01-02T03:04:05Z"
    });
    let read = service.clone();
    let router = Router::new().route(
        "/v1/services/storefront",
        get(async move || ([("etag", "\"7\"")], Json(read))).patch(async move |headers: HeaderMap| {
            match headers.get("if-match").map(axum::http::HeaderValue::as_bytes) {
                Some(b"\"7\"") => Json(service).into_response(),
                _ => refused(412),
            }
        }),
    );
    let (cx, _) = against(router).await;
    carry_out(&cx, "slipway service update storefront --criticality high")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (cx, seen) = against(Router::new().route(
        "/v1/teams",
        get(async || axum::response::Redirect::to("/v1/other")),
    ))
    .await;
    let failure = carry_out(&cx, "slipway team list").await.unwrap_err();
    assert!(failure.to_string().contains("/v1/other"), "{failure}");
    assert!(
        seen.lock()
            .unwrap()
            .iter()
            .all(|(_, path, _)| path.starts_with("/v1/teams"))
    );
}

#[tokio::test]
async fn lists_follow_cursors_as_far_as_is_wanted() {
    let page = async |RawQuery(query): RawQuery| {
        let query = query.unwrap_or_default();
        let (items, next) = if query.contains("cursor=two%2F") {
            (vec![team("c")], None)
        } else {
            (vec![team("a"), team("b")], Some("two/"))
        };
        let mut page = json!({ "items": items });
        if let Some(next) = next {
            page["next"] = next.into();
        }
        Json(page)
    };
    let (cx, seen) = against(Router::new().route("/v1/teams", get(page))).await;
    let all = cx
        .api
        .list(&["v1", "teams"], Query::new(), Paging::ALL)
        .await
        .unwrap();
    assert_eq!((all.items.len(), all.next.as_deref()), (3, None));
    carry_out(&cx, "slipway -q team list --limit 2").await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2].1, "/v1/teams?limit=2");
    assert!(printed(&cx).contains('b') && !printed(&cx).contains("team_c"));
}

#[tokio::test]
async fn a_path_holds_exactly_one_resource() {
    let (cx, seen) = against(Router::new().fallback(async || refused(404))).await;
    let failure = carry_out(&cx, "slipway service show ..").await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    let failure = carry_out(&cx, "slipway service show a/../b?c").await.unwrap_err();
    assert_eq!(failure.exit(), Exit::NotFound);
    assert_eq!(seen.lock().unwrap()[0].1, "/v1/services/a%2F..%2Fb%3Fc");
}

#[tokio::test]
async fn json_is_the_servers_own_even_where_this_version_knows_less() {
    let router = Router::new().route(
        "/v1/teams",
        post(async || (StatusCode::CREATED, r#"{"z":1.50,"a":"new in a later version"}"#)),
    );
    let (mut cx, _) = against(router).await;
    cx.out.format = Format::Json;
    carry_out(&cx, "slipway team create shop").await.unwrap();
    assert_eq!(
        printed(&cx),
        "{\n  \"z\": 1.50,\n  \"a\": \"new in a later version\"\n}\n"
    );
    assert!(Reply::read::<Team>(&cx.api.post(&["v1", "teams"], &json!({})).await.unwrap()).is_err());
}

#[tokio::test]
async fn without_a_digest_nothing_is_approved() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let approval = json!({
        "id": "apr_1", "deployment": "dep_1", "service": "storefront", "release": "storefront@1.0.0",
        "environment": "production", "state": "pending", "digest": digest, "plan_digest": "sha256:0",
        "asked": "before", "release_digest": "sha256:1", "people": 1, "missing": ["1 more with the role authority"],
        "requirements": [{"rule": {"count": 1, "role": "authority"}, "asked_by": ["environment production"], "asked": []}], "excluded": [{"who": "ana", "because": "sealed"}],
        "decisions": [], "requested_by": "ana", "mine": true, "created_at": "2026-01-02T03:04:05Z"
    });
    let (shown, decided) = (approval.clone(), approval);
    let bodies = Arc::new(Mutex::new(Vec::<Value>::new()));
    let router = Router::new()
        .route("/v1/approvals/apr_1", get(async move || Json(shown)))
        .route(
            "/v1/approvals/apr_1/decisions",
            post(
                async move |State(bodies): State<Arc<Mutex<Vec<Value>>>>, Json(body): Json<Value>| {
                    bodies.lock().unwrap().push(body);
                    Json(decided)
                },
            ),
        )
        .with_state(bodies.clone());
    let (mut cx, _) = against(router).await;
    // A terminal would be asked; JSON never is.
    cx.out.format = Format::Json;
    let failure = carry_out(&cx, "slipway approve apr_1").await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    assert!(failure.to_string().contains(&format!("--digest {digest}")));
    assert!(printed(&cx).contains(&digest));
    assert!(bodies.lock().unwrap().is_empty());

    carry_out(&cx, &format!("slipway approve apr_1 --digest {digest}"))
        .await
        .unwrap();
    carry_out(&cx, "slipway approve apr_1 --reject --comment no")
        .await
        .unwrap();
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies[0], json!({"decision": "approve", "digest": digest}));
    assert_eq!(
        bodies[1],
        json!({"decision": "reject", "digest": digest, "comment": "no"})
    );
}

/// A deployment that is `last` after `readings` readings, and whose stream of events breaks after each event.
fn story(readings: usize, last: &'static str) -> Router {
    let mut answers: Vec<_> = vec![(StatusCode::OK, deployment("running")); readings];
    answers.push((StatusCode::OK, deployment(last)));
    let read = in_turn(answers);
    let stream = async |headers: HeaderMap| {
        let after: i64 = headers
            .get("last-event-id")
            .map_or(0, |id| id.to_str().unwrap().parse().unwrap());
        let next = after + 1;
        let body = format!(
            "id: {next}\nevent: x\ndata: {}\n\n",
            event(next, &format!("event {next}"))
        );
        ([("content-type", "text/event-stream")], body)
    };
    Router::new()
        .route(
            "/v1/deployments/{id}",
            get(async move |Path(_): Path<String>| read()),
        )
        .route(
            "/v1/deployments/{id}/activities",
            get(async || Json(json!({"items": [event(0, "event 3"), event(2, "two"), event(1, "one")]}))),
        )
        .route("/v1/events", get(stream))
}

#[tokio::test]
async fn watching_tells_each_event_once_across_broken_streams_and_ends_with_the_deployment() {
    let (cx, seen) = against(story(4, "succeeded")).await;
    carry_out(&cx, "slipway deploy watch dep_1").await.unwrap();
    let printed = printed(&cx);
    let times = |text: &str| printed.matches(text).count();
    assert_eq!(
        (
            times("  slipway  one\n"),
            times("  slipway  two\n"),
            times("event 3")
        ),
        (1, 1, 1),
        "{printed}"
    );
    assert!(
        printed.ends_with("storefront@1.0.0 to production (dep_1): succeeded\n"),
        "{printed}"
    );
    let seen = seen.lock().unwrap();
    let resumed: Vec<_> = seen
        .iter()
        .filter(|(_, path, _)| path == "/v1/events?deployment=dep_1")
        .collect();
    assert_eq!(resumed[0].2["last-event-id"], "2");
    assert_eq!(resumed[1].2["last-event-id"], "3");
}

#[tokio::test]
async fn how_a_watched_deployment_ends_is_the_exit_code() {
    let table = [
        ("failed", Exit::Refused),
        ("rolled_back", Exit::Refused),
        ("rejected", Exit::Refused),
        ("expired", Exit::Refused),
        ("superseded", Exit::Refused),
        ("cancelled", Exit::Refused),
        ("errored", Exit::Unavailable),
    ];
    for (state, exit) in table {
        let (cx, _) = against(story(0, state)).await;
        assert_eq!(
            carry_out(&cx, "slipway deploy watch dep_1")
                .await
                .unwrap_err()
                .exit(),
            exit,
            "{state}"
        );
    }
    let ended: Vec<_> = ["pending", "queued", "running", "paused", "rolling_back"]
        .map(|state| watch::outcome(&serde_json::from_value(deployment(state)).unwrap()).is_some())
        .into();
    assert_eq!(ended, [false; 5]);
}

#[tokio::test]
async fn watching_ends_at_a_state_or_in_time() {
    let (cx, _) = against(story(100, "succeeded")).await;
    let until: Until = "running".parse().unwrap();
    watch::run(&cx, "dep_1", &[until], None).await.unwrap();
    let failure = carry_out(&cx, "slipway deploy watch dep_1 --timeout PT0.2S")
        .await
        .unwrap_err();
    assert_eq!(failure.exit(), Exit::TimedOut);
    assert!("nonsense".parse::<Until>().is_err());
}

#[tokio::test]
async fn waiting_for_approval_is_a_state_to_wait_for() {
    let mut waiting = deployment("pending");
    waiting["blockers"] = json!([{"kind": "approval", "reason": "waiting for an authority"}]);
    let read = in_turn(vec![
        (StatusCode::OK, deployment("pending")),
        (StatusCode::OK, waiting),
    ]);
    let router = Router::new()
        .route("/v1/deployments/dep_1", get(async move || read()))
        .route(
            "/v1/deployments/dep_1/activities",
            get(async || Json(json!({"items": []}))),
        )
        .fallback(async || refused(404));
    let (cx, _) = against(router).await;
    carry_out(&cx, "slipway deploy watch dep_1 --until pending-approval")
        .await
        .unwrap();
    assert!(
        printed(&cx).contains("waiting for approval: waiting for an authority"),
        "{}",
        printed(&cx)
    );
}

fn help(path: &[&str]) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let inner = path.iter().fold(&mut command, |command, name| {
        command.find_subcommand_mut(name).unwrap()
    });
    inner.render_long_help().to_string()
}

#[test]
fn help_is_as_published() {
    insta::assert_snapshot!("help", help(&[]));
    insta::assert_snapshot!("help-deploy", help(&["deploy"]));
    insta::assert_snapshot!("help-approve", help(&["approve"]));
    insta::assert_snapshot!(
        "help-component-version-create",
        help(&["component", "version", "create"])
    );
    insta::assert_snapshot!("help-env-create", help(&["env", "create"]));
}
