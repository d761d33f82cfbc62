//! Teams: they own services and components.

use crate::{Before, Cols, Error, Ref, Tx};
use slipway_domain::{
    Name,
    ids::{Fresh as _, TeamId, TeamTag},
    registry::service::Team,
};
use sqlx::postgres::PgRow;

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, name, revision, created_at FROM teams ", $tail)
    };
}

fn read(row: &PgRow) -> Result<Team, Error> {
    let cols = Cols::new("teams", row);
    Ok(Team {
        id: cols.id::<TeamTag>("id")?,
        name: cols.parse("name")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

/// Writes a new team.
///
/// # Errors
/// [`Error::Duplicate`] with `teams_name_key` when the name is taken.
pub async fn insert(tx: &mut Tx, name: &Name) -> Result<Team, Error> {
    let row =
        sqlx::query("INSERT INTO teams (id, name) VALUES ($1, $2) RETURNING id, name, revision, created_at")
            .bind(TeamId::fresh().uuid())
            .bind(name.as_str())
            .fetch_one(tx.conn())
            .await?;
    read(&row)
}

/// The team with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: TeamId) -> Result<Option<Team>, Error> {
    find(tx, &Ref::Id(id.uuid())).await
}

/// The team with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Team>, Error> {
    let row = reference
        .either(select!("WHERE id = $1"), select!("WHERE name = $1"))
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Teams, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, before: Before, limit: i64) -> Result<Vec<Team>, Error> {
    sqlx::query(select!(
        "WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The revision of a team, by one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, reference: &Ref) -> Result<Option<i64>, Error> {
    let query = match reference {
        Ref::Id(id) => sqlx::query_scalar("SELECT revision FROM teams WHERE id = $1").bind(*id),
        Ref::Name(name) => {
            sqlx::query_scalar("SELECT revision FROM teams WHERE name = $1").bind(name.clone())
        }
    };
    Ok(query.fetch_optional(tx.conn()).await?)
}
