//! Definitions that change between releases, and what becomes of them and of their objects on the way back.

use crate::{
    preview,
    world::{World, unique},
};
use serde_json::json;
use slipway_domain::plan::target::Intent;

/// A definition `widgets.<group>`; each version with the fields of its schema, the first of them stored.
fn definition(group: &str, versions: &[(&str, &[&str])]) -> String {
    let versions: Vec<String> = versions
        .iter()
        .enumerate()
        .map(|(i, (version, fields))| {
            let fields: Vec<String> = fields.iter().map(|f| format!("{f}: {{type: string}}")).collect();
            let fields = fields.join(", ");
            format!(
                "  - name: {version}
    served: true
    storage: {}
    schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{{fields}}}}}}}}}}}
",
                i == 0
            )
        })
        .collect();
    let versions = versions.concat();
    format!(
        "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Widget, plural: widgets, singular: widget}}
  versions:
{versions}"
    )
}

fn widget(group: &str, version: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: {group}/{version}\nkind: Widget\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    )
}

async fn world(context: &str) -> (World, String, String) {
    let mut world = World::new(context).await;
    world.grants.cluster_scoped_kinds = vec!["CustomResourceDefinition.apiextensions.k8s.io".to_owned()];
    let group = format!("{}.example.com", unique("crd"));
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}");
    (world, group, path)
}

#[tokio::test]
async fn a_field_that_came_with_a_release_goes_with_its_rollback_and_so_do_its_objects() {
    let (mut world, group, path) = world("eu").await;
    let first = definition(&group, &[("v1", &["size"])]) + &widget(&group, "v1", "one", "size: small");
    let work = world.deploy(&first);
    world.succeed(work).await;
    let second = definition(&group, &[("v1", &["size", "colour"])])
        + &widget(&group, "v1", "one", "size: small, colour: red")
        + &widget(&group, "v1", "two", "size: large, colour: blue");
    // The definition as it is now does not know the field: that is not held against the release that brings it.
    let shown = preview::ask(&world, &second).await.unwrap();
    assert!(
        shown.objects.iter().all(|o| o.problem.is_none()),
        "{:?}",
        shown.objects
    );
    assert!(
        shown
            .notes
            .join("\n")
            .contains("this release changes the definition of its kind"),
        "{:?}",
        shown.notes
    );
    let work = world.deploy(&second);
    world.succeed(work).await;
    let at = |name: &str| world.path(&format!("/apis/{group}/v1"), &format!("widgets/{name}"));
    let (one, two) = (at("one"), at("two"));
    assert_eq!(world.get(&two).await.unwrap()["spec"]["colour"], "blue");

    let rendering = world.render(&first);
    let work = world.assign(Intent::RollBack, rendering);
    world.succeed(work).await;
    let live = world.get(&one).await.unwrap();
    assert_eq!(live["spec"], json!({"size": "small"}));
    assert!(world.get(&two).await.is_none(), "what came with it goes with it");
    world
        .send("DELETE", &path, "application/json", &json!({}))
        .await
        .unwrap();
    world.close().await;
}

#[tokio::test]
async fn a_version_that_objects_are_stored_in_stays_on_the_way_back_and_cannot_be_dropped_on_the_way_on() {
    let (mut world, group, path) = world("us").await;
    let first = definition(&group, &[("v1", &["size"])]) + &widget(&group, "v1", "one", "size: small");
    let work = world.deploy(&first);
    world.succeed(work).await;
    let second = definition(&group, &[("v2", &["size"]), ("v1", &["size"])])
        + &widget(&group, "v2", "one", "size: small")
        + &widget(&group, "v2", "two", "size: large");
    let work = world.deploy(&second);
    world.succeed(work).await;

    // On the way on, dropping what is stored is refused before anything is touched.
    let work = world.deploy(&first);
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.contains("its objects are stored in version v2, which it no longer names; keep naming it (with `served: false`"),
        "{told}"
    );
    assert!(finished.steps.is_empty(), "{:?}", finished.steps);

    // On the way back it must not be in the way: the definition stays, everything else goes back.
    let rendering = world.render(&first);
    let work = world.assign(Intent::RollBack, rendering);
    let finished = world.succeed(work).await;
    let kept = finished.told("object.kept").join("\n");
    assert!(
        kept.contains("was kept as it is: its objects are stored in version v2"),
        "{kept}"
    );
    let live = world.get(&path).await.unwrap();
    assert_eq!(live["spec"]["versions"].as_array().unwrap().len(), 2);
    assert_eq!(live["metadata"]["annotations"]["slipway.dev/generation"], "4");
    let at = |name: &str| world.path(&format!("/apis/{group}/v1"), &format!("widgets/{name}"));
    assert_eq!(world.get(&at("one")).await.unwrap()["spec"]["size"], "small");
    assert!(world.get(&at("two")).await.is_none());
    // And on again.
    let work = world.deploy(&second);
    world.succeed(work).await;
    world
        .send("DELETE", &path, "application/json", &json!({}))
        .await
        .unwrap();
    world.close().await;
}

#[tokio::test]
async fn an_object_whose_version_is_served_no_more_is_pruned_in_the_version_that_is() {
    let (mut world, group, path) = world("staging").await;
    let old = definition(&group, &[("v1", &["size"])]) + &widget(&group, "v1", "one", "size: small");
    let work = world.deploy(&old);
    world.succeed(work).await;
    // Still named, since objects are stored in it, and served to nobody any more.
    let moved = definition(&group, &[("v2", &["size"]), ("v1", &["size"])]).replace(
        "  - name: v1\n    served: true",
        "  - name: v1\n    served: false",
    );
    let work = world.deploy(&moved);
    let finished = world.succeed(work).await;
    assert_eq!(finished.told("object.pruned"), ["deleted Widget one"]);
    let there = world.path(&format!("/apis/{group}/v2"), "widgets/one");
    assert!(world.get(&there).await.is_none());
    world
        .send("DELETE", &path, "application/json", &json!({}))
        .await
        .unwrap();
    world.close().await;
}
