use super::{heal, *};
use proptest::prelude::*;
use serde_json::{Map, json};
use std::collections::{BTreeMap, BTreeSet};

const US: &str = "slipway";

/// A Deployment as a server answers it: two containers in a keyed list, arguments as an atomic one.
fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "labels": {"app": "web", "slipway.dev/service": "shop"},
            "annotations": {"slipway.dev/generation": "3", "team": "a"},
            "managedFields": [ours()],
        },
        "spec": {
            "replicas": 3, "revisionHistoryLimit": 10,
            "template": {"spec": {"containers": [
                {"name": "web", "image": "web:1", "args": ["a", "b"], "imagePullPolicy": "IfNotPresent"},
                {"name": "log", "image": "log:1"},
            ]}},
        },
        "status": {"replicas": 3},
    })
}

fn ours() -> Value {
    json!({"manager": US, "operation": "Apply", "time": "2026-11-01T10:00:00Z", "fieldsV1": {
        "f:metadata": {
            "f:labels": {"f:app": {}, "f:slipway.dev/service": {}},
            "f:annotations": {"f:slipway.dev/generation": {}, "f:team": {}},
        },
        "f:spec": {
            "f:replicas": {},
            "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {}},
                "k:{\"name\":\"log\"}": {".": {}, "f:name": {}, "f:image": {}},
            }}},
        },
    }})
}

fn drift(live: &Value, after: &Value) -> Option<Drift> {
    judge(Comparison {
        live,
        after,
        manager: US,
    })
}

fn pointers(drift: &Drift) -> Vec<&str> {
    drift.fields.iter().map(|field| field.pointer.as_str()).collect()
}

#[test]
fn what_slipway_does_not_set_never_drifts() {
    let after = deployment();
    let mut live = after.clone();
    live["spec"]["revisionHistoryLimit"] = 2.into();
    live["spec"]["paused"] = true.into();
    live["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always".into();
    live["status"]["replicas"] = 7.into();
    live["metadata"]["labels"]["owner"] = "b".into();
    live["metadata"]["labels"]["slipway.dev/service"] = "other".into();
    live["metadata"]["annotations"]["slipway.dev/generation"] = "2".into();
    live["metadata"]["resourceVersion"] = "9".into();
    live["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"name": "sidecar", "image": "mesh:1"}));
    assert_eq!(drift(&live, &after), None);
}

#[test]
fn a_changed_field_is_told_with_both_values_and_who_owns_it_now() {
    let after = deployment();
    let mut live = after.clone();
    live["spec"]["replicas"] = 5.into();
    live["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .swap(0, 1);
    live["spec"]["template"]["spec"]["containers"][1]["image"] = "web:debug".into();
    live["metadata"]["managedFields"] = json!([
        ours(),
        {"manager": "kubectl-scale", "operation": "Update", "time": "2026-11-02T10:00:00Z", "subresource": "scale",
         "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-03T10:00:00Z", "fieldsV1": {"f:spec":
            {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}}}}}},
    ]);
    let found = drift(&live, &after).unwrap();
    assert_eq!(found.kind, DriftKind::Changed);
    assert_eq!(
        pointers(&found),
        ["/spec/replicas", "/spec/template/spec/containers/1/image"]
    );
    let replicas = &found.fields[0];
    assert_eq!(
        (&replicas.applied, &replicas.found),
        (&Some(json!(3)), &Some(json!(5)))
    );
    assert_eq!(replicas.manager.as_deref(), Some("kubectl-scale"));
    let hand = found.hand.as_ref().unwrap();
    assert_eq!(
        (hand.manager.as_str(), hand.operation.as_str()),
        ("kubectl-edit", "Update")
    );
    assert_eq!(hand.at.unwrap().to_string(), "2026-11-03T10:00:00Z");
    assert_eq!(
        found.to_string(),
        "/spec/replicas and 1 more field is changed (kubectl-edit)"
    );
}

