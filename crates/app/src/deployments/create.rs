//! Asking for a deployment.

use super::{DeploymentView, Emergency, judge, overriding, plan, read};
use crate::{
    App, Error, Ref, Tx,
    evidence::{self, Stated},
    processes, record, releases,
};
use jiff::Timestamp;
use serde_json::json;
use slipway_domain::{
    Name,
    component::VersionState,
    deployment::{Deployment, Kind, State},
    gates::{Verdict, evidence::failing, process},
    identity::{Actor, Permission, Place},
    ids::{DeploymentId, EnvironmentTag, Fresh as _},
    registry::{Environment, environment::Settings},
    release::{Release, Seal},
};
use slipway_store::{components, deployment_targets, deployments, environments, services};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// The release (id or `service@version`).
    pub release: String,
    /// Where to (name or id).
    pub environment: String,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Take over fields that other field managers own.
    pub force_conflicts: bool,
    /// Go on without every gate that policies let go, in an emergency.
    pub break_glass: Option<Emergency>,
}

/// Asks for a deployment: its targets and renderings are fixed now, people are asked for approval, and its gates are judged
/// for the first time.
///
/// # Errors
/// When the release cannot be deployed there: not sealed, recalled parts, the stage before has not succeeded, objects that
/// may not go there. Without `deployment.create`.
pub async fn create(app: &App, tx: &mut Tx, actor: &Actor, input: Create) -> Result<DeploymentView, Error> {
    request(app, tx, actor, input, None).await
}

/// As [`create`], as another try of an earlier deployment.
pub(crate) async fn request(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    input: Create,
    retries: Option<DeploymentId>,
) -> Result<DeploymentView, Error> {
    let release = releases::load(tx, actor, &input.release).await?;
    let environment = environments::find(tx, &Ref::parse::<EnvironmentTag>(&input.environment))
        .await?
        .filter(|_| actor.rights.allows_somewhere(Permission::Read))
        .ok_or_else(|| Error::not_found("environment", &input.environment))?;
    let named = format!("service {} in {}", release.service_name, environment.name);
    actor.require(
        Permission::DeploymentCreate,
        &Place::team_in(release.team, environment.id, named),
    )?;
    let seal = release.deployable()?.clone();
    check_parts(tx, &release).await?;
    let stated = evidence::stated(tx, &release).await?.unwrap_or_default();
    overriding::check(input.break_glass.as_ref())?;
    let mut environment = environment;
    let hurry = input.break_glass.is_some();
    environment.settings = check_process(tx, &release, &seal, &environment, &stated, hurry).await?;
    if !hurry {
        check_promotion(tx, &release, &seal, &environment, &stated).await?;
    }
    let expires_at = tx
        .now
        .max(input.not_before.unwrap_or(tx.now))
        .checked_add(environment.settings.expires_after)
        .map_err(|_| Error::invalid("/not_before", "is too far in the future"))?;
    if input
        .not_before
        .is_some_and(|at| at.duration_since(tx.now) > jiff::SignedDuration::from_hours(24 * 366))
    {
        return Err(Error::invalid("/not_before", "is more than a year away"));
    }
    let service = services::get(tx, release.service)
        .await?
        .ok_or_else(|| Error::internal(format!("service {} is gone", release.service)))?;
    let plan = plan::plan(
        tx,
        &app.config().rendering_limits,
        &release,
        seal.digest,
        &service,
        &environment,
    )
    .await?;
    let deployment = Deployment {
        id: DeploymentId::fresh(),
        kind: Kind::Deploy,
        service: release.service,
        service_name: release.service_name.clone(),
        team: release.team,
        environment: environment.id,
        environment_name: environment.name.clone(),
        release: Some(release.id),
        release_version: Some(release.version.clone()),
        release_digest: Some(seal.digest),
        plan_digest: plan.digest,
        requested_by: actor.principal.id,
        reason: input.reason.filter(|r| !r.trim().is_empty()),
        not_before: input.not_before,
        expires_at,
        rolls_back: None,
        retries,
        force_conflicts: input.force_conflicts,
        state: State::Pending,
        since: tx.now,
        revision: 1,
        created_at: tx.now,
    };
    let row = deployments::Row {
        deployment,
        settings: environment.settings.clone(),
        gates: Vec::new(),
        rolled_back_by: None,
        traceparent: actor.traceparent.clone(),
    };
    deployments::insert(tx, &row).await?;
    deployment_targets::insert(tx, row.deployment.id, &plan.targets).await?;
    let change = record::Change::of(
        &row.deployment,
        "deployment.request",
        format!(
            "asked for {} to {}",
            row.deployment.release_name(),
            environment.name
        ),
    )
    .with(json!({
        "release_digest": seal.digest, "plan_digest": plan.digest, "targets": plan.targets.len(),
        "reason": row.deployment.reason, "not_before": row.deployment.not_before, "retries": retries,
        "force_conflicts": row.deployment.force_conflicts,
    }));
    record::change(tx, actor, change).await?;
    let id = row.deployment.id;
    if let Some(emergency) = &input.break_glass {
        overriding::break_glass(tx, actor, &row, emergency).await?;
    }
    judge::judge(tx, id).await?;
    read::view_of(tx, id).await
}

