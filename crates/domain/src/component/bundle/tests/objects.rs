use super::{faults, parse};
use crate::component::bundle::{HookPhase, ImageName, ImagePin, NoImagePin, ObjectRef, hook_phases};
use serde_json::json;

#[test]
fn documents_become_objects_and_empty_ones_are_skipped() {
    let bundle = parse(
        "# a comment\n---\n---\nnull\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\n---\n\
         {\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": \"two\", \"namespace\": \"ns\"}}\n...\n",
    )
    .unwrap();
    let refs: Vec<String> = bundle.refs().iter().map(ToString::to_string).collect();
    assert_eq!(refs, ["ConfigMap one", "Deployment ns/two"]);
}

#[test]
fn json_with_tabs_and_long_lines_is_yaml_too() {
    let long = "x".repeat(5_000);
    let text = format!(
        "{{\n\t\"apiVersion\":\"v1\",\n\t\"kind\":\"ConfigMap\",\n\t\"metadata\":{{\"name\":\"m\"}},\n\t\"data\":{{\"a\":\"{long}\",\"{}\":\"b\"}}\n}}\n",
        "k".repeat(253)
    );
    assert_eq!(parse(&text).unwrap().objects[0]["data"]["a"], long);
}

#[test]
fn lists_are_taken_apart_and_typed_lists_name_their_items() {
    let bundle = parse(
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n---\n\
         apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: b}}, {metadata: {name: c}}]\n",
    )
    .unwrap();
    let refs: Vec<String> = bundle.refs().iter().map(ToString::to_string).collect();
    assert_eq!(refs, ["Secret a", "ConfigMap b", "ConfigMap c"]);
    assert!(
        faults("{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: A, metadata: {}}]}")[0]
            .starts_with("/manifests/0/items/0/metadata/name: it is missing")
    );
    let nested = faults(
        "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMapList, items: [{metadata: {name: b}}]}]}",
    );
    assert_eq!(nested.len(), 1, "{nested:#?}");
    assert!(
        nested[0].starts_with("/manifests/0/items/0: a list in a list is not taken apart"),
        "{nested:#?}"
    );
    // A kind that merely ends so is an object.
    assert_eq!(
        parse("{apiVersion: x.io/v1, kind: AllowList, metadata: {name: a}}")
            .unwrap()
            .objects
            .len(),
        1
    );
}

#[test]
fn every_fault_of_every_object_is_reported_at_once() {
    let faults = faults(
        "apiVersion: a/b/c\nkind: 7\nmetadata:\n  name: Not_A_Name\n  namespace: a.b\n  generateName: x\n  ownerReferences: [{}]\n  \
         labels: {a: 1, slipway.dev/service: x}\n  annotations: {slipway.dev/hook: later, slipway.dev/release: '1'}\n---\n- a\n---\nkind: K\n",
    );
    for start in [
        "/manifests/0/apiVersion: ",
        "/manifests/0/kind: ",
        "/manifests/0/metadata/name: \"Not_A_Name\" is no RFC 1123 subdomain",
        "/manifests/0/metadata/namespace: ",
        "/manifests/0/metadata/generateName: ",
        "/manifests/0/metadata/ownerReferences: ",
        "/manifests/0/metadata/labels/a: it is text, not a number: write it in quotes",
        "/manifests/0/metadata/labels/slipway.dev~1service: what begins with slipway.dev/",
        "/manifests/0/metadata/annotations/slipway.dev~1release: ",
        "/manifests/0/metadata/annotations/slipway.dev~1hook: ",
        "/manifests/1: an object is a mapping, not a list (document 1, from line 10)",
        "/manifests/2/apiVersion: it is missing",
        "/manifests/2/metadata/name: it is missing",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(start)),
            "{start} is not in {faults:#?}"
        );
    }
    assert_eq!(faults.len(), 13, "{faults:#?}");
}

#[test]
fn nothing_is_no_bundle() {
    for text in [
        "",
        "\n",
        "# only this\n",
        "---\n---\n",
        "null",
        "{apiVersion: v1, kind: List, items: []}",
    ] {
        assert_eq!(faults(text), ["/manifests: there is no object in it"], "{text:?}");
    }
    assert!(faults("just text")[0].contains("an object is a mapping, not text"));
}

#[test]
fn the_same_object_twice_is_refused_whatever_the_version_of_its_api() {
    let faults = faults(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n---\n{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: a}}\n",
    );
    assert_eq!(
        faults,
        ["/manifests/1: Deployment a is in document 0 already (document 1, from line 2)"]
    );
    let other = "{apiVersion: v1, kind: A, metadata: {name: a, namespace: x}}\n---\n{apiVersion: v1, kind: A, metadata: {name: a}}\n---\n{apiVersion: b/v1, kind: A, metadata: {name: a}}";
    assert_eq!(parse(other).unwrap().objects.len(), 3);
}

#[test]
fn a_key_that_comes_twice_is_refused_with_its_line() {
    assert_eq!(
        faults("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: 1\n  b: 2\n  a: 3\n"),
        ["/manifests/0/data: the key \"a\" is there twice (line 7)"]
    );
}

