use crate::health::selects;
use serde_json::{Value, json};

#[expect(clippy::needless_pass_by_value, reason = "what is passed is written in place")]
fn pod(labels: Value) -> Value {
    json!({"kind": "Pod", "metadata": {"namespace": "shop", "labels": labels}})
}

#[expect(clippy::needless_pass_by_value, reason = "what is passed is written in place")]
fn workload(selector: Value) -> Value {
    json!({"kind": "Deployment", "metadata": {"namespace": "shop"}, "spec": {"selector": selector}})
}

#[test]
fn selectors_select_as_kubernetes_does() {
    let web = pod(json!({"app": "web", "tier": "front"}));
    let expression = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
    for (selector, wanted) in [
        (json!({"matchLabels": {"app": "web"}}), true),
        (json!({"matchLabels": {"app": "web", "tier": "front"}}), true),
        (json!({"matchLabels": {"app": "web", "tier": "back"}}), false),
        (json!({"matchLabels": {"zone": "a"}}), false),
        (json!({"matchLabels": {}}), true),
        (expression("app", "In", json!(["api", "web"])), true),
        (expression("app", "In", json!(["api"])), false),
        (expression("zone", "In", json!(["a"])), false),
        (expression("app", "NotIn", json!(["api"])), true),
        (expression("app", "NotIn", json!(["web"])), false),
        (expression("zone", "NotIn", json!(["a"])), true),
        (expression("app", "Exists", json!(null)), true),
        (expression("zone", "Exists", json!(null)), false),
        (expression("zone", "DoesNotExist", json!(null)), true),
        (expression("app", "DoesNotExist", json!(null)), false),
        (expression("app", "Like", json!(["web"])), false),
        (
            json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["front"]}]}),
            false,
        ),
        (json!({"app": "web"}), true),
        (json!({"app": "api"}), false),
        (json!({}), false),
        (json!(null), false),
        (json!({"matchLabels": "web"}), false),
    ] {
        assert_eq!(selects(&workload(selector.clone()), &web), wanted, "{selector}");
    }
}

#[test]
fn another_namespace_and_missing_labels_are_not_selected() {
    let web = workload(json!({"matchLabels": {"app": "web"}}));
    let mut other = pod(json!({"app": "web"}));
    other["metadata"]["namespace"] = json!("elsewhere");
    assert!(!selects(&web, &other));
    assert!(!selects(&web, &pod(json!(null))));
    assert!(!selects(
        &json!({"kind": "Deployment"}),
        &pod(json!({"app": "web"}))
    ));
}
