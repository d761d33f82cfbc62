//! Judging a deployment's gates: brings the facts to the domain's pure function, and does what the verdicts say.

use super::transition;
use crate::{
    Error, Tx, approvals,
    evidence::{self as proofs, Stated},
    measure, policies, processes,
};
use jiff::Timestamp;
use slipway_domain::{
    approval::{ApprovalState, Requirement, Source},
    deployment::{Kind, State, Transition},
    gates::{self, Facts, Gate, concurrency, evidence, process, promotion, rollback, schedule},
    ids::DeploymentId,
    policy::Judgement,
    registry::Environment,
    release::Release,
};
use slipway_store as store;
use slipway_store::{
    deployment_targets,
    deployments::{self, Row},
    drift_targets, environments, overrides, releases, renderings, targets, work,
};
use slipway_telemetry::trace;
use tracing::Instrument as _;

/// Priority of a rollback's work over any other.
const ROLLBACK_PRIORITY: i32 = 10;
/// Priority of a heal's work below any other: what runs, runs.
const HEAL_PRIORITY: i32 = -10;

/// Everything that the gates of a deployment are judged on, read in this transaction.
pub(crate) async fn facts(tx: &mut Tx, row: &Row) -> Result<Facts, Error> {
    let (mut facts, release) = Box::pin(gathered(tx, row)).await?;
    facts.approvals = Box::pin(approvals::facts(tx, row, &facts, release.as_ref())).await?;
    Ok(facts)
}

/// All of it but for what became of the requests for approval, which is about the rest; and the release.
pub(super) async fn gathered(tx: &mut Tx, row: &Row) -> Result<(Facts, Option<Release>), Error> {
    let d = &row.deployment;
    let release = match d.release {
        Some(id) => releases::get(tx, id).await?,
        None => None,
    };
    let release_problem = match &release {
        None => None,
        Some(release) => match release.deployable() {
            Err(refused) => Some(refused.to_string()),
            Ok(seal) if Some(seal.digest) != d.release_digest => {
                Some("the release's digest is not the one that was asked for".to_owned())
            }
            Ok(_) => super::create::recalled_part(tx, release).await?,
        },
    };
    // What undoes this, or is undone by it, does not stand in its way.
    let mut except = vec![d.id];
    except.extend(d.rolls_back);
    let holder = deployments::holder(tx, d.service, d.environment, &except).await?;
    // While its own predecessor's executor finishes a step, a rollback waits for the target, not for the environment.
    let overtaken_on = match d.rolls_back {
        Some(undone) => overtaken_on(tx, d.id, undone).await?,
        None if d.kind == Kind::Heal => no_longer_runs_on(tx, d.id).await?,
        None => Vec::new(),
    };
    let landed_on = if d.kind == Kind::RollBack && d.rolls_back.is_none() {
        landed_on(tx, d.id).await?
    } else {
        Vec::new()
    };
    let concurrency = concurrency::Facts {
        holder: holder.map(|h| concurrency::Holder {
            id: h.id,
            release: deployments::release_name(&d.service_name, h.version.as_ref()),
            state: h.state,
            finishing: h.state.is_terminal(),
        }),
        overtaken_on,
        landed_on,
    };
    let lighter = d.kind != Kind::Deploy;
    let stated = match &release {
        Some(release) if !lighter => proofs::stated(tx, release).await?.unwrap_or_default(),
        _ => Stated::default(),
    };
    let policies = policies::judged(tx, row, &stated).await?;
    let environment = environments::get(tx, d.environment)
        .await?
        .ok_or_else(|| Error::internal(format!("the environment of deployment {} is gone", d.id)))?;
    let mut asked_for = Vec::new();
    let (process, asked) = match (&release, d.release_digest) {
        (Some(release), Some(digest)) if !lighter => {
            let way = processes::way(tx, release, digest, &environment, &stated).await?;
            asked_for = asks(row, &way);
            (way.facts, way.required)
        }
        _ => (undone(row)?, Vec::new()),
    };
    let facts = Facts {
        asked_for,
        process,
        promotion: if lighter {
            None
        } else {
            promotion_facts(tx, row, environment, &stated).await?
        },
        evidence: evidence_facts(&policies, asked, stated),
        policies,
        kind: d.kind,
        release_problem,
        approvals: Vec::new(),
        overrides: if lighter {
            Vec::new()
        } else {
            overrides::of(tx, d.id).await?
        },
        schedule: schedule::Facts {
            not_before: d.not_before,
            expires_at: d.expires_at,
        },
        rollback: if lighter {
            rollback::Facts::default()
        } else {
            rollback_facts(tx, d.id).await?
        },
        concurrency,
    };
    Ok((facts, release))
}

