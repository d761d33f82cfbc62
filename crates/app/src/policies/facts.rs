//! From the database to the facts that policies are judged on.

use crate::{Error, Tx};
use serde::{Deserialize, Serialize};
use slipway_domain::{
    Digest,
    component::bundle::ObjectRef,
    deployment::Kind,
    ids::{PrincipalId, TargetId},
    policy::facts::known::{Component, Environment, Known, Release, Service, Target},
    registry, release,
    render::{Changes, LABEL_COMPONENT, Rendering, changes, images},
};
use slipway_store::{
    components, deployment_facts, deployment_targets,
    deployments::{self, Row},
    principals, releases, renderings, targets,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is found out from the renderings of a deployment: they never change, and what they replace seldom does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Composed {
    /// By component.
    parts: BTreeMap<String, Part>,
    /// By target.
    changes: BTreeMap<TargetId, Replacing>,
}

/// What is applied of one component, on any target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Part {
    images: BTreeSet<String>,
    kinds: BTreeSet<String>,
    /// The most objects on one target.
    objects: usize,
}

/// What changes on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Replacing {
    /// The rendering that ran there when this was found out.
    against: Option<Digest>,
    changes: Changes,
}

/// Where a deployment goes, and what of.
pub(super) struct Whereabouts {
    pub(super) environment: registry::Environment,
    pub(super) service: registry::Service,
}

/// Everything that is known of a deployment, read in this transaction; its row must be locked.
pub(super) async fn known(tx: &mut Tx, row: &Row, place: Whereabouts) -> Result<Known, Error> {
    let d = &row.deployment;
    let gone = |what: &str| Error::internal(format!("{what} of deployment {} is gone", d.id));
    let release = match d.release {
        Some(id) => releases::get(tx, id).await?,
        None => None,
    };
    let release = release.ok_or_else(|| gone("the release"))?;
    let seal = release.state.seal().cloned().ok_or_else(|| gone("the seal"))?;
    let Whereabouts { environment, service } = place;
    let people = principals::many(tx, &[release.author, seal.by, d.requested_by]).await?;
    let person = |id: PrincipalId| {
        let found = people.iter().find(|person| person.id == id).cloned();
        found.ok_or_else(|| Error::internal(format!("principal {id} is gone")))
    };
    let lands = landings(tx, row).await?;
    let composed = composed(tx, row, &lands).await?;
    Ok(Known {
        components: parts(tx, &release, &composed).await?,
        targets: landed(tx, &lands, &composed).await?,
        can_roll_back: can_roll_back(tx, &lands).await?,
        release: Release {
            name: release.display_name(),
            version: release.version.to_string(),
            digest: seal.digest,
            author: person(release.author)?,
            sealed_by: person(seal.by)?,
            sealed_at: seal.at,
            notes: release.notes.clone(),
        },
        environment: of_environment(environment),
        service: Service {
            name: service.name,
            team: service.team_name,
            criticality: service.criticality,
        },
        requester: person(d.requested_by)?,
        kind: d.kind,
        reason: d.reason.clone(),
        history: deployments::history(tx, d).await?,
    })
}

fn of_environment(environment: registry::Environment) -> Environment {
    Environment {
        name: environment.name,
        tier: environment.tier,
        promotes_from: environment.promotes_from.map(|(_, name)| name),
        clusters: environment.clusters,
    }
}

/// One target of the deployment, as it is and as it is to be.
struct Lands {
    row: deployment_targets::Row,
    target: registry::Target,
}

async fn landings(tx: &mut Tx, row: &Row) -> Result<Vec<Lands>, Error> {
    let rows = deployment_targets::of(tx, row.deployment.id).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.target.target).collect();
    let targets = targets::many(tx, &ids).await?;
    let lands = rows.into_iter().map(|row| {
        let target = targets.iter().find(|found| found.target.id == row.target.target);
        let gone = || Error::internal(format!("target {} is gone", row.target.target));
        let target = target.ok_or_else(gone)?.target.clone();
        Ok(Lands { row, target })
    });
    lands.collect()
}

/// As it was found out before, and anew where something else runs since.
async fn composed(tx: &mut Tx, row: &Row, lands: &[Lands]) -> Result<Composed, Error> {
    let id = row.deployment.id;
    let kept = deployment_facts::get(tx, id).await?;
    let before: Option<Composed> = kept.and_then(|kept| serde_json::from_value(kept.composed).ok());
    let mut composed = before.clone().unwrap_or_default();
    let mut read = Read::default();
    for landing in lands {
        let against = landing.target.now.as_ref().map(|now| now.rendering);
        let known = composed.changes.get(&landing.target.id);
        if before.is_some() && known.is_some_and(|known| known.against == against) {
            continue;
        }
        let next = read.rendering(tx, landing.row.target.rendering).await?;
        let now = match against {
            Some(digest) if renderings::kept(tx, &[digest]).await?.contains(&digest) => {
                Some(read.rendering(tx, digest).await?)
            }
            _ => None,
        };
        composed.add(&next);
        let changes = changes(now.as_deref(), &next);
        composed
            .changes
            .insert(landing.target.id, Replacing { against, changes });
    }
    if before.as_ref() != Some(&composed) {
        deployment_facts::put_composed(tx, id, &serde_json::to_value(&composed)?).await?;
    }
    Ok(composed)
}

