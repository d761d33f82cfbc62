//! Clusters. The credential is read by [`connection`] alone, and is encrypted here: only the application has the key.

use crate::{Before, Cols, Error, Ref, Tx, row::exactly_one};
use slipway_domain::{
    Name,
    ids::{ClusterId, EnvironmentId},
    registry::{Cluster, ClusterGrants, Labels},
};
use sqlx::{postgres::PgRow, types::Json};

/// The columns that may be shown; never the credential.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT c.id, c.name, c.server, c.labels, c.grants, c.last_seen_at, c.revision, c.created_at \
             FROM clusters c ",
            $tail
        )
    };
}

/// A credential as it is stored.
#[derive(Clone)]
pub struct Sealed {
    /// Encrypted.
    pub credential: Vec<u8>,
    /// The key it was encrypted with.
    pub key: String,
}

/// How to talk to a cluster; the credential still encrypted.
#[derive(Clone)]
pub struct SealedConnection {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub name: Name,
    /// The cluster's revision.
    pub revision: i64,
    /// Base URL of its API.
    pub server: String,
    /// The certificate authority to trust, PEM.
    pub certificate_authority: Option<String>,
    /// Name to expect in the server's certificate.
    pub tls_server_name: Option<String>,
    /// How to be let in.
    pub sealed: Sealed,
}

/// What a cluster is made of; also what of it is saved.
#[derive(Clone)]
pub struct Saved<'a> {
    /// Its id.
    pub id: ClusterId,
    /// Its unique name.
    pub name: &'a Name,
    /// Base URL of its API.
    pub server: &'a str,
    /// The certificate authority to trust, PEM.
    pub certificate_authority: Option<&'a str>,
    /// Name to expect in the server's certificate.
    pub tls_server_name: Option<&'a str>,
    /// Region, wave and so on.
    pub labels: &'a Labels,
    /// What may be applied there.
    pub grants: &'a ClusterGrants,
}

fn read(row: &PgRow) -> Result<Cluster, Error> {
    let cols = Cols::new("clusters", row);
    Ok(Cluster {
        id: cols.id("id")?,
        name: cols.parse("name")?,
        server: cols.get("server")?,
        labels: cols.json("labels")?,
        grants: cols.json("grants")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
        last_seen_at: cols.time_opt("last_seen_at")?,
    })
}

/// Writes a new cluster.
///
/// # Errors
/// [`Error::Duplicate`] with `clusters_name_key` when the name is taken.
pub async fn insert(tx: &mut Tx, new: &Saved<'_>, sealed: &Sealed) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO clusters (id, name, server, certificate_authority, tls_server_name, credential, credential_key, \
         labels, grants) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new.id.uuid())
    .bind(new.name.as_str())
    .bind(new.server)
    .bind(new.certificate_authority)
    .bind(new.tls_server_name)
    .bind(&sealed.credential)
    .bind(&sealed.key)
    .bind(Json(new.labels))
    .bind(Json(new.grants))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Saves a cluster, if it still has this revision; the credential only where a new one is given.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between.
pub async fn update(
    tx: &mut Tx,
    revision: i64,
    cluster: &Saved<'_>,
    sealed: Option<&Sealed>,
) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE clusters SET server = $3, certificate_authority = $4, tls_server_name = $5, labels = $6, grants = $7, \
         credential = COALESCE($8, credential), credential_key = COALESCE($9, credential_key), \
         revision = revision + 1 WHERE id = $1 AND revision = $2",
    )
    .bind(cluster.id.uuid())
    .bind(revision)
    .bind(cluster.server)
    .bind(cluster.certificate_authority)
    .bind(cluster.tls_server_name)
    .bind(Json(cluster.labels))
    .bind(Json(cluster.grants))
    .bind(sealed.map(|sealed| &sealed.credential))
    .bind(sealed.map(|sealed| &sealed.key))
    .execute(tx.conn())
    .await?;
    exactly_one("changing a cluster", done.rows_affected())
}

/// Notes that the cluster answered. No change of the cluster: its revision stays.
///
/// # Errors
/// When the database refuses.
pub async fn seen(tx: &mut Tx, id: ClusterId) -> Result<(), Error> {
    sqlx::query("UPDATE clusters SET last_seen_at = now() WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at < now())")
        .bind(id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The cluster with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: ClusterId) -> Result<Option<Cluster>, Error> {
    find(tx, &Ref::Id(id.uuid())).await
}

/// The cluster with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Cluster>, Error> {
    let row = reference
        .either(select!("WHERE c.id = $1"), select!("WHERE c.name = $1"))
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The cluster with this id or name, locked until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn find_for_update(tx: &mut Tx, reference: &Ref) -> Result<Option<Cluster>, Error> {
    let row = reference
        .either(
            select!("WHERE c.id = $1 FOR UPDATE"),
            select!("WHERE c.name = $1 FOR UPDATE"),
        )
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The clusters of an environment, in its order.
///
/// # Errors
/// When the database refuses.
pub async fn of_environment(tx: &mut Tx, environment: EnvironmentId) -> Result<Vec<Cluster>, Error> {
    sqlx::query(select!(
        "JOIN environment_clusters ec ON ec.cluster_id = c.id WHERE ec.environment_id = $1 ORDER BY ec.position"
    ))
    .bind(environment.uuid())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Clusters, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, before: Before, limit: i64) -> Result<Vec<Cluster>, Error> {
    sqlx::query(select!(
        "WHERE $1::uuid IS NULL OR c.id < $1 ORDER BY c.id DESC LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(read)
    .collect()
}

/// How to talk to a cluster, with its credential as it is stored.
///
/// # Errors
/// When the database refuses.
pub async fn connection(tx: &mut Tx, id: ClusterId) -> Result<Option<SealedConnection>, Error> {
    let row = sqlx::query(
        "SELECT id, name, revision, server, certificate_authority, tls_server_name, credential, credential_key \
         FROM clusters WHERE id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let cols = Cols::new("clusters", &row);
        Ok(SealedConnection {
            cluster: cols.id("id")?,
            name: cols.parse("name")?,
            revision: cols.get("revision")?,
            server: cols.get("server")?,
            certificate_authority: cols.get("certificate_authority")?,
            tls_server_name: cols.get("tls_server_name")?,
            sealed: Sealed {
                credential: cols.get("credential")?,
                key: cols.get("credential_key")?,
            },
        })
    })
    .transpose()
}

/// The revision of a cluster, by one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, reference: &Ref) -> Result<Option<i64>, Error> {
    let query = match reference {
        Ref::Id(id) => sqlx::query_scalar("SELECT revision FROM clusters WHERE id = $1").bind(*id),
        Ref::Name(name) => {
            sqlx::query_scalar("SELECT revision FROM clusters WHERE name = $1").bind(name.clone())
        }
    };
    Ok(query.fetch_optional(tx.conn()).await?)
}
