//! Small bundles that ask the sandbox's nodes for what a test needs.

/// A Deployment of one pod, with this image.
pub fn deployment(name: &str, image: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: {name}, image: '{image}'}}]}}
"
    )
}

/// A `ConfigMap`.
pub fn config(name: &str, value: &str) -> String {
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n")
}

/// A Job that is run before the workloads, with this image.
pub fn hook(name: &str, image: &str) -> String {
    format!(
        "---
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, annotations: {{slipway.dev/hook: before}}}}
spec:
  backoffLimit: 0
  template: {{spec: {{restartPolicy: Never, containers: [{{name: {name}, image: '{image}'}}]}}}}
"
    )
}

/// An image without trouble.
pub const GOOD: &str = "registry.example/shop/web:1.0";