/// The approvals that the environment, as it was when the deployment was asked for, and the stage ask for.
fn asks(row: &Row, way: &processes::Way) -> Vec<(Source, Requirement)> {
    let of_environment = row.settings.approvals.iter().map(|asks| {
        let name = row.deployment.environment_name.clone();
        (Source::Environment { name }, asks.clone())
    });
    let of_stage = way.stage.iter().filter_map(|stage| {
        let source = Source::Process {
            name: way.facts.process.clone(),
            version: way.facts.version,
            stage: stage.name.clone(),
        };
        Some((source, stage.approvals.clone()?))
    });
    of_environment.chain(of_stage).collect()
}

/// Where a rollback would undo more than it was asked to: somebody else has been at work there since.
async fn overtaken_on(
    tx: &mut Tx,
    rollback: DeploymentId,
    undone: DeploymentId,
) -> Result<Vec<String>, Error> {
    let before = deployment_targets::of(tx, undone).await?;
    let mut overtaken = Vec::new();
    for row in deployment_targets::of(tx, rollback).await? {
        let Some(target) = targets::get(tx, row.target.target).await? else {
            continue;
        };
        let of_undone = before.iter().find(|b| b.target.target == row.target.target);
        let generation = of_undone.and_then(|b| b.target.generation);
        // Heals brought nothing that would be undone with it.
        if generation != Some(target.target.generation)
            && generation != deployment_targets::newest_generation(tx, target.target.id).await?
        {
            overtaken.push(row.target.cluster_name.to_string());
        }
    }
    Ok(overtaken)
}

/// Where a heal would bring back what does not run any more: that a deployment decides.
async fn no_longer_runs_on(tx: &mut Tx, heal: DeploymentId) -> Result<Vec<String>, Error> {
    let mut overtaken = Vec::new();
    for row in deployment_targets::of(tx, heal).await? {
        let of_target = &[row.target.target];
        let settled = drift_targets::of(tx, row.target.cluster, of_target).await?.pop();
        if settled.is_none_or(|now| now.rendering != row.target.rendering) {
            overtaken.push(row.target.cluster_name.to_string());
        }
    }
    Ok(overtaken)
}

/// Where a cleaning would take away what is in use: the service lands there again.
async fn landed_on(tx: &mut Tx, cleaning: DeploymentId) -> Result<Vec<String>, Error> {
    let mut landed = Vec::new();
    for row in deployment_targets::of(tx, cleaning).await? {
        if targets::is_current(tx, row.target.target).await? {
            landed.push(format!("{}/{}", row.target.cluster_name, row.target.namespace));
        }
    }
    Ok(landed)
}

/// How soon to look again while nothing but another deployment is in the way: its end tells, but may go unheard.
const RELOOK: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// How soon to look again while something is to be stated: whoever states it tells, but not those that are being judged just
/// then.
const RELOOK_FOR_STATEMENTS: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

fn awaits_others(gates: &[Gate]) -> bool {
    let mut waiting = gates
        .iter()
        .filter(|gate| !matches!(gate.verdict, gates::Verdict::Satisfied { .. }))
        .peekable();
    waiting.peek().is_some() && waiting.all(|gate| gate.name == gates::GateName::Concurrency)
}

/// Whether it waits for somebody to state something.
fn awaits_statements(facts: &Facts, gates: &[Gate]) -> bool {
    let revoked = |name| {
        name == gates::GateName::Promotion
            && facts
                .promotion
                .as_ref()
                .is_some_and(|promotion| !promotion.failing.is_empty())
    };
    gates
        .iter()
        .filter(|gate| !matches!(gate.verdict, gates::Verdict::Satisfied { .. }))
        .any(|gate| gate.name == gates::GateName::Evidence || revoked(gate.name))
}

