//! The namespace exists. It is created when missing and never deleted: more than ours may be in it.

use super::{Context, Stop};
use crate::{
    api::Resource,
    fault::CallError,
    object::{self, LABEL_MANAGED},
};
use serde_json::{Value, json};
use slipway_domain::{ports::ClusterFault, work::Assignment};

/// How namespaces are served.
pub(crate) fn resource() -> Resource {
    Resource::built_in("v1", "Namespace", "namespaces", false)
}

pub(super) async fn act(context: &Context<'_>, work: &Assignment) -> Result<Value, Stop> {
    let name = work.namespace.as_str();
    let live = match context.cluster.get(&resource(), "", name).await {
        // A credential that is confined to its namespace may not look at namespaces; then it is there.
        Err(CallError::Fault(ClusterFault::Forbidden { .. })) => return Ok(json!({"created": false})),
        live => live?,
    };
    match live {
        Some(live) if object::is_terminating(&live) => {
            return Err(context.until_gone(work, &format!("namespace {name}")).await);
        }
        Some(_) => return Ok(json!({"created": false})),
        None => {}
    }
    context.begin().await?;
    let wanted = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {LABEL_MANAGED: "true"}},
    });
    match context
        .cluster
        .create(&resource(), "", &wanted, context.lease)
        .await
    {
        Ok(_) => {
            context.note(
                "namespace.created",
                format!("created namespace {name}"),
                json!({"namespace": name}),
            );
            Ok(json!({"created": true}))
        }
        // Somebody was faster; whether it is usable shows when the step is run again.
        Err(error) if error.is_code(409) => {
            Err(Stop::Retry(format!("namespace {name} was created just now")))
        }
        Err(error) => Err(Stop::of_object(error, &wanted)),
    }
}
