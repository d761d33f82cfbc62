//! What must be true: of every promise, of the clusters, of hooks, and in the eyes of the doctor.

use crate::{
    field::Field,
    plan::{CLUSTERS, Plan},
};
use serde_json::Value;
use slipway_domain::render::LABEL_SERVICE;
use slipway_testkit::live::{Namespace, binary, text};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// What was acknowledged is there, under its id and with its digest.
pub(crate) async fn nothing_is_lost(field: &Field) {
    for promise in field.ledger.promises() {
        let path = format!("/v1/deployments/{}", promise.id);
        let seen = field.caller.get(&field.people.otto, &path).await.expect(200);
        if !promise.digest.is_empty() {
            assert_eq!(
                text(&seen["release_digest"]),
                promise.digest,
                "invariant 1: {promise:#?}"
            );
        }
        let now = text(&seen["state"]);
        let then = promise
            .ended
            .as_ref()
            .map(|(state, ..)| state.clone())
            .unwrap_or_default();
        assert_eq!(now, then, "an end that did not last: {seen:#}");
    }
    for (release, digest) in field.ledger.releases() {
        let seen = field
            .caller
            .get(&field.people.otto, &format!("/v1/releases/{release}"))
            .await
            .expect(200);
        assert_eq!(text(&seen["digest"]), digest, "invariant 1: {release}");
        assert_eq!(text(&seen["state"]), "sealed", "{release}");
    }
}

/// A good release that nobody stopped succeeds, a broken one fails or is rolled back, and nothing is `errored`: no fault of
/// the plan lasts long enough for eight attempts, which take four minutes.
pub(crate) fn everything_ended_as_it_should(field: &Field) {
    let wrong: Vec<String> = field
        .ledger
        .promises()
        .into_iter()
        .filter_map(|promise| match &promise.ended {
            None => Some(format!("{} has no end: {}", promise.id, promise.story)),
            Some((state, reason, took)) => (!promise.allowed.contains(&state.as_str())).then(|| {
                format!(
                    "{} ({} to {}) is {state} after {took:?}, and was to be {:?}: {reason}\n    {}",
                    promise.id, promise.release, promise.environment, promise.allowed, promise.story
                )
            }),
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} deployments ended as they should not:\n  {}",
        wrong.len(),
        wrong.join("\n  ")
    );
}

/// Whether everything that is wanted is there: fields that nobody set are others'.
fn has(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| live.get(key).is_some_and(|live| has(live, wanted))),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| has(live, wanted))
        }
        _ => live == wanted,
    }
}

