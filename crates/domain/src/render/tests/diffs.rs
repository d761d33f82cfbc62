use super::{deployment, object};
use crate::render::{Change, PathChange, diff};
use serde_json::{Value, json};

fn paths(live: &Value, wanted: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
    diff(Some(live), Some(wanted))
        .paths
        .into_iter()
        .map(|p| (p.pointer, p.from, p.to))
        .collect()
}

#[test]
fn a_changed_image_is_one_path() {
    assert_eq!(
        paths(&deployment("web", "web:1"), &deployment("web", "web:2")),
        [(
            "/spec/template/spec/containers/0/image".to_owned(),
            Some(json!("web:1")),
            Some(json!("web:2"))
        )]
    );
}

#[test]
fn created_pruned_and_unchanged_are_told_apart() {
    let web = deployment("web", "web:1");
    let created = diff(None, Some(&web));
    assert_eq!(created.change, Change::Created);
    assert_eq!(
        created.paths,
        [PathChange {
            pointer: String::new(),
            from: None,
            to: Some(web.clone())
        }]
    );
    let pruned = diff(Some(&web), None);
    assert_eq!(pruned.change, Change::Pruned);
    assert_eq!(
        pruned.paths,
        [PathChange {
            pointer: String::new(),
            from: Some(web.clone()),
            to: None
        }]
    );
    assert_eq!(diff(Some(&web), Some(&web)).change, Change::Unchanged);
    assert_eq!(diff(None, None).change, Change::Unchanged);
}

#[test]
fn what_the_server_and_we_keep_to_ourselves_is_no_difference() {
    let wanted = deployment("web", "web:1");
    let mut live = wanted.clone();
    live["status"] = json!({"replicas": 1});
    live["metadata"] = json!({
        "name": "web", "uid": "u", "resourceVersion": "7", "generation": 2, "creationTimestamp": "2024-01-01T00:00:00Z",
        "selfLink": "/x", "managedFields": [{"manager": "slipway"}],
        "annotations": {"slipway.dev/release": "1.0.0", "slipway.dev/generation": "3",
                        "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    });
    assert_eq!(diff(Some(&live), Some(&wanted)).change, Change::Unchanged);
    assert_eq!(diff(Some(&wanted), Some(&live)).change, Change::Unchanged);
    live["metadata"]["annotations"]["own"] = json!("x");
    assert_eq!(paths(&live, &wanted).len(), 1);
}

#[test]
fn lists_are_compared_item_by_item_and_shortened_from_the_end() {
    let map = |list: Value| json!({"kind": "A", "list": list});
    assert_eq!(
        paths(&map(json!([1, 2, 3, 4])), &map(json!([1, 5]))),
        [
            ("/list/1".to_owned(), Some(json!(2)), Some(json!(5))),
            ("/list/3".to_owned(), Some(json!(4)), None),
            ("/list/2".to_owned(), Some(json!(3)), None),
        ]
    );
    assert_eq!(
        paths(&map(json!([1])), &map(json!([1, 2]))),
        [("/list/1".to_owned(), None, Some(json!(2)))]
    );
}

#[test]
fn keys_with_slashes_are_escaped() {
    let labelled = |value: &str| {
        let mut map = object("v1", "ConfigMap", "c");
        map["metadata"]["labels"] = json!({"a/b~c": value});
        map
    };
    assert_eq!(
        paths(&labelled("1"), &labelled("2"))[0].0,
        "/metadata/labels/a~1b~0c"
    );
}

#[test]
fn secret_values_are_compared_and_never_shown() {
    let secret = |data: Value| {
        let mut secret = object("v1", "Secret", "s");
        secret["data"] = data;
        secret["type"] = json!("Opaque");
        secret
    };
    let hidden = Some(json!("(redacted)"));
    assert_eq!(
        paths(
            &secret(json!({"a": "b25l", "b": "c2FtZQ==", "c": "x"})),
            &secret(json!({"a": "dHdv", "b": "c2FtZQ==", "d": "y"}))
        ),
        [
            ("/data/a".to_owned(), hidden.clone(), hidden.clone()),
            ("/data/c".to_owned(), hidden.clone(), None),
            ("/data/d".to_owned(), None, hidden),
        ]
    );
    let mut typed = secret(json!({}));
    typed["type"] = json!("tls");
    assert_eq!(
        paths(&secret(json!({})), &typed),
        [("/type".to_owned(), Some(json!("Opaque")), Some(json!("tls")))]
    );
    let whole = paths(&object("v1", "Secret", "s"), &secret(json!({"a": "b25l"})));
    assert_eq!(
        whole[0],
        ("/data".to_owned(), None, Some(json!({"a": "(redacted)"})))
    );
    assert_eq!(
        diff(None, Some(&secret(json!({"a": "b25l"})))).paths[0]
            .to
            .as_ref()
            .unwrap()["data"]["a"],
        "(redacted)"
    );
}
