//! Changing requests for approval. What moves one, or changes what is asked or shown, holds only at the revision that was read.

use super::Involved;
use crate::{Error, Tx, row::exactly_one};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use slipway_domain::{
    approval::{
        Approval, ApprovalState, Decision, Involved as Excluded, Involvement, Merged, Told, Written, people,
    },
    identity::Role,
    ids::{ApprovalId, DeploymentId, PrincipalId},
};

/// How many people, as older servers read it.
fn required(requirements: &[Merged]) -> i32 {
    i32::try_from(people(requirements).max(1)).unwrap_or(i32::MAX)
}

/// Asks people. `look_at` is when somebody is told next.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, approval: &Approval, look_at: Option<Timestamp>) -> Result<(), Error> {
    let involved: Vec<Involved> = approval.involved.iter().map(Involved::from).collect();
    let role = approval.requirements.first().map(|one| one.requirement.role);
    sqlx::query(
        "INSERT INTO approvals (id, deployment_id, required, role, digest, plan_digest, involved, requirements, asked, document, \
         document_digest, told, look_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(approval.id.uuid())
    .bind(approval.deployment.uuid())
    .bind(required(&approval.requirements))
    .bind(role.unwrap_or(Role::Authority).as_str())
    .bind(approval.digest.to_string())
    .bind(approval.plan_digest.to_string())
    .bind(serde_json::json!(involved))
    .bind(serde_json::json!(approval.requirements))
    .bind(approval.asked.as_str())
    .bind(approval.document.as_ref().map(|written| serde_json::json!(written.document)))
    .bind(approval.document.as_ref().map(|written| written.digest.to_string()))
    .bind(serde_json::json!(approval.told))
    .bind(look_at.map(jiff_sqlx::ToSqlx::to_sqlx))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps a decision and what the request came to by it.
///
/// # Errors
/// [`Error::Guard`] when the request is not pending any more.
pub async fn decide(tx: &mut Tx, approval: &Approval, decision: &Decision) -> Result<(), Error> {
    let of = (decision.of != decision.by).then(|| decision.of.uuid());
    let roles: Vec<_> = decision.claimed_roles.iter().map(|role| role.as_str()).collect();
    sqlx::query(
        "INSERT INTO decisions (id, approval_id, principal_id, answer, digest, plan_digest, comment, at, of_id, delegation_id, \
         document_digest, signed_in_at, methods, claimed_roles) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(decision.id.uuid())
    .bind(approval.id.uuid())
    .bind(decision.by.uuid())
    .bind(decision.answer.as_str())
    .bind(decision.subject.digest.to_string())
    .bind(decision.subject.plan_digest.to_string())
    .bind(&decision.comment)
    .bind(decision.at.to_sqlx())
    .bind(of)
    .bind(decision.delegation.map(|id| id.uuid()))
    .bind(decision.subject.document.map(|digest| digest.to_string()))
    .bind(decision.signed_in.at.map(jiff_sqlx::ToSqlx::to_sqlx))
    .bind(&decision.signed_in.methods)
    .bind(roles)
    .execute(tx.conn())
    .await?;
    move_on(
        tx,
        approval,
        ApprovalState::Pending,
        approval.state,
        "deciding on an approval",
    )
    .await
}

/// Moves a request from one state to another.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between, or is in another state.
async fn move_on(
    tx: &mut Tx,
    approval: &Approval,
    from: ApprovalState,
    to: ApprovalState,
    what: &'static str,
) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE approvals SET state = $2, revision = revision + 1 WHERE id = $1 AND state = $4 AND revision = $3",
    )
    .bind(approval.id.uuid())
    .bind(to.as_str())
    .bind(approval.revision)
    .bind(from.as_str())
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one(what, rows)
}

/// Ends a request that nobody decided on in time.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between, or is not pending any more.
pub async fn expire(tx: &mut Tx, approval: &Approval) -> Result<(), Error> {
    let (from, to) = (ApprovalState::Pending, ApprovalState::Expired);
    move_on(tx, approval, from, to, "ending an approval that nobody gave").await
}

/// Asks for more, or for something else than before; who approved already still counts. Moves it to the state that it says.
///
/// # Errors
/// [`Error::Guard`] when the request was changed in between, or is not open any more.
pub async fn raise(tx: &mut Tx, approval: &Approval) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE approvals SET required = $2, requirements = $4, state = $5, told = $6, look_at = now(), revision = revision + 1 \
         WHERE id = $1 AND revision = $3 AND state IN ('pending', 'approved')",
    )
    .bind(approval.id.uuid())
    .bind(required(&approval.requirements))
    .bind(approval.revision)
    .bind(serde_json::json!(approval.requirements))
    .bind(approval.state.as_str())
    .bind(serde_json::json!(approval.told))
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("asking for more approvals", rows)
}