impl Composed {
    fn add(&mut self, rendering: &Rendering) {
        let mut here: BTreeMap<&str, usize> = BTreeMap::new();
        for object in rendering.objects.iter().chain(&rendering.hooks) {
            let label = object
                .pointer("/metadata/labels")
                .and_then(|labels| labels.get(LABEL_COMPONENT));
            let Some(component) = label.and_then(serde_json::Value::as_str) else {
                continue;
            };
            let part = self.parts.entry(component.to_owned()).or_default();
            part.images.extend(images(object).into_iter().map(str::to_owned));
            part.kinds
                .extend(ObjectRef::of(object).map(|of| format!("{}/{}", of.api_version, of.kind)));
            *here.entry(component).or_default() += 1;
        }
        for (component, objects) in here {
            if let Some(part) = self.parts.get_mut(component) {
                part.objects = part.objects.max(objects);
            }
        }
    }
}

/// Renderings that several targets share are read once.
#[derive(Default)]
struct Read(BTreeMap<Digest, std::sync::Arc<Rendering>>);

impl Read {
    async fn rendering(&mut self, tx: &mut Tx, digest: Digest) -> Result<std::sync::Arc<Rendering>, Error> {
        if let Some(known) = self.0.get(&digest) {
            return Ok(std::sync::Arc::clone(known));
        }
        let rendering = renderings::get(tx, digest)
            .await?
            .ok_or_else(|| Error::internal(format!("rendering {digest} is gone")))?;
        let rendering = std::sync::Arc::new(rendering);
        self.0.insert(digest, std::sync::Arc::clone(&rendering));
        Ok(rendering)
    }
}

async fn parts(
    tx: &mut Tx,
    release: &release::Release,
    composed: &Composed,
) -> Result<Vec<Component>, Error> {
    let mut parts = Vec::with_capacity(release.components.len());
    for part in &release.components {
        let gone = |what: &str| Error::internal(format!("{what} {} is gone", part.name));
        let version = components::version(tx, part.id)
            .await?
            .ok_or_else(|| gone("the version of component"))?;
        let component = components::get(tx, version.component)
            .await?
            .ok_or_else(|| gone("component"))?;
        let applied = composed
            .parts
            .get(part.name.as_str())
            .cloned()
            .unwrap_or_default();
        parts.push(Component {
            name: part.name.clone(),
            version: part.version.to_string(),
            digest: part.digest,
            team: component.team_name,
            state: version.state,
            source: version.source.map(serde_json::to_value).transpose()?,
            images: applied.images,
            kinds: applied.kinds,
            objects: applied.objects,
        });
    }
    Ok(parts)
}

async fn landed(tx: &mut Tx, lands: &[Lands], composed: &Composed) -> Result<Vec<Target>, Error> {
    let mut all = Vec::with_capacity(lands.len());
    for landing in lands {
        let replaces = match &landing.target.now {
            Some(now) => releases::get(tx, now.release)
                .await?
                .map(|release| release.display_name()),
            None => None,
        };
        let changes = composed.changes.get(&landing.target.id);
        all.push(Target {
            cluster: landing.row.target.cluster_name.clone(),
            namespace: landing.row.target.namespace.clone(),
            labels: landing.target.labels.clone(),
            wave: landing.row.target.wave,
            replaces,
            changes: changes.map(|replacing| replacing.changes).unwrap_or_default(),
        });
    }
    Ok(all)
}

/// As the rollback gate sees it: what runs is kept, or nothing runs.
async fn can_roll_back(tx: &mut Tx, lands: &[Lands]) -> Result<bool, Error> {
    let running: Vec<Digest> = lands
        .iter()
        .filter_map(|landing| landing.target.now.as_ref().map(|now| now.rendering))
        .collect();
    let kept = renderings::kept(tx, &running).await?;
    Ok(running.iter().all(|digest| kept.contains(digest)))
}

/// Whether policies are asked about this kind of deployment: what undoes or heals is never held up by them.
pub(super) const fn are_asked_about(kind: Kind) -> bool {
    matches!(kind, Kind::Deploy)
}
