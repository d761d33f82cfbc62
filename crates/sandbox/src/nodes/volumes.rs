//! Makes a volume for every claim, as a provisioner would, and takes it away after the claim; binding the two is the
//! real controller's part.

use std::pin::pin;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::json;

use super::retry::answered;

/// Acts on all claims and volumes until dropped.
pub(super) async fn run(client: Client) {
    tokio::join!(provide(client.clone()), reclaim(client));
}

async fn provide(client: Client) {
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let volumes: Api<PersistentVolume> = Api::all(client);
    let mut events = pin!(
        watcher(claims, watcher::Config::default())
            .default_backoff()
            .applied_objects()
    );
    while let Some(event) = events.next().await {
        match event.map(|claim| volume_for(&claim)) {
            Ok(Some(volume)) => {
                let params = PostParams::default();
                // One that is there already is answered with a conflict, which is as good.
                answered("make a volume", || volumes.create(&params, &volume)).await;
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the watch of claims begins anew"),
        }
    }
}

async fn reclaim(client: Client) {
    let volumes: Api<PersistentVolume> = Api::all(client);
    let mut events = pin!(
        watcher(volumes.clone(), watcher::Config::default())
            .default_backoff()
            .applied_objects()
    );
    while let Some(event) = events.next().await {
        match event {
            Ok(volume) if is_ours(&volume) && is_released(&volume) => {
                let name = volume.metadata.name.unwrap_or_default();
                let params = DeleteParams::default();
                answered("delete a volume", || volumes.delete(&name, &params)).await;
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the watch of volumes begins anew"),
        }
    }
}

const LABEL: &str = "sandbox.slipway.dev/provisioned";

fn is_ours(volume: &PersistentVolume) -> bool {
    volume
        .metadata
        .labels
        .as_ref()
        .is_some_and(|labels| labels.contains_key(LABEL))
}

fn is_released(volume: &PersistentVolume) -> bool {
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Released") && volume.metadata.deletion_timestamp.is_none()
}

/// The volume that a claim waits for, if it does.
fn volume_for(claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
    let spec = claim.spec.as_ref()?;
    if spec.volume_name.is_some() || claim.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let uid = claim.metadata.uid.as_ref()?;
    let asked = spec.resources.as_ref()?.requests.as_ref()?;
    serde_json::from_value(json!({
        "metadata": { "name": format!("pvc-{uid}"), "labels": { LABEL: "true" } },
        "spec": {
            "capacity": asked,
            "accessModes": spec.access_modes,
            "volumeMode": spec.volume_mode,
            "storageClassName": spec.storage_class_name.clone().unwrap_or_default(),
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": { "path": format!("/var/lib/sandbox/{uid}") },
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "uid": uid,
                "name": claim.metadata.name, "namespace": claim.metadata.namespace,
            },
        },
    }))
    .ok()
}
