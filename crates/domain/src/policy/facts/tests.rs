use super::*;

fn person(subject: &str) -> Value {
    json!({"subject": subject, "issuer": "https://id.example", "kind": "human"})
}

fn target(cluster: &str, region: &str) -> Value {
    json!({
        "cluster": cluster, "namespace": "shop", "labels": {"region": region}, "replaces": "shop@1.0.0",
        "changes": {"created": 0, "updated": 1, "unchanged": 3, "pruned": 0},
    })
}

pub(crate) fn some() -> Value {
    json!({
        "release": {
            "name": "shop@1.1.0", "version": "1.1.0", "digest": "sha256:aa", "author": person("ada"),
            "sealed_by": person("sam"), "age": 600, "notes": "faster",
        },
        "components": [{
            "name": "web", "version": "1.1.0", "digest": "sha256:bb", "team": "shop", "state": "available",
            "source": {"repository": "https://git.example/shop"},
            "images": [{"reference": "registry.example/web@sha256:cc", "registry": "registry.example", "pinned": true}],
            "kinds": ["apps/v1/Deployment", "v1/Service"], "objects": 2,
        }],
        "evidence": [{
            "kind": "test_report", "name": "unit", "of": "component", "component": "web", "digest": "sha256:bb",
            "passed": true, "verified": false, "age": 3600, "counts": {"passed": 12, "failed": 0, "skipped": 1},
        }],
        "environment": {
            "name": "production", "tier": "production", "promotes_from": "staging", "clusters": ["eu-1", "us-1"],
        },
        "service": {"name": "shop", "team": "shop", "criticality": "high"},
        "requester": person("rob"),
        "deployment": {"kind": "deploy", "first": false},
        "plan": {"targets": [target("eu-1", "eu"), target("us-1", "us")], "waves": 2, "can_roll_back": true},
        "risk": {"score": 42, "factors": ["two clusters at once"]},
        "calendar": {"now": "2026-11-23T10:00:00Z", "weekday": "monday", "hour": 10, "date": "2026-11-23"},
        "history": {"deployments": 7, "failures": 1, "last": "succeeded", "last_success": 90_000},
    })
}

pub(crate) fn some_facts() -> Facts {
    Facts::new(some()).unwrap()
}

#[test]
fn facts_that_are_wrong_are_refused_with_all_that_is_wrong() {
    let mut wrong = some();
    wrong["environment"]["tier"] = json!("prod");
    wrong["risk"]["score"] = json!(1.5);
    wrong["risk"]["colour"] = json!("red");
    wrong["service"].as_object_mut().unwrap().remove("team");
    wrong["components"] = json!(vec![Value::Null; MAX_LIST + 1]);
    let faults = Facts::new(wrong).err().unwrap();
    let said: Vec<_> = faults
        .as_slice()
        .iter()
        .map(|f| format!("{} {}", f.pointer, f.detail))
        .collect();
    for expected in [
        "/environment/tier `prod` is none of development, test, staging, production",
        "/risk/score is a whole number",
        "/risk/colour is no field that there is",
        "/service/team is missing",
        "/components has more than 1000 entries",
        "/components/0 is an object",
    ] {
        assert!(
            said.iter().any(|fault| fault == expected),
            "{expected}: {said:#?}"
        );
    }
    assert!(Facts::new(json!(null)).is_err());
    assert!(Facts::new(json!({})).is_err());
}

#[test]
fn whole_numbers_are_ints_whatever_their_sign() {
    assert!(matches!(cel(&json!(7)), Cel::Int(7)));
    assert!(matches!(cel(&json!(-7)), Cel::Int(-7)));
}

#[test]
fn the_schema_names_every_field_and_what_must_be_there() {
    let schema = Facts::schema();
    assert_eq!(
        schema["properties"]["environment"]["properties"]["tier"]["enum"][3],
        "production"
    );
    let required = schema["properties"]["deployment"]["required"].as_array().unwrap();
    assert_eq!(required, &[json!("kind"), json!("first")]);
    assert_eq!(schema["additionalProperties"], false);
}