/// What undoes or heals goes no way: it is judged by no process.
fn undone(row: &Row) -> Result<process::Facts, Error> {
    Ok(process::Facts {
        process: "none".parse().map_err(Error::internal)?,
        version: 0,
        stage: None,
        environment: row.deployment.environment_name.clone(),
        before: None,
        release: row.deployment.release_name(),
    })
}

fn evidence_facts(policies: &Judgement, asked: Vec<evidence::Required>, stated: Stated) -> evidence::Facts {
    let required = policies.evidence().map(|(rule, required)| evidence::Required {
        source: evidence::Source::Policy {
            name: rule.policy.clone(),
            version: rule.version,
            rule: rule.rule.clone(),
        },
        evidence: required.clone(),
    });
    evidence::Facts {
        required: required.chain(asked).collect(),
        subjects: stated.subjects,
        statements: stated.statements,
    }
}

async fn promotion_facts(
    tx: &mut Tx,
    row: &Row,
    environment: Environment,
    stated: &Stated,
) -> Result<Option<promotion::Facts>, Error> {
    let d = &row.deployment;
    let (Some((from, name)), Some(digest)) = (environment.promotes_from, d.release_digest) else {
        return Ok(None);
    };
    let success = deployments::last_success(tx, d.service, from, digest).await?;
    Ok(Some(promotion::Facts {
        from: name,
        soak: row.settings.promotion_soak,
        succeeded_at: success.as_ref().map(|s| s.at),
        undone_by: success.and_then(|s| s.undone_by).map(|id| id.to_string()),
        failing: evidence::failing(&stated.subjects, &stated.statements),
        release: d.release_name(),
    }))
}

async fn rollback_facts(tx: &mut Tx, id: DeploymentId) -> Result<rollback::Facts, Error> {
    let mut facts = rollback::Facts::default();
    for row in deployment_targets::of(tx, id).await? {
        let Some(target) = targets::get(tx, row.target.target).await? else {
            continue;
        };
        let previous = match &target.target.now {
            None => None,
            Some(now) => releases::get(tx, now.release).await?.map(|r| r.display_name()),
        };
        let kept = match &target.target.now {
            None => true,
            Some(now) => renderings::kept(tx, &[now.rendering])
                .await?
                .contains(&now.rendering),
        };
        facts.targets.push(rollback::TargetFacts {
            target: row.target.cluster_name.to_string(),
            previous,
            runs: target.target.now.as_ref().map(|now| now.rendering),
            brings: row.target.rendering,
            rendering_kept: kept,
        });
    }
    Ok(facts)
}

