//! Requests for approval, and the decisions on them.

use crate::{Before, Cols, Error, Tx, listing::newest_first, row::exactly_one};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use slipway_domain::{
    approval::{
        Answer, Approval, ApprovalState, Decision, Document, Involved as Excluded, Involvement, Merged,
        Requirement, SignedIn, Subject, Told, Written,
    },
    ids::{ApprovalId, DeploymentId, PrincipalId},
};
use sqlx::{QueryBuilder, postgres::PgRow};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Involved {
    principal: Uuid,
    r#as: String,
    /// A delegate of theirs did it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    through_delegate: bool,
}

fn involvement(text: &str) -> Option<Involvement> {
    Some(match text {
        "author" => Involvement::Author,
        "editor" => Involvement::Editor,
        "sealer" => Involvement::Sealer,
        "requester" => Involvement::Requester,
        "overrider" => Involvement::Overrider,
        _ => return None,
    })
}

const fn involvement_text(how: Involvement) -> &'static str {
    match how {
        Involvement::Author => "author",
        Involvement::Editor => "editor",
        Involvement::Sealer => "sealer",
        Involvement::Requester => "requester",
        Involvement::Overrider => "overrider",
    }
}

/// What a request from before there were requirements asks for.
fn of_before(cols: &Cols<'_>) -> Result<Vec<Merged>, Error> {
    Ok(vec![Merged {
        requirement: Requirement::new(cols.parse("role")?, cols.count("required")?),
        sources: BTreeSet::new(),
    }])
}

fn read(row: &PgRow) -> Result<Approval, Error> {
    let cols = Cols::new("approvals", row);
    let involved = cols
        .json::<Vec<Involved>>("involved")?
        .into_iter()
        .map(|i| match involvement(&i.r#as) {
            Some(how) => Ok(Excluded {
                who: PrincipalId::from_uuid(i.principal),
                how,
                through_delegate: i.through_delegate,
            }),
            None => Err(cols.bad("involved", format!("`{}` is no involvement", i.r#as))),
        })
        .collect::<Result<_, _>>()?;
    let document = match cols.json_opt::<Document>("document")? {
        Some(document) => Some(Written {
            document,
            digest: cols.digest("document_digest")?,
        }),
        None => None,
    };
    Ok(Approval {
        id: cols.id("id")?,
        deployment: cols.id("deployment_id")?,
        asked: cols.parse("asked")?,
        requirements: match cols.json_opt("requirements")? {
            Some(requirements) => requirements,
            None => of_before(&cols)?,
        },
        digest: cols.digest("digest")?,
        plan_digest: cols.digest("plan_digest")?,
        document,
        state: cols.parse("state")?,
        involved,
        decisions: Vec::new(),
        told: cols.json("told")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

fn decision(row: &PgRow) -> Result<Decision, Error> {
    let cols = Cols::new("decisions", row);
    let by = cols.id("principal_id")?;
    let roles: Vec<String> = cols.get("claimed_roles")?;
    let roles = roles
        .into_iter()
        .map(|role| role.parse().map_err(|e| cols.bad("claimed_roles", e)));
    let withdrawn = cols.time_opt("withdrawn_at")?;
    Ok(Decision {
        id: cols.id("id")?,
        by,
        of: cols.id_opt("of_id")?.unwrap_or(by),
        delegation: cols.id_opt("delegation_id")?,
        signed_in: SignedIn {
            at: cols.time_opt("signed_in_at")?,
            methods: cols.get("methods")?,
        },
        claimed_roles: roles.collect::<Result<_, _>>()?,
        answer: cols.parse::<Answer>("answer")?,
        subject: Subject {
            digest: cols.digest("digest")?,
            plan_digest: cols.digest("plan_digest")?,
            document: cols.parse_opt("document_digest")?,
        },
        comment: cols.get("comment")?,
        at: cols.time("at")?,
        withdrawn: match withdrawn {
            Some(at) => Some((at, cols.get("withdrawn_because")?)),
            None => None,
        },
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
        let of = Cols::new("decisions", row).get("approval_id")?;
        all.entry(of).or_default().push(decision(row)?);
    }
    for approval in &mut approvals {
        approval.decisions = all.remove(&approval.id.uuid()).unwrap_or_default();
    }
    Ok(approvals)
}

/// How many people, as older servers read it.
fn required(requirements: &[Merged]) -> i32 {
    i32::try_from(slipway_domain::approval::people(requirements).max(1)).unwrap_or(i32::MAX)
}

/// Asks people. `look_at` is when somebody is told next.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, approval: &Approval, look_at: Option<Timestamp>) -> Result<(), Error> {
    let involved: Vec<Involved> = approval
        .involved
        .iter()
        .map(|one| Involved {
            principal: one.who.uuid(),
            r#as: involvement_text(one.how).to_owned(),
            through_delegate: one.through_delegate,
        })
        .collect();
    let role = approval.requirements.first().map(|one| one.requirement.role);
    sqlx::query(
        "INSERT INTO approvals (id, deployment_id, required, role, digest, plan_digest, involved, requirements, asked, document, \
         document_digest, told, look_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(approval.id.uuid())
    .bind(approval.deployment.uuid())
    .bind(required(&approval.requirements))
    .bind(role.unwrap_or(slipway_domain::identity::Role::Authority).as_str())
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

/// One request, held against other decisions until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn lock(tx: &mut Tx, id: ApprovalId) -> Result<Option<Approval>, Error> {
    one(tx, id, "SELECT * FROM approvals WHERE id = $1 FOR UPDATE").await
}

/// One request.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: ApprovalId) -> Result<Option<Approval>, Error> {
    one(tx, id, "SELECT * FROM approvals WHERE id = $1").await
}

async fn one(tx: &mut Tx, id: ApprovalId, query: &'static str) -> Result<Option<Approval>, Error> {
    let row = sqlx::query(query)
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

/// Those of which somebody is to be told something by now, the longest due first.
///
/// # Errors
/// When the database refuses.
pub async fn due(tx: &mut Tx, limit: i64) -> Result<Vec<(ApprovalId, DeploymentId)>, Error> {
    let rows = sqlx::query(
        "SELECT id, deployment_id FROM approvals WHERE state = 'pending' AND look_at <= now() ORDER BY look_at LIMIT $1",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    let ids = rows.iter().map(|row| {
        let cols = Cols::new("approvals", row);
        Ok((cols.id("id")?, cols.id("deployment_id")?))
    });
    ids.collect()
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
    let involved = Involved {
        principal: who.uuid(),
        r#as: involvement_text(how).to_owned(),
        through_delegate: false,
    };
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
