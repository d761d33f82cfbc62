//! Withdrawing: it must not be deployed any more. What waits to be deployed is rejected; what runs stays.

use super::{ReleaseView, load, place, view};
use crate::{Error, Tx, deployments, record};
use serde_json::json;
use slipway_domain::{
    deployment::{StateName, Transition},
    identity::{Actor, Permission},
};
use slipway_store::{deployments as stored, releases};

/// Withdraws a draft or sealed release.
///
/// # Errors
/// When it is withdrawn already; without `release.withdraw`.
pub async fn withdraw(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    reason: Option<String>,
) -> Result<ReleaseView, Error> {
    let release = load(tx, actor, reference).await?;
    actor.require(Permission::ReleaseWithdraw, &place(&release))?;
    let Some(reason) = reason.filter(|r| !r.trim().is_empty()) else {
        return Err(Error::invalid(
            "/reason",
            "say why it is withdrawn: those who find it later want to know",
        ));
    };
    let mut withdrawn = release.clone().withdraw(reason.clone(), tx.now)?;
    releases::withdraw(tx, &release, &reason)
        .await
        .map_err(|error| match error {
            slipway_store::Error::Guard { .. } => Error::conflict(
                "release-state",
                "it was changed by somebody else at the same moment; read it again",
            ),
            other => other.into(),
        })?;
    withdrawn.revision += 1;
    let name = release.display_name();
    let change = record::Change::new(
        "release.withdraw",
        name.clone(),
        format!("withdrew {name}: {reason}"),
    )
    .team(release.team)
    .service(release.service)
    .with(json!({ "reason": reason }));
    record::change(tx, actor, change).await?;
    for id in stored::active_of_release(tx, release.id).await? {
        let Some(row) = stored::lock(tx, id).await? else {
            continue;
        };
        if matches!(
            row.deployment.state.name(),
            StateName::Pending | StateName::Queued
        ) {
            let transition = Transition::Reject {
                reason: format!("{name} was withdrawn: {reason}"),
            };
            deployments::transition::apply(tx, &row, transition, Some(actor)).await?;
        }
    }
    view(tx, withdrawn).await
}
