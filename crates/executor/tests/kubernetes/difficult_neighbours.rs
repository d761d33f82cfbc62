//! Others in the same place: another service, other managers, owners, finalizers.

use crate::{
    preview,
    queue::{Recorder, State},
    world::{Running, SERVICE, World, config, web},
};
use serde_json::json;
use slipway_domain::{plan::target::Intent, render::Rendering, work::StepOutcome};

const JSON: &str = "application/json";

async fn two(context: &str) -> (World, World) {
    let shop = World::new(context).await;
    let mut mail = World::new(context).await;
    mail.namespace = shop.namespace.clone();
    mail.service = "mail".parse().unwrap();
    (shop, mail)
}

#[tokio::test]
async fn two_services_in_one_namespace_leave_each_other_alone_and_nothing_is_in_both() {
    let (mut shop, mut mail) = two("eu").await;
    let work = shop.deploy(&format!(
        "{}{}",
        config("shop-settings", "one"),
        web("registry/web:1.0", 1)
    ));
    shop.succeed(work).await;
    let work = mail.deploy(&format!(
        "{}{}",
        config("mail-settings", "one"),
        config("mail-more", "one")
    ));
    mail.succeed(work).await;

    // What is the other's is refused, before anything is touched, and said to be the other's.
    let both = format!(
        "{}{}",
        config("mail-settings", "two"),
        config("shop-settings", "mine")
    );
    let told =
        "ConfigMap shop-settings belongs to service shop in staging, and an object is in one release only";
    let shown = preview::ask(&mail, &both).await.unwrap();
    assert!(
        shown
            .objects
            .iter()
            .any(|o| o.problem.as_ref().is_some_and(|p| p.starts_with(told)))
    );
    let work = mail.deploy(&both);
    let finished = mail.run(work).await;
    assert!(finished.failed().contains(told), "{}", finished.failed());
    let settings = mail
        .get(&mail.path("/api/v1", "configmaps/mail-settings"))
        .await
        .unwrap();
    assert_eq!(settings["data"]["key"], "one");
    // To force conflicts is no way around it: nobody is in conflict, both would be Slipway.
    let mut forced = mail.deploy(&both);
    forced.force_conflicts = true;
    let finished = mail.run(forced).await;
    assert!(finished.failed().contains(told), "{}", finished.failed());

    // Neither prunes what is the other's, nor does going back or cleaning.
    mail.inventory = mail.inventory.only(
        &mail
            .render(&format!(
                "{}{}",
                config("mail-settings", "one"),
                config("mail-more", "one")
            ))
            .object_refs(),
    );
    let work = mail.deploy(&config("mail-settings", "three"));
    let finished = mail.succeed(work).await;
    assert_eq!(finished.told("object.pruned"), ["deleted ConfigMap mail-more"]);
    let back = mail.render(&config("mail-settings", "one"));
    let work = mail.assign(Intent::RollBack, back);
    mail.succeed(work).await;
    let nothing = Rendering {
        objects: Vec::new(),
        hooks: Vec::new(),
    };
    let work = shop.assign(Intent::Clean, nothing);
    let finished = shop.succeed(work).await;
    assert_eq!(
        finished.told("object.pruned"),
        ["deleted Deployment web", "deleted ConfigMap shop-settings"]
    );
    let settings = mail
        .get(&mail.path("/api/v1", "configmaps/mail-settings"))
        .await
        .unwrap();
    assert_eq!(settings["data"]["key"], "one");

    // Handed over by hand: without its label it is nobody's.
    let at = mail.path("/api/v1", "configmaps/mail-settings");
    mail.merge(
        &at,
        &json!({"metadata": {"labels": {"slipway.dev/service": null}}}),
    )
    .await;
    let work = shop.deploy(&config("mail-settings", "one"));
    shop.succeed(work).await;
    shop.close().await;
}

#[tokio::test]
async fn what_somebody_else_makes_and_what_is_slipways_own_is_refused() {
    let mut world = World::new("us").await;
    let work = world.deploy(&web("registry/web:1.0", 1));
    world.succeed(work).await;
    let sets = world
        .get(&world.path("/apis/apps/v1", "replicasets"))
        .await
        .unwrap();
    let made = sets["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    let theirs = format!(
        "---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: {made}}}
spec: {{selector: {{matchLabels: {{app: x}}}}, template: {{metadata: {{labels: {{app: x}}}}, spec: {{containers: [{{name: x, image: 'x:1'}}]}}}}}}
"
    );
    let work = world.deploy(&format!(
        "{}{theirs}{}",
        web("registry/web:1.0", 1),
        config("slipway-shop", "mine")
    ));
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.contains(&format!(
            "ReplicaSet {made} is there already and is made by Deployment web"
        )),
        "{told}"
    );
    assert!(
        told.contains("ConfigMap slipway-shop is Slipway's own: give the object another name"),
        "{told}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_conflict_is_found_before_anything_is_touched_and_an_object_with_an_owner_is_pruned_like_any_other()
{
    let mut world = World::new("staging").await;
    let first = format!(
        "{}{}{}",
        config("settings", "one"),
        config("owned", "one"),
        web("registry/web:1.0", 1)
    );
    let work = world.deploy(&first);
    world.succeed(work).await;
    let path = format!(
        "{}?fieldManager=their-tool",
        world.path("/api/v1", "configmaps/settings")
    );
    world.merge(&path, &json!({"data": {"key": "theirs"}})).await;
    let work = world.deploy(&format!(
        "{}{}",
        config("settings", "two"),
        web("registry/web:2.0", 1)
    ));
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.contains(
            "ConfigMap settings: .data.key is owned by \"their-tool\"; leave what is theirs out of the bundle"
        ),
        "{told}"
    );
    let image = |live: serde_json::Value| live["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(
        image(world.get(&world.deployment_path()).await.unwrap()),
        "registry/web:1.0",
        "nothing was touched"
    );

    let owner = world.get(&world.deployment_path()).await.unwrap();
    let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": owner["metadata"]["uid"]});
    let of_web = world.path("/api/v1", "configmaps/owned");
    world
        .merge(&of_web, &json!({"metadata": {"ownerReferences": [owner]}}))
        .await;
    let mut work = world.deploy(&format!(
        "{}{}",
        config("settings", "two"),
        web("registry/web:2.0", 1)
    ));
    work.force_conflicts = true;
    world.succeed(work).await;
    assert!(world.get(&of_web).await.is_none());
    assert_eq!(
        image(world.get(&world.deployment_path()).await.unwrap()),
        "registry/web:2.0"
    );
    world.close().await;
}

