//! What a deployment would bring where: its targets, and a rendering for each. Fixed when it is asked for.

use crate::{Error, Tx};
use slipway_domain::{
    Digest, Faults, Name,
    component::bundle::Limits,
    deployment::{Landing, plan_digest},
    ids::{DeploymentTargetId, Fresh as _},
    plan::target::Intent,
    registry::{Environment, Service, Target},
    release::Release,
    render::{ComponentInput, Input, Rendering, render},
};
use slipway_store::{clusters, components, deployment_targets, renderings, targets};

/// A plan: what is stored with the deployment.
pub(super) struct Plan {
    pub(super) targets: Vec<deployment_targets::New>,
    pub(super) digest: Digest,
}

/// Digest over where a deployment lands and what it brings there.
pub(crate) fn digest(
    environment: &Name,
    targets: &[(&Target, &Name, &deployment_targets::New)],
) -> Result<Digest, Error> {
    let landings: Vec<_> = targets
        .iter()
        .map(|(target, cluster, new)| Landing {
            cluster: cluster.to_string(),
            namespace: target.namespace.to_string(),
            wave: new.wave,
            intent: new.intent,
            rendering: new.rendering,
        })
        .collect();
    Ok(plan_digest(environment, &landings)?)
}

/// The targets of a service in an environment; made as the default says when nobody said otherwise.
async fn targets_of(
    tx: &mut Tx,
    service: &Service,
    environment: &Environment,
) -> Result<Vec<(Target, slipway_domain::registry::Cluster)>, Error> {
    let all = clusters::of_environment(tx, environment.id).await?;
    let known = targets::of(tx, service.id, environment.id).await?;
    let mut found = Vec::new();
    if known.iter().any(|row| row.declared) {
        for row in known.into_iter().filter(|row| row.declared) {
            if let Some(cluster) = all.iter().find(|c| c.id == row.target.cluster) {
                found.push((row.target, cluster.clone()));
            }
        }
    } else {
        for cluster in all {
            found.push((
                targets::ensure_default(tx, service, environment, &cluster).await?,
                cluster,
            ));
        }
    }
    Ok(found)
}

/// Renders a release for every target of an environment, and keeps the renderings.
pub(super) async fn plan(
    tx: &mut Tx,
    limits: &Limits,
    release: &Release,
    sealed: Digest,
    service: &Service,
    environment: &Environment,
) -> Result<Plan, Error> {
    let mut parts = Vec::with_capacity(release.components.len());
    for part in &release.components {
        let version = components::version(tx, part.id)
            .await?
            .ok_or_else(|| Error::internal(format!("component version {} is gone", part.id)))?;
        parts.push((version, components::bundle(tx, part.id).await?));
    }
    let versions: Vec<String> = parts
        .iter()
        .map(|(version, _)| version.version.to_string())
        .collect();
    let inputs: Vec<ComponentInput<'_>> = parts
        .iter()
        .zip(&versions)
        .map(|((version, objects), text)| ComponentInput {
            name: version.component_name.as_str(),
            version: text,
            objects,
            images: &version.images,
        })
        .collect();
    let places = targets_of(tx, service, environment).await?;
    if places.is_empty() {
        return Err(Error::conflict(
            "no-targets",
            format!(
                "environment {} has no cluster that {} could land on; add one to it",
                environment.name, service.name
            ),
        ));
    }
    let release_version = release.version.to_string();
    let mut faults = Faults::new();
    let mut rendered: Vec<(usize, Rendering)> = Vec::new();
    for (index, (target, cluster)) in places.iter().enumerate() {
        let result = render(&Input {
            service: service.name.as_str(),
            environment: environment.name.as_str(),
            release: &release_version,
            release_digest: sealed,
            namespace: target.namespace.as_str(),
            components: &inputs,
            overlays: vec![
                ("/release/config", release.config.as_slice()),
                ("/environment/config", environment.settings.config.as_slice()),
            ],
            cluster_scoped_grants: &cluster.grants.cluster_scoped_kinds,
            limits,
        });
        match result {
            Ok(rendering) => rendered.push((index, rendering)),
            Err(inner) => {
                for fault in inner.as_slice() {
                    faults.add(
                        fault.pointer.clone(),
                        format!("on {}: {}", cluster.name, fault.detail),
                    );
                }
            }
        }
    }
    faults.check()?;
    let mut new = Vec::with_capacity(rendered.len());
    for (index, rendering) in rendered {
        let (target, _) = &places[index];
        let digest = rendering.digest();
        renderings::put(tx, digest, &rendering).await?;
        new.push(deployment_targets::New {
            id: DeploymentTargetId::fresh(),
            target: target.id,
            wave: environment.settings.wave_of(&target.labels),
            intent: Intent::Apply,
            release: Some(release.id),
            rendering: digest,
        });
    }
    let content: Vec<_> = places
        .iter()
        .zip(&new)
        .map(|((target, cluster), new)| (target, &cluster.name, new))
        .collect();
    let digest = digest(&environment.name, &content)?;
    Ok(Plan { targets: new, digest })
}