#[test]
fn what_was_taken_away_is_told_whole_and_nobody_owns_it() {
    let after = deployment();
    let mut live = after.clone();
    live["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .remove(1);
    live["metadata"]["annotations"]
        .as_object_mut()
        .unwrap()
        .remove("team");
    let found = drift(&live, &after).unwrap();
    assert_eq!(
        pointers(&found),
        ["/metadata/annotations/team", "/spec/template/spec/containers/1"]
    );
    assert_eq!(
        found.fields[1].applied,
        Some(json!({"name": "log", "image": "log:1"}))
    );
    assert!(
        found
            .fields
            .iter()
            .all(|f| f.found.is_none() && f.manager.is_none())
    );
    assert_eq!(found.hand, None);
}

#[test]
fn an_object_made_anew_without_our_marks_has_not_drifted() {
    let marked = json!({"kind": "ConfigMap", "metadata": {"annotations": {"slipway.dev/release": "1.0.0"},
        "managedFields": [{"manager": US, "operation": "Apply", "fieldsV1":
            {"f:metadata": {"f:annotations": {".": {}, "f:slipway.dev/release": {}}}, "f:data": {".": {}, "f:a": {}}}}]},
        "data": {"a": "1"}});
    let mut live = marked.clone();
    live["metadata"].as_object_mut().unwrap().remove("annotations");
    assert_eq!(drift(&live, &marked), None);
    assert_eq!(judge_refused(&live, &marked, "no", US), None);
    live.as_object_mut().unwrap().remove("data");
    assert_eq!(pointers(&drift(&live, &marked).unwrap()), ["/data/a"]);
}

#[test]
fn an_atomic_list_is_told_as_one_field() {
    let after = deployment();
    let mut live = after.clone();
    live["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["b", "a", "c"]);
    let found = drift(&live, &after).unwrap();
    assert_eq!(pointers(&found), ["/spec/template/spec/containers/0/args"]);
    assert_eq!(found.fields[0].found, Some(json!(["b", "a", "c"])));
}

#[test]
fn a_secrets_values_are_compared_and_never_shown_however_they_were_written() {
    let secret = |data: &str, written: &str| {
        let mut set = Map::new();
        set.insert(format!("f:{written}"), json!({"f:password": {}}));
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "managedFields":
            [{"manager": US, "operation": "Apply", "fieldsV1": set}]}, "data": {"password": data}})
    };
    for written in ["data", "stringData"] {
        let found = drift(&secret("b25l", written), &secret("dHdv", written)).unwrap();
        assert_eq!(pointers(&found), ["/data/password"]);
        let text = serde_json::to_string(&found).unwrap() + &found.to_string();
        assert!(!text.contains("b25l") && !text.contains("dHdv"), "{text}");
        assert_eq!(found.fields[0].applied, Some(json!("(redacted)")));
        assert_eq!(drift(&secret("b25l", written), &secret("b25l", written)), None);
    }
}

#[test]
fn long_texts_are_cut_around_where_they_differ_and_many_fields_are_counted() {
    let object = |value: &str, n: usize| {
        let data: Map<String, Value> = (0..n).map(|i| (format!("k{i:03}"), value.into())).collect();
        let set: Map<String, Value> = data.keys().map(|key| (format!("f:{key}"), json!({}))).collect();
        json!({"kind": "ConfigMap", "metadata": {"managedFields": [{"manager": US, "operation": "Apply",
            "fieldsV1": {"f:data": set}}]}, "data": data})
    };
    let (a, b) = (
        format!("{}one{}", "x".repeat(9000), "y".repeat(9000)),
        format!("{}two{}", "x".repeat(9000), "y".repeat(9000)),
    );
    let found = drift(&object(&b, 1), &object(&a, 1)).unwrap();
    let text = |value: &Option<Value>| value.as_ref().unwrap().as_str().unwrap().to_owned();
    assert!(text(&found.fields[0].applied).contains("xone") && text(&found.fields[0].found).contains("xtwo"));
    assert!(text(&found.fields[0].applied).len() < 600);
    let found = drift(&object("b", 130), &object("a", 130)).unwrap();
    assert_eq!((found.fields.len(), found.omitted), (100, 30));
    let found = drift(&object("b\0c", 1), &object("a", 1)).unwrap();
    assert!(!serde_json::to_string(&found).unwrap().contains("\\u0000"));
}