/// On every target exactly the rendering that the database names runs.
pub(crate) async fn clusters_run_what_the_database_says(field: &Field) {
    let targets = field
        .rows(
            "SELECT c.name AS cluster, t.namespace, r.content FROM targets t JOIN clusters c ON c.id = t.cluster_id \
             LEFT JOIN renderings r ON r.digest = t.now_rendering",
        )
        .await;
    assert_eq!(
        targets.len(),
        field.services.len() * CLUSTERS.len(),
        "every service landed everywhere"
    );
    for target in targets {
        let (cluster, name) = (text(&target["cluster"]), text(&target["namespace"]));
        let namespace = Namespace::of(&cluster, &name).await;
        let mut wanted = BTreeSet::new();
        for object in target["content"]["objects"].as_array().into_iter().flatten() {
            let (kind, object_name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
            let live = namespace.get(&kind, &object_name).await;
            let live = live.unwrap_or_else(|| panic!("{kind} {name}/{object_name} is not on {cluster}"));
            assert!(has(&live, object), "{cluster}: {live:#} is not {object:#}");
            wanted.insert((kind, object_name));
        }
        for kind in ["ConfigMap", "Deployment"] {
            for (object_name, live) in namespace.list(kind).await {
                let guard = object_name == format!("slipway-{name}");
                let ours = live["metadata"]["labels"][LABEL_SERVICE] == name.as_str() && !guard;
                let known = wanted.contains(&(kind.to_owned(), object_name.clone()));
                assert!(
                    !ours || known,
                    "{kind} {name}/{object_name} on {cluster} should have been pruned"
                );
            }
        }
    }
}

/// Runs of hooks, by where, which, and in which generation; the uids of their Jobs.
pub(crate) type Hooks = BTreeMap<(String, String, String, String), BTreeSet<String>>;

/// Looks at Jobs all the time, past the proxies: one run of a hook is one Job.
pub(crate) async fn watch_hooks(namespaces: Vec<(&'static str, Namespace)>, over: Arc<AtomicBool>) -> Hooks {
    let mut hooks = Hooks::new();
    while !over.load(Ordering::SeqCst) {
        for (cluster, namespace) in &namespaces {
            for (name, job) in namespace.list("Job").await {
                let annotations = &job["metadata"]["annotations"];
                let run = format!(
                    "generation {} {}",
                    text(&annotations["slipway.dev/generation"]),
                    text(&annotations["slipway.dev/hook-ran-for"])
                );
                let key = ((*cluster).to_owned(), namespace.name.clone(), name, run);
                hooks
                    .entry(key)
                    .or_default()
                    .insert(text(&job["metadata"]["uid"]));
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    let twice: Vec<_> = hooks.iter().filter(|(_, uids)| uids.len() > 1).collect();
    assert!(
        twice.is_empty(),
        "hooks ran more than once for one deployment on one target: {twice:#?}"
    );
    hooks
}

/// Asks the doctor; false when it could not look at everything, as while a database is away.
///
/// # Panics
/// When it finds something.
pub(crate) async fn healthy(dir: &Path, wholly: bool) -> bool {
    let mut doctor = tokio::process::Command::new(binary());
    doctor
        .args(["doctor", "--output", "json", "--config"])
        .arg(dir.join("operator.toml"));
    if !wholly {
        doctor.arg("--no-clusters");
    }
    let output = doctor
        .env_remove("DATABASE_URL")
        .output()
        .await
        .expect("the doctor runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&said).unwrap_or(Value::Null);
    let found = report["findings"]
        .as_array()
        .is_some_and(|found| !found.is_empty());
    assert!(!found, "the doctor finds something: {said}");
    assert!(
        output.status.success() || !wholly,
        "the doctor cannot look: {}: {said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.status.success()
}

/// While faults go on, what must hold at any time holds. How often that could be seen, of how many times.
pub(crate) async fn examine_meanwhile(dir: PathBuf, until: Instant) -> (usize, usize) {
    let (mut whole, mut all) = (0, 0);
    while Instant::now() + Duration::from_secs(15) < until {
        sleep(Duration::from_secs(15)).await;
        whole += usize::from(healthy(&dir, false).await);
        all += 1;
    }
    (whole, all)
}

/// What it came to.
pub(crate) fn figures(
    plan: &Plan,
    field: &Field,
    took: Duration,
    settled: Duration,
    hooks: &Hooks,
    (whole, all): (usize, usize),
) {
    let promises = field.ledger.promises();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for (state, ..) in promises.iter().filter_map(|p| p.ended.as_ref()) {
        *states.entry(state.clone()).or_default() += 1;
    }
    let mut times: Vec<_> = promises
        .iter()
        .filter_map(|p| p.ended.as_ref().map(|(_, _, took)| (*took, p)))
        .collect();
    times.sort_by_key(|(took, _)| *took);
    let faults = field.ledger.faults();
    eprintln!("soak: {plan}");
    eprintln!(
        "soak: {} releases, {} deployments {states:?}, {} hooks, {} faults in {:.0} s; {} requests were sent again",
        field.ledger.releases().len(),
        promises.len(),
        hooks.len(),
        faults.values().sum::<usize>(),
        took.as_secs_f64(),
        field.caller.again.load(Ordering::Relaxed)
    );
    eprintln!("soak: faults {faults:?}");
    eprintln!(
        "soak: everything ended {:.1} s after the last fault; the doctor found nothing in {whole} examinations of {all} \
         meanwhile, and nothing at the end",
        settled.as_secs_f64()
    );
    if let (Some((median, _)), Some((slowest, promise))) = (times.get(times.len() / 2), times.last()) {
        eprintln!(
            "soak: from request to end: median {:.1} s, slowest {:.1} s ({} to {}, {})",
            median.as_secs_f64(),
            slowest.as_secs_f64(),
            promise.release,
            promise.environment,
            promise.story
        );
    }
}
