//! Requests for approval, and the decisions on them: reading them here, changing them in [`changes`].

mod changes;

pub use changes::{
    answered_afterwards, decide, expire, insert, involve, look_again, look_at, raise, show, show_first,
    taken_in, told, withdraw, withdraw_decisions,
};

use crate::{Before, Cols, Error, Tx, listing::newest_first};
use serde::{Deserialize, Serialize};
use slipway_domain::{
    approval::{
        Answer, Approval, ApprovalState, Decision, Document, Involved as Excluded, Involvement, Merged,
        Requirement, SignedIn, Subject, Written,
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

impl From<&Excluded> for Involved {
    fn from(one: &Excluded) -> Self {
        Self {
            principal: one.who.uuid(),
            r#as: involvement_text(one.how).to_owned(),
            through_delegate: one.through_delegate,
        }
    }
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
