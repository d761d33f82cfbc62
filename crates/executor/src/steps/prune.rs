//! Takes away what was applied before and is not wanted any more: the inventory minus the rendering, and Jobs of hooks
//! that are gone. Only what still carries our labels and has the uid we know, or was made anew by us, is deleted, by its uid.

use super::{Context, Stop, guard, hook, refusal};
use crate::{
    api::{Cluster, FIELD_MANAGER, Resource},
    concurrent::try_all,
    fault::CallError,
    object::{self, annotation},
};
use serde_json::{Value, json};
use slipway_domain::{
    component::bundle::{HOOK_ANNOTATION, HookPhase},
    registry::InventoryItem,
    render::{apply_rank, holds_others},
    work::Assignment,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};
use tokio::time::sleep;

/// Looks for what was deleted to be gone before the work is given back.
const LOOKS: usize = 10;
/// Up to so many objects of a kind are read one by one instead of listed.
const ONE_BY_ONE: usize = 3;
/// So many of what is still there are named.
const NAMED: usize = 10;

/// What to do about something that is in the inventory and not in the rendering.
pub(crate) enum Candidate {
    /// It is there and ours.
    Delete(Resource, Value),
    /// It is not there any more.
    Gone,
    /// It is there and stays, because.
    Keep(String),
}

pub(super) async fn act(context: &Context<'_>, work: &Assignment) -> Result<Value, Stop> {
    let wanted = work.rendering.object_refs();
    let items = work.inventory.without(&wanted);
    let (mut doomed, skipped) = find(context, work, items).await?;
    doomed.extend(old_hooks(context, work).await?);
    if !doomed.is_empty() {
        // By their uids: what a newer deployment has made anew since they were looked at is none of them, and that it has
        // begun says the guard.
        guard::hold(context, work).await?;
        context.begin().await?;
        delete(context, work, &doomed).await?;
    }
    for why in skipped {
        context.note("object.kept", why, Value::Null);
    }
    let inventory = work.inventory.only(&wanted);
    if inventory != work.inventory {
        context.inventory(inventory);
    }
    Ok(json!({"deleted": doomed.len()}))
}

async fn find(
    context: &Context<'_>,
    work: &Assignment,
    items: Vec<InventoryItem>,
) -> Result<(Vec<(Resource, Value)>, Vec<String>), Stop> {
    let (namespace, service, environment) = (
        work.namespace.as_str(),
        work.service.as_str(),
        work.environment.as_str(),
    );
    let candidates = candidates(context.cluster, namespace, service, environment, &items).await?;
    let (mut doomed, mut skipped) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match candidate {
            Candidate::Delete(resource, live) => doomed.push((resource, live)),
            Candidate::Keep(why) => skipped.push(why),
            Candidate::Gone => {}
        }
    }
    Ok((doomed, skipped))
}

/// Looks at items of the inventory that are not wanted any more; one candidate an item, in their order.
pub(crate) async fn candidates(
    cluster: &Cluster,
    namespace: &str,
    service: &str,
    environment: &str,
    items: &[InventoryItem],
) -> Result<Vec<Candidate>, CallError> {
    let kinds: BTreeMap<(&str, &str), usize> = items.iter().fold(BTreeMap::new(), |mut kinds, item| {
        *kinds
            .entry((item.object.api_version.as_str(), item.object.kind.as_str()))
            .or_default() += 1;
        kinds
    });
    let mut resources: BTreeMap<(&str, &str), Resource> = BTreeMap::new();
    let mut live: HashMap<(&str, &str, String), Value> = HashMap::new();
    let selector = object::selector(service, environment);
    for (key, count) in kinds {
        let Some(resource) = served(cluster, key.0, key.1).await? else {
            continue;
        };
        if count > ONE_BY_ONE {
            for object in cluster.list(&resource, namespace, &selector).await? {
                let name = object::name(&object).to_owned();
                live.insert((key.0, key.1, name), object);
            }
        }
        resources.insert(key, resource);
    }
    let looks = items.iter().map(|item| {
        let object = &item.object;
        let key = (object.api_version.as_str(), object.kind.as_str());
        let resource = resources.get(&key);
        let known = live.remove(&(key.0, key.1, object.name.clone()));
        async move {
            let Some(resource) = resource else {
                // Its kind is gone, and with it all objects of that kind.
                return Ok::<_, CallError>(Candidate::Gone);
            };
            let live = match known {
                Some(live) => Some(live),
                None => cluster.get(resource, namespace, &object.name).await?,
            };
            Ok(live.map_or(Candidate::Gone, |live| {
                judge(resource.clone(), live, item, service, environment)
            }))
        }
    });
    try_all(looks).await
}

