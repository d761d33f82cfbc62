//! Telling people that they are asked: reminders, the next group after each delay, and what nobody answered in time. All of it
//! follows from what is stored, and is written down when it was told: nothing is lost over a restart.

use super::standing;
use crate::{App, Error, Tx, deployments::judge, record};
use jiff::Timestamp;
use serde_json::json;
use slipway_domain::{
    approval::{
        Approval, ApprovalState, Asked, Told,
        escalation::{Level, Standing},
    },
    deployment::Deployment,
    ids::{ApprovalId, DeploymentId},
};
use slipway_store::{approvals, deployments};
use std::collections::BTreeMap;

/// How many requests one round looks at.
const BATCH: i64 = 100;
/// How soon a request is looked at again whose deployment is being worked on.
const BUSY: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

/// Tells whoever is to be told something by now; says of how many requests.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn tell(app: &App) -> Result<u64, Error> {
    let due = {
        let mut tx = app.read().await?;
        approvals::due(&mut tx, BATCH).await?
    };
    let mut looked = 0;
    for (id, of) in due {
        let mut tx = app.begin().await?;
        match look(&mut tx, id, of).await {
            Ok(()) => {
                tx.commit().await?;
                looked += 1;
            }
            Err(error @ Error::Unavailable { .. }) => {
                tx.rollback().await?;
                return Err(error);
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, approval = %id, "cannot be told");
                tx.rollback().await?;
                postpone(app, id).await?;
            }
        }
    }
    Ok(looked)
}

/// Something is wrong with this one; look again in a while, not in a hot loop.
async fn postpone(app: &App, id: ApprovalId) -> Result<(), Error> {
    let mut tx = app.begin().await?;
    let later = tx
        .now
        .saturating_add(jiff::SignedDuration::from_secs(30))
        .map_err(Error::internal)?;
    approvals::look_at(&mut tx, id, later).await?;
    Ok(tx.commit().await?)
}

async fn look(tx: &mut Tx, id: ApprovalId, of: DeploymentId) -> Result<(), Error> {
    // The deployment first, as everything that changes it does.
    let Some(row) = deployments::try_lock(tx, of).await? else {
        let later = tx.now.saturating_add(BUSY).map_err(Error::internal)?;
        return Ok(approvals::look_at(tx, id, later).await?);
    };
    let Some(approval) = approvals::lock(tx, id)
        .await?
        .filter(|one| one.state == ApprovalState::Pending)
    else {
        return Ok(());
    };
    let d = &row.deployment;
    let request = approval.request(&BTreeMap::new());
    let now = tx.now;
    if let Some(at) = request.expires_at().filter(|at| *at <= now) {
        return expire(tx, d, &approval, at).await;
    }
    let standings = standing::standings(tx, d, &approval).await?;
    let mut told = approval.told.clone();
    for (i, standing) in standings.iter().enumerate() {
        levels(tx, d, &approval, i, standing, &mut told).await?;
    }
    let due = request.due_at().filter(|_| approval.asked == Asked::Afterwards);
    if due.is_some_and(|at| at <= now) && !told.overdue {
        told.overdue = true;
        overdue(tx, d, &approval).await?;
    }
    let next = next(&approval, &standings, now);
    Ok(approvals::told(tx, id, &told, next).await?)
}

/// When somebody is to be told next, if ever.
fn next(approval: &Approval, standings: &[Standing], now: Timestamp) -> Option<Timestamp> {
    let request = approval.request(&BTreeMap::new());
    let due = request.due_at().filter(|at| *at > now);
    standings
        .iter()
        .filter_map(|standing| standing.next)
        .chain(due)
        .min()
}

/// When a new request is looked at first: at once where others than the first are asked already, because everybody is away.
pub(super) fn first_look(approval: &Approval, standings: &[Standing], now: Timestamp) -> Option<Timestamp> {
    if standings.iter().any(|standing| standing.asked.len() > 1) {
        return Some(now);
    }
    next(approval, standings, now)
}

/// Tells levels that were reached since, and reminds.
async fn levels(
    tx: &mut Tx,
    d: &Deployment,
    approval: &Approval,
    i: usize,
    standing: &Standing,
    told: &mut Told,
) -> Result<(), Error> {
    told.levels.resize(told.levels.len().max(i + 1), 0);
    told.reminders.resize(told.reminders.len().max(i + 1), 0);
    let what = format!("{} to {}", d.release_name(), d.environment_name);
    let known = told.levels.get(i).copied().unwrap_or_default();
    for reached in standing
        .asked
        .iter()
        .skip(known)
        .filter(|reached| reached.level != Level::First)
    {
        let why = if reached.ahead {
            "everybody who was asked before is away"
        } else {
            "nobody answered before"
        };
        let message = format!(
            "{what} still needs approval, and {} is asked now: {why}",
            reached.level
        );
        let change = record::Change::of(d, "approval.escalate", message).with(json!({
            "approval": approval.id, "to": reached.level.to_string(), "since": reached.since, "ahead": reached.ahead,
        }));
        record::by_system(tx, change).await?;
    }
    let reminded = told.reminders.get(i).copied().unwrap_or_default();
    if standing.reminders > reminded {
        let asked: Vec<_> = standing
            .asked
            .iter()
            .map(|reached| reached.level.to_string())
            .collect();
        let message = format!(
            "{what} still needs approval, which is asked of {}",
            asked.join(", and ")
        );
        let change = record::Change::of(d, "approval.remind", message)
            .with(json!({"approval": approval.id, "reminder": standing.reminders, "asked": asked}));
        record::by_system(tx, change).await?;
    }
    if let (Some(levels), Some(reminders)) = (told.levels.get_mut(i), told.reminders.get_mut(i)) {
        // One who comes back takes nobody's question away.
        *levels = standing.asked.len().max(known);
        *reminders = standing.reminders.max(reminded);
    }
    Ok(())
}

async fn expire(tx: &mut Tx, d: &Deployment, approval: &Approval, at: Timestamp) -> Result<(), Error> {
    approvals::expire(tx, approval).await?;
    let message = format!(
        "nobody decided on {} to {} in time: the request for approval expired at {at}",
        d.release_name(),
        d.environment_name
    );
    let change = record::Change::of(d, "approval.expire", message)
        .with(json!({"approval": approval.id, "state": ApprovalState::Expired.as_str(), "expired_at": at}));
    record::by_system(tx, change).await?;
    judge::judge(tx, d.id).await
}

async fn overdue(tx: &mut Tx, d: &Deployment, approval: &Approval) -> Result<(), Error> {
    let message = format!(
        "{} went to {} without approval, and nobody has answered for it in time",
        d.release_name(),
        d.environment_name
    );
    let change = record::Change::of(d, "approval.overdue", message).with(json!({"approval": approval.id}));
    record::by_system(tx, change).await
}