#[test]
fn what_only_a_server_writes_is_dropped() {
    let bundle = parse(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  uid: u\n  resourceVersion: '1'\n  creationTimestamp: null\n  generation: 3\n  \
         managedFields: []\n  selfLink: /x\n  namespace: ''\n  labels: null\n  finalizers: [x/y]\nstatus: {phase: Bound}\ndata: {a: b}\n",
    )
    .unwrap();
    assert_eq!(
        bundle.objects[0],
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": ["x/y"]}, "data": {"a": "b"}})
    );
}

#[test]
fn roles_may_have_colons_in_their_names_and_nothing_else_may() {
    let named = |api: &str, kind: &str, name: &str| {
        parse(&format!(
            "{{apiVersion: {api}, kind: {kind}, metadata: {{name: '{name}'}}}}"
        ))
    };
    assert!(named("rbac.authorization.k8s.io/v1", "Role", "system:reader").is_ok());
    assert!(named("v1", "ConfigMap", "system:reader").is_err());
    for bad in ["a/b", "..", "", "a%b"] {
        assert!(
            named("rbac.authorization.k8s.io/v1", "Role", bad).is_err(),
            "{bad}"
        );
    }
    for bad in ["", "A", "a_b", "-a", "a.", "../x", &"a".repeat(254)] {
        assert!(named("v1", "ConfigMap", bad).is_err(), "{bad}");
    }
    for good in ["a", "a.b-c.0", &"a".repeat(253)] {
        assert!(named("v1", "ConfigMap", good).is_ok(), "{good}");
    }
    // A number is a number, whatever it looks like.
    assert!(
        parse("{apiVersion: v1, kind: A, metadata: {name: 7}}")
            .unwrap_err()
            .to_string()
            .contains("in quotes")
    );
}

#[test]
fn hooks_are_jobs_with_known_phases() {
    let hook = |kind: &str, phases: &str| json!({"apiVersion": "batch/v1", "kind": kind, "metadata": {"annotations": {"slipway.dev/hook": phases}}});
    assert_eq!(hook_phases(&hook("Job", "before")), Ok(vec![HookPhase::Before]));
    assert_eq!(
        hook_phases(&hook("Job", " rollback, before,before")),
        Ok(vec![HookPhase::Before, HookPhase::Rollback])
    );
    assert_eq!(hook_phases(&json!({"kind": "Pod"})), Ok(vec![]));
    for (kind, phases) in [
        ("CronJob", "before"),
        ("Job", ""),
        ("Job", "before,"),
        ("Job", "Before"),
    ] {
        assert!(hook_phases(&hook(kind, phases)).is_err(), "{kind} {phases}");
    }
}

#[test]
fn references_show_and_compare_without_the_version() {
    let reference = |version: &str| ObjectRef {
        api_version: version.into(),
        kind: "Deployment".into(),
        namespace: Some("ns".into()),
        name: "web".into(),
    };
    assert_eq!(reference("apps/v1").to_string(), "Deployment ns/web");
    assert_eq!(reference("apps/v1").identity(), reference("apps/v2").identity());
    assert_eq!(reference("v1").group(), "");
    let read: ObjectRef =
        serde_json::from_value(json!({"api_version": "v1", "kind": "A", "name": "b"})).unwrap();
    assert_eq!(
        serde_json::to_value(&read).unwrap(),
        json!({"api_version": "v1", "kind": "A", "name": "b"})
    );
}

#[test]
fn image_names_are_taken_apart_where_tags_begin() {
    for (text, name, tag, digest, canonical) in [
        ("web", "web", None, None, "docker.io/library/web"),
        ("web:1", "web", Some("1"), None, "docker.io/library/web"),
        (
            "team/web:1@sha256:ab",
            "team/web",
            Some("1"),
            Some("sha256:ab"),
            "docker.io/team/web",
        ),
        (
            "localhost:5000/web",
            "localhost:5000/web",
            None,
            None,
            "localhost:5000/web",
        ),
        (
            "registry.example:5000/a/web:2",
            "registry.example:5000/a/web",
            Some("2"),
            None,
            "registry.example:5000/a/web",
        ),
        (
            "docker.io/web",
            "docker.io/web",
            None,
            None,
            "docker.io/library/web",
        ),
    ] {
        let read = ImageName::read(text);
        assert_eq!((read.name, read.tag, read.digest), (name, tag, digest), "{text}");
        assert_eq!(read.canonical(), canonical, "{text}");
    }
}

#[test]
fn pins_are_checked_by_the_grammar_of_references() {
    let pin = |image: &str, tag: Option<&str>| ImagePin {
        image: image.into(),
        digest: crate::Digest::of_bytes(b""),
        tag: tag.map(str::to_owned),
    };
    for good in ["web", "registry.example/web", "localhost:5000/a/b_c", "a.b/c-d"] {
        assert_eq!(pin(good, Some("v1.0_x-y")).check(), Ok(()), "{good}");
    }
    for bad in [
        "",
        "Web",
        "web:1",
        "web@sha256:ab",
        "a//b",
        "registry.example/",
        "-x",
        "a b",
        "host:port/x",
    ] {
        assert_eq!(pin(bad, None).check(), Err(NoImagePin::Image), "{bad}");
    }
    for bad in ["", ".x", "-x", "a b", "a:b", &"x".repeat(129)] {
        assert_eq!(pin("web", Some(bad)).check(), Err(NoImagePin::Tag), "{bad}");
    }
    assert_eq!(
        pin("registry.example/web", Some("1.0")).to_string(),
        format!("registry.example/web:1.0@{}", crate::Digest::of_bytes(b""))
    );
}
