mod diffs;
mod images;
mod overlays;
mod placing;
mod properties;
mod secrets;
mod settling;

use super::{ComponentInput, Input, Overlay, Rendering, render};
use crate::{
    Digest, Faults,
    component::bundle::{ImagePin, Limits},
};
use serde_json::{Value, json};

/// A rendering of one component into namespace `shop`, with nothing granted.
struct Case<'a> {
    objects: &'a [Value],
    images: &'a [ImagePin],
    overlays: &'a [Overlay],
    grants: &'a [String],
    limits: Limits,
}

impl<'a> Case<'a> {
    fn of(objects: &'a [Value]) -> Self {
        Self {
            objects,
            images: &[],
            overlays: &[],
            grants: &[],
            limits: Limits::RENDERING,
        }
    }

    fn render(&self) -> Result<Rendering, Faults> {
        let component = ComponentInput {
            name: "web",
            version: "1.2.0",
            objects: self.objects,
            images: self.images,
        };
        render(&Input {
            service: "storefront",
            environment: "staging",
            release: "2.0.0",
            release_digest: Digest::of_bytes(b"release"),
            namespace: "shop",
            components: &[component],
            overlays: vec![("/release/config", self.overlays)],
            cluster_scoped_grants: self.grants,
            limits: &self.limits,
        })
    }

    fn faults(&self) -> Vec<String> {
        let faults = self.render().expect_err("this cannot be rendered");
        faults
            .as_slice()
            .iter()
            .map(|fault| format!("{}: {}", fault.pointer, fault.detail))
            .collect()
    }
}

fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

fn deployment(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    })
}