/// Nothing is asked for outside of the process that the release pinned, nor before the stage before was passed. How
/// deployments are done there, as the stage has it.
async fn check_process(
    tx: &mut Tx,
    release: &Release,
    seal: &Seal,
    environment: &Environment,
    stated: &Stated,
    hurry: bool,
) -> Result<Settings, Error> {
    let way = processes::way(tx, release, seal.digest, environment, stated).await?;
    match process::judge(&way.facts, tx.now).0 {
        Verdict::Refused { reason } => return Err(Error::conflict("not-in-process", reason)),
        // In an emergency that is for policies to say.
        Verdict::Waiting { .. } if hurry => {}
        Verdict::Waiting {
            reason,
            until: None,
            unblocked_by,
        } => {
            let detail = format!("{reason}; unblocked by {unblocked_by}");
            return Err(Error::conflict("not-promoted", detail));
        }
        Verdict::Waiting { .. } | Verdict::Satisfied { .. } => {}
    }
    let settings = &environment.settings;
    Ok(way
        .stage
        .map_or_else(|| settings.clone(), |stage| stage.apply(settings)))
}

async fn check_parts(tx: &mut Tx, release: &Release) -> Result<(), Error> {
    match recalled_part(tx, release).await? {
        Some(problem) => Err(Error::conflict("component-recalled", problem)),
        None => Ok(()),
    }
}

/// The first part of a release that was recalled, as a sentence.
pub(crate) async fn recalled_part(tx: &mut Tx, release: &Release) -> Result<Option<String>, Error> {
    for part in &release.components {
        let Some(version) = components::version(tx, part.id).await? else {
            continue;
        };
        if version.state == VersionState::Recalled {
            let why = version
                .state_reason
                .unwrap_or_else(|| "no reason was given".to_owned());
            return Ok(Some(format!("{} {} is recalled: {why}", part.name, part.version)));
        }
    }
    Ok(None)
}

/// Nothing is asked for that the stage before has not shown to work.
async fn check_promotion(
    tx: &mut Tx,
    release: &Release,
    seal: &Seal,
    environment: &Environment,
    stated: &Stated,
) -> Result<(), Error> {
    let Some((from, from_name)) = &environment.promotes_from else {
        return Ok(());
    };
    let success = deployments::last_success(tx, release.service, *from, seal.digest).await?;
    let name = release.display_name();
    match success {
        None => Err(Error::conflict(
            "not-promoted",
            format!(
                "{name} has not succeeded in {from_name} yet, which {} promotes from; deploy it there first",
                environment.name
            ),
        )),
        Some(success) => match success.undone_by {
            Some(by) => Err(Error::conflict(
                "not-promoted",
                format!(
                    "{name} was undone in {from_name} by {by}, which {} promotes from; deploy it there again first",
                    environment.name
                ),
            )),
            None => check_stated(release, from_name, environment, stated),
        },
    }
}

/// What was shown there does not hold while something says that it is wrong.
fn check_stated(
    release: &Release,
    from: &Name,
    environment: &Environment,
    stated: &Stated,
) -> Result<(), Error> {
    let failing = failing(&stated.subjects, &stated.statements);
    if failing.is_empty() {
        return Ok(());
    }
    let reasons: Vec<_> = failing.iter().map(|one| one.reason.as_str()).collect();
    let commands: Vec<_> = failing.iter().map(|one| one.unblocked_by.as_str()).collect();
    Err(Error::conflict(
        "not-promoted",
        format!(
            "{} succeeded in {from}, which {} promotes from, but that was revoked: {}; unblocked by {}",
            release.display_name(),
            environment.name,
            reasons.join("; "),
            commands.join("; ")
        ),
    ))
}
