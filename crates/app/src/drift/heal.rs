//! Taking back what has drifted, where the environment says so: a deployment of its own, of what runs there already, which
//! goes through the one claim like every other.

use super::record;
use crate::{
    App, Error, Tx,
    deployments::{judge, plan},
    identity::principals,
    record::{self as record_of, Change, ISSUER, SYSTEM},
};
use jiff::SignedDuration;
use serde_json::json;
use slipway_domain::{
    Name,
    component::bundle::ObjectRef,
    deployment::{Deployment, Kind, State},
    drift::heal::{Facts, ObjectFacts, Policy, Verdict, WINDOW, decide},
    identity::PrincipalKind,
    ids::{DeploymentId, DeploymentTargetId, EnvironmentId, Fresh as _, ServiceId, TargetId},
    plan::target::Intent,
    registry::{Environment, Target, environment::Settings},
};
use slipway_store::{
    deployment_targets,
    deployments::{self, Row},
    drift_heals, drift_targets, drifts, environments, releases, services, targets,
};

/// How many places one round looks at.
const PLACES: i64 = 100;
/// A heal that nobody carried out for this long is no longer wanted: there may be another one.
const EXPIRES: SignedDuration = SignedDuration::from_hours(1);

/// Asks for heals where there is something to heal. One transaction a place: one that fails keeps none of the others
/// waiting. Says how many were asked for.
///
/// # Errors
/// When the database is unavailable.
pub async fn heal(app: &App) -> Result<u64, Error> {
    let places = {
        let mut tx = app.read().await?;
        drift_heals::places(&mut tx, PLACES).await?
    };
    let mut asked = 0;
    for (service, environment) in places {
        let mut tx = app.begin().await?;
        match place(&mut tx, service, environment).await {
            Ok(done) => {
                tx.commit().await?;
                asked += u64::from(done);
            }
            Err(error @ Error::Unavailable { .. }) => return Err(error),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, %service, %environment, "cannot be healed");
                tx.rollback().await?;
            }
        }
    }
    Ok(asked)
}

/// What is to be healed on one target.
struct Part {
    target: Target,
    cluster: Name,
    objects: Vec<ObjectRef>,
}

async fn place(tx: &mut Tx, service: ServiceId, environment: EnvironmentId) -> Result<bool, Error> {
    // Two schedulers must not both ask.
    if !tx
        .try_lock(&format!("slipway:heal:{service}:{environment}"))
        .await?
        || !drift_heals::is_free(tx, service, environment).await?
    {
        return Ok(false);
    }
    let environment = environments::get(tx, environment)
        .await?
        .ok_or_else(|| Error::internal(format!("environment {environment} is gone")))?;
    if environment.settings.drift != Policy::Heal {
        return Ok(false);
    }
    let mut parts: Vec<Part> = Vec::new();
    for id in drift_heals::targets(tx, service, environment.id).await? {
        if let Some(part) = part(tx, id).await? {
            parts.push(part);
        }
    }
    // Targets may run different releases; a deployment is of one. The rest have their turn when this one has ended.
    let release = |part: &Part| part.target.now.as_ref().map(|now| now.release);
    let Some(first) = parts.first().and_then(release) else {
        return Ok(false);
    };
    parts.retain(|part| release(part) == Some(first));
    ask(tx, service, &environment, &parts).await?;
    Ok(true)
}

/// What may be healed on a target now; writes down what is left alone, and why.
async fn part(tx: &mut Tx, id: TargetId) -> Result<Option<Part>, Error> {
    let Some(target) = targets::get(tx, id).await? else {
        return Ok(None);
    };
    let held = drift_targets::hold(tx, target.target.cluster, id, target.target.generation).await?;
    let Some(settled) = held else { return Ok(None) };
    let open = drifts::open_on(tx, &[id]).await?.remove(&id).unwrap_or_default();
    let mut healed = drift_heals::healed(tx, id, WINDOW).await?;
    let facts = Facts {
        heals: drift_heals::asked(tx, id, WINDOW).await?,
        objects: open
            .iter()
            .map(|row| ObjectFacts {
                name: row.object.to_string(),
                manager: row.drift.hand.as_ref().map(|hand| hand.manager.clone()),
                healed: healed.remove(&drifts::key(&row.object)).unwrap_or_default(),
            })
            .collect(),
    };
    let (verdict, left) = decide(&facts, tx.now);
    for (index, row) in open.iter().enumerate() {
        let why = left
            .iter()
            .find(|(at, _)| *at == index)
            .map(|(_, why)| why.as_str());
        if row.left_alone.is_some() != why.is_some() {
            record::left_alone(tx, row, why).await?;
        }
    }
    let Verdict::Heal(which) = verdict else {
        return Ok(None);
    };
    Ok(Some(Part {
        target: target.target,
        cluster: settled.cluster,
        objects: which
            .into_iter()
            .map(|index| open[index].object.clone())
            .collect(),
    }))
}

