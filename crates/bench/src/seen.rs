//! When objects are on a cluster: watched, so that looking costs the API servers the same however long it takes.

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    Client, ResourceExt as _,
    api::{Api, ApiResource, DynamicObject, WatchEvent, WatchParams},
};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Kinds that are watched.
const KINDS: [(&str, &str, &str); 5] = [
    ("", "v1", "ConfigMap"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Secret"),
    ("apps", "v1", "Deployment"),
];

/// The objects that one label names, on some clusters, from now on.
pub(crate) struct Seen {
    news: mpsc::UnboundedReceiver<(String, Instant)>,
}

impl Seen {
    /// Begins to watch; returns when every watch is open.
    pub(crate) async fn watch(clients: &[Client], selector: &str) -> Result<Self> {
        let (sender, news) = mpsc::unbounded_channel();
        for client in clients {
            for (group, version, kind) in KINDS {
                let kind = kube::api::GroupVersionKind::gvk(group, version, kind);
                let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
                let params = WatchParams::default().labels(selector).timeout(280);
                let list = api
                    .list(&kube::api::ListParams::default().labels(selector).limit(1))
                    .await?;
                let from = list
                    .metadata
                    .resource_version
                    .context("a list without a version")?;
                let stream = api.watch(&params, &from).await?.boxed();
                let sender = sender.clone();
                tokio::spawn(async move {
                    let mut stream = stream;
                    while let Ok(Some(event)) = stream.try_next().await {
                        // The guard has the label and is none of what was asked for: it carries no digest.
                        if let WatchEvent::Added(object) = event
                            && object.annotations().contains_key("slipway.dev/release-digest")
                            && let Some(uid) = object.metadata.uid
                            && sender.send((uid, Instant::now())).is_err()
                        {
                            return;
                        }
                    }
                });
            }
        }
        Ok(Self { news })
    }

    /// Waits until so many are there; when the first came, and the last.
    pub(crate) async fn all(&mut self, wanted: usize, patience: Duration) -> Result<(Instant, Instant)> {
        let mut seen = HashSet::new();
        let mut first = None;
        let until = tokio::time::Instant::now() + patience;
        loop {
            let Ok(news) = tokio::time::timeout_at(until, self.news.recv()).await else {
                bail!("{} of {wanted} objects were there after {patience:?}", seen.len());
            };
            let (uid, at) = news.context("the watches have ended")?;
            seen.insert(uid);
            let first = *first.get_or_insert(at);
            if seen.len() == wanted {
                return Ok((first, at));
            }
        }
    }
}
