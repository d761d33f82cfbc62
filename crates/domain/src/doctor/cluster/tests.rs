use super::*;
use crate::ports::GuardSeen;

fn object(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some("shop".to_owned()),
        name: name.to_owned(),
    }
}

fn digest(of: &str) -> Digest {
    Digest::of_bytes(of.as_bytes())
}

/// A target that runs its second generation, and the cluster as it should be.
fn healthy() -> (Expected, TargetSeen) {
    let ran = |release: &str| Ran {
        deployment: DeploymentId::new(),
        release: Some(digest(release)),
    };
    let target = TargetId::new();
    let generations = BTreeMap::from([(1, ran("one")), (2, ran("two"))]);
    let deployment = generations[&2].deployment.to_string();
    let inventory = BTreeSet::from([object("web")]);
    let seen = TargetSeen {
        guard: Some(GuardSeen {
            target: target.to_string(),
            generation: 2,
            fence: 9,
            deployment: deployment.clone(),
        }),
        objects: vec![ObjectSeen {
            object: object("web"),
            ours: true,
            passing: false,
            generation: Some(2),
            deployment: Some(deployment),
            release_digest: Some(digest("two").to_string()),
        }],
        missing: Vec::new(),
        unasked: Vec::new(),
    };
    let expected = Expected {
        target,
        name: "storefront in production on eu".to_owned(),
        generation: 2,
        fence: 9,
        generations,
        idle: Some(Idle {
            applied: inventory.clone(),
            guarded: true,
        }),
        inventory,
    };
    (expected, seen)
}

fn checks(expected: &Expected, seen: &TargetSeen) -> Vec<&'static str> {
    judge(expected, seen).findings.iter().map(|f| f.check).collect()
}

/// What is damaged on purpose.
type Damage = fn(&mut Expected, &mut TargetSeen);

#[test]
fn a_target_as_it_should_be_gives_no_finding() {
    let (expected, seen) = healthy();
    let judged = judge(&expected, &seen);
    assert!(
        judged.findings.is_empty() && judged.notes.is_empty(),
        "{judged:?}"
    );
}

#[test]
fn every_kind_of_damage_is_found_by_its_name() {
    let damages: [(&str, Damage); 12] = [
        ("guard_missing", |_, s| s.guard = None),
        ("guard_of_another_target", |_, s| {
            s.guard.as_mut().unwrap().target = TargetId::new().to_string();
        }),
        ("guard_ahead", |_, s| s.guard.as_mut().unwrap().generation = 3),
        ("guard_ahead", |_, s| s.guard.as_mut().unwrap().fence = 10),
        ("guard_of_another_deployment", |_, s| {
            s.guard.as_mut().unwrap().deployment = DeploymentId::new().to_string();
        }),
        ("object_in_no_inventory", |e, _| e.inventory.clear()),
        ("object_without_generation", |_, s| s.objects[0].generation = None),
        ("object_of_unknown_generation", |_, s| {
            s.objects[0].generation = Some(7);
        }),
        ("object_of_another_deployment", |_, s| {
            s.objects[0].deployment = None;
        }),
        ("object_of_another_digest", |_, s| {
            s.objects[0].release_digest = Some(digest("other").to_string());
        }),
        ("object_of_an_older_generation", |e, s| {
            s.objects[0].generation = Some(1);
            s.objects[0].deployment = Some(e.generations[&1].deployment.to_string());
            s.objects[0].release_digest = Some(digest("one").to_string());
        }),
        ("guard_behind", |e, s| {
            s.guard.as_mut().unwrap().generation = 1;
            s.guard.as_mut().unwrap().deployment = e.generations[&1].deployment.to_string();
            s.objects.clear();
        }),
    ];
    for (name, damage) in damages {
        let (mut expected, mut seen) = healthy();
        damage(&mut expected, &mut seen);
        assert_eq!(checks(&expected, &seen), [name]);
    }
}

#[test]
fn while_something_is_under_way_older_generations_and_new_objects_are_no_findings() {
    let (mut expected, mut seen) = healthy();
    expected.idle = None;
    expected.generation = 3;
    expected.inventory.clear();
    assert_eq!(checks(&expected, &seen), <[&str; 0]>::default());
    seen.objects[0].generation = Some(9);
    assert_eq!(checks(&expected, &seen), ["object_of_unknown_generation"]);
}

#[test]
fn what_is_gone_is_a_note_and_what_is_not_ours_is_nobodys_business() {
    let (expected, mut seen) = healthy();
    seen.objects[0].ours = false;
    seen.objects[0].generation = Some(77);
    assert_eq!(checks(&expected, &seen), <[&str; 0]>::default());
    seen.objects.clear();
    seen.missing.push(object("web"));
    let judged = judge(&expected, &seen);
    assert!(judged.findings.is_empty());
    assert_eq!(judged.notes.len(), 1);
}