/// Writes down what approvers see by now.
///
/// # Errors
/// [`Error::Guard`] when the request was changed in between, or is not open any more.
pub async fn show(tx: &mut Tx, approval: &Approval, written: &Written) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE approvals SET document = $2, document_digest = $3, state = 'pending', revision = revision + 1 \
         WHERE id = $1 AND revision = $4 AND state IN ('pending', 'approved')",
    )
    .bind(approval.id.uuid())
    .bind(serde_json::json!(written.document))
    .bind(written.digest.to_string())
    .bind(approval.revision)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("showing approvers something else", rows)
}

/// Writes down what approvers see of a request from before that was written down: what was decided stands.
///
/// # Errors
/// [`Error::Guard`] when the request was changed in between, or shows something already.
pub async fn show_first(tx: &mut Tx, approval: &Approval, written: &Written) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE approvals SET document = $2, document_digest = $3, revision = revision + 1 \
         WHERE id = $1 AND revision = $4 AND document IS NULL",
    )
    .bind(approval.id.uuid())
    .bind(serde_json::json!(written.document))
    .bind(written.digest.to_string())
    .bind(approval.revision)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("showing approvers what they decide on", rows)
}

/// Withdraws a pending request that another one, which is answered afterwards, takes in.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between, or is not pending any more.
pub async fn taken_in(tx: &mut Tx, approval: &Approval) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE approvals SET asked = 'afterwards', state = 'withdrawn', revision = revision + 1 \
         WHERE id = $1 AND revision = $2 AND state = 'pending'",
    )
    .bind(approval.id.uuid())
    .bind(approval.revision)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("taking an approval in", rows)
}

/// Keeps somebody from deciding on what a deployment asks people for, who had nothing to do with it before.
///
/// # Errors
/// When the database refuses.
pub async fn involve(
    tx: &mut Tx,
    deployment: DeploymentId,
    who: PrincipalId,
    how: Involvement,
) -> Result<(), Error> {
    let involved = Involved::from(&Excluded {
        who,
        how,
        through_delegate: false,
    });
    sqlx::query(
        "UPDATE approvals SET involved = involved || $2, revision = revision + 1 \
         WHERE deployment_id = $1 AND state IN ('pending', 'approved') AND NOT involved @> $2",
    )
    .bind(deployment.uuid())
    .bind(serde_json::json!([involved]))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Has a pending request answered afterwards: it holds up nothing any more.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between, or is not pending any more.
pub async fn answered_afterwards(tx: &mut Tx, approval: &Approval, written: &Written) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE approvals SET asked = 'afterwards', required = $2, requirements = $3, document = $4, document_digest = $5, \
         look_at = now(), revision = revision + 1 WHERE id = $1 AND revision = $6 AND state = 'pending'",
    )
    .bind(approval.id.uuid())
    .bind(required(&approval.requirements))
    .bind(serde_json::json!(approval.requirements))
    .bind(serde_json::json!(written.document))
    .bind(written.digest.to_string())
    .bind(approval.revision)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("having an approval answered afterwards", rows)
}

/// Withdraws the decisions that stand; says how many.
///
/// # Errors
/// When the database refuses.
pub async fn withdraw_decisions(tx: &mut Tx, approval: ApprovalId, because: &str) -> Result<u64, Error> {
    Ok(sqlx::query(
        "UPDATE decisions SET withdrawn_at = now(), withdrawn_because = $2 WHERE approval_id = $1 AND withdrawn_at IS NULL",
    )
    .bind(approval.uuid())
    .bind(because)
    .execute(tx.conn())
    .await?
    .rows_affected())
}

/// Writes down who was told by now, and when somebody is told next. That changes nothing that is decided on.
///
/// # Errors
/// When the database refuses.
pub async fn told(
    tx: &mut Tx,
    approval: ApprovalId,
    told: &Told,
    look_at: Option<Timestamp>,
) -> Result<(), Error> {
    sqlx::query("UPDATE approvals SET told = $2, look_at = $3 WHERE id = $1")
        .bind(approval.uuid())
        .bind(serde_json::json!(told))
        .bind(look_at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Has a request looked at again then; who was told stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn look_at(tx: &mut Tx, approval: ApprovalId, at: Timestamp) -> Result<(), Error> {
    sqlx::query("UPDATE approvals SET look_at = $2 WHERE id = $1")
        .bind(approval.uuid())
        .bind(at.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Has the pending requests that ask a person, or any, looked at again now: somebody has gone, or is back.
///
/// # Errors
/// When the database refuses.
pub async fn look_again(tx: &mut Tx) -> Result<(), Error> {
    sqlx::query("UPDATE approvals SET look_at = now() WHERE state = 'pending' AND (look_at IS NULL OR look_at > now())")
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Withdraws what is still pending of a deployment that has ended, but for what is answered afterwards; says how many.
///
/// # Errors
/// When the database refuses.
pub async fn withdraw(tx: &mut Tx, deployment: DeploymentId) -> Result<u64, Error> {
    Ok(sqlx::query(
        "UPDATE approvals SET state = 'withdrawn', revision = revision + 1 \
         WHERE deployment_id = $1 AND state = 'pending' AND asked = 'before'",
    )
    .bind(deployment.uuid())
    .execute(tx.conn())
    .await?
    .rows_affected())
}
