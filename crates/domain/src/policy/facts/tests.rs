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

/// What an expression comes out as, of some facts.
fn judged(source: &str, facts: Value) -> crate::policy::expression::Outcome {
    let condition = crate::policy::expression::Condition::new(source).unwrap();
    condition.judge(&Facts::new(facts).unwrap())
}

#[test]
fn whole_numbers_are_ints_whatever_their_sign() {
    let mut negative = some();
    negative["risk"]["score"] = json!(-7);
    for (facts, source) in [
        (some(), "risk.score + 1 == 43"),
        (negative, "risk.score * 2 == -14"),
    ] {
        assert_eq!(
            judged(source, facts),
            crate::policy::expression::Outcome::True,
            "{source}"
        );
    }
}

#[test]
fn a_shared_list_or_object_is_what_it_is_made_of() {
    for source in [
        r#"environment.clusters == ["eu-1", "us-1"] && ["eu-1", "us-1"] == environment.clusters"#,
        "components == components && [components[0]] == components && components[0] in components",
        "components[0].images.map(i, i.pinned) == [true]",
        "(environment.clusters + environment.clusters).size() == 4 && [1, 2].size() == 2",
        r#"plan.targets.map(t, t.labels)[1] == plan.targets[1].labels && plan.targets.map(t, t.labels)[1].region == "us""#,
        r#""region" in plan.targets[0].labels && plan.targets[0].labels.all(l, l == "region")"#,
        "plan.targets[0] != plan.targets[1] && evidence[0].counts.size() == 3",
        r#"(deployment.first ? environment : service).name == "shop""#,
    ] {
        assert_eq!(
            judged(source, some()),
            crate::policy::expression::Outcome::True,
            "{source}"
        );
    }
}

#[test]
fn a_loop_over_an_object_goes_by_its_keys_in_order() {
    let mut facts = some();
    facts["evidence"][0]["counts"] = (0..40)
        .map(|i| (format!("n{i:02}"), json!(i)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for source in [
        r#"evidence[0].counts.map(c, c)[7] == "n07""#,
        r#"evidence[0].counts.filter(c, c > "n20")[0] == "n21""#,
        r#"evidence[0].counts.exists(c, c == "n00" || evidence[0].counts.missing == 1)"#,
    ] {
        assert_eq!(
            judged(source, facts.clone()),
            crate::policy::expression::Outcome::True,
            "{source}"
        );
    }
}

#[test]
fn what_is_wrong_with_facts_is_not_told_without_end() {
    let mut wrong = some();
    wrong["components"][0]["source"] = json!({"a": [{"b": vec![0; MAX_LIST + 1]}]});
    wrong["evidence"] = json!(vec![Value::Null; MAX_LIST]);
    wrong["plan"]["targets"][0]["labels"] = (0..=MAX_LIST).map(|i| (i.to_string(), json!("x"))).collect();
    let faults = Facts::new(wrong).err().unwrap();
    assert_eq!(faults.as_slice().len(), 100);
    let said = faults.to_string();
    assert!(
        said.contains("/components/0/source/a/0/b: has more than 1000 entries"),
        "{said}"
    );
    assert!(said.ends_with("there are more than these 99 faults"), "{said}");
    let mut long = some();
    long["plan"]["targets"][0]["labels"] = (0..=MAX_LIST).map(|i| (i.to_string(), json!("x"))).collect();
    long["environment"]["tier"] = json!("x".repeat(10_000));
    let said = Facts::new(long).err().unwrap().to_string();
    assert!(
        said.contains("/plan/targets/0/labels: has more than 1000 entries") && said.len() < 500,
        "{said}"
    );
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