/// What to do with a deployment that has not started, by its gates.
fn decide(gates: &[Gate], state: &State, expires_at: Timestamp, now: Timestamp) -> Option<Transition> {
    match state {
        State::Pending | State::Queued if now >= expires_at => Some(Transition::Expire),
        State::Pending | State::Queued => {
            // What waited too long was not refused by anybody: it is held, and expires at the next look.
            if let Some(refused) = gates::refusal(gates).filter(|_| now < expires_at) {
                let reason = format!("{}: {}", refused.name, refused.verdict.reason());
                return Some(Transition::Reject { reason });
            }
            match (state, gates::all_satisfied(gates)) {
                (State::Pending, true) => Some(Transition::Queue),
                (State::Queued, false) => Some(Transition::Hold),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whoever took it on themselves is answered afterwards: nobody is asked before.
fn approval_is_overridden(facts: &Facts) -> bool {
    let mut overrides = facts.overrides.iter();
    overrides.any(|one| one.gate == gates::GateName::Approval)
        && gates::overrides::allowed(&facts.policies).contains(&gates::GateName::Approval)
}

/// What nobody answered in time was not rejected by anybody.
fn in_time(transition: Transition, unanswered: bool) -> Transition {
    match transition {
        Transition::Reject { .. } if unanswered => Transition::Expire,
        other => other,
    }
}

/// Judges a deployment that has not started, shows where its gates stand, and queues, holds, rejects or expires it.
///
/// # Errors
/// When the database is unavailable, or a fact is missing.
pub(crate) async fn judge(tx: &mut Tx, id: DeploymentId) -> Result<(), Error> {
    let Some(row) = deployments::lock(tx, id).await? else {
        return Ok(());
    };
    if !matches!(row.deployment.state, State::Pending | State::Queued) {
        return Ok(());
    }
    let span = tracing::info_span!("app.deployment.judge", deployment = %id);
    trace::continue_from(&span, row.traceparent.as_deref());
    let moved = judged(tx, row).instrument(span.clone()).await?;
    if !moved {
        trace::idle(&span);
    }
    Ok(())
}

/// As [`judge`], of a locked deployment that has not started; says whether its state changed.
async fn judged(tx: &mut Tx, row: Row) -> Result<bool, Error> {
    let id = row.deployment.id;
    // Before they are asked: what changes in between is then judged anew.
    let changes = store::policies::changes(tx).await?;
    let (mut facts, release) = Box::pin(gathered(tx, &row)).await?;
    deployments::set_policies_seen(tx, id, changes).await?;
    if row.deployment.kind == Kind::Deploy {
        Box::pin(approvals::refresh(tx, &row, &facts, release.as_ref())).await?;
        // Nobody is asked about what is refused anyway.
        if facts.policies.refusals().next().is_none() && !approval_is_overridden(&facts) {
            Box::pin(approvals::want(tx, &row, &facts, release.as_ref())).await?;
        }
        facts.approvals = Box::pin(approvals::facts(tx, &row, &facts, release.as_ref())).await?;
    }
    let now = tx.now;
    let gates = gates::evaluate(&facts, now);
    measure::gates(tx, &row, &gates);
    let boundary = gates::next_boundary(&gates)
        .unwrap_or(row.deployment.expires_at)
        .min(row.deployment.expires_at);
    // What satisfies now may be too old while it waits.
    let boundary = gates::satisfied_until(&facts, now).map_or(boundary, |until| boundary.min(until));
    let soon = |after| boundary.min(now.saturating_add(after).unwrap_or(now));
    let boundary = if awaits_others(&gates) {
        soon(RELOOK)
    } else if awaits_statements(&facts, &gates) {
        soon(RELOOK_FOR_STATEMENTS)
    } else {
        boundary
    };
    policies::keep(tx, &facts.policies).await?;
    deployments::set_gates(tx, id, &gates, Some(boundary)).await?;
    let unanswered = facts
        .approvals
        .iter()
        .any(|asked| asked.state == ApprovalState::Expired);
    let transition = decide(&gates, &row.deployment.state, row.deployment.expires_at, now);
    let Some(transition) = transition.map(|transition| in_time(transition, unanswered)) else {
        return Ok(false);
    };
    let row = deployments::lock(tx, id)
        .await?
        .ok_or_else(|| Error::internal("a locked deployment is gone"))?;
    let queued = matches!(transition, Transition::Queue);
    let held = matches!(transition, Transition::Hold);
    let row = transition::apply(tx, &row, transition, None).await?;
    if queued {
        enqueue_first_wave(tx, &row).await?;
        // When nothing claims it, it expires all the same.
        deployments::set_look_at(tx, id, Some(boundary)).await?;
    } else if held {
        unqueue(tx, &row).await?;
        let again = if now >= row.deployment.expires_at {
            now
        } else {
            boundary
        };
        deployments::set_look_at(tx, id, Some(again)).await?;
    }
    Ok(true)
}

/// Puts the first unit of work in the queue: claiming it admits the deployment, and that starts its first wave.
async fn enqueue_first_wave(tx: &mut Tx, row: &Row) -> Result<(), Error> {
    let first = deployment_targets::of(tx, row.deployment.id)
        .await?
        .into_iter()
        .next();
    let first =
        first.ok_or_else(|| Error::internal(format!("deployment {} has no target", row.deployment.id)))?;
    work::enqueue(tx, row.deployment.id, first.target.id, priority(row)).await?;
    Ok(())
}

/// Takes a held deployment's work out of the queue again.
pub(crate) async fn unqueue(tx: &mut Tx, row: &Row) -> Result<(), Error> {
    work::drop_idle(tx, row.deployment.id).await?;
    Ok(())
}

/// Rollbacks go first.
pub(crate) const fn priority(row: &Row) -> i32 {
    match row.deployment.kind {
        Kind::Deploy => 0,
        Kind::RollBack => ROLLBACK_PRIORITY,
        Kind::Heal => HEAL_PRIORITY,
    }
}
