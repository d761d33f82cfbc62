//! Requests for approval, and the decisions on them.

use crate::{Before, Cols, Error, Tx, listing::newest_first, row::exactly_one};
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use slipway_domain::{
    approval::{Answer, Approval, ApprovalState, Decision, Involvement},
    ids::{ApprovalId, DecisionId, DeploymentId, Fresh as _, PrincipalId},
    registry::ApprovalRule,
};
use sqlx::{QueryBuilder, postgres::PgRow};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Involved {
    principal: Uuid,
    r#as: String,
}

fn involvement(text: &str) -> Option<Involvement> {
    Some(match text {
        "author" => Involvement::Author,
        "editor" => Involvement::Editor,
        "sealer" => Involvement::Sealer,
        "requester" => Involvement::Requester,
        _ => return None,
    })
}

const fn involvement_text(how: Involvement) -> &'static str {
    match how {
        Involvement::Author => "author",
        Involvement::Editor => "editor",
        Involvement::Sealer => "sealer",
        Involvement::Requester => "requester",
    }
}

fn read(row: &PgRow) -> Result<Approval, Error> {
    let cols = Cols::new("approvals", row);
    let involved = cols
        .json::<Vec<Involved>>("involved")?
        .into_iter()
        .map(|i| match involvement(&i.r#as) {
            Some(how) => Ok((PrincipalId::from_uuid(i.principal), how)),
            None => Err(cols.bad("involved", format!("`{}` is no involvement", i.r#as))),
        })
        .collect::<Result<_, _>>()?;
    Ok(Approval {
        id: cols.id("id")?,
        deployment: cols.id("deployment_id")?,
        rule: ApprovalRule {
            count: cols.count("required")?,
            role: cols.parse("role")?,
        },
        digest: cols.digest("digest")?,
        plan_digest: cols.digest("plan_digest")?,
        state: cols.parse("state")?,
        involved,
        decisions: Vec::new(),
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

async fn with_decisions(tx: &mut Tx, mut approvals: Vec<Approval>) -> Result<Vec<Approval>, Error> {
    let ids: Vec<Uuid> = approvals.iter().map(|a| a.id.uuid()).collect();
    let rows = sqlx::query("SELECT * FROM decisions WHERE approval_id = ANY($1) ORDER BY at, id")
        .bind(ids)
        .fetch_all(tx.conn())
        .await?;
    let mut all: HashMap<Uuid, Vec<Decision>> = HashMap::new();
    for row in &rows {
        let cols = Cols::new("decisions", row);
        all.entry(cols.get("approval_id")?).or_default().push(Decision {
            by: cols.id("principal_id")?,
            answer: cols.parse::<Answer>("answer")?,
            digest: cols.digest("digest")?,
            plan_digest: cols.digest("plan_digest")?,
            comment: cols.get("comment")?,
            at: cols.time("at")?,
        });
    }
    for approval in &mut approvals {
        approval.decisions = all.remove(&approval.id.uuid()).unwrap_or_default();
    }
    Ok(approvals)
}

/// Asks people.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, approval: &Approval) -> Result<(), Error> {
    let involved: Vec<Involved> = approval
        .involved
        .iter()
        .map(|(who, how)| Involved {
            principal: who.uuid(),
            r#as: involvement_text(*how).to_owned(),
        })
        .collect();
    sqlx::query(
        "INSERT INTO approvals (id, deployment_id, required, role, digest, plan_digest, involved) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(approval.id.uuid())
    .bind(approval.deployment.uuid())
    .bind(i32::try_from(approval.rule.count).unwrap_or(i32::MAX))
    .bind(approval.rule.role.as_str())
    .bind(approval.digest.to_string())
    .bind(approval.plan_digest.to_string())
    .bind(serde_json::json!(involved))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One request, held against other decisions until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn lock(tx: &mut Tx, id: ApprovalId) -> Result<Option<Approval>, Error> {
    let row = sqlx::query("SELECT * FROM approvals WHERE id = $1 FOR UPDATE")
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    match row {
        None => Ok(None),
        Some(row) => Ok(with_decisions(tx, vec![read(&row)?]).await?.pop()),
    }
}

/// One request.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: ApprovalId) -> Result<Option<Approval>, Error> {
    let row = sqlx::query("SELECT * FROM approvals WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    match row {
        None => Ok(None),
        Some(row) => Ok(with_decisions(tx, vec![read(&row)?]).await?.pop()),
    }
}

/// The requests of some deployments.
///
/// # Errors
/// When the database refuses.
pub async fn of(tx: &mut Tx, deployments: &[DeploymentId]) -> Result<Vec<Approval>, Error> {
    let ids: Vec<Uuid> = deployments.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows = sqlx::query("SELECT * FROM approvals WHERE deployment_id = ANY($1) ORDER BY id")
        .bind(ids)
        .fetch_all(tx.conn())
        .await?;
    let approvals = rows.iter().map(read).collect::<Result<_, _>>()?;
    with_decisions(tx, approvals).await
}

/// Newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    state: Option<ApprovalState>,
    deployment: Option<DeploymentId>,
    before: Before,
    limit: i64,
) -> Result<Vec<Approval>, Error> {
    let mut query = QueryBuilder::new("SELECT * FROM approvals WHERE true");
    if let Some(state) = state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(deployment) = deployment {
        query.push(" AND deployment_id = ").push_bind(deployment.uuid());
    }
    newest_first(&mut query, "id", before, limit);
    let rows = query.build().fetch_all(tx.conn()).await?;
    let approvals = rows.iter().map(read).collect::<Result<_, _>>()?;
    with_decisions(tx, approvals).await
}

/// Keeps a decision and what the request came to by it.
///
/// # Errors
/// [`Error::Guard`] when the request is not pending any more.
pub async fn decide(tx: &mut Tx, approval: &Approval, decision: &Decision) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO decisions (id, approval_id, principal_id, answer, digest, plan_digest, comment, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(DecisionId::fresh().uuid())
    .bind(approval.id.uuid())
    .bind(decision.by.uuid())
    .bind(decision.answer.as_str())
    .bind(decision.digest.to_string())
    .bind(decision.plan_digest.to_string())
    .bind(&decision.comment)
    .bind(decision.at.to_sqlx())
    .execute(tx.conn())
    .await?;
    let rows = sqlx::query(
        "UPDATE approvals SET state = $2, revision = revision + 1 WHERE id = $1 AND state = 'pending' AND revision = $3",
    )
    .bind(approval.id.uuid())
    .bind(approval.state.as_str())
    .bind(approval.revision)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("deciding on an approval", rows)
}

/// Asks for more people than before; who approved already still counts.
///
/// # Errors
/// [`Error::Guard`] when the request was changed in between, or is not open any more.
pub async fn raise(tx: &mut Tx, approval: &Approval, required: u32) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE approvals SET required = $2, state = 'pending', revision = revision + 1 \
         WHERE id = $1 AND revision = $3 AND state IN ('pending', 'approved') AND required < $2",
    )
    .bind(approval.id.uuid())
    .bind(i32::try_from(required).unwrap_or(i32::MAX))
    .bind(approval.revision)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("asking for more approvals", rows)
}

/// Withdraws what is still pending of a deployment that has ended; says how many.
///
/// # Errors
/// When the database refuses.
pub async fn withdraw(tx: &mut Tx, deployment: DeploymentId) -> Result<u64, Error> {
    Ok(sqlx::query(
        "UPDATE approvals SET state = 'withdrawn', revision = revision + 1 WHERE deployment_id = $1 AND state = 'pending'",
    )
    .bind(deployment.uuid())
    .execute(tx.conn())
    .await?
    .rows_affected())
}
