//! Registering and changing clusters.

use super::wire;
use crate::{
    etag::Tag,
    extract::{Change, Command},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use secrecy::SecretString;
use slipway_api_types::registry::{Cluster, ClusterCredential, ClusterGrants, CreateCluster, UpdateCluster};
use slipway_app::clusters::{self, Create, CredentialInput, Update};
use slipway_domain::registry;

fn credential(given: ClusterCredential) -> CredentialInput {
    CredentialInput {
        kubeconfig: given.kubeconfig.map(SecretString::from),
        context: given.context,
        token: given.token.map(SecretString::from),
        client_certificate: given.client_certificate,
        client_key: given.client_key.map(SecretString::from),
    }
}

fn grants(given: ClusterGrants) -> registry::ClusterGrants {
    registry::ClusterGrants {
        cluster_scoped_kinds: given.cluster_scoped_kinds,
    }
}

/// Register a cluster.
///
/// Its credential is encrypted at rest and never shown again. Nothing is asked of the cluster yet: see `check`.
#[utoipa::path(
    post, path = "/v1/clusters", operation_id = "create_cluster", tag = "registry",
    request_body = CreateCluster,
    responses((status = 201, description = "The cluster, without its credential.", body = Cluster,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("cluster.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
pub(super) async fn create(Command(body, mut change): Command<CreateCluster>) -> Result<Response, Failure> {
    let input = Create {
        name: body.name,
        server: body.server,
        certificate_authority: body.certificate_authority,
        credential: credential(body.credential),
        labels: body.labels,
        grants: grants(body.grants),
    };
    let view = clusters::create(&mut change.tx, &change.app, &change.actor, input).await?;
    change
        .created(
            format!("/v1/clusters/{}", view.id),
            Tag::Composed(view.revision),
            &wire(&view),
        )
        .await
}

/// Change a cluster.
///
/// What is absent stays. Another server needs its credential again: a credential is never sent somewhere else.
#[utoipa::path(
    patch, path = "/v1/clusters/{cluster}", operation_id = "update_cluster", tag = "registry",
    params(("cluster" = String, Path, description = "Its id or name.", example = "eu")),
    request_body = UpdateCluster,
    responses((status = 200, description = "The cluster as it is now.", body = Cluster,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("cluster.write"))),
)]
pub(super) async fn update(
    Path(cluster): Path<String>,
    Command(body, mut change): Command<UpdateCluster>,
) -> Result<Response, Failure> {
    let if_match = change.if_match()?;
    let input = Update {
        server: body.server,
        certificate_authority: body.certificate_authority,
        credential: body.credential.map(credential),
        labels: body.labels,
        grants: body.grants.map(grants),
    };
    let Change { tx, actor, app, .. } = &mut change;
    let view = clusters::update(tx, app, actor, &cluster, if_match, input).await?;
    change.ok(Tag::Composed(view.revision), &wire(&view)).await
}