/// How a kind is served, in that version or in any other: it is the same object in each.
async fn served(cluster: &Cluster, api_version: &str, kind: &str) -> Result<Option<Resource>, CallError> {
    if let Some(resource) = cluster.resource(api_version, kind).await? {
        return Ok(Some(resource));
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    cluster.resource_of(group, kind).await
}

/// What to do about one that is there. Pure.
fn judge(
    resource: Resource,
    live: Value,
    item: &InventoryItem,
    service: &str,
    environment: &str,
) -> Candidate {
    let object = &item.object;
    let title = object::title(&live);
    if holds_others(&object.api_version, &object.kind) {
        return Candidate::Keep(format!(
            "{title} was kept: what it holds would be lost with it; delete it yourself once nobody needs it"
        ));
    }
    if !object::is_ours(&live, service, environment) {
        return Candidate::Keep(format!(
            "{title} was kept: it no longer carries the labels of this service"
        ));
    }
    // An object that was deleted by hand and then made anew by us is ours, also when the worker that made it ended before
    // it could tell its uid.
    if let (Some(known), Some(there)) = (&item.uid, object::uid(&live))
        && known != there
        && !object::is_applied_by(&live, FIELD_MANAGER)
    {
        return Candidate::Keep(format!(
            "{title} was kept: somebody deleted ours and created it anew"
        ));
    }
    Candidate::Delete(resource, live)
}

/// Jobs of hooks that the rendering does not name any more.
async fn old_hooks(context: &Context<'_>, work: &Assignment) -> Result<Vec<(Resource, Value)>, Stop> {
    let phases = [HookPhase::Before, HookPhase::After, HookPhase::Rollback];
    let named: BTreeSet<&str> = phases
        .into_iter()
        .flat_map(|phase| work.rendering.hooks(phase))
        .map(object::name)
        .collect();
    let selector = object::selector(work.service.as_str(), work.environment.as_str());
    let jobs = context
        .cluster
        .list(&hook::resource(), work.namespace.as_str(), &selector)
        .await?;
    let old = jobs.into_iter().filter(|job| {
        annotation(job, HOOK_ANNOTATION).is_some()
            && !named.contains(object::name(job))
            && object::generation(job).is_some_and(|there| there <= work.generation)
    });
    Ok(old.map(|job| (hook::resource(), job)).collect())
}

/// Deletes, what others need last, and waits until all is gone.
async fn delete(context: &Context<'_>, work: &Assignment, doomed: &[(Resource, Value)]) -> Result<(), Stop> {
    let namespace = work.namespace.as_str();
    let mut order: Vec<&(Resource, Value)> = doomed.iter().collect();
    order.sort_by_key(|(resource, _)| {
        let rank = apply_rank(&resource.api_version, &resource.kind);
        (
            std::cmp::Reverse(rank),
            resource.api_version.clone(),
            resource.kind.clone(),
        )
    });
    for rank in order
        .chunk_by(|(a, _), (b, _)| apply_rank(&a.api_version, &a.kind) == apply_rank(&b.api_version, &b.kind))
    {
        let rank: Vec<_> = rank
            .iter()
            .filter(|(_, live)| !object::is_terminating(live))
            .collect();
        let deletes = rank
            .iter()
            .map(|(resource, live)| context.cluster.delete(resource, namespace, live, context.lease));
        try_all(deletes).await?;
        for (_, live) in rank {
            let data = json!({"kind": object::kind(live), "name": object::name(live)});
            context.note("object.pruned", format!("deleted {}", object::title(live)), data);
        }
    }
    let mut left: Vec<_> = order.into_iter().map(|entry| (entry, Value::Null)).collect();
    for _ in 0..LOOKS {
        left = still_there(context, work, left).await?;
        if left.is_empty() {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    let names: Vec<String> = left
        .iter()
        .take(NAMED)
        .map(|((_, live), now)| format!("{}{}", object::title(live), refusal::held(now)))
        .collect();
    let more = left.len().saturating_sub(NAMED);
    let names = if more > 0 {
        format!("{} and {more} more", names.join(", "))
    } else {
        names.join(", ")
    };
    Err(context.until_gone(work, &names).await)
}

/// What of it is still there, and how it is now.
async fn still_there<'d>(
    context: &Context<'_>,
    work: &Assignment,
    doomed: Vec<(&'d (Resource, Value), Value)>,
) -> Result<Vec<(&'d (Resource, Value), Value)>, CallError> {
    let namespace = work.namespace.as_str();
    let selector = object::selector(work.service.as_str(), work.environment.as_str());
    let mut left = Vec::new();
    for of_kind in doomed.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
        let resource = &of_kind[0].0.0;
        let now: HashMap<String, Value> = if of_kind.len() > ONE_BY_ONE {
            let all = context
                .cluster
                .list_metadata(resource, namespace, &selector)
                .await?;
            all.into_iter()
                .map(|o| (object::name(&o).to_owned(), o))
                .collect()
        } else {
            let looks = of_kind
                .iter()
                .map(|((_, live), _)| context.cluster.get(resource, namespace, object::name(live)));
            let all = try_all(looks).await?.into_iter().flatten();
            all.map(|o| (object::name(&o).to_owned(), o)).collect()
        };
        left.extend(of_kind.iter().filter_map(|(entry, _)| {
            let now = now.get(object::name(&entry.1))?;
            (object::uid(now) == object::uid(&entry.1)).then(|| (*entry, now.clone()))
        }));
    }
    Ok(left)
}
