//! Takes away what was applied before and is not wanted any more: the inventory minus the rendering, and Jobs of hooks
//! that are gone. Only what still carries our labels and has the uid we know is deleted, by that uid.

use super::{Context, Stop, hook};
use crate::{
    api::{Cluster, Resource},
    concurrent::try_all,
    fault::CallError,
    object::{self, annotation},
};
use serde_json::{Value, json};
use slipway_domain::{
    component::bundle::{HOOK_ANNOTATION, HookPhase},
    registry::{Inventory, InventoryItem},
    render::{apply_rank, holds_others},
    work::Assignment,
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::sleep;

/// Looks for what was deleted to be gone before the work is given back.
const LOOKS: usize = 10;

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
        context.begin().await?;
        delete(context, work, &doomed).await?;
    }
    for why in skipped {
        context.note("object.kept", why, Value::Null);
    }
    let left = work
        .inventory
        .0
        .iter()
        .filter(|i| wanted.iter().any(|w| w.identity() == i.object.identity()));
    let inventory = Inventory(left.cloned().collect());
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
    let candidates = items
        .iter()
        .map(|item| candidate(context.cluster, namespace, service, environment, item));
    let candidates = try_all(candidates).await?;
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

/// Looks at one item of the inventory that is not wanted any more.
pub(crate) async fn candidate(
    cluster: &Cluster,
    namespace: &str,
    service: &str,
    environment: &str,
    item: &InventoryItem,
) -> Result<Candidate, CallError> {
    let object = &item.object;
    let Some(resource) = cluster.resource(&object.api_version, &object.kind).await? else {
        // Its kind is gone, and with it all objects of that kind.
        return Ok(Candidate::Gone);
    };
    let Some(live) = cluster.get(&resource, namespace, &object.name).await? else {
        return Ok(Candidate::Gone);
    };
    let title = object::title(&live);
    if holds_others(&object.api_version, &object.kind) {
        return Ok(Candidate::Keep(format!(
            "{title} was kept: what it holds would be lost with it; delete it yourself once nobody needs it"
        )));
    }
    if !object::is_ours(&live, service, environment) {
        return Ok(Candidate::Keep(format!(
            "{title} was kept: it no longer carries the labels of this service"
        )));
    }
    if let (Some(known), Some(there)) = (&item.uid, object::uid(&live))
        && known != there
    {
        return Ok(Candidate::Keep(format!(
            "{title} was kept: somebody deleted ours and created it anew"
        )));
    }
    Ok(Candidate::Delete(resource, live))
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
    order.sort_by_key(|(resource, _)| std::cmp::Reverse(apply_rank(&resource.api_version, &resource.kind)));
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
    let mut left = order;
    for _ in 0..LOOKS {
        left = still_there(context, namespace, left).await?;
        if left.is_empty() {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    let names: Vec<String> = left.iter().map(|(_, live)| object::title(live)).collect();
    Err(context.until_gone(work, &names.join(", ")).await)
}

async fn still_there<'d>(
    context: &Context<'_>,
    namespace: &str,
    doomed: Vec<&'d (Resource, Value)>,
) -> Result<Vec<&'d (Resource, Value)>, CallError> {
    let looks = doomed
        .iter()
        .map(|(resource, live)| context.cluster.get(resource, namespace, object::name(live)));
    let now = try_all(looks).await?;
    let there =
        |live: &Value, now: Option<Value>| now.is_some_and(|now| object::uid(&now) == object::uid(live));
    Ok(doomed
        .into_iter()
        .zip(now)
        .filter_map(|(entry, now)| there(&entry.1, now).then_some(entry))
        .collect())
}
