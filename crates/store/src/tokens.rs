//! API tokens. Only the hash of a secret is stored; looking it up by the index tells nothing about other hashes.

use crate::{Before, Cols, Database, Error, Tx, listing::newest_first, principals, role_bindings};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use slipway_domain::{
    identity::{Grant, Principal, Role},
    ids::{Fresh as _, PrincipalId, TokenId},
};
use sqlx::{QueryBuilder, postgres::PgRow};

/// An API token, without its secret.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub principal: Principal,
    /// Roles it carries at most.
    pub roles: Vec<Role>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a token is made of.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Whose it is.
    pub principal: PrincipalId,
    /// What it is for.
    pub name: &'a str,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Roles it carries at most.
    pub roles: &'a [Role],
    /// When it ends.
    pub expires_at: Timestamp,
}

const SELECT: &str = "SELECT k.id, k.name, k.roles, k.expires_at, k.revoked_at, k.created_at, k.principal_id, \
     p.kind, p.issuer, p.subject, p.name AS principal_name \
     FROM api_tokens k JOIN principals p ON p.id = k.principal_id WHERE true";

fn read(row: &PgRow) -> Result<Token, Error> {
    let cols = Cols::new("api_tokens", row);
    let roles = cols
        .get::<Vec<String>>("roles")?
        .into_iter()
        .map(|role| role.parse().map_err(|e| cols.bad("roles", e)))
        .collect::<Result<_, Error>>()?;
    Ok(Token {
        id: cols.id("id")?,
        name: cols.get("name")?,
        principal: principals::read(row, "principal_id")?,
        roles,
        expires_at: cols.time("expires_at")?,
        revoked_at: cols.time_opt("revoked_at")?,
        created_at: cols.time("created_at")?,
    })
}

/// Writes a new token.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<TokenId, Error> {
    let id = TokenId::fresh();
    let roles: Vec<_> = new.roles.iter().map(|role| role.as_str()).collect();
    sqlx::query(
        "INSERT INTO api_tokens (id, principal_id, name, hash, roles, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.uuid())
    .bind(new.principal.uuid())
    .bind(new.name)
    .bind(new.hash)
    .bind(roles)
    .bind(new.expires_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// The token with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: TokenId) -> Result<Option<Token>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query.push(" AND k.id = ").push_bind(id.uuid());
    query
        .build()
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Tokens, of one principal or of all, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    principal: Option<PrincipalId>,
    before: Before,
    limit: i64,
) -> Result<Vec<Token>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    if let Some(principal) = principal {
        query.push(" AND k.principal_id = ").push_bind(principal.uuid());
    }
    newest_first(&mut query, "k.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Revokes a token; `false` when it is revoked already.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(tx: &mut Tx, id: TokenId) -> Result<bool, Error> {
    tx.noted().identity();
    let done = sqlx::query("UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL")
        .bind(id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What the database knows of a secret that was presented.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The token.
    pub token: Token,
    /// What its principal holds at this moment.
    pub grants: Vec<Grant>,
    /// The database's time.
    pub now: Timestamp,
}

/// The token of a secret with this hash, revoked or expired ones too: one statement, outside any transaction, because
/// it is asked on every request.
///
/// # Errors
/// When the database refuses.
pub async fn presented(database: &Database, hash: &[u8; 32]) -> Result<Option<Presented>, Error> {
    let rows = sqlx::query(
        "SELECT now() AS now, k.id, k.name, k.roles, k.expires_at, k.revoked_at, k.created_at, k.principal_id, \
         p.kind, p.issuer, p.subject, p.name AS principal_name, b.role, b.team_id, b.environment_id \
         FROM api_tokens k JOIN principals p ON p.id = k.principal_id \
         LEFT JOIN role_bindings b ON b.principal_id = p.id WHERE k.hash = $1",
    )
    .bind(hash)
    .fetch_all(database.pool())
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let now = Cols::new("api_tokens", first).time("now")?;
    Ok(Some(Presented {
        token: read(first)?,
        grants: role_bindings::joined(&rows)?,
        now,
    }))
}
