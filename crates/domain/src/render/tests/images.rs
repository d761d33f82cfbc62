use super::{Case, deployment};
use crate::{Digest, component::bundle::ImagePin};
use serde_json::json;

fn pin(image: &str, tag: Option<&str>, content: &str) -> ImagePin {
    ImagePin {
        image: image.into(),
        digest: Digest::of_bytes(content.as_bytes()),
        tag: tag.map(str::to_owned),
    }
}

fn digest(content: &str) -> Digest {
    Digest::of_bytes(content.as_bytes())
}

#[test]
fn every_pod_spec_gets_the_digest() {
    let pod = |image: &str| {
        json!({
            "containers": [{"name": "a", "image": image}, {"name": "b", "image": "other:1"}],
            "initContainers": [{"name": "c", "image": image}],
            "ephemeralContainers": [{"name": "d", "image": image}],
            "volumes": [{"name": "v", "image": {"reference": image}}, {"name": "e", "emptyDir": {}}],
        })
    };
    let image = "registry.example/web:1.4";
    let objects = [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": {"spec": pod(image)}}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod(image)}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"},
            "spec": {"jobTemplate": {"spec": {"template": {"spec": pod(image)}}}}}),
        json!({"apiVersion": "example.io/v1", "kind": "Rollout", "metadata": {"name": "a"}, "spec": {"template": {"spec": pod(image)}}}),
        json!({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "a"}, "template": {"spec": pod(image)}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"image": image}}),
    ];
    let pins = [pin("registry.example/web", None, "web")];
    let rendering = Case {
        images: &pins,
        ..Case::of(&objects)
    }
    .render()
    .unwrap();
    let text = serde_json::to_string(&rendering).unwrap();
    let pinned = format!("registry.example/web:1.4@{}", digest("web"));
    assert_eq!(text.matches(&format!("\"{pinned}\"")).count(), 5 * 4);
    assert_eq!(
        text.matches("\"registry.example/web:1.4\"").count(),
        1,
        "only what is no pod keeps the bare tag"
    );
    assert_eq!(text.matches("\"other:1\"").count(), 5);
}

#[test]
fn a_pins_tag_wins_and_several_pins_are_told_apart_by_it() {
    let rendered = |image: &str, pins: &[ImagePin]| {
        let objects = [deployment("web", image)];
        let rendering = Case {
            images: pins,
            ..Case::of(&objects)
        }
        .render()?;
        Ok(
            rendering.objects[0]["spec"]["template"]["spec"]["containers"][0]["image"]
                .as_str()
                .unwrap()
                .to_owned(),
        )
    };
    let faults = |result: Result<String, crate::Faults>| result.unwrap_err().to_string();

    assert_eq!(
        rendered("web:latest", &[pin("web", Some("2"), "a")]),
        Ok(format!("web:2@{}", digest("a")))
    );
    assert_eq!(
        rendered("web", &[pin("web", None, "a")]),
        Ok(format!("web@{}", digest("a")))
    );
    assert_eq!(
        rendered("library/web:1", &[pin("web", None, "a")]),
        Ok(format!("library/web:1@{}", digest("a")))
    );
    let same = format!("web:1@{}", digest("a"));
    assert_eq!(rendered(&same, &[pin("web", None, "a")]), Ok(same.clone()));
    assert!(faults(rendered(&same, &[pin("web", None, "b")])).contains("names a digest of its own"));

    let two = [pin("web", Some("1"), "one"), pin("web", Some("2"), "two")];
    assert!(faults(rendered("web:3", &two)).contains("pinned for other tags only"));
    let objects = [deployment("a", "web:2"), deployment("b", "web:1")];
    let rendering = Case {
        images: &two,
        ..Case::of(&objects)
    }
    .render()
    .unwrap();
    let image = |i: usize| rendering.objects[i]["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(image(0), format!("web:2@{}", digest("two")));
    assert_eq!(image(1), format!("web:1@{}", digest("one")));
}

#[test]
fn a_pin_that_holds_nothing_is_a_fault() {
    let pins = [
        pin("registry.example/web", None, "web"),
        pin("registry.example/wep", None, "typo"),
    ];
    let objects = [deployment("web", "registry.example/web:1")];
    assert_eq!(
        Case {
            images: &pins,
            ..Case::of(&objects)
        }
        .faults(),
        [
            "/release/components/0/images/1: no pod of web 1.2.0 asks for registry.example/wep, so the pin would hold nothing"
        ]
    );
}
