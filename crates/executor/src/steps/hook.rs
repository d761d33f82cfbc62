//! Runs one hook, a Job, once per generation and phase, and waits for its end.
//!
//! Whether it ran is read off the cluster, not remembered: a Job that carries our generation and phase is ours, whoever
//! created it. An older generation's is deleted first, since a Job cannot be run again.

use super::{Context, Stop};
use crate::{
    api::Resource,
    object::{self, annotation, condition},
};
use serde_json::{Value, json};
use slipway_domain::{component::bundle::HookPhase, health, render, work::Assignment};
use std::time::Duration;
use tokio::time::sleep;

/// The phase a Job was run for; it may be a hook for several.
const ANNOTATION_RAN_FOR: &str = "slipway.dev/hook-ran-for";
/// Looks for an old Job to be gone before the work is given back.
const LOOKS: usize = 20;

/// How Jobs are served.
pub(super) fn resource() -> Resource {
    Resource::built_in("batch/v1", "Job", "jobs", true)
}

/// What to do about the Job that is there.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// None is there.
    Create,
    /// It is this run's.
    Watch,
    /// It is an earlier run's: delete it, then create.
    Replace,
    /// It is being deleted: wait.
    Await,
    /// It is somebody else's, or a newer deployment's.
    Refuse(String),
}

fn decide(live: Option<&Value>, phase: HookPhase, work: &Assignment) -> Decision {
    let Some(live) = live else { return Decision::Create };
    if object::is_terminating(live) {
        return Decision::Await;
    }
    let title = object::title(live);
    if !object::is_ours(live, work.service.as_str(), work.environment.as_str()) {
        return Decision::Refuse(format!("{title} is there already and is not this service's"));
    }
    match object::generation(live) {
        Some(there) if there > work.generation => {
            Decision::Refuse(format!("{title} was run by a newer deployment of this target"))
        }
        Some(there)
            if there == work.generation && annotation(live, ANNOTATION_RAN_FOR) == Some(phase.as_str()) =>
        {
            Decision::Watch
        }
        _ => Decision::Replace,
    }
}

pub(super) async fn act(
    context: &Context<'_>,
    work: &Assignment,
    phase: HookPhase,
    index: usize,
) -> Result<Value, Stop> {
    let Some(hook) = work.rendering.hooks(phase).nth(index) else {
        return Err(Stop::Errored(format!(
            "there is no hook {index} of phase {}",
            phase.as_str()
        )));
    };
    let (resource, namespace, name) = (resource(), work.namespace.as_str(), object::name(hook));
    let begun_at = context.begin().await?;
    // Before looking, so that what changes after the look wakes the work.
    context.watches.pods(context.cluster, namespace, context.target);
    context
        .watches
        .kind(context.cluster, namespace, &resource, context.target);
    for _ in 0..LOOKS {
        let live = context.cluster.get(&resource, namespace, name).await?;
        match (decide(live.as_ref(), phase, work), live) {
            (Decision::Watch, Some(live)) => return ended(context, work, phase, &live, begun_at).await,
            (Decision::Refuse(reason), _) => return Err(Stop::Errored(reason)),
            (Decision::Replace, Some(live)) => {
                context
                    .cluster
                    .delete(&resource, namespace, &live, context.lease)
                    .await?;
            }
            (Decision::Create, _) => create(context, work, &resource, hook, phase).await?,
            _ => sleep(Duration::from_millis(100)).await,
        }
    }
    Err(context
        .until_gone(work, &format!("the earlier run of hook {name}"))
        .await)
}

