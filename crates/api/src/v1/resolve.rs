//! Names and ids in filters, as the ids that the lists go by. What may not be seen is not there.

use crate::{extract::Reader, problem::Failure};
use slipway_app::{deployments, environments, releases, services};
use slipway_domain::ids::{DeploymentId, EnvironmentId, ReleaseId, ServiceId};

/// The service that a filter names.
pub(super) async fn service(reader: &mut Reader, given: Option<&str>) -> Result<Option<ServiceId>, Failure> {
    let Some(given) = given else { return Ok(None) };
    Ok(Some(
        services::get(&mut reader.tx, &reader.actor, given).await?.id,
    ))
}

/// The environment that a filter names.
pub(super) async fn environment(
    reader: &mut Reader,
    given: Option<&str>,
) -> Result<Option<EnvironmentId>, Failure> {
    let Some(given) = given else { return Ok(None) };
    Ok(Some(
        environments::get(&mut reader.tx, &reader.actor, given).await?.id,
    ))
}

/// The release that a filter names.
pub(super) async fn release(reader: &mut Reader, given: Option<&str>) -> Result<Option<ReleaseId>, Failure> {
    let Some(given) = given else { return Ok(None) };
    Ok(Some(
        releases::get(&mut reader.tx, &reader.actor, given)
            .await?
            .release
            .id,
    ))
}

/// The deployment that a filter names.
pub(super) async fn deployment(
    reader: &mut Reader,
    given: Option<&str>,
) -> Result<Option<DeploymentId>, Failure> {
    let Some(given) = given else { return Ok(None) };
    Ok(Some(
        deployments::get(&mut reader.tx, &reader.actor, given)
            .await?
            .row
            .deployment
            .id,
    ))
}
