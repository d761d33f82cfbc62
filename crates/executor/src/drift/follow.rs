//! One watch on a kind: lists what carries our label, follows it, and begins anew when it cannot go on (410), when the
//! other side falls silent, or after a fault. Only metadata is read: whether something changed is all that is asked.

use crate::api::{Cluster, Resource};
use futures::StreamExt as _;
use http::StatusCode;
use kube::{
    Api, Error,
    api::{ApiResource, DynamicObject, ListParams, ObjectMeta, PartialObjectMeta, WatchEvent, WatchParams},
};
use slipway_domain::render::LABEL_SERVICE;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// The API server is asked to end a watch after this many seconds; it goes on from where it was.
const WATCHED: u32 = 15;
/// What neither says anything nor ends for this long is dead.
const SILENCE: Duration = Duration::from_secs(20);
/// For an answer to begin.
const ANSWER: Duration = Duration::from_secs(15);
/// Pauses after faults: from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Before what is forbidden is tried again.
const FORBIDDEN: Duration = Duration::from_mins(5);
/// Objects a page of a list.
const PAGE: u32 = 500;

/// What is watched: a kind, everywhere or in one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Collection {
    pub(super) resource: Resource,
    pub(super) namespace: Option<String>,
}

/// Namespace (empty for what has none) and name.
pub(super) type Named = (String, String);

/// What is told of a collection. A mark changes whenever something changed that could be ours.
#[derive(Debug)]
pub(super) enum News {
    /// All that is there.
    Listed(HashMap<Named, u64>),
    /// One is there, or changed.
    Seen(Named, u64),
    /// One is gone, or does not carry our label any more.
    Gone(Named),
    /// The credential may not list or watch it.
    Forbidden,
}

/// Why a watch ended.
enum End {
    /// It is to be listed anew at once.
    Relist,
    /// As well, after a pause.
    Fault(String),
    /// Nobody listens.
    Closed,
}

/// Follows a collection for as long as the handle is kept.
pub(super) fn follow(
    cluster: &Arc<Cluster>,
    collection: Collection,
    tell: mpsc::Sender<(Collection, News)>,
) -> AbortOnDropHandle<()> {
    let api = api(cluster, &collection);
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut pause = PAUSES.0;
        loop {
            let (version, listed) = match list(&api).await {
                Ok(listed) => listed,
                Err(Error::Api(status)) if status.code == StatusCode::FORBIDDEN => {
                    if tell.send((collection.clone(), News::Forbidden)).await.is_err() {
                        return;
                    }
                    sleep(FORBIDDEN).await;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, kind = collection.resource.kind, "cannot be listed");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                    continue;
                }
            };
            let begun = Instant::now();
            if tell
                .send((collection.clone(), News::Listed(listed)))
                .await
                .is_err()
            {
                return;
            }
            match watch(&api, &collection, version, &tell).await {
                End::Relist => {}
                End::Fault(error) => {
                    tracing::debug!(error, kind = collection.resource.kind, "a watch begins anew");
                    if begun.elapsed() > PAUSES.1 {
                        pause = PAUSES.0;
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                End::Closed => return,
            }
        }
    }))
}

fn api(cluster: &Cluster, collection: &Collection) -> Api<DynamicObject> {
    let resource = &collection.resource;
    let (group, version) = resource
        .api_version
        .split_once('/')
        .unwrap_or(("", &resource.api_version));
    let resource = ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
        plural: resource.plural.clone(),
    };
    match &collection.namespace {
        Some(namespace) => Api::namespaced_with(cluster.client(), namespace, &resource),
        None => Api::all_with(cluster.client(), &resource),
    }
}

/// Everything there is, and the version of the collection that this is true of.
async fn list(api: &Api<DynamicObject>) -> Result<(String, HashMap<Named, u64>), Error> {
    let mut all = HashMap::new();
    let mut params = ListParams::default().labels(LABEL_SERVICE).limit(PAGE);
    loop {
        let page = match timeout(ANSWER * 2, api.list_metadata(&params)).await {
            Ok(page) => page?,
            Err(elapsed) => return Err(Error::Service(Box::new(elapsed))),
        };
        all.extend(page.items.iter().filter_map(|object| marked(&object.metadata)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok((page.metadata.resource_version.unwrap_or_default(), all)),
        }
    }
}

async fn watch(
    api: &Api<DynamicObject>,
    collection: &Collection,
    mut version: String,
    tell: &mpsc::Sender<(Collection, News)>,
) -> End {
    let params = WatchParams::default().labels(LABEL_SERVICE).timeout(WATCHED);
    loop {
        let stream = match timeout(ANSWER, api.watch_metadata(&params, &version)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return End::Fault(error.to_string()),
            Err(_) => return End::Fault("no answer".to_owned()),
        };
        let mut stream = pin!(stream);
        let begun = Instant::now();
        loop {
            let event = match timeout(SILENCE, stream.next()).await {
                Err(_) => return End::Fault("the watch fell silent".to_owned()),
                // Ended as it was asked to.
                Ok(None) => {
                    sleep(PAUSES.0.saturating_sub(begun.elapsed())).await;
                    break;
                }
                Ok(Some(Err(error))) => return End::Fault(error.to_string()),
                Ok(Some(Ok(event))) => event,
            };
            let news = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    go_on(&mut version, &object);
                    marked(&object.metadata).map(|(named, mark)| News::Seen(named, mark))
                }
                WatchEvent::Deleted(object) => {
                    go_on(&mut version, &object);
                    marked(&object.metadata).map(|(named, _)| News::Gone(named))
                }
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    None
                }
                WatchEvent::Error(status) if status.code == StatusCode::GONE => return End::Relist,
                WatchEvent::Error(status) => return End::Fault(status.message.clone()),
            };
            if let Some(news) = news
                && tell.send((collection.clone(), news)).await.is_err()
            {
                return End::Closed;
            }
        }
    }
}

fn go_on(version: &mut String, object: &PartialObjectMeta<DynamicObject>) {
    if let Some(now) = &object.metadata.resource_version {
        version.clone_from(now);
    }
}

/// What names an object, and a number for what of it could be ours: for most kinds the server counts changes of what
/// users write apart from those of the status.
fn marked(metadata: &ObjectMeta) -> Option<(Named, u64)> {
    let mut mark = DefaultHasher::new();
    metadata.uid.hash(&mut mark);
    metadata.labels.hash(&mut mark);
    metadata.annotations.hash(&mut mark);
    match metadata.generation {
        Some(generation) => generation.hash(&mut mark),
        None => metadata.resource_version.hash(&mut mark),
    }
    let name = metadata.name.clone()?;
    let namespace = metadata.namespace.clone().unwrap_or_default();
    Some(((namespace, name), mark.finish()))
}
