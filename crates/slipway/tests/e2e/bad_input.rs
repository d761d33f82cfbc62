//! Input that is wrong, what it gets, and that it changes nothing.

use reqwest::Method;
use serde_json::json;
use slipway_testkit::live::{
    World,
    manifests::{GOOD, config, deployment},
    text,
};
use std::fmt::Write as _;

#[tokio::test]
async fn every_fault_of_a_body_is_told_at_once_with_its_place() {
    let world = World::start("bodies").await;
    let body = json!({"name": "Not A Name", "descripton": "x", "criticality": 4});
    world
        .changes_nothing(world.ana.post("/v1/services", body))
        .await
        .problem(422, "validation")
        .at(&["/criticality", "/descripton", "/name", "/team"])
        .says("unknown field `descripton`");
    let body = json!({"release": 7, "enviroment": "staging", "not_before": "soon"});
    world
        .changes_nothing(world.otto.post("/v1/deployments", body))
        .await
        .problem(422, "validation")
        .at(&["/enviroment", "/environment", "/not_before", "/release"]);
    let body = json!({"notes": "x", "digest": "sha256:1"});
    let path = world.release_path("1.0.0", "");
    world
        .changes_nothing(world.ana.patch(&path, "\"1\"", body))
        .await
        .problem(422, "validation")
        .at(&["/digest"]);
    let raw = |body: &'static str, kind: &'static str| {
        let request = world.ana.request(Method::POST, "/v1/teams");
        world.ana.send(request.header("content-type", kind).body(body))
    };
    world
        .changes_nothing(raw("{\"name\":\n  shop}", "application/json"))
        .await
        .problem(400, "malformed")
        .says("line 2, column 3");
    world
        .changes_nothing(raw("name: shop", "application/yaml"))
        .await
        .problem(415, "unsupported-media-type");
    world.close().await;
}

#[tokio::test]
async fn a_bundle_that_is_wrong_is_refused_with_every_fault_and_its_document() {
    let world = World::start("bundles").await;
    let path = format!("/v1/components/{}/versions", world.service);
    let refused = async |version: &str, manifests: &str| {
        let body = json!({"version": version, "manifests": manifests});
        let reply = world.changes_nothing(world.ana.post(&path, body)).await;
        reply.problem(422, "validation")
    };
    let good = config("web", "blue");

    refused("1.0.0", "---\nkind: [")
        .await
        .at(&["/manifests/0"])
        .says("no YAML");
    for empty in ["", "---\n---\n", "# nothing\n"] {
        refused("1.0.0", empty)
            .await
            .at(&["/manifests"])
            .says("no object");
    }
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..9 {
        let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
        writeln!(bomb, "a{i}: &a{i} [{aliases}]").expect("text");
    }
    refused("1.0.0", &bomb)
        .await
        .at(&["/manifests/0"])
        .says("anchors and aliases copy more than");
    let mut many = String::new();
    for i in 0..1_001 {
        many.push_str(&config(&format!("c{i}"), "x"));
    }
    refused("1.0.0", &many)
        .await
        .at(&["/manifests"])
        .says("1001 objects are more than the 1000 allowed");
    let large = config("web", &"x".repeat(4 * 1024 * 1024));
    refused("1.0.0", &large)
        .await
        .at(&["/manifests"])
        .says("bytes are more than the 4194304 allowed");
    let body = json!({"version": "1.0.0", "manifests": "x".repeat(13 * 1024 * 1024)});
    world
        .changes_nothing(world.ana.post(&path, body))
        .await
        .problem(413, "too-large")
        .says("bytes");
    refused("1.0.0", &format!("{good}{}{good}", deployment("web", GOOD)))
        .await
        .at(&["/manifests/2"])
        .says("is in document 0 already");
    refused(
        "1.0.0",
        "apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata: {name: web}\n",
    )
    .await
    .says("the key \"kind\" is there twice");
    refused("1.0.0", "apiVersion: v1\nmetadata: {labels: {a: b}}\n")
        .await
        .at(&["/manifests/0/kind", "/manifests/0/metadata/name"]);
    refused("1.0", &good)
        .await
        .at(&["/version"])
        .says("not a semantic version");
    // And all of it together.
    let all = format!(
        "{good}---\nkind: 7\n---\n- a list\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: 'No'}}\n"
    );
    let body = json!({
        "version": "one", "manifests": all, "requires": [{"component": world.service, "version": "^"}],
        "images": [{"image": "web", "digest": "sha256:12"}],
    });
    world
        .changes_nothing(world.ana.post(&path, body))
        .await
        .problem(422, "validation")
        .at(&[
            "/images/0/digest",
            "/manifests/1/apiVersion",
            "/manifests/1/kind",
            "/manifests/1/metadata/name",
            "/manifests/2",
            "/manifests/3/metadata/name",
            "/requires/0/component",
            "/requires/0/version",
            "/version",
        ]);

    // A version is what it is: the same again is no fault, other content is.
    let first = world.version("1.0.0", &good).await;
    let body = json!({"version": "1.0.0", "manifests": good});
    let again = world.changes_nothing(world.ana.post(&path, body)).await;
    assert_eq!(again.expect(200)["digest"], first["digest"]);
    let body = json!({"version": "1.0.0", "manifests": config("web", "red")});
    world
        .changes_nothing(world.ana.post(&path, body))
        .await
        .problem(409, "version-exists")
        .says(&text(&first["digest"]));
    world.close().await;
}

#[tokio::test]
async fn objects_that_may_not_go_to_a_cluster_never_touch_it() {
    let mut world = World::start("places").await;
    let namespace = world.namespace("staging").await;

    let foreign = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: kube-system}\n";
    world.sealed("1.0.0", foreign).await;
    world
        .changes_nothing(world.ask("1.0.0", "staging"))
        .await
        .problem(422, "validation")
        .says("kube-system");
    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader}\nrules: []\n";
    world.sealed("1.1.0", role).await;
    world
        .changes_nothing(world.ask("1.1.0", "staging"))
        .await
        .problem(422, "validation")
        .says("ClusterRole.rbac.authorization.k8s.io");

    // Which kinds there are, only the cluster knows: preview says so, and the deployment fails before its first write.
    let unknown = "---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n";
    world
        .sealed("1.2.0", &format!("{}{unknown}", config("web", "blue")))
        .await;
    world
        .environment(
            "open",
            &["staging"],
            json!({"approvals": {"count": 1, "role": "authority"}}),
        )
        .await;
    let asked = world.ask("1.2.0", "open").await.expect(201);
    let preview = format!("/v1/deployments/{}/preview", text(&asked["id"]));
    let said = "Widget w: it does not serve Widget of example.com/v1";
    world
        .changes_nothing(world.otto.get(&preview))
        .await
        .problem(422, "cluster-kinds")
        .says(said);
    world.steer(&text(&asked["id"]), "cancel").await.expect(200);
    let id = world.deploy("1.2.0", "staging").await;
    let failed = world.ends(&id, "failed").await;
    assert!(text(&failed["reason"]).contains(said), "{failed:#}");
    assert_eq!(failed["targets"][0]["state"], "failed", "{failed:#}");
    let rollback = world.ana.act(&format!("/v1/deployments/{id}/rollback")).await;
    rollback.problem(409, "nothing-to-roll-back");
    assert!(!namespace.exists().await, "something was written");
    world.audit_holds();
    world.close().await;
}
