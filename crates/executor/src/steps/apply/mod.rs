//! Applies every object of one rank, server-side, several at a time.
//!
//! Where something of this rank was applied before, what is there is listed first (one request a kind). That tells what
//! changed, and lets every write over an existing object name the `resourceVersion` it was decided on: a write that was
//! held up until a newer deployment had written is refused by the API server itself.

mod one;
mod told;

use super::{Context, Stop};
use crate::{api::Resource, concurrent::all, object};
use one::{Change, Outcome};
use serde_json::{Value, json};
use slipway_domain::{
    component::bundle::ObjectRef,
    plan::target::Intent,
    render::{PHASES, apply_rank},
    work::Assignment,
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;
use told::{Known, summary};

/// What is there already, by `apiVersion`, kind and name: kinds of two groups may have one name.
type Live = BTreeMap<(String, String, String), Value>;
/// How kinds are served, by `apiVersion` and kind.
type Kinds = BTreeMap<(String, String), Resource>;

pub(super) async fn act(context: &Context<'_>, work: &Assignment, rank: u8) -> Result<Value, Stop> {
    let begun = Instant::now();
    let objects: Vec<&Value> = work
        .rendering
        .objects
        .iter()
        .filter(|o| rank_of(o) == rank && is_asked(work, o))
        .collect();
    let kinds = served(context, work, &objects).await?;
    context.begin().await?;
    let live = live(context, work, &kinds, &objects).await?;
    let writes = objects.iter().map(|object| {
        let resource = &kinds[&(
            object::api_version(object).to_owned(),
            object::kind(object).to_owned(),
        )];
        let before = live.get(&(
            object::api_version(object).to_owned(),
            object::kind(object).to_owned(),
            object::name(object).to_owned(),
        ));
        one::apply(context, work, resource, object, before)
    });
    let results = objects.iter().copied().zip(all(writes).await).collect();
    let latency = metrics::histogram!(slipway_telemetry::catalogue::APPLY_SECONDS, "cluster" => work.connection.name.to_string());
    latency.record(begun.elapsed().as_secs_f64());
    report(context, work, rank, results)
}

/// How the kinds of these objects are served.
async fn served(context: &Context<'_>, work: &Assignment, objects: &[&Value]) -> Result<Kinds, Stop> {
    let mut kinds = Kinds::new();
    for object in objects {
        let (api_version, kind) = (object::api_version(object), object::kind(object));
        let Some(resource) = context.cluster.resource(api_version, kind).await? else {
            let (title, cluster) = (object::title(object), &work.connection.name);
            return Err(Stop::Failed(format!(
                "{title}: cluster {cluster} does not serve {kind} of {api_version}"
            )));
        };
        kinds.insert((api_version.to_owned(), kind.to_owned()), resource);
    }
    Ok(kinds)
}

/// A heal takes back what has drifted, and touches nothing else.
pub(super) fn is_asked(work: &Assignment, object: &Value) -> bool {
    work.intent != Intent::Heal
        || ObjectRef::of(object).is_some_and(|one| {
            work.heals
                .iter()
                .any(|healed| healed.identity() == one.identity())
        })
}

fn rank_of(object: &Value) -> u8 {
    apply_rank(object::api_version(object), object::kind(object))
}

/// What of this rank is there already; empty without asking when nothing of it was ever applied.
async fn live(
    context: &Context<'_>,
    work: &Assignment,
    kinds: &Kinds,
    objects: &[&Value],
) -> Result<Live, Stop> {
    let known: BTreeSet<_> = work
        .inventory
        .0
        .iter()
        .filter(|i| i.uid.is_some())
        .map(|i| (&i.object.kind, &i.object.name))
        .collect();
    let selector = object::selector(work.service.as_str(), work.environment.as_str());
    let mut live = Live::new();
    for (key, resource) in kinds {
        let of_kind = objects
            .iter()
            .filter(|o| object::kind(o) == key.1 && object::api_version(o) == key.0);
        if !of_kind
            .map(|o| object::name(o).to_owned())
            .any(|name| known.contains(&(&key.1, &name)))
        {
            continue;
        }
        for object in context
            .cluster
            .list(resource, work.namespace.as_str(), &selector)
            .await?
        {
            let name = object::name(&object).to_owned();
            live.insert((key.0.clone(), key.1.clone(), name), object);
        }
    }
    Ok(live)
}

/// Notes what was applied, keeps its uids, and stops with everything that stood in the way.
fn report(
    context: &Context<'_>,
    work: &Assignment,
    rank: u8,
    results: Vec<(&Value, Outcome)>,
) -> Result<Value, Stop> {
    let (mut applied, mut failed, mut other) = (Vec::new(), Vec::new(), None);
    let mut inventory = Known::of(&work.inventory);
    for (wanted, result) in results {
        match result {
            Ok((change, now)) => {
                inventory.remember(wanted, object::uid(&now));
                applied.push((change, object::kind(wanted), object::name(wanted)));
            }
            Err(Stop::Failed(reason)) => failed.push(reason),
            // What ends the work counts more than what only delays it.
            Err(stop) => {
                if other.is_none() || matches!(stop, Stop::Errored(_) | Stop::Over) {
                    other = Some(stop);
                }
            }
        }
    }
    if inventory.inventory != work.inventory {
        context.inventory(inventory.inventory);
    }
    if !applied.is_empty() {
        let phase = PHASES
            .iter()
            .find(|phase| phase.rank == rank)
            .map_or("objects", |phase| phase.name);
        let objects: Vec<_> = applied
            .iter()
            .map(|(change, kind, name)| json!({"kind": kind, "name": name, "result": change.as_str()}))
            .collect();
        let changes: Vec<Change> = applied.iter().map(|(change, ..)| *change).collect();
        context.note(
            "object.applied",
            summary(phase, &changes),
            json!({"objects": objects}),
        );
    }
    match other {
        Some(stop) if failed.is_empty() || matches!(stop, Stop::Errored(_) | Stop::Over) => Err(stop),
        _ if failed.is_empty() => Ok(Value::Null),
        _ => Err(Stop::Failed(failed.join("; "))),
    }
}
