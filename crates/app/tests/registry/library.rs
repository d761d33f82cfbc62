//! Components and their versions.

use crate::setup::{admin, engineer, team};
use crate::support::{Everything, faults};
use slipway_app::{
    Error, Tx,
    components::{self, CreateVersion, ImagePinInput, RequirementInput},
};
use slipway_domain::{component::VersionState, identity::Actor};
use slipway_testkit::TestApp;

const MANIFESTS: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {colour: blue}}";

fn version(version: &str, manifests: &str) -> CreateVersion {
    CreateVersion {
        version: version.to_owned(),
        manifests: manifests.to_owned(),
        ..CreateVersion::default()
    }
}

async fn library(app: &TestApp) -> (Actor, Tx) {
    let admin = admin(app).await;
    let engineer = engineer(app).await;
    let mut tx = app.app.begin().await.unwrap();
    team(&mut tx, &admin, "shop").await;
    let web = components::Create {
        name: "web".to_owned(),
        team: "shop".to_owned(),
        ..components::Create::default()
    };
    components::create(&mut tx, &engineer, web).await.unwrap();
    (engineer, tx)
}

#[tokio::test]
async fn a_version_never_changes_and_the_same_again_is_what_is_there() {
    let app = TestApp::start().await;
    let (eve, mut tx) = library(&app).await;
    let made = components::create_version(&mut tx, &app.app, &eve, "web", version("1.0.0", MANIFESTS))
        .await
        .unwrap();
    assert!(!made.existed);
    assert_eq!(made.version.objects[0].to_string(), "ConfigMap web");
    // The same content, written otherwise.
    let otherwise = "metadata: {name: web}\nkind: ConfigMap\napiVersion: v1\ndata:\n  colour: blue\n";
    let same = components::create_version(&mut tx, &app.app, &eve, "web", version("1.0.0", otherwise))
        .await
        .unwrap();
    assert!(same.existed);
    assert_eq!(same.version.id, made.version.id);
    let green = MANIFESTS.replace("blue", "green");
    let other = components::create_version(&mut tx, &app.app, &eve, "web", version("1.0.0", &green)).await;
    let Err(Error::Conflict {
        code: "version-exists",
        detail,
    }) = other
    else {
        panic!("{other:?}")
    };
    assert!(detail.contains(&made.version.digest.to_string()), "{detail}");
    assert_eq!(detail.matches("sha256:").count(), 2, "{detail}");
    tx.commit().await.unwrap();
    let everything = Everything::read(&app.app).await;
    assert_eq!(everything.count("audit_entries", "component_version.create"), 1);
}

#[tokio::test]
async fn every_fault_of_a_version_is_found_at_once() {
    let app = TestApp::start().await;
    let (eve, mut tx) = library(&app).await;
    let requirement = |component: &str, version: &str| RequirementInput {
        component: component.to_owned(),
        version: version.to_owned(),
    };
    let digest = format!("sha256:{}", "a".repeat(64));
    let pin = |image: &str, digest: &str| ImagePinInput {
        image: image.to_owned(),
        digest: digest.to_owned(),
        tag: None,
    };
    let wrong = CreateVersion {
        requires: vec![
            requirement("api", "^1"),
            requirement("api", "^2"),
            requirement("web", "^1"),
            requirement("db", "new"),
        ],
        images: vec![
            pin("shop/web", &digest),
            pin("shop/web", &digest),
            pin("shop/api", "sha256:1"),
            pin("shop/db:1", &digest),
        ],
        ..version("one", "kind: ConfigMap")
    };
    let found = faults(components::create_version(&mut tx, &app.app, &eve, "web", wrong).await);
    let (fields, manifests) = found.split_at(7);
    assert_eq!(
        fields,
        [
            "/version",
            "/requires/1/component",
            "/requires/2/component",
            "/requires/3/version",
            "/images/1/image",
            "/images/2/digest",
            "/images/3/image"
        ]
    );
    assert!(
        !manifests.is_empty() && manifests.iter().all(|at| at.starts_with("/manifests/0")),
        "{manifests:?}"
    );
    let built =
        components::create_version(&mut tx, &app.app, &eve, "web", version("1.0.0+1", MANIFESTS)).await;
    assert_eq!(faults(built), ["/version"]);
}

#[tokio::test]
async fn a_version_is_deprecated_then_recalled_and_never_comes_back() {
    let app = TestApp::start().await;
    let (eve, mut tx) = library(&app).await;
    components::create_version(&mut tx, &app.app, &eve, "web", version("1.0.0", MANIFESTS))
        .await
        .unwrap();
    assert_eq!(
        faults(components::deprecate(&mut tx, &eve, "web", "1.0.0", " ").await),
        ["/reason"]
    );
    let old = components::deprecate(&mut tx, &eve, "web", "1.0.0", "2.0.0 is better")
        .await
        .unwrap();
    assert_eq!(old.version.state, VersionState::Deprecated);
    let again = components::deprecate(&mut tx, &eve, "web", "1.0.0", "really").await;
    assert!(matches!(again, Err(Error::Conflict { code: "state", .. })));
    let gone = components::recall(&mut tx, &eve, "web", "1.0.0", "it leaks")
        .await
        .unwrap();
    assert_eq!(
        (gone.version.state, gone.version.state_reason.as_deref()),
        (VersionState::Recalled, Some("it leaks"))
    );
    let back = components::deprecate(&mut tx, &eve, "web", "1.0.0", "not so bad").await;
    assert!(matches!(back, Err(Error::Conflict { code: "state", .. })));
    for missing in [
        "2.0.0",
        "one",
        "cmv_01kq3m2x5vf9tb2t7w3c7b8d9e",
        "1.0.0'; DROP TABLE components",
    ] {
        assert!(matches!(
            components::get_version(&mut tx, &eve, "web", missing).await,
            Err(Error::NotFound { .. })
        ));
    }
}
