//! Gives Services of type `LoadBalancer` an address, as a cloud would.

use std::pin::pin;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::json;

use super::retry::answered;

/// Acts on all Services until dropped.
pub(super) async fn run(client: Client) {
    let services: Api<Service> = Api::all(client.clone());
    let mut events = pin!(
        watcher(services, watcher::Config::default())
            .default_backoff()
            .applied_objects()
    );
    while let Some(event) = events.next().await {
        match event {
            Ok(service) if awaits_address(&service) => give_address(&client, &service).await,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the watch of Services begins anew"),
        }
    }
}

fn awaits_address(service: &Service) -> bool {
    let wanted = service
        .spec
        .as_ref()
        .is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"));
    let balancer = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let given = balancer
        .and_then(|balancer| balancer.ingress.as_ref())
        .is_some_and(|all| !all.is_empty());
    wanted && !given && service.metadata.deletion_timestamp.is_none()
}

async fn give_address(client: &Client, service: &Service) {
    let (Some(namespace), Some(name)) = (&service.metadata.namespace, &service.metadata.name) else {
        return;
    };
    let api: Api<Service> = Api::namespaced(client.clone(), namespace);
    let patch = Patch::Merge(json!({
        "metadata": { "uid": service.metadata.uid },
        "status": { "loadBalancer": { "ingress": [{ "ip": "127.0.0.1" }] } },
    }));
    let params = PatchParams::default();
    answered("give a Service its address", || {
        api.patch_status(name, &params, &patch)
    })
    .await;
}
