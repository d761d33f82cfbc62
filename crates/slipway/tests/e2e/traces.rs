//! Traces: one from the request to each object applied, over processes; nothing secret in them; and no harm without a
//! collector.

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use base64::Engine as _;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::any_value,
    trace::v1::Span,
};
use prost::Message as _;
use serde_json::json;
use slipway_testkit::live::{
    Database, ServerOptions, World, free_port, kubeconfig,
    manifests::{GOOD, config, deployment},
    text, within,
};
use std::fmt::Write as _;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What a client has begun.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Bytes>>>);

impl Collector {
    /// Listens; where.
    async fn start() -> (Self, String) {
        async fn take(State(kept): State<Collector>, body: Bytes) -> (StatusCode, Vec<u8>) {
            if ExportTraceServiceRequest::decode(body.clone()).is_err() {
                return (StatusCode::BAD_REQUEST, Vec::new());
            }
            kept.0.lock().expect("no panic").push(body);
            (
                StatusCode::OK,
                ExportTraceServiceResponse::default().encode_to_vec(),
            )
        }
        let collector = Self::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(collector.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, url)
    }

    /// Every span so far, with the instance that sent it.
    fn spans(&self) -> Vec<(String, Span)> {
        let bodies = self.0.lock().expect("no panic").clone();
        let mut all = Vec::new();
        for body in bodies {
            let request = ExportTraceServiceRequest::decode(body).expect("spans");
            for of_resource in request.resource_spans {
                let resource = of_resource.resource.unwrap_or_default();
                let instance = resource
                    .attributes
                    .iter()
                    .find(|a| a.key == "service.instance.id");
                let instance = instance.map(|a| value(a.value.as_ref())).expect("its instance");
                assert!(
                    resource
                        .attributes
                        .iter()
                        .any(|a| a.key == "service.name" && value(a.value.as_ref()) == "shipyard")
                );
                for of_scope in of_resource.scope_spans {
                    all.extend(of_scope.spans.into_iter().map(|span| (instance.clone(), span)));
                }
            }
        }
        all
    }

    /// Whether a text is anywhere in what was sent.
    fn holds(&self, what: &str) -> bool {
        let bodies = self.0.lock().expect("no panic");
        bodies
            .iter()
            .any(|body| body.windows(what.len()).any(|window| window == what.as_bytes()))
    }
}

fn value(value: Option<&opentelemetry_proto::tonic::common::v1::AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::BoolValue(yes)) => yes.to_string(),
        _ => String::new(),
    }
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    found
        .map(|attribute| value(attribute.value.as_ref()))
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes it");
        hex
    })
}

/// Names of the spans from this one up to its root, and the root's parent.
fn ancestry(spans: &BTreeMap<String, (String, Span)>, span: &Span) -> (Vec<String>, String) {
    let mut names = vec![span.name.clone()];
    let mut above = hex(&span.parent_span_id);
    while let Some((_, parent)) = spans.get(&above) {
        names.push(parent.name.clone());
        above = hex(&parent.parent_span_id);
    }
    (names, above)
}

