//! Policies and their versions.

use crate::{Before, Cols, Error, Ref, Tx, row::exactly_one};
use slipway_domain::{
    Digest, Name,
    ids::{Fresh as _, PolicyId, PrincipalId},
    policy::{Document, Head, Version, version::Person},
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

macro_rules! heads {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, in_force, latest, revision, created_at FROM policies ",
            $tail
        )
    };
}

macro_rules! versions {
    ($tail:literal) => {
        concat!(
            "SELECT p.id, p.name, v.version, v.document, v.digest, v.created_at, v.author_id, a.name AS author_name, \
             v.activated_by, v.activated_at, b.name AS activated_name, v.retired_by, v.retired_at, c.name AS retired_name \
             FROM policy_versions v JOIN policies p ON p.id = v.policy_id JOIN principals a ON a.id = v.author_id \
             LEFT JOIN principals b ON b.id = v.activated_by LEFT JOIN principals c ON c.id = v.retired_by ",
            $tail
        )
    };
}

fn head(row: &PgRow) -> Result<Head, Error> {
    let cols = Cols::new("policies", row);
    Ok(Head {
        id: cols.id("id")?,
        name: cols.parse("name")?,
        in_force: cols.get("in_force")?,
        latest: cols.get("latest")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

fn version(row: &PgRow) -> Result<Version, Error> {
    let cols = Cols::new("policy_versions", row);
    let person = |id: PrincipalId, name: &str| {
        Ok::<_, Error>(Person {
            id,
            name: cols.get(name)?,
        })
    };
    let did = |by: &str, at: &str, name: &str| match (cols.id_opt(by)?, cols.time_opt(at)?) {
        (Some(by), Some(at)) => Ok(Some((person(by, name)?, at))),
        (None, None) => Ok(None),
        _ => Err(cols.bad(by, format!("goes with {at}"))),
    };
    Ok(Version {
        of: cols.id("id")?,
        name: cols.parse("name")?,
        version: cols.get("version")?,
        document: cols.json("document")?,
        digest: cols.digest("digest")?,
        author: person(cols.id("author_id")?, "author_name")?,
        created_at: cols.time("created_at")?,
        activated: did("activated_by", "activated_at", "activated_name")?,
        retired: did("retired_by", "retired_at", "retired_name")?,
    })
}

fn json(document: &Document) -> Result<serde_json::Value, Error> {
    serde_json::to_value(document).map_err(|e| Error::Database(sqlx::Error::Encode(Box::new(e))))
}

/// Writes a new policy with its first version.
///
/// # Errors
/// [`Error::Duplicate`] with `policies_name_key` when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    name: &Name,
    document: &Document,
    digest: Digest,
    author: PrincipalId,
) -> Result<PolicyId, Error> {
    let id = PolicyId::fresh();
    sqlx::query("INSERT INTO policies (id, name, latest) VALUES ($1, $2, 1)")
        .bind(id.uuid())
        .bind(name.as_str())
        .execute(tx.conn())
        .await?;
    write(tx, id, 1, document, digest, author).await?;
    Ok(id)
}

/// Writes a further version of a policy that still has the revision it was read at; says which version it is.
///
/// # Errors
/// [`Error::Guard`] when the policy was changed in between.
pub async fn insert_version(
    tx: &mut Tx,
    of: &Head,
    document: &Document,
    digest: Digest,
    author: PrincipalId,
) -> Result<i64, Error> {
    let next = of.latest + 1;
    let done = sqlx::query(
        "UPDATE policies SET latest = $3, revision = revision + 1 WHERE id = $1 AND revision = $2 AND latest = $3 - 1",
    )
    .bind(of.id.uuid())
    .bind(of.revision)
    .bind(next)
    .execute(tx.conn())
    .await?;
    exactly_one("writing a version of a policy", done.rows_affected())?;
    write(tx, of.id, next, document, digest, author).await?;
    Ok(next)
}

async fn write(
    tx: &mut Tx,
    id: PolicyId,
    version: i64,
    document: &Document,
    digest: Digest,
    author: PrincipalId,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO policy_versions (policy_id, version, document, digest, author_id) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.uuid())
    .bind(version)
    .bind(json(document)?)
    .bind(digest.to_string())
    .bind(author.uuid())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The policy with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Head>, Error> {
    let row = reference
        .either(heads!("WHERE id = $1"), heads!("WHERE name = $1"))
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(head).transpose()
}

/// As [`find`], locked until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn find_for_update(tx: &mut Tx, reference: &Ref) -> Result<Option<Head>, Error> {
    let row = reference
        .either(
            heads!("WHERE id = $1 FOR UPDATE"),
            heads!("WHERE name = $1 FOR UPDATE"),
        )
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(head).transpose()
}

/// Policies, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, before: Before, limit: i64) -> Result<Vec<Head>, Error> {
    sqlx::query(heads!(
        "WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(head)
    .collect()
}

/// The revision of a policy, by one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, reference: &Ref) -> Result<Option<i64>, Error> {
    let query = match reference {
        Ref::Id(id) => sqlx::query_scalar("SELECT revision FROM policies WHERE id = $1").bind(*id),
        Ref::Name(name) => {
            sqlx::query_scalar("SELECT revision FROM policies WHERE name = $1").bind(name.clone())
        }
    };
    Ok(query.fetch_optional(tx.conn()).await?)
}

/// One version of a policy.
///
/// # Errors
/// When the database refuses.
pub async fn get_version(tx: &mut Tx, id: PolicyId, number: i64) -> Result<Option<Version>, Error> {
    let row = sqlx::query(versions!("WHERE v.policy_id = $1 AND v.version = $2"))
        .bind(id.uuid())
        .bind(number)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(version).transpose()
}

/// Versions of a policy below a number, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list_versions(
    tx: &mut Tx,
    id: PolicyId,
    below: Option<i64>,
    limit: i64,
) -> Result<Vec<Version>, Error> {
    sqlx::query(versions!(
        "WHERE v.policy_id = $1 AND ($2::bigint IS NULL OR v.version < $2) ORDER BY v.version DESC LIMIT $3"
    ))
    .bind(id.uuid())
    .bind(below)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(version)
    .collect()
}

