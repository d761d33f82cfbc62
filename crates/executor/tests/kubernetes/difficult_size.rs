//! As many objects as a bundle may hold.

use crate::{
    preview,
    world::{World, config},
};
use slipway_domain::render::Change;
use std::time::Instant;

/// A thousand objects with a kilobyte each.
fn thousand(changed: &str) -> String {
    let filler = "x".repeat(1_000);
    (0..1_000)
        .map(|n| config(&format!("n{n:03}"), if n == 500 { changed } else { &filler }))
        .collect()
}

#[tokio::test]
async fn a_thousand_objects_are_applied_previewed_changed_and_pruned_in_bounded_time() {
    let mut world = World::new("staging").await;
    let measured = |what: &str, since: Instant| {
        let seconds = since.elapsed().as_secs_f64();
        println!("{what}: {seconds:.1} s");
        assert!(seconds < 60.0, "{what} took {seconds:.1} s");
    };
    let first = thousand("one");
    let work = world.deploy(&first);
    let began = Instant::now();
    world.succeed(work).await;
    measured("first release", began);
    assert_eq!(world.inventory.0.len(), 1_000);

    let second = thousand("two");
    let began = Instant::now();
    let shown = preview::ask(&world, &second).await.unwrap();
    measured("preview of one change", began);
    let changed: Vec<_> = shown
        .objects
        .iter()
        .filter(|o| o.diff.change != Change::Unchanged)
        .collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0].object.name, "n500");

    let work = world.deploy(&second);
    let began = Instant::now();
    let finished = world.succeed(work).await;
    measured("second release with one change", began);
    assert_eq!(
        finished.told("object.applied"),
        ["applied 1000 objects of configuration: 1 configured, 999 unchanged"]
    );

    let work = world.deploy(&config("left", "one"));
    let began = Instant::now();
    world.succeed(work).await;
    measured("release without them", began);
    world.close().await;
}
