//! Reading, applying, creating and deleting objects. Every write asks for the lease that allows it.

use super::{Answered, Call, Cluster, Resource};
use crate::{fault::CallError, lease::LeaseClock};
use http::Method;
use serde_json::{Value, json};

/// Who we are to the API server's record of who owns which field.
const FIELD_MANAGER: &str = "slipway";
/// Objects a page of a list.
const PAGE: usize = 500;

/// How to apply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApplyMode<'a> {
    /// Take fields over from other managers.
    pub(crate) force: bool,
    /// Only say what would come of it.
    pub(crate) dry_run: bool,
    /// The lease that allows it; none for a dry run.
    pub(crate) lease: Option<&'a LeaseClock>,
}

/// What came of applying.
pub(crate) struct Applied {
    /// Whether it was not there before.
    pub(crate) created: bool,
    /// The object as it is now.
    pub(crate) object: Value,
}

impl Cluster {
    /// Reads an object; none when it is not there.
    pub(crate) async fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, CallError> {
        match self.call(&Call::get(resource.path(namespace, Some(name)))).await {
            Ok(answered) => Ok(Some(answered.body)),
            Err(error) if error.is_code(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every object of a kind that a label selector matches.
    pub(crate) async fn list(
        &self,
        resource: &Resource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, CallError> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let mut path = format!(
                "{}?limit={PAGE}&labelSelector={selector}",
                resource.path(namespace, None)
            );
            if !next.is_empty() {
                path.push_str("&continue=");
                path.push_str(&next);
            }
            let mut page = match self.call(&Call::get(path)).await {
                Ok(answered) => answered.body,
                Err(error) if error.is_code(404) => return Ok(all),
                Err(error) => return Err(error),
            };
            page["metadata"]["continue"]
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut next);
            if let Value::Array(items) = page["items"].take() {
                all.extend(items.into_iter().map(|mut item| {
                    // Items of a list do not say what they are.
                    item["apiVersion"] = resource.api_version.as_str().into();
                    item["kind"] = resource.kind.as_str().into();
                    item
                }));
            }
            if next.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Applies an object server-side.
    pub(crate) async fn apply(
        &self,
        resource: &Resource,
        namespace: &str,
        object: &Value,
        mode: ApplyMode<'_>,
    ) -> Result<Applied, CallError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let mut path = resource.path(namespace, Some(name));
        path.push_str("?fieldManager=");
        path.push_str(FIELD_MANAGER);
        path.push_str(if mode.force { "&force=true" } else { "&force=false" });
        if mode.dry_run {
            path.push_str("&dryRun=All");
        }
        let mut call = Call::send(Method::PATCH, path, &with_protocols(object), mode.lease);
        call.content_type = "application/apply-patch+yaml";
        let Answered { code, body } = self.call(&call).await?;
        Ok(Applied {
            created: code == 201,
            object: body,
        })
    }

    /// Creates an object; 409 when it is there already.
    pub(crate) async fn create(
        &self,
        resource: &Resource,
        namespace: &str,
        object: &Value,
        lease: &LeaseClock,
    ) -> Result<Value, CallError> {
        let path = format!("{}?fieldManager={FIELD_MANAGER}", resource.path(namespace, None));
        Ok(self
            .call(&Call::send(Method::POST, path, object, Some(lease)))
            .await?
            .body)
    }

    /// Replaces an object; 409 when its `resourceVersion` is no longer the one given.
    pub(crate) async fn replace(
        &self,
        resource: &Resource,
        namespace: &str,
        object: &Value,
        lease: &LeaseClock,
    ) -> Result<Value, CallError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!(
            "{}?fieldManager={FIELD_MANAGER}",
            resource.path(namespace, Some(name))
        );
        Ok(self
            .call(&Call::send(Method::PUT, path, object, Some(lease)))
            .await?
            .body)
    }

    /// Deletes exactly this object (by its uid), and what it owns in the background. Fine when it is gone already, or
    /// another has its name.
    pub(crate) async fn delete(
        &self,
        resource: &Resource,
        namespace: &str,
        live: &Value,
        lease: &LeaseClock,
    ) -> Result<(), CallError> {
        let metadata = &live["metadata"];
        let path = resource.path(namespace, metadata["name"].as_str());
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": {"uid": metadata["uid"]},
        });
        match self
            .call(&Call::send(Method::DELETE, path, &options, Some(lease)))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_code(404) || error.is_code(409) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The object with `protocol: TCP`, the documented default, where ports leave it out.
///
/// Ports are told apart by number and protocol, and API servers before 1.21 do not default a key before they merge: they
/// refuse to apply a port without one.
fn with_protocols(object: &Value) -> Value {
    let mut object = object.clone();
    if object["apiVersion"] == "v1" && object["kind"] == "Service" {
        for port in list(&mut object, "/spec/ports") {
            default_protocol(port);
        }
    }
    for pod in [
        "/spec",
        "/spec/template/spec",
        "/spec/jobTemplate/spec/template/spec",
    ] {
        for containers in ["containers", "initContainers"] {
            for container in list(&mut object, &format!("{pod}/{containers}")) {
                for port in list(container, "/ports") {
                    default_protocol(port);
                }
            }
        }
    }
    object
}

fn list<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value
        .pointer_mut(pointer)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

fn default_protocol(port: &mut Value) {
    if let Some(port) = port.as_object_mut() {
        port.entry("protocol").or_insert_with(|| "TCP".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_get_the_default_protocol_and_nothing_else_changes() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}});
        assert_eq!(
            with_protocols(&service)["spec"]["ports"],
            json!([{"port": 80, "protocol": "TCP"}])
        );
        let pods = json!({"containers": [{"ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80}]}]});
        let deployment =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pods}}});
        let ports = &with_protocols(&deployment)["spec"]["template"]["spec"]["containers"][0]["ports"];
        assert_eq!(ports[0]["protocol"], "UDP");
        assert_eq!(ports[1]["protocol"], "TCP");
        let other =
            json!({"apiVersion": "example.com/v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}});
        assert_eq!(with_protocols(&other), other);
    }
}