#[tokio::test]
async fn a_prune_that_waits_says_for_which_finalizer_and_goes_on_when_it_is_taken_away() {
    let mut world = World::new("us").await;
    let work = world.deploy(&format!("{}{}", config("kept", "one"), config("held", "one")));
    world.succeed(work).await;
    let held = world.path("/api/v1", "configmaps/held");
    world
        .merge(
            &held,
            &json!({"metadata": {"finalizers": ["example.com/backup"]}}),
        )
        .await;
    let work = world.deploy(&config("kept", "one"));
    let target = work.deployment_target;
    let queue = Recorder::default();
    queue.add(work);
    let running = Running::start(&queue);
    let said = "ConfigMap held (held by its finalizer example.com/backup, which whoever set it has to take away) is being deleted";
    queue
        .until(target, |entry| {
            let readiness = entry.reports.iter().filter_map(|r| r.readiness.as_ref());
            readiness
                .filter_map(|r| r.reason.as_deref())
                .any(|reason| reason == said)
        })
        .await;
    world
        .merge(&held, &json!({"metadata": {"finalizers": null}}))
        .await;
    queue
        .until(target, |entry| matches!(entry.state, State::Over(_)))
        .await;
    running.stop().await;
    queue.with(target, |entry| {
        assert_eq!(entry.state, State::Over(StepOutcome::Succeeded));
    });
    assert!(world.get(&held).await.is_none());
    world.close().await;
}

#[tokio::test]
async fn a_scale_is_left_to_whoever_sets_it_where_the_bundle_does_not_say_it() {
    let mut world = World::new("eu").await;
    let work = world.deploy(&format!("{SERVICE}{}", web("registry/web:1.0", 1)));
    world.succeed(work).await;
    let scale = format!("{}/scale", world.deployment_path());
    let to = |replicas: u32| json!({"spec": {"replicas": replicas}});
    world
        .send("PATCH", &scale, "application/merge-patch+json", &to(3))
        .await
        .unwrap();
    // The bundle stops saying it: what runs stays, though until now it was ours.
    let silent = web("registry/web:1.1", 1).replace("  replicas: 1\n", "");
    let shown = preview::ask(&world, &format!("{SERVICE}{silent}")).await.unwrap();
    let paths: Vec<_> = shown
        .objects
        .iter()
        .flat_map(|o| &o.diff.paths)
        .map(|p| p.pointer.as_str())
        .collect();
    assert_eq!(paths, ["/spec/template/spec/containers/0/image"]);
    let work = world.deploy(&format!("{SERVICE}{silent}"));
    world.succeed(work).await;
    let replicas = |live: serde_json::Value| live["spec"]["replicas"].clone();
    assert_eq!(replicas(world.get(&world.deployment_path()).await.unwrap()), 3);
    // And over the next one, whatever it is by then.
    world
        .send("PATCH", &scale, "application/merge-patch+json", &to(2))
        .await
        .unwrap();
    let work = world.deploy(&format!("{SERVICE}{}", silent.replace("web:1.1", "web:1.2")));
    world.succeed(work).await;
    assert_eq!(replicas(world.get(&world.deployment_path()).await.unwrap()), 2);

    // Where the bundle says it and an autoscaler set it, that is a conflict, and it is said what to do.
    let path = format!(
        "{}?fieldManager=horizontal-pod-autoscaler",
        world.deployment_path()
    );
    world.merge(&path, &to(4)).await;
    let work = world.deploy(&format!("{SERVICE}{}", web("registry/web:1.3", 1)));
    let finished = world.run(work).await;
    assert!(
        finished.failed().contains(
            "Deployment web: .spec.replicas is owned by \"horizontal-pod-autoscaler\"; leave `replicas` out of the bundle, \
             and it stays as they set it, or force conflicts to take it over"
        ),
        "{}",
        finished.failed()
    );
    let work = world.deploy(&format!("{SERVICE}{}", silent.replace("web:1.1", "web:1.3")));
    world.succeed(work).await;
    assert_eq!(replicas(world.get(&world.deployment_path()).await.unwrap()), 4);
    world
        .send("DELETE", &world.path("/api/v1", "services/web"), JSON, &json!({}))
        .await
        .unwrap();
    world.close().await;
}
