//! The way of one release to one environment: the facts of the process gate, and what the stage asks for.

use crate::{Error, Ref, Tx, evidence::Stated};
use slipway_domain::{
    Digest,
    deployment::TargetState,
    evidence::Kind,
    gates::{evidence, process},
    identity::Role,
    ids::ReleaseId,
    policy::document::{EvidenceOf, RequiredEvidence},
    process::{Stage, Version, Where},
    registry::Environment,
    release::Release,
};
use slipway_store::{deployment_targets, deployments, environments, processes};

/// What operations say when they accept a release: a check of this name.
pub(crate) const HANDOVER: &str = "handover";

/// The way of a release to an environment.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// What it is judged on.
    pub(crate) facts: process::Facts,
    /// The stage that the environment is, if it is one.
    pub(crate) stage: Option<Stage>,
    /// What that stage asks for.
    pub(crate) required: Vec<evidence::Required>,
}

/// The way of a sealed release to an environment.
pub(crate) async fn way(
    tx: &mut Tx,
    release: &Release,
    digest: Digest,
    environment: &Environment,
    stated: &Stated,
) -> Result<Way, Error> {
    let version = processes::of_release(tx, release.id)
        .await?
        .ok_or_else(|| Error::internal(format!("{} goes by no process", release.display_name())))?;
    let here = Where {
        name: environment.name.clone(),
        tier: environment.tier,
    };
    let mut facts = process::Facts {
        process: version.name.clone(),
        version: version.version,
        stage: None,
        environment: environment.name.clone(),
        before: None,
        release: release.display_name(),
    };
    let Some((index, stage)) = version.document.stage_of(&here) else {
        return Ok(Way {
            facts,
            stage: None,
            required: Vec::new(),
        });
    };
    facts.stage = Some(stage.name.clone());
    let mut required = asked_by(&version, stage, stage.required());
    // The one stage of what Slipway comes with has none before it: nothing more is read.
    if index > 0 {
        let all = processes::environments(tx).await?;
        if let Some(before) = version.document.before(index, &all) {
            if before.stage.handover {
                required.extend(asked_by(&version, before.stage, vec![accepted()?]));
            }
            let mut passed = Vec::with_capacity(before.environments.len());
            for environment in &before.environments {
                passed.extend(became(tx, release, digest, environment).await?);
            }
            facts.before = Some(process::Before {
                stage: before.stage.name.clone(),
                soak: before.stage.soak,
                share: before.stage.success_share,
                environments: passed,
                failing: evidence::failing(&stated.subjects, &stated.statements),
            });
        }
    }
    Ok(Way {
        facts,
        stage: Some(stage.clone()),
        required,
    })
}

fn asked_by(version: &Version, stage: &Stage, required: Vec<RequiredEvidence>) -> Vec<evidence::Required> {
    let source = evidence::Source::Process {
        name: version.name.clone(),
        version: version.version,
        stage: stage.name.clone(),
    };
    required
        .into_iter()
        .map(|evidence| evidence::Required {
            source: source.clone(),
            evidence,
        })
        .collect()
}

/// That operations accepted the release.
fn accepted() -> Result<RequiredEvidence, Error> {
    Ok(RequiredEvidence {
        kind: Kind::ManualCheck,
        name: Some(HANDOVER.parse().map_err(Error::internal)?),
        of: EvidenceOf::Release,
        max_age: None,
        signed: false,
    })
}

/// What became of a release in an environment of the stage before.
async fn became(
    tx: &mut Tx,
    release: &Release,
    digest: Digest,
    environment: &Where,
) -> Result<Option<process::Passed>, Error> {
    let found = environments::find(tx, &Ref::Name(environment.name.to_string())).await?;
    let Some(found) = found else { return Ok(None) };
    let mut passed = process::Passed {
        environment: found.name,
        succeeded_at: None,
        succeeded: 0,
        targets: u32::try_from(found.clusters.len()).unwrap_or(u32::MAX),
    };
    let success = deployments::last_success(tx, release.service, found.id, digest).await?;
    if let Some(success) = success.filter(|success| success.undone_by.is_none()) {
        let targets = deployment_targets::of(tx, success.id).await?;
        let succeeded = targets
            .iter()
            .filter(|row| row.target.state == TargetState::Succeeded);
        passed.succeeded = u32::try_from(succeeded.count()).unwrap_or(u32::MAX);
        passed.targets = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        passed.succeeded_at = Some(success.at);
    }
    Ok(Some(passed))
}

/// Who ticks a check of this name on a release: the role that its process says. None: no check of the process is called so.
pub(crate) async fn check(tx: &mut Tx, release: ReleaseId, name: &str) -> Result<Option<Role>, Error> {
    let Some(version) = processes::of_release(tx, release).await? else {
        return Ok(None);
    };
    let stages = &version.document.stages;
    let mut checks = stages.iter().flat_map(|stage| &stage.checklist);
    if let Some(check) = checks.find(|check| check.name.as_str() == name) {
        return Ok(Some(check.role));
    }
    let hands_over = name == HANDOVER && stages.iter().any(|stage| stage.handover);
    Ok(hands_over.then_some(Role::Operator))
}
