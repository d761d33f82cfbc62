//! What evidence is about, as somebody names it.

use crate::{Error, Tx, components, releases};
use slipway_domain::{
    Digest,
    component::ComponentVersion,
    evidence::Subject,
    identity::{Actor, Place},
    ids::{ServiceId, TeamId},
    release::Release,
    render::images,
};
use slipway_store as store;
use std::collections::BTreeSet;

/// What is to be stated about, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A version of a component: its name or id, and its version or id.
    Version(String, String),
    /// A release: its id, or `service@version`.
    Release(String),
}

/// That, found.
pub(super) struct Found {
    pub(super) subject: Subject,
    /// `web@1.2.0`.
    pub(super) called: String,
    pub(super) team: TeamId,
    pub(super) service: Option<ServiceId>,
    pub(super) place: Place,
    of: Of,
}

enum Of {
    Version(Box<ComponentVersion>),
    Release(Box<Release>),
}

/// What somebody may see.
pub(super) async fn find(tx: &mut Tx, actor: &Actor, about: &About) -> Result<Found, Error> {
    match about {
        About::Version(component, version) => {
            let (component, version) = components::load_version(tx, actor, component, version).await?;
            Ok(Found {
                subject: Subject::ComponentVersion(version.id),
                called: format!("{}@{}", component.name, version.version),
                team: component.team,
                service: None,
                place: components::place(&component),
                of: Of::Version(Box::new(version)),
            })
        }
        About::Release(reference) => Ok(of_release(releases::load(tx, actor, reference).await?)),
    }
}

fn of_release(release: Release) -> Found {
    Found {
        subject: Subject::Release(release.id),
        called: release.display_name(),
        team: release.team,
        service: Some(release.service),
        place: releases::place(&release),
        of: Of::Release(Box::new(release)),
    }
}

/// What a statement is about, for whoever may see that.
pub(super) async fn of(tx: &mut Tx, actor: &Actor, subject: Subject) -> Result<Option<Found>, Error> {
    let about = match subject {
        Subject::Release(release) => About::Release(release.to_string()),
        Subject::ComponentVersion(id) => match store::components::version(tx, id).await? {
            Some(version) => About::Version(version.component.to_string(), id.to_string()),
            None => return Ok(None),
        },
    };
    match find(tx, actor, &about).await {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Found {
    /// The digest that evidence about it is bound to.
    ///
    /// # Errors
    /// When it is a release without a seal: what may still change has none.
    pub(super) fn digest(&self) -> Result<Digest, Error> {
        match &self.of {
            Of::Version(version) => Ok(version.digest),
            Of::Release(release) => release.state.seal().map(|seal| seal.digest).ok_or_else(|| {
                let detail = format!(
                    "{} is not sealed, and has no digest that evidence could be bound to: seal it first",
                    self.called
                );
                Error::conflict("release-state", detail)
            }),
        }
    }

    /// Every digest that a document about it may name: its own, those of its parts, and those of the images that they run.
    pub(super) async fn digests(&self, tx: &mut Tx) -> Result<Vec<Digest>, Error> {
        let mut digests = BTreeSet::from([self.digest()?]);
        match &self.of {
            Of::Version(version) => of_version(tx, version, &mut digests).await?,
            Of::Release(release) => {
                for part in &release.components {
                    let version = store::components::version(tx, part.id).await?;
                    let gone = || Error::internal(format!("the version of component {} is gone", part.name));
                    of_version(tx, &version.ok_or_else(gone)?, &mut digests).await?;
                }
            }
        }
        Ok(digests.into_iter().collect())
    }
}

async fn of_version(
    tx: &mut Tx,
    version: &ComponentVersion,
    digests: &mut BTreeSet<Digest>,
) -> Result<(), Error> {
    digests.insert(version.digest);
    digests.extend(version.images.iter().map(|pin| pin.digest));
    for object in store::components::bundle(tx, version.id).await? {
        let pinned = images(&object)
            .into_iter()
            .filter_map(|image| image.split_once('@'));
        digests.extend(pinned.filter_map(|(_, digest)| digest.parse::<Digest>().ok()));
    }
    Ok(())
}