/// Puts a draft in force, in the place of what was, which is retired by the same hand. The policy must be locked.
///
/// # Errors
/// [`Error::Guard`] when it is no draft, or the policy was changed in between.
pub async fn activate(tx: &mut Tx, of: &Head, number: i64, by: PrincipalId) -> Result<(), Error> {
    if let Some(before) = of.in_force {
        retire_version(tx, of.id, before, by).await?;
    }
    let done = sqlx::query(
        "UPDATE policy_versions SET activated_by = $3, activated_at = now() \
         WHERE policy_id = $1 AND version = $2 AND activated_at IS NULL",
    )
    .bind(of.id.uuid())
    .bind(number)
    .bind(by.uuid())
    .execute(tx.conn())
    .await?;
    exactly_one("putting a policy in force", done.rows_affected())?;
    set_in_force(tx, of, Some(number)).await
}

/// Takes a policy out of force. It must be locked.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between.
pub async fn retire(tx: &mut Tx, of: &Head, by: PrincipalId) -> Result<(), Error> {
    if let Some(before) = of.in_force {
        retire_version(tx, of.id, before, by).await?;
    }
    set_in_force(tx, of, None).await
}

async fn retire_version(tx: &mut Tx, id: PolicyId, number: i64, by: PrincipalId) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE policy_versions SET retired_by = $3, retired_at = now() \
         WHERE policy_id = $1 AND version = $2 AND activated_at IS NOT NULL AND retired_at IS NULL",
    )
    .bind(id.uuid())
    .bind(number)
    .bind(by.uuid())
    .execute(tx.conn())
    .await?;
    exactly_one("taking a version of a policy out of force", done.rows_affected())
}

async fn set_in_force(tx: &mut Tx, of: &Head, number: Option<i64>) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE policies SET in_force = $3, revision = revision + 1 WHERE id = $1 AND revision = $2",
    )
    .bind(of.id.uuid())
    .bind(of.revision)
    .bind(number)
    .execute(tx.conn())
    .await?;
    exactly_one("changing what is in force of a policy", done.rows_affected())?;
    let done = sqlx::query("UPDATE policy_changes SET changes = changes + 1")
        .execute(tx.conn())
        .await?;
    exactly_one("counting a change of policies", done.rows_affected())
}

/// A version that is in force, by number: what it says is asked for with [`documents`] where it is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InForce {
    /// Which policy.
    pub policy: PolicyId,
    /// Which of its versions.
    pub version: i64,
}

/// Every version in force, by the names of the policies.
///
/// # Errors
/// When the database refuses.
pub async fn in_force(tx: &mut Tx) -> Result<Vec<InForce>, Error> {
    let rows: Vec<(Uuid, i64)> =
        sqlx::query_as("SELECT id, in_force FROM policies WHERE in_force IS NOT NULL ORDER BY name")
            .fetch_all(tx.conn())
            .await?;
    Ok(rows
        .into_iter()
        .map(|(id, version)| InForce {
            policy: PolicyId::from_uuid(id),
            version,
        })
        .collect())
}

/// What some versions say, with the names of their policies.
///
/// # Errors
/// When the database refuses.
pub async fn documents(tx: &mut Tx, of: &[InForce]) -> Result<Vec<(InForce, Name, Document)>, Error> {
    let ids: Vec<Uuid> = of.iter().map(|one| one.policy.uuid()).collect();
    let numbers: Vec<i64> = of.iter().map(|one| one.version).collect();
    sqlx::query(
        "SELECT p.id, p.name, v.version, v.document FROM unnest($1::uuid[], $2::bigint[]) AS w(id, version) \
         JOIN policy_versions v ON v.policy_id = w.id AND v.version = w.version JOIN policies p ON p.id = w.id",
    )
    .bind(ids)
    .bind(numbers)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        let cols = Cols::new("policy_versions", row);
        let which = InForce {
            policy: cols.id("id")?,
            version: cols.get("version")?,
        };
        Ok((which, cols.parse("name")?, cols.json("document")?))
    })
    .collect()
}

/// How often what is in force has changed. To be read before what is in force: whoever sees an older count than there is
/// judges again.
///
/// # Errors
/// When the database refuses.
pub async fn changes(tx: &mut Tx) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT changes FROM policy_changes")
        .fetch_one(tx.conn())
        .await?)
}
