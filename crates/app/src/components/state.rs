//! Deprecating and recalling versions.

use super::{VersionView, place, versions};
use crate::{Error, Tx, input, record};
use serde_json::json;
use slipway_domain::{
    Faults,
    component::VersionState,
    identity::{Actor, Permission},
};
use slipway_store::components;

/// Says that something better is there; the version may still be used.
///
/// # Errors
/// `state` when it is deprecated or recalled already; without `component.write` on the component.
pub async fn deprecate(
    tx: &mut Tx,
    actor: &Actor,
    component: &str,
    version: &str,
    reason: &str,
) -> Result<VersionView, Error> {
    become_state(tx, actor, component, version, VersionState::Deprecated, reason).await
}

/// Says that a version must not be used in new releases or deployments.
///
/// # Errors
/// `state` when it is recalled already; without `component.write` on the component.
pub async fn recall(
    tx: &mut Tx,
    actor: &Actor,
    component: &str,
    version: &str,
    reason: &str,
) -> Result<VersionView, Error> {
    become_state(tx, actor, component, version, VersionState::Recalled, reason).await
}

async fn become_state(
    tx: &mut Tx,
    actor: &Actor,
    component: &str,
    version: &str,
    next: VersionState,
    reason: &str,
) -> Result<VersionView, Error> {
    let (component, found) = versions::load_version(tx, actor, component, version).await?;
    actor.require(Permission::ComponentWrite, &place(&component))?;
    let mut faults = Faults::new();
    let reason = reason.trim();
    if reason.is_empty() {
        faults.add("/reason", "is empty; whoever uses the version will want to know");
    }
    input::lines(&mut faults, "/reason", reason, input::LONG);
    faults.check()?;
    let subject = format!("{}@{}", component.name, found.version);
    if !found.state.may_become(next) {
        let allowed = match found.state {
            VersionState::Available => "it may be deprecated or recalled",
            VersionState::Deprecated => "it may be recalled",
            VersionState::Recalled => "that is final",
        };
        return Err(Error::conflict(
            "state",
            format!("{subject} is {}; {allowed}", found.state),
        ));
    }
    components::set_version_state(tx, &found, next, reason)
        .await
        .map_err(|error| match error {
            slipway_store::Error::Guard { .. } => Error::conflict(
                "state",
                format!("somebody else changed the state of {subject} at this moment; look again"),
            ),
            other => other.into(),
        })?;
    let (action, verb) = match next {
        VersionState::Recalled => ("component_version.recall", "recalled"),
        _ => ("component_version.deprecate", "deprecated"),
    };
    let change = record::Change::new(action, subject.clone(), format!("{verb} {subject}: {reason}"))
        .team(component.team)
        .with(json!({"from": found.state, "to": next, "reason": reason, "digest": found.digest}));
    record::change(tx, actor, change).await?;
    let changed = components::version(tx, found.id).await?;
    versions::view(
        tx,
        changed.ok_or_else(|| Error::internal("a version is gone"))?,
        false,
    )
    .await
}
