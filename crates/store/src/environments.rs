//! Environments: where releases go.

use crate::{Before, Cols, Error, Ref, Tx, row::exactly_one};
use slipway_domain::{
    Name,
    ids::{ClusterId, EnvironmentId, Fresh as _},
    registry::environment::{Environment, Settings, Tier},
};
use sqlx::postgres::PgRow;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT e.*, p.name AS promotes_from_name, \
             ARRAY(SELECT c.name FROM environment_clusters ec JOIN clusters c ON c.id = ec.cluster_id \
                   WHERE ec.environment_id = e.id ORDER BY ec.position) AS cluster_names \
             FROM environments e LEFT JOIN environments p ON p.id = e.promotes_from ",
            $tail
        )
    };
}

/// What an environment is made of.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Its unique name.
    pub name: &'a Name,
    /// What kind it is.
    pub tier: Tier,
    /// The stage before.
    pub promotes_from: Option<EnvironmentId>,
    /// Its clusters, in order.
    pub clusters: &'a [ClusterId],
    /// How deployments are done here.
    pub settings: &'a Settings,
}

fn read(row: &PgRow) -> Result<Environment, Error> {
    let cols = Cols::new("environments", row);
    let promotes_from = match cols.id_opt("promotes_from")? {
        Some(id) => Some((id, cols.parse("promotes_from_name")?)),
        None => None,
    };
    let clusters = cols
        .get::<Vec<String>>("cluster_names")?
        .into_iter()
        .map(|name| name.parse().map_err(|e| cols.bad("cluster_names", e)))
        .collect::<Result<Vec<Name>, Error>>()?;
    Ok(Environment {
        id: cols.id("id")?,
        name: cols.parse("name")?,
        tier: cols.parse("tier")?,
        promotes_from,
        clusters,
        settings: cols.json("settings")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

fn json(settings: &Settings) -> Result<serde_json::Value, Error> {
    serde_json::to_value(settings).map_err(|e| Error::Database(sqlx::Error::Encode(Box::new(e))))
}

async fn set_clusters(tx: &mut Tx, id: EnvironmentId, clusters: &[ClusterId]) -> Result<(), Error> {
    let ids: Vec<_> = clusters.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    sqlx::query("DELETE FROM environment_clusters WHERE environment_id = $1")
        .bind(id.uuid())
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO environment_clusters (environment_id, cluster_id, position) \
         SELECT $1, c.id, c.position - 1 FROM unnest($2::uuid[]) WITH ORDINALITY AS c(id, position)",
    )
    .bind(id.uuid())
    .bind(ids)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes a new environment.
///
/// # Errors
/// [`Error::Duplicate`] with `environments_name_key` when the name is taken.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<EnvironmentId, Error> {
    let id = EnvironmentId::fresh();
    sqlx::query(
        "INSERT INTO environments (id, name, tier, promotes_from, settings) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.uuid())
    .bind(new.name.as_str())
    .bind(new.tier.as_str())
    .bind(new.promotes_from.map(|id| id.uuid()))
    .bind(json(new.settings)?)
    .execute(tx.conn())
    .await?;
    set_clusters(tx, id, new.clusters).await?;
    Ok(id)
}

/// Saves settings (and clusters, if given) of an environment, if it still has the revision it was read at.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between.
pub async fn update(
    tx: &mut Tx,
    environment: &Environment,
    clusters: Option<&[ClusterId]>,
) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE environments SET settings = $3, revision = revision + 1 WHERE id = $1 AND revision = $2",
    )
    .bind(environment.id.uuid())
    .bind(environment.revision)
    .bind(json(&environment.settings)?)
    .execute(tx.conn())
    .await?;
    exactly_one("changing an environment", done.rows_affected())?;
    match clusters {
        Some(clusters) => set_clusters(tx, environment.id, clusters).await,
        None => Ok(()),
    }
}

/// The environment with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: EnvironmentId) -> Result<Option<Environment>, Error> {
    find(tx, &Ref::Id(id.uuid())).await
}

/// The environment with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Environment>, Error> {
    let row = reference
        .either(select!("WHERE e.id = $1"), select!("WHERE e.name = $1"))
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The environment with this id or name, locked until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn find_for_update(tx: &mut Tx, reference: &Ref) -> Result<Option<Environment>, Error> {
    let row = reference
        .either(
            select!("WHERE e.id = $1 FOR UPDATE OF e"),
            select!("WHERE e.name = $1 FOR UPDATE OF e"),
        )
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Environments, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, before: Before, limit: i64) -> Result<Vec<Environment>, Error> {
    sqlx::query(select!(
        "WHERE $1::uuid IS NULL OR e.id < $1 ORDER BY e.id DESC LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The revision of an environment, by one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, reference: &Ref) -> Result<Option<i64>, Error> {
    let query = match reference {
        Ref::Id(id) => sqlx::query_scalar("SELECT revision FROM environments WHERE id = $1").bind(*id),
        Ref::Name(name) => {
            sqlx::query_scalar("SELECT revision FROM environments WHERE name = $1").bind(name.clone())
        }
    };
    Ok(query.fetch_optional(tx.conn()).await?)
}
