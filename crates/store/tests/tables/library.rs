//! Components, versions and bundles.

use crate::setup::{author, name};
use semver::Version;
use slipway_domain::{
    Digest,
    component::{
        ComponentKind, VersionState,
        bundle::{Bundle, Limits},
    },
    ids::{ComponentVersionId, PrincipalId},
};
use slipway_store::{Error, Tx, components, teams};
use slipway_testkit::TestDb;

async fn register(
    tx: &mut Tx,
    component: slipway_domain::ids::ComponentId,
    version: &str,
    text: &str,
    by: PrincipalId,
) -> Option<ComponentVersionId> {
    let bundle = Bundle::parse(text, &Limits::default()).unwrap();
    let new = components::NewVersion {
        component,
        version: &Version::parse(version).unwrap(),
        digest: Digest::of_bytes(text.as_bytes()),
        bundle_digest: bundle.digest(),
        objects: &bundle.refs(),
        warnings: &[],
        bundle: &bundle,
        source: None,
        requires: &[],
        images: &[],
        created_by: by,
    };
    components::insert_version(tx, &new).await.unwrap()
}

#[tokio::test]
async fn a_bundle_is_stored_once_and_read_back_to_the_digest() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let by = author(&mut tx).await;
    let new = components::New {
        name: &name("web"),
        kind: ComponentKind::Manifests,
        team: shop,
        description: "",
    };
    let web = components::insert(&mut tx, &new).await.unwrap();
    // Numbers, order of objects and odd characters: whatever the database does to them must not change the digest.
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}\nspec: {a: 1.50, b: 1e2, c: 1e-7, d: -0.0, e: 9007199254740991}\n\
                ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {emoji: \"\u{1F980}\", quote: '\"\\'}\n";
    let first = register(&mut tx, web, "1.0.0", text, by).await.unwrap();
    let second = register(&mut tx, web, "1.0.1", text, by).await.unwrap();
    assert!(
        register(&mut tx, web, "1.0.0", text, by).await.is_none(),
        "the version is there already"
    );
    let bundles: i64 = sqlx::query_scalar("SELECT count(*) FROM bundles")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(bundles, 1);
    let written = Bundle::parse(text, &Limits::default()).unwrap();
    for id in [first, second] {
        let read = Bundle {
            objects: components::bundle(&mut tx, id).await.unwrap(),
        };
        assert_eq!(read.digest(), written.digest());
        assert_eq!(read.refs(), written.refs());
    }
    assert!(
        components::bundle(&mut tx, ComponentVersionId::new())
            .await
            .unwrap()
            .is_empty()
    );
    let newest: Vec<_> = components::versions(&mut tx, web, None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|v| v.version.to_string())
        .collect();
    assert_eq!(newest.len(), 2);
    let found = components::find_version(&mut tx, "web", &Version::new(1, 0, 1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.id, found.component_name.as_str()), (second, "web"));
}

#[tokio::test]
async fn a_version_leaves_the_state_it_was_read_in_only_once() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let by = author(&mut tx).await;
    let new = components::New {
        name: &name("web"),
        kind: ComponentKind::Manifests,
        team: shop,
        description: "",
    };
    let web = components::insert(&mut tx, &new).await.unwrap();
    let id = register(
        &mut tx,
        web,
        "1.0.0",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}",
        by,
    )
    .await
    .unwrap();
    let read = components::version(&mut tx, id).await.unwrap().unwrap();
    components::set_version_state(&mut tx, &read, VersionState::Recalled, "it leaks")
        .await
        .unwrap();
    let late = components::set_version_state(&mut tx, &read, VersionState::Deprecated, "old").await;
    assert!(matches!(late, Err(Error::Guard { .. })));
    let now = components::version(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((now.state, now.revision), (VersionState::Recalled, 2));
}
