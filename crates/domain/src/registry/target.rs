//! A target: where one service lands in one environment.

use super::Labels;
use crate::{
    Digest, Name,
    component::bundle::ObjectRef,
    ids::{ClusterId, DeploymentId, EnvironmentId, ReleaseId, ServiceId, TargetId},
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Where one service lands in one environment: a cluster and a namespace.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// Which service.
    pub service: ServiceId,
    /// In which environment.
    pub environment: EnvironmentId,
    /// On which cluster.
    pub cluster: ClusterId,
    /// In which namespace.
    pub namespace: Name,
    /// Labels that waves select by; the cluster's, overlaid with the target's own.
    pub labels: Labels,
    /// Counts the deployments that began on it; objects carry it as an annotation.
    pub generation: i64,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// What runs there now, as far as Slipway put it there.
    pub now: Option<TargetNow>,
}

/// What a target runs: the last deployment that succeeded on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetNow {
    /// The release.
    pub release: ReleaseId,
    /// The deployment that put it there.
    pub deployment: DeploymentId,
    /// The stored rendering that was applied.
    pub rendering: Digest,
}

/// One object that Slipway applied, or was about to apply, on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryItem {
    /// Which object.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// The uid the API server gave it; unknown until an apply was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// Everything Slipway may have put on a target: written down before the first write, so that a crash in between
/// leaves nothing behind that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inventory(pub Vec<InventoryItem>);

impl Inventory {
    /// What is in `self` or in `wanted`; known uids are kept.
    #[must_use]
    pub fn union(&self, wanted: &[ObjectRef]) -> Self {
        let known: HashSet<_> = self.0.iter().map(|item| item.object.identity()).collect();
        let mut seen = HashSet::new();
        let new = wanted
            .iter()
            .filter(|object| !known.contains(&object.identity()) && seen.insert(object.identity()));
        let new = new.map(|object| InventoryItem {
            object: object.clone(),
            uid: None,
        });
        Self(self.0.iter().cloned().chain(new).collect())
    }

    /// What is in `self` but not in `wanted`: the candidates for pruning.
    #[must_use]
    pub fn without(&self, wanted: &[ObjectRef]) -> Vec<InventoryItem> {
        self.split(wanted).1
    }

    /// What is in `self` and in `wanted`: what stays after pruning.
    #[must_use]
    pub fn only(&self, wanted: &[ObjectRef]) -> Self {
        Self(self.split(wanted).0)
    }

    fn split(&self, wanted: &[ObjectRef]) -> (Vec<InventoryItem>, Vec<InventoryItem>) {
        let wanted: HashSet<_> = wanted.iter().map(ObjectRef::identity).collect();
        self.0
            .iter()
            .cloned()
            .partition(|item| wanted.contains(&item.object.identity()))
    }
}
