//! Deletes an object and waits until it is gone, so that it can be made anew with a field changed that cannot be changed.
//!
//! Only where the object says so (`slipway.dev/on-immutable: replace`), only what is ours, never what holds data, and
//! only when the API server would take the new one. Making it anew is applying it, as ever: whoever finds it gone, after
//! a crash in between as well, does just that.

use super::{Context, Stop, refusal};
use crate::{
    api::{Cluster, Deletion, Resource},
    fault::{Answer, CallError},
    object,
};
use serde_json::{Value, json};
use slipway_domain::{
    component::bundle::{holds_data, may_be_replaced},
    plan::target::Intent,
    render::{PHASES, apply_rank},
    work::Assignment,
};
use std::time::Duration;
use tokio::time::sleep;

/// Looks for it to be gone before the work is given back.
const LOOKS: usize = 20;
/// Time between two looks.
const PEEK: Duration = Duration::from_millis(100);

/// Whether what is there may be deleted to make `wanted` anew.
///
/// In a rollback what runs may say so too: what the earlier release could not know must not keep it from coming back.
pub(super) fn allowed(
    live: &Value,
    wanted: &Value,
    intent: Intent,
    service: &str,
    environment: &str,
) -> bool {
    let said = |object| may_be_replaced(object) == Ok(true);
    object::is_ours(live, service, environment)
        && !holds_data(live)
        && !holds_data(wanted)
        && (said(wanted) || intent == Intent::RollBack && said(live))
}

/// Why the API server would not take the object if it was not there; none when it would. Changes nothing.
///
/// Asked by the dry run of a create: what is good is answered with "exists already", for names are looked at last.
pub(super) async fn would_be_refused(
    cluster: &Cluster,
    resource: &Resource,
    namespace: &str,
    wanted: &Value,
) -> Result<Option<String>, CallError> {
    match cluster.create_dry(resource, namespace, wanted).await {
        Ok(_) => Ok(None),
        Err(CallError::Answer(answer)) if answer.code == 409 || is_its_own(&answer) => Ok(None),
        Err(CallError::Answer(answer)) => Ok(refusal::judged(&answer, wanted)),
        Err(error) => Err(error),
    }
}

/// Addresses and ports that it holds itself: free once it is gone.
fn is_its_own(answer: &Answer) -> bool {
    !answer.causes.is_empty()
        && answer
            .causes
            .iter()
            .all(|cause| cause.message.contains("already allocated"))
}

/// Deletes it, and waits until it is gone.
pub(super) async fn act(
    context: &Context<'_>,
    work: &Assignment,
    resource: &Resource,
    wanted: &Value,
    live: &Value,
    fields: &[String],
) -> Result<(), Stop> {
    let namespace = work.namespace.as_str();
    if let Some(why) = would_be_refused(context.cluster, resource, namespace, wanted).await? {
        return Err(Stop::Failed(why));
    }
    let title = object::title(live);
    // With its pods, so that never an old one and a new one run side by side.
    let deletion = if has_pods(wanted) {
        Deletion::AfterWhatItOwns
    } else {
        Deletion::BeforeWhatItOwns
    };
    if !context
        .cluster
        .delete_exactly(resource, namespace, live, deletion, context.lease)
        .await?
    {
        // Changed or gone since it was looked at: the next look decides.
        return Ok(());
    }
    context.note(
        "object.replaced",
        format!(
            "deleted {title} to make it anew: {} cannot be changed",
            fields.join(" and ")
        ),
        json!({"kind": object::kind(live), "name": object::name(live), "fields": fields}),
    );
    let mut held = String::new();
    for _ in 0..LOOKS {
        match context
            .cluster
            .get(resource, namespace, object::name(live))
            .await?
        {
            Some(now) if object::uid(&now) == object::uid(live) => held = refusal::held(&now),
            _ => return Ok(()),
        }
        sleep(PEEK).await;
    }
    Err(context.until_gone(work, &format!("{title}{held}")).await)
}

fn has_pods(object: &Value) -> bool {
    let rank = apply_rank(object::api_version(object), object::kind(object));
    PHASES
        .iter()
        .any(|phase| phase.name == "workloads" && phase.rank == rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(annotations: &Value, labels: &Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "annotations": annotations, "labels": labels}})
    }

    #[test]
    fn only_what_is_ours_and_says_so_is_replaced() {
        let says = json!({"slipway.dev/on-immutable": "replace"});
        let ours = json!({"slipway.dev/service": "shop", "slipway.dev/environment": "eu"});
        let may = |live: &Value, wanted: &Value, intent| allowed(live, wanted, intent, "shop", "eu");
        let (quiet, willing) = (object(&json!({}), &ours), object(&says, &ours));
        assert!(may(&quiet, &willing, Intent::Apply));
        assert!(
            !may(&willing, &quiet, Intent::Apply),
            "what runs does not speak for what comes"
        );
        assert!(
            may(&willing, &quiet, Intent::RollBack),
            "but for going back it does"
        );
        assert!(!may(&quiet, &quiet, Intent::RollBack));
        let theirs = object(
            &says,
            &json!({"slipway.dev/service": "mail", "slipway.dev/environment": "eu"}),
        );
        assert!(!may(&theirs, &willing, Intent::Apply));
        let mut data = willing.clone();
        data["kind"] = "StatefulSet".into();
        data["spec"] = json!({"volumeClaimTemplates": [{}]});
        assert!(!may(&data, &willing, Intent::Apply) && !may(&willing, &data, Intent::Apply));
    }
}