#[test]
fn what_the_server_refuses_is_compared_as_it_was_written() {
    let applied = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let mut live = applied.clone();
    live["spec"]["type"] = "ClusterIP".into();
    live["spec"]["ports"][0]["protocol"] = "TCP".into();
    assert_eq!(judge_refused(&live, &applied, "no", US), None);
    live["spec"]["selector"]["app"] = "other".into();
    let found = judge_refused(&live, &applied, "field is immutable", US).unwrap();
    assert_eq!(pointers(&found), ["/spec/selector/app"]);
    assert_eq!(found.problem.as_deref(), Some("field is immutable"));
}

#[test]
fn a_job_that_was_to_go_away_is_not_missed() {
    assert!(expires_by_itself(
        &json!({"kind": "Job", "spec": {"ttlSecondsAfterFinished": 60}})
    ));
    assert!(!expires_by_itself(&json!({"kind": "Job", "spec": {}})));
}

#[test]
fn a_manager_that_writes_the_same_again_changes_nothing() {
    let at = |time: &str| Drift {
        hand: Some(Hand {
            manager: "m".into(),
            operation: "Update".into(),
            subresource: None,
            at: time.parse().ok(),
        }),
        ..Drift::missing()
    };
    let (a, b) = (at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z"));
    assert!(a.is_same_as(&b) && a != b);
    assert!(!a.is_same_as(&Drift::missing()));
}

/// A tree of fields with scalars as leaves.
fn trees() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from)
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        proptest::collection::btree_map("[a-d/~]{1,2}", inner, 1..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    });
    proptest::collection::btree_map("[a-d]", tree, 1..4)
        .prop_map(|map| json!({"spec": Value::Object(map.into_iter().collect())}))
}

/// The server's record of a tree that was applied.
fn record(tree: &Value) -> Value {
    match tree {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| (format!("f:{key}"), record(value)))
            .collect::<Map<_, _>>()
            .into(),
        _ => json!({}),
    }
}

fn served(tree: &Value, applied: &Value) -> Value {
    let mut object = tree.clone();
    object["metadata"] =
        json!({"managedFields": [{"manager": US, "operation": "Apply", "fieldsV1": record(applied)}]});
    object
}

fn leaves(tree: &Value, at: &str, all: &mut Vec<String>) {
    match tree {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            leaves(value, &format!("{at}/{key}"), all);
        }),
        _ => all.push(at.to_owned()),
    }
}

/// Fields of others, put beside those that were applied.
fn beside(tree: &mut Value, others: &BTreeMap<String, u8>) {
    if let Value::Object(entries) = tree {
        for value in entries.values_mut() {
            beside(value, others);
        }
        for (key, value) in others {
            entries
                .entry(format!("x-{key}"))
                .or_insert_with(|| (*value).into());
        }
    }
}

