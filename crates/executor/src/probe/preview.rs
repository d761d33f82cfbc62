//! What a deployment would do to a target, by server-side dry run: the API server's own answer, with its defaults,
//! webhooks and conflicts. Changes nothing.

use crate::{
    api::{Cluster, Resource},
    concurrent::try_all,
    fault::CallError,
    object,
    steps::{
        preflight, prune,
        standing::{Question, Standing, Verdict},
    },
};
use serde_json::Value;
use slipway_domain::{
    component::bundle::{HookPhase, ObjectRef, warnings},
    ports::{ClusterFault, ObjectPreview, PreviewRequest, TargetPreview},
    render::{Change, diff},
};
use std::collections::BTreeSet;

pub(super) async fn preview(
    cluster: &Cluster,
    request: &PreviewRequest,
) -> Result<TargetPreview, ClusterFault> {
    let fault = |error: CallError| error.into_fault(cluster.name());
    let kinds = preflight::kinds(cluster, &request.rendering, &request.grants)
        .await
        .map_err(fault)?;
    if !kinds.problems.is_empty() {
        return Err(ClusterFault::Kinds {
            cluster: cluster.name().clone(),
            problems: kinds.problems,
        });
    }
    let creates_namespace = !has_namespace(cluster, request).await.map_err(fault)?;
    let mut notes = Vec::new();
    if creates_namespace {
        notes.push(format!(
            "namespace {} is not there yet, so the API server could not be asked about the objects in it",
            request.namespace
        ));
    }
    let objects = &request.rendering.objects;
    notes.extend(warnings(objects).iter().map(ToString::to_string));
    for object in objects.iter().filter(|object| kinds.of(object).is_none()) {
        notes.push(format!(
            "{} is of a kind that this release brings, so it could not be asked about",
            object::title(object)
        ));
    }
    let question = Question {
        cluster,
        namespace: request.namespace.as_str(),
        service: request.service.as_str(),
        environment: request.environment.as_str(),
        intent: request.intent,
        force: request.force_conflicts,
        rendering: &request.rendering,
        inventory: &request.inventory,
    };
    let standing = Standing::read(&question, &kinds).await.map_err(fault)?;
    let asked = objects.iter().map(|object| {
        let resource = kinds.of(object).filter(|r| !(creates_namespace && r.namespaced));
        one(&standing, resource, object)
    });
    let mut objects = Vec::new();
    for (preview, note) in try_all(asked).await.map_err(fault)? {
        objects.extend(preview);
        notes.extend(note);
    }
    objects.extend(pruned(cluster, request, &mut notes).await.map_err(fault)?);
    objects.extend(hooks(request));
    Ok(TargetPreview {
        creates_namespace,
        objects,
        notes,
    })
}

fn shown(
    object: &Value,
    diff: slipway_domain::render::ObjectDiff,
    problem: Option<String>,
    hook: bool,
) -> Option<ObjectPreview> {
    Some(ObjectPreview {
        object: ObjectRef::of(object)?,
        diff,
        problem,
        hook,
    })
}

async fn has_namespace(cluster: &Cluster, request: &PreviewRequest) -> Result<bool, CallError> {
    let resource = Resource::built_in("v1", "Namespace", "namespaces", false);
    match cluster.get(&resource, "", request.namespace.as_str()).await {
        Ok(live) => Ok(live.is_some()),
        // A credential that is confined to its namespace may not look at namespaces; then it is there.
        Err(CallError::Fault(ClusterFault::Forbidden { .. })) => Ok(true),
        Err(error) => Err(error),
    }
}

/// One object, and what there is to say beside; without a resource, nobody can be asked about it yet.
async fn one(
    standing: &Standing<'_>,
    resource: Option<&Resource>,
    object: &Value,
) -> Result<(Option<ObjectPreview>, Option<String>), CallError> {
    let Some(resource) = resource else {
        return Ok((shown(object, diff(None, Some(object)), None, false), None));
    };
    let live = standing.live(object);
    let shown = |after: &Value, problem| shown(object, diff(live, Some(after)), problem, false);
    Ok(match standing.ask(resource, object).await? {
        Verdict::Settled => (shown(live.unwrap_or(object), None), None),
        Verdict::Becomes(after) => (shown(&after, None), None),
        Verdict::Refused(why, after) => (shown(after.as_ref().unwrap_or(object), Some(why)), None),
        Verdict::Unasked(why) => (shown(object, None), Some(why)),
        Verdict::Kept(versions) => {
            let (title, versions) = (object::title(object), versions.join(" and "));
            let why = format!("{title} stays as it is: its objects are stored in version {versions}");
            (shown(live.unwrap_or(object), None), Some(why))
        }
        Verdict::Replaced(fields) => {
            let mut preview = shown(object, None);
            if let Some(preview) = &mut preview {
                preview.diff.change = Change::Replaced;
                // What the new one does not say is defaulted anew, and no difference.
                preview.diff.paths.retain(|path| path.to.is_some());
            }
            let (title, fields) = (object::title(object), fields.join(" and "));
            let why = format!("{title} will be deleted and made anew: {fields} cannot be changed");
            (preview, Some(why))
        }
    })
}

/// What would be deleted; what is in the inventory and would be kept is noted.
async fn pruned(
    cluster: &Cluster,
    request: &PreviewRequest,
    notes: &mut Vec<String>,
) -> Result<Vec<ObjectPreview>, CallError> {
    let (namespace, service, environment) = (
        request.namespace.as_str(),
        request.service.as_str(),
        request.environment.as_str(),
    );
    let items = request.inventory.without(&request.rendering.object_refs());
    let candidates = prune::candidates(cluster, namespace, service, environment, &items).await?;
    let mut pruned = Vec::new();
    for (object, candidate) in items.iter().map(|item| item.object.clone()).zip(candidates) {
        match candidate {
            prune::Candidate::Delete(_, live) => {
                pruned.push(ObjectPreview {
                    object,
                    diff: diff(Some(&live), None),
                    problem: None,
                    hook: false,
                });
            }
            prune::Candidate::Keep(why) => notes.push(why),
            prune::Candidate::Gone => {}
        }
    }
    Ok(pruned)
}

/// Hooks before and after; those for a rollback do not run with a deployment.
fn hooks(request: &PreviewRequest) -> Vec<ObjectPreview> {
    let mut seen = BTreeSet::new();
    [HookPhase::Before, HookPhase::After]
        .into_iter()
        .flat_map(|phase| request.rendering.hooks(phase))
        .filter(|hook| seen.insert(object::name(hook)))
        .filter_map(|hook| shown(hook, diff(None, Some(hook)), None, true))
        .collect()
}
