//! Policies and their versions.

use crate::{Before, Cols, Error, Ref, Tx, row::exactly_one, versioned::Tables};
use slipway_domain::{
    Digest, Name,
    ids::{PolicyId, PrincipalId},
    policy::{Document, Head, Version},
};
use uuid::Uuid;

const TABLES: Tables = Tables {
    heads: "policies",
    versions: "policy_versions",
    owner: "policy_id",
};

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
    TABLES.insert(tx, name, document, digest, author).await
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
    TABLES.insert_version(tx, of, document, digest, author).await
}

/// The policy with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Head>, Error> {
    TABLES.find(tx, reference, false).await
}

/// As [`find`], locked until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn find_for_update(tx: &mut Tx, reference: &Ref) -> Result<Option<Head>, Error> {
    TABLES.find(tx, reference, true).await
}

/// Policies, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, before: Before, limit: i64) -> Result<Vec<Head>, Error> {
    TABLES.list(tx, before, limit).await
}

/// The revision of a policy, by one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, reference: &Ref) -> Result<Option<i64>, Error> {
    TABLES.revision(tx, reference).await
}

/// One version of a policy.
///
/// # Errors
/// When the database refuses.
pub async fn get_version(tx: &mut Tx, id: PolicyId, number: i64) -> Result<Option<Version>, Error> {
    TABLES.get_version(tx, id, number).await
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
    TABLES.list_versions(tx, id, below, limit).await
}

/// Puts a draft in force, in the place of what was, which is retired by the same hand. The policy must be locked.
///
/// # Errors
/// [`Error::Guard`] when it is no draft, or the policy was changed in between.
pub async fn activate(tx: &mut Tx, of: &Head, number: i64, by: PrincipalId) -> Result<(), Error> {
    TABLES.activate(tx, of, number, by).await?;
    count_change(tx).await
}

/// Takes a policy out of force. It must be locked.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between.
pub async fn retire(tx: &mut Tx, of: &Head, by: PrincipalId) -> Result<(), Error> {
    TABLES.retire(tx, of, by).await?;
    count_change(tx).await
}

async fn count_change(tx: &mut Tx) -> Result<(), Error> {
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
