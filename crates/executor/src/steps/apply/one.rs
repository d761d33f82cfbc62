//! One object: what is sent, what came of it, and what is done when it was refused or lost a race.

use crate::{
    api::{Applied, ApplyMode, Resource},
    fault::CallError,
    object,
    steps::{Context, Stop, refusal, replace, standing},
};
use serde_json::Value;
use slipway_domain::{plan::target::Intent, render, work::Assignment};

/// How often a write that lost a race is decided anew.
const RACES: usize = 4;

/// What applying did to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Created,
    Configured,
    Unchanged,
}

impl Change {
    pub(super) const ALL: [Self; 3] = [Self::Created, Self::Configured, Self::Unchanged];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What became of an object: the change and the object as it is now.
pub(super) type Outcome = Result<(Change, Value), Stop>;

/// Applies one object.
pub(super) async fn apply(
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
}
