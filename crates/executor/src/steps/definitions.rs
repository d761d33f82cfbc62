//! Custom resource definitions are established, and the API server serves what they define.

use super::{Context, Stop};
use crate::{fault::CallError, object};
use serde_json::Value;
use slipway_domain::work::Assignment;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Establishing takes a moment: waited for here, since giving the work back would take longer.
const MOMENT: Duration = Duration::from_secs(2);
/// Time between two looks within that moment.
const PEEK: Duration = Duration::from_millis(50);

pub(super) async fn act(context: &Context<'_>, work: &Assignment) -> Result<Value, Stop> {
    // What was remembered was asked before the definitions were applied.
    context.cluster.forget_kinds();
    let began = Instant::now();
    loop {
        let missing = missing(context, work).await?;
        if missing.is_empty() {
            return Ok(Value::Null);
        }
        if began.elapsed() < MOMENT && context.lease.holds() {
            sleep(PEEK).await;
            continue;
        }
        let begun_at = context.begin().await?;
        let reason = missing.join("; ");
        context.waiting(reason.clone());
        return Err(context.until_deadline(work, begun_at, || {
            format!("not established within {:#}: {reason}", work.progress_deadline)
        }));
    }
}

/// What is not served yet, one sentence a definition.
async fn missing(context: &Context<'_>, work: &Assignment) -> Result<Vec<String>, CallError> {
    let mut missing = Vec::new();
    for definition in work
        .rendering
        .objects
        .iter()
        .filter(|o| object::kind(o) == "CustomResourceDefinition")
    {
        let spec = &definition["spec"];
        let (group, kind) = (
            spec["group"].as_str().unwrap_or_default(),
            spec["names"]["kind"].as_str(),
        );
        let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
        for version in versions
            .iter()
            .filter(|v| v["served"] == true)
            .filter_map(|v| v["name"].as_str())
        {
            let api_version = format!("{group}/{version}");
            if context
                .cluster
                .resource(&api_version, kind.unwrap_or_default())
                .await?
                .is_none()
            {
                missing.push(format!(
                    "{} is not served yet in {version}",
                    object::title(definition)
                ));
            }
        }
        let api_version = object::api_version(definition);
        let Some(resource) = context
            .cluster
            .resource(api_version, object::kind(definition))
            .await?
        else {
            continue;
        };
        let live = context
            .cluster
            .get(&resource, "", object::name(definition))
            .await?;
        if live
            .as_ref()
            .and_then(|live| object::condition(live, "Established"))
            .is_none()
        {
            missing.push(format!("{} is not established yet", object::title(definition)));
        }
    }
    Ok(missing)
}
