//! What the units of one claim have in common, read once for all of them, in the claim's own transaction.

use crate::{App, Error, Tx, clusters};
use slipway_domain::{
    Digest, Name,
    ids::{ClusterId, EnvironmentId, ReleaseId},
    registry::{ClusterGrants, Connection},
};
use slipway_store::{environments, releases};
use std::collections::{HashMap, hash_map::Entry};

/// What was read so far in one claim.
#[derive(Default)]
pub(super) struct Known {
    clusters: HashMap<ClusterId, (ClusterGrants, Connection)>,
    environments: HashMap<EnvironmentId, Name>,
    releases: HashMap<ReleaseId, Option<Released>>,
}

/// A release, as far as an assignment tells of it.
#[derive(Clone)]
pub(super) struct Released {
    pub(super) name: String,
    pub(super) digest: Option<Digest>,
}

impl Known {
    /// What may be applied on a cluster, and how it is reached; none when it is gone.
    pub(super) async fn cluster(
        &mut self,
        tx: &mut Tx,
        app: &App,
        id: ClusterId,
    ) -> Result<Option<&(ClusterGrants, Connection)>, Error> {
        let place = match self.clusters.entry(id) {
            Entry::Occupied(known) => return Ok(Some(known.into_mut())),
            Entry::Vacant(place) => place,
        };
        let Some(cluster) = slipway_store::clusters::get(tx, id).await? else {
            return Ok(None);
        };
        let connection = clusters::connection(tx, app, id).await?;
        Ok(Some(place.insert((cluster.grants, connection))))
    }

    /// An environment's name; none when it is gone.
    pub(super) async fn environment(
        &mut self,
        tx: &mut Tx,
        id: EnvironmentId,
    ) -> Result<Option<&Name>, Error> {
        let place = match self.environments.entry(id) {
            Entry::Occupied(known) => return Ok(Some(known.into_mut())),
            Entry::Vacant(place) => place,
        };
        let environment = environments::get(tx, id).await?;
        Ok(environment.map(|environment| &*place.insert(environment.name)))
    }

    /// A release; none when it is gone.
    pub(super) async fn release(&mut self, tx: &mut Tx, id: ReleaseId) -> Result<Option<Released>, Error> {
        if let Some(known) = self.releases.get(&id) {
            return Ok(known.clone());
        }
        let release = releases::get(tx, id).await?.map(|release| Released {
            name: release.display_name(),
            digest: release.state.seal().map(|seal| seal.digest),
        });
        self.releases.insert(id, release.clone());
        Ok(release)
    }
}
