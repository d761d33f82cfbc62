//! The one way a deployment changes its state: the guarded update, the audit entry, and what an end brings with it.

use crate::{Error, Tx, measure, record};
use serde_json::json;
use slipway_domain::{
    deployment::{Deployment, State, StateName, TargetState, Transition},
    identity::Actor,
};
use slipway_store::{
    approvals, deployment_targets,
    deployments::{self, Row},
    work,
};

/// Moves a locked deployment on, and returns it as it is then.
///
/// # Errors
/// When the state does not allow it, or the row was changed since it was read.
pub(crate) async fn apply(
    tx: &mut Tx,
    row: &Row,
    transition: Transition,
    actor: Option<&Actor>,
) -> Result<Row, Error> {
    let from = &row.deployment;
    // Never before the change it follows: this transaction may have begun first, and waited for that one.
    let now = tx.now.max(from.since);
    let to = from.state.clone().then(transition, now)?;
    deployments::transition(tx, from, &to).await?;
    let name = to.name();
    let mut change = record::Change::of(from, action(name), sentence(from, name, to.reason())).with(json!({
        "from": from.state.name().as_str(),
        "to": name.as_str(),
        "reason": to.reason(),
        "release": from.release_name(),
        "environment": from.environment_name,
        "release_digest": from.release_digest,
        "plan_digest": from.plan_digest,
    }));
    change.deployment = Some(from.id);
    match actor {
        Some(actor) => record::change(tx, actor, change).await?,
        None => record::by_system(tx, change).await?,
    }
    if name.is_terminal() {
        settle_undone(tx, from, &to).await?;
        ended(tx, from, name, to.reason().unwrap_or("the deployment ended")).await?;
        measure::ended(tx, from, name).await?;
    }
    deployments::get(tx, from.id)
        .await?
        .ok_or_else(|| Error::internal(format!("deployment {} is gone", from.id)))
}

/// What an end brings with it: nothing of it stays in the queue or in an inbox, and what waited for it looks again.
async fn ended(tx: &mut Tx, deployment: &Deployment, name: StateName, reason: &str) -> Result<(), Error> {
    if name != StateName::Succeeded {
        approvals::withdraw(tx, deployment.id).await?;
    }
    work::drop_idle(tx, deployment.id).await?;
    let running_become = if name == StateName::Cancelled {
        TargetState::Cancelled
    } else {
        TargetState::Skipped
    };
    deployment_targets::end_rest(tx, deployment.id, running_become, reason).await?;
    deployments::look_again(tx, deployment.service).await?;
    Ok(())
}

/// When a rollback has ended, however it did, so has what it undoes: nothing waits for it any more.
async fn settle_undone(tx: &mut Tx, rollback: &Deployment, ended: &State) -> Result<(), Error> {
    let Some(undone) = rollback.rolls_back else {
        return Ok(());
    };
    let Some(row) = deployments::lock(tx, undone).await? else {
        return Ok(());
    };
    let State::RollingBack { by, .. } = row.deployment.state else {
        return Ok(());
    };
    if by != rollback.id {
        return Ok(());
    }
    let why = ended.reason().unwrap_or("no reason was recorded");
    let failed = |why: String| Transition::Fail {
        reason: format!("its rollback {by} did not succeed: {why}"),
    };
    let transition = match ended.name() {
        StateName::Succeeded => Transition::RolledBack,
        StateName::Failed | StateName::Errored => failed(why.to_owned()),
        other => failed(format!("it was {other}: {why}")),
    };
    // What is undone may be a rollback itself.
    Box::pin(apply(tx, &row, transition, None)).await?;
    Ok(())
}

const fn action(state: StateName) -> &'static str {
    match state {
        StateName::Pending => "deployment.hold",
        StateName::Queued => "deployment.queue",
        StateName::Running => "deployment.run",
        StateName::Paused => "deployment.pause",
        StateName::RollingBack => "deployment.roll_back",
        StateName::Succeeded => "deployment.succeed",
        StateName::RolledBack => "deployment.rolled_back",
        StateName::Failed => "deployment.fail",
        StateName::Errored => "deployment.error",
        StateName::Cancelled => "deployment.cancel",
        StateName::Rejected => "deployment.reject",
        StateName::Expired => "deployment.expire",
        StateName::Superseded => "deployment.supersede",
    }
}

fn sentence(deployment: &Deployment, state: StateName, reason: Option<&str>) -> String {
    let what = format!("{} to {}", deployment.release_name(), deployment.environment_name);
    let text = match state {
        StateName::Pending => format!("{what} waits for its gates again"),
        StateName::Queued => format!("{what} is queued: every gate is satisfied"),
        StateName::Running => format!("{what} is running"),
        StateName::Paused => format!("{what} is paused"),
        StateName::RollingBack => format!("{what} is being rolled back"),
        StateName::Succeeded => format!("{what} succeeded"),
        StateName::RolledBack => format!("{what} was rolled back"),
        StateName::Failed => format!("{what} failed"),
        StateName::Errored => format!("{what} could not be judged"),
        StateName::Cancelled => format!("{what} was cancelled"),
        StateName::Rejected => format!("{what} was rejected"),
        StateName::Expired => format!("{what} expired"),
        StateName::Superseded => format!("{what} was superseded"),
    };
    match reason {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    }
}