proptest! {
    #[test]
    fn nothing_drifts_but_the_very_fields_that_were_applied_and_changed(
        applied in trees(),
        others in proptest::collection::btree_map("[a-c]", any::<u8>(), 0..3),
        which in any::<proptest::sample::Index>(),
        gone in any::<bool>(),
    ) {
        let mut there = applied.clone();
        beside(&mut there, &others);
        let after = served(&there, &applied);
        let mut live = served(&applied, &applied);
        prop_assert_eq!(drift(&live, &after), None);

        let mut all = Vec::new();
        leaves(&applied, "", &mut all);
        let pointer = which.get(&all);
        if gone {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let key = key.replace("~1", "/").replace("~0", "~");
            live.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(&key);
        } else {
            *live.pointer_mut(pointer).unwrap() = json!({"changed": [1]});
        }
        let found = drift(&live, &after).unwrap();
        prop_assert_eq!(pointers(&found), [pointer.as_str()]);
        prop_assert_eq!(found.fields[0].applied.as_ref(), applied.pointer(pointer));
        prop_assert_eq!(found.fields[0].found.is_none(), gone);
    }

    #[test]
    fn every_cluster_that_somebody_may_watch_is_watched_by_one_who_may(
        may in proptest::collection::vec(proptest::collection::btree_set(0u8..12, 0..12), 0..5),
        held in proptest::collection::btree_map(0u8..12, 0usize..6, 0..12),
    ) {
        let watchers: Vec<Watcher<u8>> = may.iter().enumerate()
            .map(|(i, clusters)| Watcher { holder: format!("e{i}"), clusters: clusters.clone() }).collect();
        let held: BTreeMap<u8, String> = held.into_iter().map(|(c, i)| (c, format!("e{i}"))).collect();
        let given = spread(&watchers, &held);
        let somebody: BTreeSet<u8> = may.iter().flatten().copied().collect();
        prop_assert_eq!(given.keys().copied().collect::<BTreeSet<_>>(), somebody);
        for (cluster, holder) in &given {
            prop_assert!(watchers.iter().any(|w| &w.holder == holder && w.clusters.contains(cluster)));
        }
        // Nobody who could take one has two fewer than its watcher; and asked again, nothing moves.
        let load = |holder: &str| given.values().filter(|h| *h == holder).count();
        for (cluster, holder) in &given {
            for other in watchers.iter().filter(|w| w.clusters.contains(cluster)) {
                prop_assert!(load(holder) <= load(&other.holder) + 1);
            }
        }
        prop_assert_eq!(spread(&watchers, &given), given);
    }

    #[test]
    fn two_who_fight_over_an_object_are_noticed_and_healing_ends(step in 1i64..900, rounds in 5usize..40) {
        // Somebody changes it back at once, every time; and a look every `step` seconds.
        let (mut heals, mut now) = (Vec::new(), Timestamp::UNIX_EPOCH);
        for _ in 0..rounds {
            let facts = heal::Facts { heals: heals.clone(), objects: vec![heal::ObjectFacts {
                name: "Deployment web".into(), manager: Some("other".into()), healed: heals.clone() }] };
            let (verdict, left) = heal::decide(&facts, now);
            match verdict {
                heal::Verdict::Heal(which) => {
                    prop_assert_eq!(which, vec![0]);
                    if let Some(last) = heals.last() {
                        prop_assert!(now.duration_since(*last) >= heal::PAUSE);
                    }
                    heals.push(now);
                }
                heal::Verdict::NotBefore(at) => prop_assert!(at > now),
                heal::Verdict::Nothing => prop_assert!(left[0].1.contains("`other`"), "{}", left[0].1),
            }
            let hour = heals.iter().filter(|at| now.duration_since(**at) < heal::WINDOW).count();
            prop_assert!(hour <= heal::MOST);
            now = now.saturating_add(jiff::SignedDuration::from_secs(step)).unwrap();
        }
    }
}

#[test]
fn one_who_is_fought_over_does_not_keep_the_others_from_being_healed() {
    let now = Timestamp::UNIX_EPOCH
        .saturating_add(jiff::SignedDuration::from_mins(30))
        .unwrap();
    let object = |name: &str, healed: usize| heal::ObjectFacts {
        name: name.into(),
        manager: None,
        healed: vec![Timestamp::UNIX_EPOCH; healed],
    };
    let facts = heal::Facts {
        heals: vec![Timestamp::UNIX_EPOCH; 3],
        objects: vec![object("a", 3), object("b", 0)],
    };
    let (verdict, left) = heal::decide(&facts, now);
    assert_eq!(verdict, heal::Verdict::Heal(vec![1]));
    assert_eq!(left.len(), 1);
    assert!(left[0].1.contains("a was healed 3 times"), "{}", left[0].1);
}
