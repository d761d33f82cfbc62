//! Row 2: the status, read by who has signed in, beside an axum handler that does nothing else. And what a server's memory
//! is while it is read as fast as it goes.

use crate::{
    bare::{self, Bare},
    load::Load,
    places::{self, Places},
    process,
    stats::{median, paired_ratio, percentile, sides},
    table::{Goal, Line, Measured},
};
use anyhow::{Context as _, Result, ensure};
use jiff::SignedDuration;
use serde_json::json;
use slipway_domain::clock::process_now;
use slipway_testkit::live::{ServerOptions, World, text};
use std::time::Duration;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
const WARM_UP: Duration = Duration::from_millis(500);
const EACH: Duration = Duration::from_secs(2);
/// Services that the status shows: a document of a few kilobytes.
const SERVICES: usize = 20;

struct Pair {
    ours: Load,
    bare: Load,
}

/// Both sides in turns; which is first changes from round to round.
async fn rounds(pair: &Pair, ours_pid: u32, bare_pid: u32) -> Result<Rounds> {
    let mut all = Rounds::default();
    pair.ours.run(WARM_UP).await?;
    pair.bare.run(WARM_UP).await?;
    for round in 0..ROUNDS {
        let (ours, bare);
        if round % 2 == 0 {
            ours = one(&pair.ours, ours_pid, &mut all.ours_micros, &mut all.latencies).await?;
            bare = one(&pair.bare, bare_pid, &mut all.bare_micros, &mut Vec::new()).await?;
        } else {
            bare = one(&pair.bare, bare_pid, &mut all.bare_micros, &mut Vec::new()).await?;
            ours = one(&pair.ours, ours_pid, &mut all.ours_micros, &mut all.latencies).await?;
        }
        all.rates.push((ours.0, bare.0));
        all.bytes = (ours.1, bare.1);
    }
    Ok(all)
}

#[derive(Default)]
struct Rounds {
    rates: Vec<(f64, f64)>,
    /// Processor time of the server a request, in microseconds.
    ours_micros: Vec<f64>,
    bare_micros: Vec<f64>,
    latencies: Vec<f64>,
    bytes: (usize, usize),
}

async fn one(load: &Load, pid: u32, micros: &mut Vec<f64>, latencies: &mut Vec<f64>) -> Result<(f64, usize)> {
    let before = process::processor_time(pid)?;
    let answered = load.run(EACH).await?;
    let spent = process::processor_time(pid)?.saturating_sub(before);
    micros.push(spent.as_secs_f64() * 1e6 / crate::stats::count(answered.latencies.len()));
    latencies.extend(&answered.latencies);
    Ok((answered.rate, answered.body_bytes))
}

impl Rounds {
    fn line(&self, what: &str, least: f64) -> Result<Line> {
        let (ours, bare) = sides(&self.rates);
        let rate = |values: &[f64]| median(values).map(|rate| format!("{:.1}k/s", rate / 1000.0));
        Ok(Line {
            row: 2,
            what: what.to_owned(),
            ours: rate(&ours).context("no rounds")?,
            baseline: rate(&bare).context("no rounds")?,
            value: paired_ratio(&self.rates).context("no rounds")?,
            unit: "",
            goal: Goal::AtLeast(least),
        })
    }

    fn note(&self, what: &str) -> String {
        let of = |values: &[f64]| median(values).unwrap_or(f64::NAN);
        let at = |share| percentile(&self.latencies, share).unwrap_or(f64::NAN);
        format!(
            "{what}: body {} bytes (bare {}), {CONNECTIONS} connections, {ROUNDS} rounds of {} s in turns; processor time of the \
             server a request {:.1} µs (bare {:.1} µs); ours p50 {:.2} ms, p99 {:.2} ms",
            self.bytes.0,
            self.bytes.1,
            EACH.as_secs(),
            of(&self.ours_micros),
            of(&self.bare_micros),
            at(0.5),
            at(0.99),
        )
    }
}

/// Measures the row.
pub(crate) async fn measure(places: &mut Places) -> Result<Measured> {
    let database = places.database().await?;
    let options = ServerOptions::default().settings(places::SETTINGS);
    let world = World::empty_with("bench", database, &[options]).await;
    fill(&world).await;
    let document = world.vera.get("/v1/status").await;
    ensure!(document.status == 200, "the status is not shown: {document:?}");
    let bare = Bare::start(&document.body.to_string(), &world.dir).await?;
    let pid = world.servers[0].pid();
    let load = |address: &str, tag: Option<&str>| {
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {}", world.vera.token))];
        headers.extend(tag.map(|tag| ("if-none-match".to_owned(), tag.to_owned())));
        Load {
            address: address.to_owned(),
            path: "/v1/status".to_owned(),
            headers,
            connections: CONNECTIONS,
            status: if tag.is_some() { 304 } else { 200 },
        }
    };
    let api = world.servers[0].api.trim_start_matches("http://").to_owned();
    let tag = document.header("etag").to_owned();
    let whole = Pair {
        ours: load(&api, None),
        bare: load(&bare.address, None),
    };
    let known = Pair {
        ours: load(&api, Some(&tag)),
        bare: load(&bare.address, Some(bare::TAG)),
    };
    let whole = rounds(&whole, pid, bare.pid()).await?;
    let known = rounds(&known, pid, bare.pid()).await?;
    let busy = process::peak_mb(pid)?;
    let measured = Measured {
        lines: vec![
            whole.line(
                "authenticated `GET /v1/status` over a bare axum JSON handler",
                0.6,
            )?,
            known.line("its 304 over a bare 304", 0.8)?,
            Line {
                row: 2,
                what: format!("peak resident memory while {CONNECTIONS} connections read"),
                ours: String::new(),
                baseline: String::new(),
                value: busy,
                unit: "MB",
                goal: Goal::None,
            },
        ],
        notes: vec![whole.note("200"), known.note("304")],
    };
    drop(bare);
    world.close().await;
    Ok(measured)
}

/// Services with something that runs, so that the document is as large as an organisation's.
async fn fill(world: &World) {
    for i in 0..SERVICES {
        let service = json!({"name": format!("service-{i}"), "team": "shop", "criticality": "high"});
        world.ana.post("/v1/services", service).await.expect(201);
    }
    let version = slipway_testkit::live::manifests::config("web", "blue");
    world.version("1.0.0", &version).await;
    let cluster = json!({
        "name": "c1", "server": "https://c1.kube.example:6443", "credential": {"token": "nobody"},
    });
    world.admin.post("/v1/clusters", cluster).await.expect(201);
    let environment = json!({"name": "staging", "tier": "staging", "clusters": ["c1"]});
    world
        .admin
        .post("/v1/environments", environment)
        .await
        .expect(201);
    let later = process_now() + SignedDuration::from_hours(24 * 30);
    for i in 0..SERVICES {
        let release = json!({
            "service": format!("service-{i}"), "version": "1.0.0",
            "components": [{"name": world.service, "version": "1.0.0"}],
        });
        world.ana.post("/v1/releases", release).await.expect(201);
        let path = format!("/v1/releases/service-{i}@1.0.0/seal");
        world.ana.act(&path).await.expect(200);
        let ask = json!({"release": format!("service-{i}@1.0.0"), "environment": "staging", "not_before": later.to_string()});
        let asked = world.otto.post("/v1/deployments", ask).await.expect(201);
        assert_eq!(text(&asked["state"]), "pending");
    }
}
