//! Components and their versions.

use slipway_testkit::{TestApp, World, json};

const BUNDLE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[tokio::test]
async fn a_version_is_registered_once_and_never_changes() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let path = "/v1/components/web/versions";
    let shown = world.viewer.get(&format!("{path}/1.0.0")).await.expect(200);
    assert!(shown["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(
        shown["objects"][1],
        json!({"api_version": "apps/v1", "kind": "Deployment", "name": "web"})
    );
    let same = json!({"version": "1.0.0", "manifests": World::manifests("blue")});
    let again = world.engineer.post(path, same).await.expect(200);
    assert_eq!(again["digest"], shown["digest"]);
    let other = json!({"version": "1.0.0", "manifests": World::manifests("red")});
    assert_eq!(
        world.engineer.post(path, other).await.problem(409),
        "version-exists"
    );
    assert_eq!(
        world.viewer.get(path).await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn bad_manifests_are_refused_with_every_fault_and_its_document() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let path = "/v1/components/web/versions";
    let bad = |version: &str, manifests: &str| json!({"version": version, "manifests": manifests});
    let several = "apiVersion: v1\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {}\n";
    let reply = world.engineer.post(path, bad("one", several)).await;
    let pointers = reply.pointers();
    for expected in ["/version", "/manifests/0/kind", "/manifests/1/metadata/name"] {
        assert!(
            pointers.contains(&expected.to_owned()),
            "{expected} is not in {pointers:?}"
        );
    }
    reply.problem(422);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    for (case, manifests) in [
        ("empty", String::new()),
        ("malformed", "a: [".to_owned()),
        ("alias bomb", bomb.to_owned()),
        ("duplicate", format!("{BUNDLE}---\n{BUNDLE}")),
        ("too many", format!("{BUNDLE}---\n").repeat(1_001)),
        (
            "too large",
            format!("{BUNDLE}data: {{x: {}}}\n", "y".repeat(4 << 20)),
        ),
    ] {
        let reply = world.engineer.post(path, bad("2.0.0", &manifests)).await;
        // The last one may say of the whole that there is more.
        let pointers = reply.pointers();
        let inside = pointers
            .iter()
            .filter(|pointer| pointer.starts_with("/manifests"))
            .count();
        assert!(inside > 0 && pointers.len() - inside <= 1, "{case}: {pointers:?}");
        assert_eq!(reply.problem(422), "validation", "{case}");
    }
    world.viewer.get(&format!("{path}/2.0.0")).await.problem(404);
}

#[tokio::test]
async fn a_version_goes_out_of_use_and_never_back() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let path = "/v1/components/web/versions/1.0.0";
    let reason = json!({"reason": "leaks memory"});
    let deprecated = world
        .engineer
        .post(&format!("{path}/deprecate"), reason.clone())
        .await
        .expect(200);
    assert_eq!(
        (&deprecated["state"], &deprecated["state_reason"]),
        (&json!("deprecated"), &json!("leaks memory"))
    );
    let recalled = world
        .engineer
        .post(&format!("{path}/recall"), reason.clone())
        .await
        .expect(200);
    assert_eq!(recalled["state"], "recalled");
    assert_eq!(
        world
            .engineer
            .post(&format!("{path}/deprecate"), reason.clone())
            .await
            .problem(409),
        "state"
    );
    assert_eq!(
        world
            .operator
            .post(&format!("{path}/recall"), reason)
            .await
            .problem(403),
        "forbidden"
    );
}

#[tokio::test]
async fn requirements_and_pins_are_checked_with_the_rest() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let body = json!({
        "version": "2.0.0",
        "manifests": World::manifests("red"),
        "requires": [{"component": "api", "version": "newest"}],
        "images": [{"image": "registry.example/shop/web", "digest": "latest"}],
    });
    let reply = world.engineer.post("/v1/components/web/versions", body).await;
    let mut pointers = reply.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/images/0/digest", "/requires/0/version"]);
    reply.problem(422);
}