async fn create(
    context: &Context<'_>,
    work: &Assignment,
    resource: &Resource,
    hook: &Value,
    phase: HookPhase,
) -> Result<(), Stop> {
    let mut wanted = hook.clone();
    render::stamp(&mut wanted, work.generation, &work.deployment.to_string());
    wanted["metadata"]["annotations"][ANNOTATION_RAN_FOR] = phase.as_str().into();
    match context
        .cluster
        .create(resource, work.namespace.as_str(), &wanted, context.lease)
        .await
    {
        Ok(_) => {
            let name = object::name(hook);
            let message = format!("hook {name} ({}) started", phase.as_str());
            context.note(
                "hook.started",
                message,
                json!({"hook": name, "phase": phase.as_str()}),
            );
            Ok(())
        }
        // Created by an earlier try whose answer was lost, or about to be gone: the next look tells.
        Err(error) if error.is_code(409) || error.is_uncertain() => Ok(()),
        Err(error) => Err(Stop::of_object(error, hook)),
    }
}

/// The Job's end, or the wait for it.
async fn ended(
    context: &Context<'_>,
    work: &Assignment,
    phase: HookPhase,
    live: &Value,
    begun_at: jiff::Timestamp,
) -> Result<Value, Stop> {
    let name = object::name(live);
    let data = json!({"hook": name, "phase": phase.as_str()});
    if condition(live, "Complete").is_some() {
        context.note(
            "hook.succeeded",
            format!("hook {name} ({}) succeeded", phase.as_str()),
            data,
        );
        return Ok(Value::Null);
    }
    let pods = context
        .watches
        .read_pods(context.cluster, work.namespace.as_str())
        .await?;
    let pods: Vec<Value> = pods
        .into_iter()
        .filter(|pod| health::selects(live, pod))
        .collect();
    if let Some(failed) = condition(live, "Failed") {
        let why = pods.iter().filter_map(end_of).next_back();
        let why = why.unwrap_or_else(|| failed["message"].as_str().unwrap_or("no reason given").to_owned());
        context.note(
            "hook.failed",
            format!("hook {name} ({}) failed: {why}", phase.as_str()),
            data,
        );
        return Err(Stop::Failed(format!("hook {name} failed: {why}")));
    }
    let reason = health::explain(live, &pods).unwrap_or_else(|| format!("{name}: running"));
    context.waiting(format!("hook {reason}"));
    Err(context.until_deadline(work, begun_at, || {
        format!(
            "hook {name} did not end within {:#}: {reason}",
            work.progress_deadline
        )
    }))
}

/// How a pod ended that did not succeed: `migrate-x7k: exit code 3: could not connect`.
fn end_of(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    let lists = ["initContainerStatuses", "containerStatuses"];
    let containers = lists.iter().filter_map(|list| status[*list].as_array()).flatten();
    let end = containers
        .flat_map(|container| {
            [
                &container["state"]["terminated"],
                &container["lastState"]["terminated"],
            ]
        })
        .find(|end| end["exitCode"].as_i64().is_some_and(|code| code != 0));
    let told = match end {
        Some(end) => {
            let mut told = format!("exit code {}", end["exitCode"]);
            let reason = end["reason"].as_str().filter(|reason| *reason != "Error");
            for more in [reason, end["message"].as_str()]
                .into_iter()
                .flatten()
                .filter(|m| !m.trim().is_empty())
            {
                told.push_str(": ");
                told.extend(more.trim().chars().take(300));
            }
            told
        }
        None if status["phase"] == "Failed" => {
            let words = [status["reason"].as_str(), status["message"].as_str()];
            words.into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
        None => return None,
    };
    Some(format!("{}: {told}", object::name(pod)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_pod_is_told_with_exit_code_and_last_words() {
        let pod = json!({"metadata": {"name": "migrate-x"}, "status": {"phase": "Failed", "containerStatuses": [
            {"state": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no such table\n"}}}]}});
        assert_eq!(end_of(&pod).unwrap(), "migrate-x: exit code 3: no such table");
        let evicted = json!({"metadata": {"name": "m"}, "status": {"phase": "Failed", "reason": "Evicted"}});
        assert_eq!(end_of(&evicted).unwrap(), "m: Evicted");
        let running = json!({"metadata": {"name": "m"}, "status": {"phase": "Running"}});
        assert_eq!(end_of(&running), None);
    }
}
