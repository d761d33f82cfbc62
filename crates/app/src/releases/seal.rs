//! Sealing: after it, nothing in the release changes, and its digest names all of it.

use super::{ReleaseView, load, place, view};
use crate::{Error, Tx, record};
use serde_json::json;
use slipway_domain::{
    Faults,
    component::VersionState,
    identity::{Actor, Permission},
    release::{Release, Seal},
};
use slipway_store::{components, releases};

/// Seals a draft.
///
/// # Errors
/// When it is no draft; when a component was recalled, or a requirement is not met by the release itself or nowhere
/// named; without `release.seal`.
pub async fn seal(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<ReleaseView, Error> {
    let release = load(tx, actor, reference).await?;
    actor.require(Permission::ReleaseSeal, &place(&release))?;
    release.check_editable().map_err(|_| {
        // The draft's own refusal speaks of changing; here it is the sealing that is refused.
        let refused = release
            .clone()
            .seal(Seal {
                digest: slipway_domain::audit::GENESIS,
                by: actor.principal.id,
                at: tx.now,
            })
            .err();
        refused.map_or_else(|| Error::internal("inconsistent release state"), Error::from)
    })?;
    check_parts(tx, &release).await?;
    let seal = Seal {
        digest: release.content_digest()?,
        by: actor.principal.id,
        at: tx.now,
    };
    releases::seal(tx, &release, &seal)
        .await
        .map_err(|error| match error {
            slipway_store::Error::Guard { .. } => Error::conflict(
                "release-state",
                "it was changed by somebody else at the same moment; read it again",
            ),
            other => other.into(),
        })?;
    let name = release.display_name();
    let change = record::Change::new(
        "release.seal",
        name.clone(),
        format!("sealed {name} as {}", seal.digest),
    )
    .team(release.team)
    .service(release.service)
    .with(json!({ "digest": seal.digest }));
    record::change(tx, actor, change).await?;
    let mut sealed = release.seal(seal)?;
    sealed.revision += 1;
    view(tx, sealed).await
}

/// Components must still be usable, and what they require of each other must hold.
async fn check_parts(tx: &mut Tx, release: &Release) -> Result<(), Error> {
    let mut faults = Faults::new();
    for (i, part) in release.components.iter().enumerate() {
        let Some(version) = components::version(tx, part.id).await? else {
            return Err(Error::internal(format!(
                "component version {} of {} is gone",
                part.id, release.id
            )));
        };
        if version.state == VersionState::Recalled {
            let why = version.state_reason.as_deref().unwrap_or("no reason was given");
            faults.add(
                format!("/components/{i}"),
                format!("{} {} is recalled: {why}", part.name, part.version),
            );
        }
        for requirement in &version.requires {
            let met = release
                .components
                .iter()
                .find(|other| other.name == requirement.component);
            if let Some(other) = met.filter(|other| !requirement.version.matches(&other.version)) {
                faults.add(
                    format!("/components/{i}"),
                    format!(
                        "{} {} requires {} {}, but the release holds {}",
                        part.name, part.version, requirement.component, requirement.version, other.version
                    ),
                );
            }
        }
    }
    faults.check().map_err(Error::from)
}
