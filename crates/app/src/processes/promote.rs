//! What a process promotes by itself: a release that has passed a stage is asked for in the next one, where that says so.

use super::way;
use crate::{
    App, Error, Tx, deployments, evidence,
    identity::principals,
    record::{self, ISSUER, SYSTEM},
};
use slipway_domain::{
    deployment::StateName,
    gates::{Verdict, process},
    identity::{Actor, Grant, PrincipalKind, Proof, Rights, Role, Scope},
    ids::DeploymentId,
    process::{Promotion, Where},
};
use slipway_store::{Ref, deployments as stored, environments, processes, releases};
use std::sync::Arc;

/// How many successes one round looks at.
const MOST: i64 = 100;

/// What is to be done about one success.
enum Decided {
    /// It has to soak: there is nothing to decide yet.
    NotYet,
    /// Nothing, for this reason.
    Nothing(String),
    /// The release is asked for in these environments.
    Ask(Vec<String>),
}

/// Asks for releases where processes promote them by themselves. One transaction a success: one that fails keeps none of the
/// others waiting. Says how many deployments were asked for.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn promote(app: &App) -> Result<u64, Error> {
    let due = {
        let mut tx = app.read().await?;
        processes::to_promote(&mut tx, MOST).await?
    };
    let mut asked = 0;
    for id in due {
        let mut tx = app.begin().await?;
        match one(app, &mut tx, id).await {
            Ok(done) => {
                tx.commit().await?;
                asked += done;
            }
            Err(error @ Error::Unavailable { .. }) => return Err(error),
            Err(error) => {
                tx.rollback().await?;
                let mut tx = app.begin().await?;
                not_promoted(&mut tx, id, &error.to_string()).await?;
                tx.commit().await?;
                if matches!(error, Error::Internal(_)) {
                    tracing::error!(error = &error as &dyn std::error::Error, deployment = %id, "cannot be promoted");
                }
            }
        }
    }
    Ok(asked)
}

async fn one(app: &App, tx: &mut Tx, id: DeploymentId) -> Result<u64, Error> {
    // Two schedulers must not both ask.
    if !tx.try_lock(&format!("slipway:promote:{id}")).await? || processes::is_promoted(tx, id).await? {
        return Ok(0);
    }
    match decide(tx, id).await? {
        Decided::NotYet => Ok(0),
        Decided::Nothing(why) => {
            processes::set_promoted(tx, id, &why).await?;
            Ok(0)
        }
        Decided::Ask(environments) => {
            let row = stored::get(tx, id).await?;
            let release = row
                .and_then(|row| row.deployment.release)
                .ok_or_else(|| Error::internal(format!("the release of deployment {id} is gone")))?;
            processes::set_promoted(tx, id, &format!("asked for in {}", environments.join(", "))).await?;
            let actor = itself(tx).await?;
            for environment in &environments {
                let input = deployments::Create {
                    release: release.to_string(),
                    environment: environment.clone(),
                    reason: Some(format!("promoted by its process, after {id}")),
                    ..deployments::Create::default()
                };
                deployments::create::request(app, tx, &actor, input, None).await?;
            }
            Ok(u64::try_from(environments.len()).unwrap_or(u64::MAX))
        }
    }
}

async fn decide(tx: &mut Tx, id: DeploymentId) -> Result<Decided, Error> {
    let gone = |what: &str| Error::internal(format!("{what} of deployment {id} is gone"));
    let row = stored::get(tx, id).await?.ok_or_else(|| gone("the row"))?;
    let d = row.deployment;
    let release = match d.release {
        Some(release) => releases::get(tx, release).await?,
        None => None,
    };
    let release = release.ok_or_else(|| gone("the release"))?;
    let Ok(seal) = release.deployable().cloned() else {
        return Ok(Decided::Nothing("the release was withdrawn".to_owned()));
    };
    let version = processes::of_release(tx, release.id)
        .await?
        .ok_or_else(|| gone("the process"))?;
    let from = environments::get(tx, d.environment)
        .await?
        .ok_or_else(|| gone("the environment"))?;
    let here = Where {
        name: from.name,
        tier: from.tier,
    };
    let all = processes::environments(tx).await?;
    let next = version
        .document
        .stage_of(&here)
        .and_then(|(index, _)| version.document.after(index, &all));
    let Some(next) = next.filter(|next| next.stage.promotion == Promotion::Automatic) else {
        return Ok(Decided::Nothing("nothing follows by itself".to_owned()));
    };
    let stated = evidence::stated(tx, &release).await?.unwrap_or_default();
    let mut wanted = Vec::new();
    for environment in &next.environments {
        let found = environments::find(tx, &Ref::Name(environment.name.to_string())).await?;
        let Some(found) = found else { continue };
        let way = way(tx, &release, seal.digest, &found, &stated).await?;
        match process::judge(&way.facts, tx.now).0 {
            Verdict::Waiting { until: Some(_), .. } => return Ok(Decided::NotYet),
            // The success that makes up the share is looked at by itself.
            Verdict::Waiting { reason, .. } | Verdict::Refused { reason } => {
                return Ok(Decided::Nothing(reason));
            }
            Verdict::Satisfied { .. } => {}
        }
        if !processes::was_asked_for(tx, release.id, found.id).await? {
            wanted.push(environment.name.to_string());
        }
    }
    if wanted.is_empty() {
        return Ok(Decided::Nothing("it was asked for everywhere already".to_owned()));
    }
    Ok(Decided::Ask(wanted))
}

/// Whoever watches the release is told, and can ask for it by hand.
async fn not_promoted(tx: &mut Tx, id: DeploymentId, why: &str) -> Result<(), Error> {
    processes::set_promoted(tx, id, why).await?;
    let Some(row) = stored::get(tx, id).await? else {
        return Ok(());
    };
    debug_assert_eq!(row.deployment.state.name(), StateName::Succeeded);
    let message = format!(
        "{} is not promoted by its process: {why}; ask for it by hand",
        row.deployment.release_name()
    );
    let change = record::Change::of(&row.deployment, "", message);
    record::activity(tx, change, "release.not_promoted").await
}

/// Slipway itself, which may ask for deployments and nothing else.
async fn itself(tx: &mut Tx) -> Result<Actor, Error> {
    let principal = principals::ensure(tx, ISSUER, SYSTEM, PrincipalKind::Machine, SYSTEM).await?;
    let operator = Grant {
        role: Role::Operator,
        scope: Scope::Everything,
    };
    Ok(Actor {
        principal: Arc::new(principal),
        proof: Proof::System,
        rights: Arc::new(Rights::new(vec![operator])),
        request: "promotion".to_owned(),
        traceparent: None,
    })
}
