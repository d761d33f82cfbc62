//! Applies every object of one rank, server-side, several at a time.
//!
//! Where something of this rank was applied before, what is there is listed first (one request a kind). That tells what
//! changed, and lets every write over an existing object name the `resourceVersion` it was decided on: a write that was
//! held up until a newer deployment had written is refused by the API server itself.

use super::{Context, Stop, refusal, replace, standing};
use crate::{
    api::{Applied, ApplyMode, Resource},
    concurrent::all,
    fault::CallError,
    object,
};
use serde_json::{Value, json};
use slipway_domain::{
    component::bundle::ObjectRef,
    plan::target::Intent,
    registry::{Inventory, InventoryItem},
    render::{self, PHASES, apply_rank},
    work::Assignment,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};
use tokio::time::Instant;

/// How often a write that lost a race is decided anew.
const RACES: usize = 4;

/// What applying did to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Created,
    Configured,
    Unchanged,
}

impl Change {
    const ALL: [Self; 3] = [Self::Created, Self::Configured, Self::Unchanged];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What is there already, by `apiVersion`, kind and name: kinds of two groups may have one name.
type Live = BTreeMap<(String, String, String), Value>;
/// How kinds are served, by `apiVersion` and kind.
type Kinds = BTreeMap<(String, String), Resource>;
/// What became of an object: the change and the object as it is now.
type Outcome = Result<(Change, Value), Stop>;

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
        one(context, work, resource, object, before)
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

/// Applies one object.
async fn one(
    context: &Context<'_>,
    work: &Assignment,
    resource: &Resource,
    object: &Value,
    before: Option<&Value>,
) -> Outcome {
    let namespace = work.namespace.as_str();
    let mode = ApplyMode {
        // That the environment heals says it: these very objects are taken back from whoever holds their fields.
        force: work.force_conflicts || work.intent == Intent::Heal,
        dry_run: false,
        lease: Some(context.lease),
    };
    let mut before = before.cloned();
    let mut last = None;
    for attempt in 0..RACES {
        if attempt > 0 {
            // Lost a race, no answer came, or it was deleted to be made anew: what is there now decides.
            before = context
                .cluster
                .get(resource, namespace, object::name(object))
                .await?;
        }
        if let Some(live) = &before {
            check(context, work, live).await?;
        }
        let mut wanted = wanted(work, resource, object, before.as_ref());
        if attempt > 0 && work.intent == Intent::RollBack {
            keep_definition(before.as_ref(), &mut wanted, last.as_ref());
        }
        match context.cluster.apply(resource, namespace, &wanted, mode).await {
            Ok(Applied { object: now, .. }) if object::is_terminating(&now) => {
                return Err(context.until_gone(work, &terminating(&now)).await);
            }
            Ok(Applied { created, object: now }) => return Ok((change(created, before.as_ref(), &now), now)),
            Err(error) => match &error {
                CallError::Answer(answer)
                    if answer.code == 409 && answer.field_conflicts().next().is_none() =>
                {
                    last = Some(error);
                }
                _ if error.is_uncertain() && attempt == 0 => last = Some(error),
                CallError::Answer(answer) if answer.is_namespace_terminating() => {
                    return Err(Stop::Retry(format!("namespace {namespace} is being deleted")));
                }
                CallError::Answer(answer) if before.is_none() && answer.code == 422 && last.is_none() => {
                    // It is there and was not ours so far: looked at, more can be said.
                    last = Some(error);
                }
                CallError::Answer(answer) => {
                    let Some(live) = &before else {
                        return Err(Stop::of_object(error, object));
                    };
                    let stored = refusal::stored_versions(answer, &wanted);
                    if !stored.is_empty() && work.intent == Intent::RollBack && !is_kept(live, &wanted) {
                        let title = object::title(live);
                        let versions = stored.join(" and ");
                        let why = format!(
                            "{title} was kept as it is: its objects are stored in version {versions}"
                        );
                        context.note("object.kept", why, Value::Null);
                        last = Some(error);
                        continue;
                    }
                    let fields = refusal::unchangeable(answer, Some(live), &wanted);
                    let (service, environment) = (work.service.as_str(), work.environment.as_str());
                    if !fields.is_empty()
                        && replace::allowed(live, &wanted, work.intent, service, environment)
                    {
                        replace::act(context, work, resource, &wanted, live, &fields).await?;
                        last = Some(error);
                        continue;
                    }
                    return Err(match refusal::told(answer, Some(live), object) {
                        Some(reason) => Stop::Failed(reason),
                        None => Stop::Call(error),
                    });
                }
                _ => return Err(Stop::of_object(error, object)),
            },
        }
    }
    Err(last.map_or(Stop::Over, |error| Stop::of_object(error, object)))
}

/// Whether what is there may be written over.
async fn check(context: &Context<'_>, work: &Assignment, live: &Value) -> Result<(), Stop> {
    let (service, environment) = (work.service.as_str(), work.environment.as_str());
    if let Some(why) = refusal::foreign(live, service, environment) {
        return Err(Stop::Failed(why));
    }
    if object::generation(live).is_some_and(|there| there > work.generation)
        && object::is_ours(live, service, environment)
    {
        let title = object::title(live);
        return Err(Stop::Errored(format!(
            "{title} was applied by a newer deployment of this target"
        )));
    }
    if object::is_terminating(live) {
        // What was applied would vanish with it: wait, then this step runs again.
        return Err(context.until_gone(work, &terminating(live)).await);
    }
    Ok(())
}

fn terminating(live: &Value) -> String {
    format!("{}{}", object::title(live), refusal::held(live))
}

/// What is sent: stamped, and naming what it was decided on.
fn wanted(work: &Assignment, resource: &Resource, object: &Value, before: Option<&Value>) -> Value {
    let mut wanted = standing::prepared(resource, object, before);
    render::stamp(&mut wanted, work.generation, &work.deployment.to_string());
    if let Some(live) = before {
        wanted["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    }
    wanted
}

/// A definition that cannot go back stays as it is: only our marks are written.
fn keep_definition(live: Option<&Value>, wanted: &mut Value, refused: Option<&CallError>) {
    if let (Some(live), Some(CallError::Answer(answer))) = (live, refused)
        && !refusal::stored_versions(answer, wanted).is_empty()
    {
        wanted["spec"] = live["spec"].clone();
    }
}

fn is_kept(live: &Value, wanted: &Value) -> bool {
    live["spec"] == wanted["spec"]
}

/// Without what was there before, all that is known is whether it was created.
fn change(created: bool, before: Option<&Value>, now: &Value) -> Change {
    match before {
        _ if created => Change::Created,
        Some(before) if object::uid(before) != object::uid(now) => Change::Created,
        Some(before) if render::diff(Some(before), Some(now)).paths.is_empty() => Change::Unchanged,
        _ => Change::Configured,
    }
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

/// `applied 3 workloads: 1 created, 2 unchanged`.
fn summary(phase: &str, changes: &[Change]) -> String {
    let counts = Change::ALL.into_iter().filter_map(|change| {
        let count = changes.iter().filter(|c| **c == change).count();
        (count > 0).then(|| format!("{count} {}", change.as_str()))
    });
    let what = match (phase, changes.len()) {
        ("the rest", 1) => "1 other object".to_owned(),
        ("the rest", many) => format!("{many} other objects"),
        ("access" | "configuration" | "storage", 1) => format!("1 object of {phase}"),
        ("access" | "configuration" | "storage", many) => format!("{many} objects of {phase}"),
        (_, 1) => format!("1 {}", phase.strip_suffix('s').unwrap_or(phase)),
        (_, many) => format!("{many} {phase}"),
    };
    format!("applied {what}: {}", counts.collect::<Vec<_>>().join(", "))
}

/// An inventory, and where in it each object is.
struct Known {
    inventory: Inventory,
    places: HashMap<(String, String, Option<String>, String), usize>,
}

impl Known {
    fn of(inventory: &Inventory) -> Self {
        let places = inventory.0.iter().enumerate();
        Self {
            places: places.map(|(i, item)| (identity(&item.object), i)).collect(),
            inventory: inventory.clone(),
        }
    }

    fn remember(&mut self, wanted: &Value, uid: Option<&str>) {
        let Some(object) = ObjectRef::of(wanted) else {
            return;
        };
        let place = self.places.entry(identity(&object));
        let uid = uid.map(str::to_owned);
        match place {
            Entry::Occupied(place) => self.inventory.0[*place.get()] = InventoryItem { object, uid },
            Entry::Vacant(place) => {
                place.insert(self.inventory.0.len());
                self.inventory.0.push(InventoryItem { object, uid });
            }
        }
    }
}

fn identity(object: &ObjectRef) -> (String, String, Option<String>, String) {
    let (group, kind, namespace, name) = object.identity();
    (
        group.to_owned(),
        kind.to_owned(),
        namespace.map(str::to_owned),
        name.to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_what_happened() {
        use Change::{Configured, Created, Unchanged};
        assert_eq!(
            summary("workloads", &[Created, Unchanged, Configured]),
            "applied 3 workloads: 1 created, 1 configured, 1 unchanged"
        );
        assert_eq!(summary("services", &[Created]), "applied 1 service: 1 created");
        assert_eq!(
            summary("configuration", &[Unchanged, Unchanged]),
            "applied 2 objects of configuration: 2 unchanged"
        );
    }

    #[test]
    fn what_only_the_server_or_the_stamp_changed_is_unchanged() {
        let before = json!({"kind": "ConfigMap", "metadata": {"name": "c", "uid": "1", "resourceVersion": "7",
            "annotations": {"slipway.dev/generation": "1"}}, "data": {"a": "1"}});
        let mut now = before.clone();
        now["metadata"]["resourceVersion"] = "8".into();
        now["metadata"]["annotations"]["slipway.dev/generation"] = "2".into();
        assert_eq!(change(false, Some(&before), &now), Change::Unchanged);
        now["data"]["a"] = "2".into();
        assert_eq!(change(false, Some(&before), &now), Change::Configured);
        now["metadata"]["uid"] = "2".into();
        assert_eq!(change(false, Some(&before), &now), Change::Created);
        assert_eq!(change(true, None, &now), Change::Created);
    }

    #[test]
    fn a_uid_is_kept_with_its_object_and_replaced_when_it_changes() {
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}});
        let mut known = Known::of(&Inventory::default());
        known.remember(&object, Some("1"));
        known.remember(&object, Some("2"));
        assert_eq!(known.inventory.0.len(), 1);
        assert_eq!(known.inventory.0[0].uid.as_deref(), Some("2"));
        let mut again = Known::of(&known.inventory);
        again.remember(&object, Some("3"));
        assert_eq!(again.inventory.0.len(), 1);
        assert_eq!(again.inventory.0[0].uid.as_deref(), Some("3"));
    }
}
