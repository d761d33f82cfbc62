//! What a deployment would do to a target, by server-side dry run: the API server's own answer, with its defaults,
//! webhooks and conflicts. Changes nothing.

use crate::{
    api::{Applied, ApplyMode, Cluster, Resource},
    concurrent::try_all,
    fault::{CallError, scrub},
    object,
    steps::{preflight, prune},
};
use serde_json::Value;
use slipway_domain::{
    component::bundle::{HookPhase, ObjectRef},
    ports::{ClusterFault, ObjectPreview, PreviewRequest, TargetPreview},
    render::diff,
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
    let wanted: Vec<(&Value, Option<&Resource>)> = request
        .rendering
        .objects
        .iter()
        .map(|object| (object, kinds.of(object)))
        .collect();
    for (object, _) in wanted.iter().filter(|(_, resource)| resource.is_none()) {
        notes.push(format!(
            "{} is of a kind that this release brings, so it could not be asked about",
            object::title(object)
        ));
    }
    let previews = wanted.into_iter().map(|(object, resource)| {
        let resource = resource.filter(|r| !(creates_namespace && r.namespaced));
        one(cluster, request, resource, object)
    });
    let previews = try_all(previews).await.map_err(fault)?;
    let mut objects: Vec<ObjectPreview> = previews.into_iter().flatten().collect();
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

/// One object; without a resource, nobody can be asked about it yet.
async fn one(
    cluster: &Cluster,
    request: &PreviewRequest,
    resource: Option<&Resource>,
    object: &Value,
) -> Result<Option<ObjectPreview>, CallError> {
    match resource {
        Some(resource) => dry_run(cluster, request, resource, object).await,
        None => Ok(shown(object, diff(None, Some(object)), None, false)),
    }
}

async fn dry_run(
    cluster: &Cluster,
    request: &PreviewRequest,
    resource: &Resource,
    object: &Value,
) -> Result<Option<ObjectPreview>, CallError> {
    let namespace = request.namespace.as_str();
    let mut wanted = object.clone();
    if !resource.namespaced {
        wanted["metadata"]
            .as_object_mut()
            .map(|metadata| metadata.remove("namespace"));
    }
    let live = cluster.get(resource, namespace, object::name(object)).await?;
    let mut mode = ApplyMode {
        force: false,
        dry_run: true,
        lease: None,
    };
    let mut problem = None;
    let mut result = cluster.apply(resource, namespace, &wanted, mode).await;
    if let Err(CallError::Answer(answer)) = &result {
        let conflicts = answer.field_conflicts().next().is_some();
        problem = Some(scrub(&answer.message, object));
        if conflicts {
            // Shown all the same: what would become of it if the fields were taken over.
            mode.force = true;
            result = cluster.apply(resource, namespace, &wanted, mode).await;
        }
    }
    match result {
        Ok(Applied { object: after, .. }) => {
            Ok(shown(object, diff(live.as_ref(), Some(&after)), problem, false))
        }
        Err(CallError::Answer(answer)) => {
            let problem = problem.or_else(|| Some(scrub(&answer.message, object)));
            Ok(shown(object, diff(live.as_ref(), Some(object)), problem, false))
        }
        Err(error) => Err(error),
    }
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
    let candidates = items
        .iter()
        .map(|item| prune::candidate(cluster, namespace, service, environment, item));
    let candidates = try_all(candidates).await?;
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
