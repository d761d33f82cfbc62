//! Reading, applying, creating and deleting objects. Every write asks for the lease that allows it.

use super::{Answered, Call, Cluster, Resource};
use crate::{fault::CallError, lease::LeaseClock, object};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tracing::{Instrument as _, Span};

/// Who we are to the API server's record of who owns which field.
pub(crate) const FIELD_MANAGER: &str = "slipway";
/// Objects a page of a list.
const PAGE: usize = 500;
/// Objects a page of a list of their metadata.
const METADATA_PAGE: usize = 2_000;

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

/// What becomes of what an object owns when it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It goes at once, and what it owns after it.
    BeforeWhatItOwns,
    /// It goes when what it owns is gone.
    AfterWhatItOwns,
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
            Ok(answered) => self.object(answered).map(Some),
            Err(error) if error.is_code(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What was answered, which must be an object that is on the cluster: what is decided on it would be decided on
    /// nothing.
    fn object(&self, answered: Answered) -> Result<Value, CallError> {
        if object::uid(&answered.body).is_none() {
            return Err(self.absurd(answered.code, "is no object of a cluster"));
        }
        Ok(answered.body)
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
            let items = match page["items"].take() {
                Value::Array(items) if items.iter().all(Value::is_object) => items,
                Value::Null if page["metadata"].is_object() => Vec::new(),
                _ => return Err(self.absurd(200, "is no list")),
            };
            all.extend(items.into_iter().map(|mut item| {
                // Items of a list do not say what they are.
                item["apiVersion"] = resource.api_version.as_str().into();
                item["kind"] = resource.kind.as_str().into();
                item
            }));
            if next.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Names of every object of a kind in a namespace, whosever they are.
    pub(crate) async fn names(
        &self,
        resource: &Resource,
        namespace: &str,
    ) -> Result<BTreeSet<String>, CallError> {
        let all = self.list_metadata(resource, namespace, "").await?;
        let names = all
            .iter()
            .filter_map(|object| object["metadata"]["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Reads `metadata`, and nothing else, of every object of a kind that a label selector matches.
    pub(crate) async fn list_metadata(
        &self,
        resource: &Resource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, CallError> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let mut path = format!(
                "{}?limit={METADATA_PAGE}&labelSelector={selector}",
                resource.path(namespace, None)
            );
            if !next.is_empty() {
                path.push_str("&continue=");
                path.push_str(&next);
            }
            let mut call = Call::get(path);
            call.accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
            let mut page = match self.call(&call).await {
                Ok(answered) => answered.body,
                Err(error) if error.is_code(404) => return Ok(all),
                Err(error) => return Err(error),
            };
            page["metadata"]["continue"]
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut next);
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
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
        let mut call = Call::send(Method::PATCH, path, &as_kept(object), mode.lease);
        call.content_type = "application/apply-patch+yaml";
        let span = match mode.lease {
            Some(_) => tracing::info_span!("executor.object.apply", kind = resource.kind, name, namespace),
            None => Span::none(),
        };
        let answered = self.call(&call).instrument(span).await?;
        Ok(Applied {
            created: answered.code == 201,
            object: self.object(answered)?,
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
        let name = object["metadata"]["name"].as_str();
        let span = tracing::info_span!("executor.object.create", kind = resource.kind, name, namespace);
        Ok(self
            .call(&Call::send(Method::POST, path, object, Some(lease)))
            .instrument(span)
            .await?
            .body)
    }

    /// Asks what would come of creating an object: 409 when it would be taken, but one of that name is there.
    pub(crate) async fn create_dry(
        &self,
        resource: &Resource,
        namespace: &str,
        object: &Value,
    ) -> Result<Value, CallError> {
        let mut object = as_kept(object);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        let path = format!(
            "{}?fieldManager={FIELD_MANAGER}&dryRun=All",
            resource.path(namespace, None)
        );
        Ok(self
            .call(&Call::send(Method::POST, path, &object, None))
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
            .instrument(deleting(resource, namespace, live))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_code(404) || error.is_code(409) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes this object exactly as it was looked at (by uid and `resourceVersion`). False when it was changed since,
    /// is gone already, or another has its name.
    pub(crate) async fn delete_exactly(
        &self,
        resource: &Resource,
        namespace: &str,
        live: &Value,
        deletion: Deletion,
        lease: &LeaseClock,
    ) -> Result<bool, CallError> {
        let metadata = &live["metadata"];
        let path = resource.path(namespace, metadata["name"].as_str());
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": match deletion {
                Deletion::BeforeWhatItOwns => "Background",
                Deletion::AfterWhatItOwns => "Foreground",
            },
            "preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
        });
        match self
            .call(&Call::send(Method::DELETE, path, &options, Some(lease)))
            .instrument(deleting(resource, namespace, live))
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is_code(404) || error.is_code(409) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn deleting(resource: &Resource, namespace: &str, live: &Value) -> Span {
    let name = live["metadata"]["name"].as_str();
    tracing::info_span!("executor.object.delete", kind = resource.kind, name, namespace)
}

/// The object as API servers keep it, where they do not see to that themselves before they merge: with `protocol: TCP`,
/// the documented default, where ports leave it out; and with what a Secret says as `stringData` in its `data`.
///
/// Ports are told apart by number and protocol, and API servers before 1.21 do not default a key before they merge: they
/// refuse to apply a port without one. `stringData` is never kept, and so nobody owns what is written through it: a value
/// that a release leaves out would stay, and one that somebody else changed would be set back without a word.
pub(crate) fn as_kept(object: &Value) -> Value {
    let mut object = object.clone();
    if object["apiVersion"] == "v1" && object["kind"] == "Secret" {
        keep_as_data(&mut object);
    }
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

/// Moves `stringData` into `data`, which it wins over; what is no text is left for the API server to refuse.
fn keep_as_data(secret: &mut Value) {
    let Some(Value::Object(plain)) = secret.get("stringData") else {
        return;
    };
    if !plain.values().all(Value::is_string) || !secret.get("data").is_none_or(Value::is_object) {
        return;
    }
    let encoded: Vec<(String, Value)> = plain
        .iter()
        .map(|(key, value)| {
            let value = value.as_str().unwrap_or_default();
            (key.clone(), BASE64.encode(value).into())
        })
        .collect();
    if let Some(secret) = secret.as_object_mut() {
        secret.remove("stringData");
        let data = secret.entry("data").or_insert_with(|| json!({}));
        if let Some(data) = data.as_object_mut() {
            data.extend(encoded);
        }
    }
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
    fn what_a_secret_says_as_text_is_kept_as_data() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "MQ==", "b": "Mg=="}, "stringData": {"b": "3", "c": "4"}});
        let kept = as_kept(&secret);
        assert_eq!(kept["data"], json!({"a": "MQ==", "b": "Mw==", "c": "NA=="}));
        assert!(kept.get("stringData").is_none());
        let number = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"pin": 4711}});
        assert_eq!(as_kept(&number), number);
        let other = json!({"apiVersion": "example.com/v1", "kind": "Secret", "stringData": {"b": "3"}});
        assert_eq!(as_kept(&other), other);
    }

    #[test]
    fn ports_get_the_default_protocol_and_nothing_else_changes() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}});
        assert_eq!(
            as_kept(&service)["spec"]["ports"],
            json!([{"port": 80, "protocol": "TCP"}])
        );
        let pods = json!({"containers": [{"ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80}]}]});
        let deployment =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pods}}});
        let ports = &as_kept(&deployment)["spec"]["template"]["spec"]["containers"][0]["ports"];
        assert_eq!(ports[0]["protocol"], "UDP");
        assert_eq!(ports[1]["protocol"], "TCP");
        let other =
            json!({"apiVersion": "example.com/v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}});
        assert_eq!(as_kept(&other), other);
    }
}
