//! Policies and their versions.

use crate::{Before, Cols, Error, Ref, Tx, row::exactly_one, versioned::Tables};
use slipway_domain::{
    Digest, Name,
    ids::{PolicyId, PrincipalId},
    policy::{
        Document, Head, Version,
        judged_by::{self, JudgedBy},
    },
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
    // One row: there may be a thousand of them, and this is asked whenever a deployment is judged.
    let (ids, versions): (Vec<Uuid>, Vec<i64>) = sqlx::query_as(
        "SELECT COALESCE(array_agg(id), '{}'), COALESCE(array_agg(in_force), '{}') \
         FROM (SELECT id, in_force FROM policies WHERE in_force IS NOT NULL ORDER BY name) AS p",
    )
    .fetch_one(tx.conn())
    .await?;
    let in_force = ids.into_iter().zip(versions);
    let in_force = in_force.map(|(id, version)| InForce {
        policy: PolicyId::from_uuid(id),
        version,
    });
    Ok(in_force.collect())
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

/// The digests of what some versions say, in their order.
///
/// # Errors
/// When the database refuses, or one of them is not there.
pub async fn digests(tx: &mut Tx, of: &[(Name, i64)]) -> Result<Vec<Digest>, Error> {
    let names: Vec<&str> = of.iter().map(|(name, _)| name.as_str()).collect();
    let numbers: Vec<i64> = of.iter().map(|(_, version)| *version).collect();
    let rows = sqlx::query(
        "SELECT w.name || ' version ' || w.version AS id, v.digest \
         FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS w(name, version, at) \
         LEFT JOIN policies p ON p.name = w.name \
         LEFT JOIN policy_versions v ON v.policy_id = p.id AND v.version = w.version ORDER BY w.at",
    )
    .bind(names)
    .bind(numbers)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Cols::new("policy_versions", row).digest("digest"))
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

/// Keeps the versions that a deployment was judged by, unless they are kept already.
///
/// # Errors
/// When the database refuses.
pub async fn keep_set(tx: &mut Tx, set: Digest, versions: &[(Name, i64)]) -> Result<(), Error> {
    let is_kept: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM policy_sets WHERE digest = $1)")
        .bind(set.to_string())
        .fetch_one(tx.conn())
        .await?;
    if is_kept {
        return Ok(());
    }
    sqlx::query("INSERT INTO policy_sets (digest, policies) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(set.to_string())
        .bind(serde_json::json!(judged_by::listed(versions)))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The versions that are kept under a digest.
///
/// # Errors
/// When the database refuses, or the row cannot be.
pub async fn set(tx: &mut Tx, set: Digest) -> Result<Option<Vec<JudgedBy>>, Error> {
    let row = sqlx::query("SELECT digest AS id, policies FROM policy_sets WHERE digest = $1")
        .bind(set.to_string())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Cols::new("policy_sets", &row).json("policies"))
        .transpose()
}