/// A secret of a release, as it is written in its manifests.
fn secret(value: &str) -> String {
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{key: '{value}'}}\n")
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn one_trace_leads_from_the_request_to_each_object_applied_over_two_processes() {
    let (collector, url) = Collector::start().await;
    // One is told by the standard's environment, the other by its configuration.
    let first = ServerOptions::roles("api,scheduler")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .env("OTEL_SERVICE_NAME", "shipyard");
    let second = ServerOptions::roles("executor").settings(&format!(
        "[telemetry]\notlp_endpoint = '{url}'\nservice_name = 'shipyard'"
    ));
    let mut world = World::start_with("traced", Database::create().await, &[first, second]).await;
    let namespace = world.namespace("staging").await;
    let settings = json!({"approvals": {"count": 1, "role": "authority"}, "progress_deadline": "PT40S"});
    world.environment("guarded", &["staging"], settings).await;
    let hidden = format!("hidden-{}", uuid::Uuid::now_v7().simple());
    let bundle = [
        config("one", "x"),
        config("two", "x"),
        secret(&hidden),
        deployment("web", GOOD),
    ]
    .concat();
    world.sealed("1.0.0", &bundle).await;

    let body = json!({"release": world.release("1.0.0"), "environment": "guarded"});
    let request = world
        .otto
        .request(reqwest::Method::POST, "/v1/deployments")
        .json(&body);
    let request = request.header("traceparent", format!("00-{TRACE}-{CLIENT}-01"));
    let asked = world.otto.send(request).await.expect(201);
    let id = text(&asked["id"]);
    let digest = world.ada.looks_at(&text(&asked["approval"])).await;
    world
        .ada
        .decide(&text(&asked["approval"]), "approve", &digest)
        .await
        .expect(200);
    world.ends(&id, "succeeded").await;
    // What is not sent yet is sent at the end.
    for server in &mut world.servers {
        let (status, took) = server.terminate().await;
        assert!(
            status.success() && took < Duration::from_secs(30),
            "{status} after {took:?}"
        );
    }

    let everything = collector.spans();
    let ours: BTreeMap<String, (String, Span)> = everything
        .iter()
        .filter(|(_, span)| hex(&span.trace_id) == TRACE)
        .map(|(instance, span)| (hex(&span.span_id), (instance.clone(), span.clone())))
        .collect();
    let seen: Vec<_> = ours.values().map(|(_, span)| &span.name).collect();
    let applied: Vec<&(String, Span)> = ours
        .values()
        .filter(|(_, span)| span.name == "executor.object.apply")
        .collect();
    let mut objects: Vec<String> = applied
        .iter()
        .map(|(_, span)| format!("{} {}", attribute(span, "kind"), attribute(span, "name")))
        .collect();
    objects.sort();
    assert_eq!(
        objects,
        ["ConfigMap one", "ConfigMap two", "Deployment web", "Secret keys"],
        "{seen:?}"
    );
    let request = ours
        .values()
        .find(|(_, span)| span.name == "POST /v1/deployments")
        .expect("the request");
    assert_eq!(attribute(&request.1, "http.response.status_code"), "201");
    assert_eq!(request.1.kind, 2, "a server's span");
    for (instance, span) in &applied {
        let (names, above) = ancestry(&ours, span);
        assert_eq!(
            names,
            [
                "executor.object.apply",
                "executor.step",
                "executor.target.work",
                "POST /v1/deployments"
            ]
        );
        assert_eq!(above, CLIENT, "it goes on from what the client began");
        assert_ne!(*instance, request.0, "another process");
        assert_eq!(attribute(span, "namespace"), world.service);
    }
    for name in ["app.deployment.judge", "app.deployment.admit"] {
        let (_, span) = ours
            .values()
            .find(|(_, span)| span.name == name)
            .unwrap_or_else(|| panic!("{name}"));
        assert_eq!(attribute(span, "deployment"), id, "{name}");
        assert_eq!(ancestry(&ours, span).1, CLIENT, "{name}");
    }
    // The approver's request is a trace of its own, with a link.
    let decided = everything
        .iter()
        .find(|(_, span)| span.name == "POST /v1/approvals/{approval}/decisions")
        .expect("the decision");
    assert_ne!(hex(&decided.1.trace_id), TRACE);
    assert!(
        decided.1.links.iter().any(|link| hex(&link.trace_id) == TRACE),
        "{:?}",
        decided.1.links
    );
    // Looks that found nothing, and probes, are left out.
    assert!(
        everything
            .iter()
            .all(|(_, span)| attribute(span, "slipway.idle").is_empty())
    );
    assert!(everything.iter().all(|(_, span)| !span.name.contains("readyz")));

    // Names of things, never their content.
    let base64 = |what: &str| base64::engine::general_purpose::STANDARD.encode(what);
    assert!(collector.holds(&id), "the search finds what is there");
    let mut secrets = vec![
        hidden.clone(),
        base64(&hidden),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
    ];
    secrets.extend([&world.admin, &world.ana, &world.otto, &world.ada].map(|person| person.token.clone()));
    let database = url::Url::parse(&world.database.url).expect("a URL");
    secrets.extend(database.password().map(str::to_owned));
    for line in kubeconfig().lines() {
        let (key, value) = line.split_once(':').unwrap_or_default();
        if ["token", "client-key-data", "client-certificate-data"]
            .contains(&key.trim().trim_start_matches("- "))
        {
            secrets.push(value.trim().to_owned());
        }
    }
    assert!(secrets.len() >= 8, "the tests' credentials are known");
    for secret in secrets.iter().filter(|secret| secret.len() >= 8) {
        assert!(!collector.holds(secret), "a secret is in a span");
    }
    world.servers.clear();
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_line_in_the_log_and_nothing_else() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let options = ServerOptions::default().settings(&format!("[telemetry]\notlp_endpoint = '{nowhere}'"));
    let mut world = World::start_with("untraced", Database::create().await, &[options]).await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &config("web", "blue")).await;
    let id = world.deploy("1.0.0", "staging").await;
    world.ends(&id, "succeeded").await;
    let told = async || {
        world.servers[0]
            .log()
            .contains("the collector does not take spans")
    };
    within(Duration::from_secs(20), "the log says so", told).await;
    let (status, took) = world.servers[0].terminate().await;
    assert!(
        status.success() && took < Duration::from_secs(15),
        "{status} after {took:?}"
    );
    let lines = world.servers[0]
        .log()
        .matches("the collector does not take spans")
        .count();
    assert!(lines <= 2, "{lines} lines");
    world.servers.clear();
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn without_an_endpoint_nothing_of_it_runs() {
    let world = World::start("silent").await;
    let threads = |pid: u32| -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .collect()
    };
    let silent = threads(world.servers[0].pid());
    assert!(
        silent.iter().all(|name| !name.starts_with("OpenTelemetry")),
        "{silent:?}"
    );
    assert!(!world.servers[0].log().contains("traces are exported"));
    world.close().await;
}
