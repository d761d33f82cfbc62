//! Compares one object with what was applied, by server-side dry run. Changes nothing.

use crate::{
    api::{Applied, ApplyMode, Cluster, FIELD_MANAGER, Resource},
    fault::{CallError, scrub},
    object,
};
use serde_json::Value;
use slipway_domain::drift::{Comparison, Drift, expires_by_itself, judge, judge_refused};

/// How often a comparison is made anew because the object changed while it was being made.
const RACES: usize = 3;

/// Its drift, or none. `resource` is how its kind is served, if it is.
pub(super) async fn compare(
    cluster: &Cluster,
    resource: Option<&Resource>,
    namespace: &str,
    applied: &Value,
) -> Result<Option<Drift>, CallError> {
    let gone = || (!expires_by_itself(applied)).then(Drift::missing);
    let Some(resource) = resource else {
        return Ok(gone());
    };
    let mode = ApplyMode {
        // Only asked: what would be there if what was applied held. Who is in the way says the object itself.
        force: true,
        dry_run: true,
        lease: None,
    };
    let mut last = None;
    for _ in 0..RACES {
        let Some(live) = cluster.get(resource, namespace, object::name(applied)).await? else {
            return Ok(gone());
        };
        let mut wanted = applied.clone();
        if let Some(metadata) = wanted["metadata"].as_object_mut() {
            if !resource.namespaced {
                metadata.remove("namespace");
            }
            // Both answers must be about the same state of it.
            metadata.insert(
                "resourceVersion".to_owned(),
                live["metadata"]["resourceVersion"].clone(),
            );
        }
        match cluster.apply(resource, namespace, &wanted, mode).await {
            Ok(Applied { object: after, .. }) => {
                return Ok(judge(Comparison {
                    live: &live,
                    after: &after,
                    manager: FIELD_MANAGER,
                }));
            }
            Err(error) if error.is_code(409) || error.is_code(404) => last = Some(error),
            Err(CallError::Answer(answer)) if answer.is_invalid() => {
                let problem = scrub(&answer.message, applied);
                return Ok(judge_refused(&live, applied, &problem, FIELD_MANAGER));
            }
            Err(error) => return Err(error),
        }
    }
    last.map_or(Ok(None), Err)
}
