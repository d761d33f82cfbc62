//! What a cluster serves: asked for one group and version at a time, when it is first needed, and remembered.
//!
//! A kind that is missing from what is remembered is asked for again, so a definition that was applied since (by us or
//! by anybody) is found.

use super::{Call, Cluster};
use crate::fault::CallError;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long an answer is believed.
const FRESH: Duration = Duration::from_mins(10);

/// A kind as the cluster serves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Resource {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
}

impl Resource {
    /// A built-in kind that every cluster has.
    pub(crate) fn built_in(api_version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
        }
    }

    /// Path of the collection, or of one object in it.
    pub(crate) fn path(&self, namespace: &str, name: Option<&str>) -> String {
        let mut path = root(&self.api_version);
        if self.namespaced {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(name);
        }
        path
    }
}

fn root(api_version: &str) -> String {
    if api_version.contains('/') {
        format!("/apis/{api_version}")
    } else {
        format!("/api/{api_version}")
    }
}

type Served = Arc<HashMap<String, Resource>>;

/// What is remembered of one cluster.
#[derive(Debug, Default)]
pub(super) struct Kinds(Mutex<HashMap<String, (Instant, Served)>>);

impl Kinds {
    fn remembered(&self, api_version: &str) -> Option<Served> {
        let kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds
            .get(api_version)
            .filter(|(at, _)| at.elapsed() < FRESH)
            .map(|(_, served)| Arc::clone(served))
    }

    fn remember(&self, api_version: &str, served: Served) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(api_version.to_owned(), (Instant::now(), served));
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Cluster {
    /// How the cluster serves a kind; none when it does not.
    pub(crate) async fn resource(
        &self,
        api_version: &str,
        kind: &str,
    ) -> Result<Option<Resource>, CallError> {
        if let Some(resource) = self
            .kinds
            .remembered(api_version)
            .and_then(|served| served.get(kind).cloned())
        {
            return Ok(Some(resource));
        }
        let served = match self.call(&Call::get(root(api_version))).await {
            Ok(answered) => Arc::new(read(api_version, &answered.body)),
            Err(error) if error.is_code(404) => return Ok(None),
            Err(error) => return Err(error),
        };
        let resource = served.get(kind).cloned();
        self.kinds.remember(api_version, served);
        Ok(resource)
    }

    /// A kind of a group in whatever version the cluster serves it, its preferred one first; none when it does not.
    pub(crate) async fn resource_of(&self, group: &str, kind: &str) -> Result<Option<Resource>, CallError> {
        if group.is_empty() {
            return self.resource("v1", kind).await;
        }
        let served = match self.call(&Call::get(format!("/apis/{group}"))).await {
            Ok(answered) => answered.body,
            Err(error) if error.is_code(404) => return Ok(None),
            Err(error) => return Err(error),
        };
        let preferred = served["preferredVersion"]["groupVersion"].as_str();
        let versions = served["versions"].as_array().into_iter().flatten();
        let versions = versions.filter_map(|version| version["groupVersion"].as_str());
        for api_version in preferred.into_iter().chain(versions) {
            if let Some(resource) = self.resource(api_version, kind).await? {
                return Ok(Some(resource));
            }
        }
        Ok(None)
    }

    /// Forgets what is served: definitions were applied.
    pub(crate) fn forget_kinds(&self) {
        self.kinds.forget();
    }
}

/// Reads an `APIResourceList`; subresources have a slash in their name.
fn read(api_version: &str, list: &Value) -> HashMap<String, Resource> {
    let resources = list["resources"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let served = resources.iter().filter_map(|resource| {
        let (kind, plural) = (resource["kind"].as_str()?, resource["name"].as_str()?);
        let namespaced = resource["namespaced"].as_bool()?;
        (!plural.contains('/')).then(|| {
            (
                kind.to_owned(),
                Resource::built_in(api_version, kind, plural, namespaced),
            )
        })
    });
    served.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subresources_are_no_kinds_and_paths_follow_the_scope() {
        let served = read(
            "apps/v1",
            &json!({"resources": [
                {"name": "deployments", "kind": "Deployment", "namespaced": true},
                {"name": "deployments/scale", "kind": "Scale", "namespaced": true},
            ]}),
        );
        assert_eq!(served.keys().collect::<Vec<_>>(), ["Deployment"]);
        assert_eq!(
            served["Deployment"].path("shop", Some("web")),
            "/apis/apps/v1/namespaces/shop/deployments/web"
        );
        let node = Resource::built_in("v1", "Node", "nodes", false);
        assert_eq!(node.path("shop", None), "/api/v1/nodes");
    }
}
