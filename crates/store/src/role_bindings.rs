//! Role bindings: which principal holds which role on what.

use crate::{Before, Cols, Error, Tx, listing::newest_first, principals, row::exactly_one};
use jiff::Timestamp;
use slipway_domain::{
    Name,
    identity::{Grant, Principal, Role, Scope},
    ids::{EnvironmentId, Fresh as _, PrincipalId, RoleBindingId, TeamId},
};
use sqlx::{QueryBuilder, postgres::PgRow};
use uuid::Uuid;

/// A role that was granted.
#[derive(Debug, Clone)]
pub struct RoleBinding {
    /// Its id.
    pub id: RoleBindingId,
    /// Who has it.
    pub principal: Principal,
    /// What, and where.
    pub grant: Grant,
    /// Name of the team it is limited to.
    pub team: Option<Name>,
    /// Name of the environment it is limited to.
    pub environment: Option<Name>,
    /// When it was granted.
    pub created_at: Timestamp,
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this principal.
    pub principal: Option<PrincipalId>,
    /// Only what an issuer's subject has, whatever the issuer.
    pub subject: Option<String>,
    /// Only this role.
    pub role: Option<Role>,
}

const SELECT: &str = "SELECT b.id, b.role, b.team_id, b.environment_id, b.created_at, b.principal_id, \
     p.kind, p.issuer, p.subject, p.name AS principal_name, t.name AS team, e.name AS environment \
     FROM role_bindings b JOIN principals p ON p.id = b.principal_id \
     LEFT JOIN teams t ON t.id = b.team_id LEFT JOIN environments e ON e.id = b.environment_id WHERE true";

fn scope(cols: &Cols<'_>) -> Result<Scope, Error> {
    match (cols.id_opt("team_id")?, cols.id_opt("environment_id")?) {
        (None, None) => Ok(Scope::Everything),
        (Some(team), None) => Ok(Scope::Team(team)),
        (None, Some(environment)) => Ok(Scope::Environment(environment)),
        (Some(_), Some(_)) => Err(cols.bad(
            "team_id",
            "a role is granted on a team or an environment, not both",
        )),
    }
}

fn grant(cols: &Cols<'_>) -> Result<Grant, Error> {
    Ok(Grant {
        role: cols.parse("role")?,
        scope: scope(cols)?,
    })
}

/// The grants in the rows of a left join; a row without a role holds none.
pub(crate) fn joined(rows: &[PgRow]) -> Result<Vec<Grant>, Error> {
    let mut grants = Vec::with_capacity(rows.len());
    for row in rows {
        let cols = Cols::new("role_bindings", row);
        if cols.get::<Option<String>>("role")?.is_some() {
            grants.push(grant(&cols)?);
        }
    }
    Ok(grants)
}

fn read(row: &PgRow) -> Result<RoleBinding, Error> {
    let cols = Cols::new("role_bindings", row);
    Ok(RoleBinding {
        id: cols.id("id")?,
        principal: principals::read(row, "principal_id")?,
        grant: grant(&cols)?,
        team: cols.parse_opt("team")?,
        environment: cols.parse_opt("environment")?,
        created_at: cols.time("created_at")?,
    })
}

/// What a principal holds.
///
/// # Errors
/// When the database refuses.
pub async fn grants(tx: &mut Tx, principal: PrincipalId) -> Result<Vec<Grant>, Error> {
    let rows =
        sqlx::query("SELECT id, role, team_id, environment_id FROM role_bindings WHERE principal_id = $1")
            .bind(principal.uuid())
            .fetch_all(tx.conn())
            .await?;
    joined(&rows)
}

/// Grants a role.
///
/// # Errors
/// [`Error::Duplicate`] with `role_bindings_once` when it is held already.
pub async fn insert(tx: &mut Tx, principal: PrincipalId, grant: Grant) -> Result<RoleBindingId, Error> {
    tx.noted().identity();
    let id = RoleBindingId::fresh();
    let (team, environment) = match grant.scope {
        Scope::Everything => (None, None),
        Scope::Team(team) => (Some(team.uuid()), None),
        Scope::Environment(environment) => (None, Some(environment.uuid())),
    };
    sqlx::query(
        "INSERT INTO role_bindings (id, principal_id, role, team_id, environment_id) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.uuid())
    .bind(principal.uuid())
    .bind(grant.role.as_str())
    .bind(team)
    .bind(environment)
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Takes a role away.
///
/// # Errors
/// [`Error::Guard`] when it is gone already.
pub async fn delete(tx: &mut Tx, id: RoleBindingId) -> Result<(), Error> {
    tx.noted().identity();
    let done = sqlx::query("DELETE FROM role_bindings WHERE id = $1")
        .bind(id.uuid())
        .execute(tx.conn())
        .await?;
    exactly_one("deleting a role binding", done.rows_affected())
}

/// The binding with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: RoleBindingId) -> Result<Option<RoleBinding>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query.push(" AND b.id = ").push_bind(id.uuid());
    query
        .build()
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Bindings, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<RoleBinding>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    if let Some(principal) = filter.principal {
        query.push(" AND b.principal_id = ").push_bind(principal.uuid());
    }
    if let Some(subject) = &filter.subject {
        query.push(" AND p.subject = ").push_bind(subject.clone());
    }
    if let Some(role) = filter.role {
        query.push(" AND b.role = ").push_bind(role.as_str());
    }
    newest_first(&mut query, "b.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// People who hold a role for what a team does in an environment.
///
/// # Errors
/// When the database refuses.
pub async fn holders(
    tx: &mut Tx,
    role: Role,
    team: TeamId,
    environment: EnvironmentId,
) -> Result<Vec<PrincipalId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT b.principal_id FROM role_bindings b JOIN principals p ON p.id = b.principal_id AND p.kind = 'human' \
         WHERE b.role = $1 AND (b.team_id IS NULL OR b.team_id = $2) AND (b.environment_id IS NULL OR b.environment_id = $3)",
    )
    .bind(role.as_str())
    .bind(team.uuid())
    .bind(environment.uuid())
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(PrincipalId::from_uuid).collect())
}

/// How many people or machines are admin of everything.
///
/// # Errors
/// When the database refuses.
pub async fn admins(tx: &mut Tx) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM role_bindings WHERE role = 'admin' AND team_id IS NULL AND environment_id IS NULL",
    )
    .fetch_one(tx.conn())
    .await?)
}
