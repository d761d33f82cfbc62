//! `slipway doctor`, as an operator runs it: nothing on an installation at work, each kind of damage by its name, and an
//! exit code that a script can act on.

use serde_json::{Value, json};
use slipway_testkit::live::{
    Namespace, World, binary,
    manifests::{GOOD, config, deployment, hook},
    text,
};
use std::{path::Path, process::Output};

const MISSING: &str = "/nonexistent/slipway.toml";

async fn doctor(config: &Path, args: &[&str]) -> Output {
    // Simulated nodes may live in the test's runtime: it must not stand still meanwhile.
    tokio::process::Command::new(binary())
        .arg("doctor")
        .args(args)
        .arg("--config")
        .arg(config)
        .env_remove("DATABASE_URL")
        .output()
        .await
        .expect("the doctor runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The report, and how the doctor ended.
async fn report(world: &World) -> (Value, Option<i32>) {
    let output = doctor(&world.servers[0].config, &["--output", "json"]).await;
    let said = said(&output);
    let report = serde_json::from_str(&said).unwrap_or_else(|e| {
        panic!(
            "the doctor does not speak JSON: {e}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    (report, output.status.code())
}

/// What was found, by the names of the checks.
fn checks(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().map(|finding| text(&finding["check"])).collect()
}

#[track_caller]
fn finds(found: &(Value, Option<i32>), check: &str) {
    let (report, code) = found;
    assert_eq!(
        (checks(report), *code),
        (vec![check.to_owned()], Some(1)),
        "{report:#}"
    );
    let finding = &report["findings"][0];
    for field in ["invariant", "subject", "found", "remedy"] {
        assert_ne!(text(&finding[field]), "", "{finding:#}");
    }
}

async fn change(namespace: &Namespace, kind: &str, name: &str, change: &Value) {
    let plural = format!("{}s", kind.to_lowercase());
    let root = if kind == "Deployment" {
        "/apis/apps/v1"
    } else {
        "/api/v1"
    };
    let path = format!("{root}/namespaces/{}/{plural}/{name}", namespace.name);
    namespace.send("PATCH", &path, change).await.expect("it is there");
}

#[tokio::test]
async fn what_somebody_did_to_a_cluster_by_hand_is_found_and_drift_is_not() {
    let world = World::start("doctor").await;
    let namespace = world.namespace("staging").await;
    let bundle = hook("migrate", GOOD) + &config("web", "1") + &deployment("web", GOOD);
    world.sealed("1.0.0", &bundle).await;
    let id = world.deploy("1.0.0", "staging").await;
    world.ends(&id, "succeeded").await;
    let report_of = report(&world).await;
    let (healthy, code) = &report_of;
    assert_eq!(*code, Some(0), "{healthy:#}");
    assert_eq!(healthy["healthy"], true);
    let examined = |number: usize, what: &str| {
        let all = healthy["invariants"][number - 1]["examined"].as_array().cloned();
        let one = all.unwrap_or_default().into_iter().find(|e| e["what"] == what);
        one.and_then(|e| e["count"].as_u64()).unwrap_or_default()
    };
    assert_eq!(examined(3, "targets on clusters"), 1, "{healthy:#}");
    assert_eq!(examined(1, "objects on clusters"), 3, "{healthy:#}");

    // Somebody else's fields, and an object that somebody took away: drift, and no damage to what was promised.
    change(&namespace, "Deployment", "web", &json!({"spec": {"replicas": 2}})).await;
    let (report_of, code) = report(&world).await;
    assert_eq!((checks(&report_of), code), (Vec::new(), Some(0)), "{report_of:#}");

    // The guard, moved past everything that the database has given.
    let guard = format!("slipway-{}", world.service);
    let before = namespace.get("ConfigMap", &guard).await.expect("a guard");
    change(
        &namespace,
        "ConfigMap",
        &guard,
        &json!({"data": {"generation": "7"}}),
    )
    .await;
    finds(&report(&world).await, "guard_ahead");
    change(&namespace, "ConfigMap", &guard, &json!({"data": before["data"]})).await;

    // An object that says it is of another release.
    let forged = format!("sha256:{}", "0".repeat(64));
    let annotate =
        |digest: &str| json!({"metadata": {"annotations": {"slipway.dev/release-digest": digest}}});
    let live = namespace.get("ConfigMap", "web").await.expect("an object");
    change(&namespace, "ConfigMap", "web", &annotate(&forged)).await;
    finds(&report(&world).await, "object_of_another_digest");
    let digest = text(&live["metadata"]["annotations"]["slipway.dev/release-digest"]);
    change(&namespace, "ConfigMap", "web", &annotate(&digest)).await;

    // An object of a generation that was never given.
    let generation = |n: &str| json!({"metadata": {"annotations": {"slipway.dev/generation": n}}});
    change(&namespace, "ConfigMap", "web", &generation("9")).await;
    finds(&report(&world).await, "object_of_unknown_generation");
    change(&namespace, "ConfigMap", "web", &generation("1")).await;

    // One that carries our labels, and that nobody put there.
    let stray = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray", "labels":
        {"slipway.dev/service": world.service, "slipway.dev/environment": "staging"}}});
    let path = format!("/api/v1/namespaces/{}/configmaps", namespace.name);
    namespace.send("POST", &path, &stray).await.expect("created");
    finds(&report(&world).await, "object_in_no_inventory");
    namespace
        .send("DELETE", &format!("{path}/stray"), &json!({}))
        .await;

    // And all is well again, but for what is not there any more, which is a note.
    namespace.send("DELETE", &format!("{path}/web"), &json!({})).await;
    let (report_of, code) = report(&world).await;
    assert_eq!((checks(&report_of), code), (Vec::new(), Some(0)), "{report_of:#}");
    let notes = report_of["notes"].as_array().cloned().unwrap_or_default();
    assert!(
        notes
            .iter()
            .any(|note| text(note).starts_with("ConfigMap") && text(note).ends_with("is not there any more")),
        "{notes:?}"
    );
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_script_can_tell_healthy_damaged_and_not_examined_apart_and_nothing_is_changed() {
    let world = World::start("doctor-codes").await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &config("web", "1")).await;
    let id = world.deploy("1.0.0", "staging").await;
    world.ends(&id, "succeeded").await;
    let file = world.servers[0].config.clone();
    assert_eq!(doctor(Path::new(MISSING), &[]).await.status.code(), Some(2));

    let before = world.database.contents().await;
    let output = doctor(&file, &[]).await;
    let plain = said(&output);
    assert_eq!(output.status.code(), Some(0), "{plain}");
    for line in ["1 sealed ", "5 ends ", "8 time ", "nothing was found"] {
        assert!(plain.contains(line), "{plain}");
    }
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(progress.contains("examining audit entries"), "{progress}");
    let quiet = doctor(&file, &["--quiet", "--no-clusters", "--output", "text"]).await;
    assert_eq!(
        (quiet.status.code(), quiet.stderr.len()),
        (Some(0), 0),
        "{}",
        said(&quiet)
    );
    assert_eq!(world.database.contents().await, before, "it changed something");

    // A cluster that is away is no damage, and is not passed over.
    world
        .database
        .execute("UPDATE clusters SET server = 'https://127.0.0.1:1', revision = revision + 1")
        .await;
    let (unreachable, code) = report(&world).await;
    assert_eq!(
        (checks(&unreachable), code),
        (Vec::new(), Some(6)),
        "{unreachable:#}"
    );
    assert_eq!(unreachable["unexamined"][0]["subject"], "cluster staging");
    assert_eq!(doctor(&file, &["--no-clusters"]).await.status.code(), Some(0));

    // Damage is damage, whatever else cannot be examined.
    world
        .database
        .execute("UPDATE deployments SET since = since + interval '1 day'")
        .await;
    let output = doctor(&file, &["--no-clusters"]).await;
    let plain = said(&output);
    assert_eq!(output.status.code(), Some(1), "{plain}");
    for line in [
        "8 time ",
        "finding",
        &format!("deployment {id} [deployment_in_the_future]"),
        "do: ",
    ] {
        assert!(plain.contains(line), "{plain}");
    }

    // Without a database there is nothing to examine.
    let text = std::fs::read_to_string(&file).expect("a configuration");
    let elsewhere = world.dir.join("elsewhere.toml");
    let url = world.database.url.clone();
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    assert!(text.contains(&url), "{text}");
    std::fs::write(&elsewhere, text.replace(&url, nowhere)).expect("a configuration");
    assert_eq!(doctor(&elsewhere, &[]).await.status.code(), Some(6));
    namespace.close().await;
    world.close().await;
}