async fn ask(
    tx: &mut Tx,
    service: ServiceId,
    environment: &Environment,
    parts: &[Part],
) -> Result<DeploymentId, Error> {
    let gone = |what: &str| Error::internal(format!("{what} of what is to be healed is gone"));
    let now = parts
        .first()
        .and_then(|part| part.target.now.as_ref())
        .ok_or_else(|| gone("what runs"))?;
    let release = releases::get(tx, now.release)
        .await?
        .ok_or_else(|| gone("the release"))?;
    let seal = release.state.seal().ok_or_else(|| gone("the seal"))?.clone();
    let service = services::get(tx, service)
        .await?
        .ok_or_else(|| gone("the service"))?;
    let mut new = Vec::with_capacity(parts.len());
    for part in parts {
        let now = part.target.now.as_ref().ok_or_else(|| gone("what runs"))?;
        new.push(deployment_targets::New {
            id: DeploymentTargetId::fresh(),
            target: part.target.id,
            wave: 0,
            intent: Intent::Heal,
            release: Some(now.release),
            rendering: now.rendering,
        });
    }
    let content: Vec<_> = parts
        .iter()
        .zip(&new)
        .map(|(part, new)| (&part.target, &part.cluster, new))
        .collect();
    let plan_digest = plan::digest(&environment.name, &content)?;
    let itself = principals::ensure(tx, ISSUER, SYSTEM, PrincipalKind::Machine, SYSTEM).await?;
    let reason = reason(parts);
    let row = Row {
        deployment: Deployment {
            id: DeploymentId::fresh(),
            kind: Kind::Heal,
            service: service.id,
            service_name: service.name,
            team: service.team,
            environment: environment.id,
            environment_name: environment.name.clone(),
            release: Some(release.id),
            release_version: Some(release.version.clone()),
            release_digest: Some(seal.digest),
            plan_digest,
            requested_by: itself.id,
            reason: Some(reason.clone()),
            not_before: None,
            expires_at: tx.now.checked_add(EXPIRES).map_err(Error::internal)?,
            rolls_back: None,
            retries: None,
            force_conflicts: false,
            state: State::Pending,
            since: tx.now,
            revision: 1,
            created_at: tx.now,
        },
        // Nothing is asked of anybody, nothing is rolled back, and everything is healed at once.
        settings: Settings {
            approvals: None,
            waves: Vec::new(),
            automatic_rollback: false,
            ..environment.settings.clone()
        },
        gates: Vec::new(),
        rolled_back_by: None,
        traceparent: None,
    };
    deployments::insert(tx, &row).await?;
    deployment_targets::insert(tx, row.deployment.id, &new).await?;
    for part in parts {
        deployment_targets::set_heals(tx, row.deployment.id, part.target.id, &part.objects).await?;
    }
    let healed: Vec<_> = parts
        .iter()
        .map(|part| json!({"cluster": part.cluster, "namespace": part.target.namespace, "objects": part.objects}))
        .collect();
    let message = format!(
        "heals {} in {}: {reason}",
        row.deployment.release_name(),
        environment.name
    );
    let change = Change::of(&row.deployment, "deployment.request", message).with(json!({
        "release_digest": seal.digest, "plan_digest": plan_digest, "targets": parts.len(), "heals": healed,
    }));
    record_of::by_system(tx, change).await?;
    judge::judge(tx, row.deployment.id).await?;
    Ok(row.deployment.id)
}

/// `ConfigMap shop/web on eu has drifted`, `3 objects on 2 clusters have drifted`.
fn reason(parts: &[Part]) -> String {
    let objects: usize = parts.iter().map(|part| part.objects.len()).sum();
    match parts {
        [one] if objects == 1 => format!("{} on {} has drifted", one.objects[0], one.cluster),
        [one] => format!("{objects} objects on {} have drifted", one.cluster),
        many => format!("{objects} objects on {} targets have drifted", many.len()),
    }
}
