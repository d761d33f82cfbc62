//! What was stated about component versions and releases, and the documents that say so.

use crate::{Before, Cols, Error, Tx, row::exactly_one};
use slipway_domain::{
    Digest,
    evidence::{Kind, Statement, Subject, Withdrawal},
    ids::{ComponentVersionId, DeploymentId, EvidenceId, PrincipalId, ReleaseId},
};
use sqlx::{QueryBuilder, postgres::PgRow, types::Json};
use uuid::Uuid;

/// Statements with what became of the keys that they were verified with.
const SELECT: &str = "SELECT e.id, e.version_id, e.release_id, e.digest, e.normal, e.document, e.stated_by, e.stated_at, \
     e.withdrawn_by, e.withdrawn_at, e.withdrawn_reason, e.superseded_by, k.name AS key_name, k.revoked_by, k.revoked_at, \
     k.revoked_reason FROM evidence e LEFT JOIN evidence_keys k ON k.name = e.verified_by ";

fn read(row: &PgRow) -> Result<Statement, Error> {
    let cols = Cols::new("evidence", row);
    let subject = match (cols.id_opt("version_id")?, cols.id_opt("release_id")?) {
        (Some(version), None) => Subject::ComponentVersion(version),
        (None, Some(release)) => Subject::Release(release),
        _ => return Err(cols.bad("version_id", "a statement is about one thing")),
    };
    let withdrawal = |by: &str, at: &str, reason: &str| match (
        cols.id_opt::<slipway_domain::ids::PrincipalTag>(by)?,
        cols.time_opt(at)?,
        cols.get::<Option<String>>(reason)?,
    ) {
        (Some(by), Some(at), Some(reason)) => Ok(Some(Withdrawal { by, at, reason })),
        (None, None, None) => Ok(None),
        _ => Err(cols.bad(by, format!("goes with {at} and {reason}"))),
    };
    let withdrawn = withdrawal("withdrawn_by", "withdrawn_at", "withdrawn_reason")?;
    // What was signed with a key that is not to be trusted any more is taken back with it.
    let revoked = withdrawal("revoked_by", "revoked_at", "revoked_reason")?;
    let revoked = match (revoked, cols.get::<Option<String>>("key_name")?) {
        (Some(revoked), Some(key)) => Some(Withdrawal {
            reason: format!(
                "the key `{key}` that it was verified with was revoked: {}",
                revoked.reason
            ),
            ..revoked
        }),
        _ => None,
    };
    Ok(Statement {
        id: cols.id("id")?,
        subject,
        digest: cols.digest("digest")?,
        normal: cols.json("normal")?,
        payload: cols.digest("document")?,
        stated_by: cols.id("stated_by")?,
        stated_at: cols.time("stated_at")?,
        withdrawn: withdrawn.or(revoked),
        superseded_by: cols.id_opt("superseded_by")?,
    })
}

fn all(rows: &[PgRow]) -> Result<Vec<Statement>, Error> {
    rows.iter().map(read).collect()
}

const fn about(subject: Subject) -> (Option<ComponentVersionId>, Option<ReleaseId>) {
    match subject {
        Subject::ComponentVersion(version) => (Some(version), None),
        Subject::Release(release) => (None, Some(release)),
    }
}

/// Keeps a document; the same bytes are kept once.
///
/// # Errors
/// When the database refuses.
pub async fn put_document(tx: &mut Tx, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO evidence_documents (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
    )
    .bind(digest.to_string())
    .bind(bytes)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A document as it came.
///
/// # Errors
/// When the database refuses.
pub async fn document(tx: &mut Tx, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
    Ok(
        sqlx::query_scalar("SELECT bytes FROM evidence_documents WHERE digest = $1")
            .bind(digest.to_string())
            .fetch_optional(tx.conn())
            .await?,
    )
}

/// Writes a statement, whose document must be kept, in the place of the one before of its digest, kind and name; says which
/// that was.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, statement: &Statement) -> Result<Option<EvidenceId>, Error> {
    let normal = &statement.normal;
    // One after another for each of them: of two that are stated at once, one takes the other's place.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 11))")
        .bind(format!("{} {} {}", statement.digest, normal.kind, normal.name))
        .execute(tx.conn())
        .await?;
    let before: Option<Uuid> = sqlx::query_scalar(
        "UPDATE evidence SET superseded_by = $4 WHERE digest = $1 AND kind = $2 AND name = $3 AND superseded_by IS NULL \
         RETURNING id",
    )
    .bind(statement.digest.to_string())
    .bind(normal.kind.as_str())
    .bind(normal.name.as_str())
    .bind(statement.id.uuid())
    .fetch_optional(tx.conn())
    .await?;
    let (version, release) = about(statement.subject);
    sqlx::query(
        "INSERT INTO evidence (id, version_id, release_id, digest, kind, name, passed, normal, document, verified_by, \
         stated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(statement.id.uuid())
    .bind(version.map(|id| id.uuid()))
    .bind(release.map(|id| id.uuid()))
    .bind(statement.digest.to_string())
    .bind(normal.kind.as_str())
    .bind(normal.name.as_str())
    .bind(normal.passed)
    .bind(Json(normal))
    .bind(statement.payload.to_string())
    .bind(statement.verified_by().map(slipway_domain::Name::as_str))
    .bind(statement.stated_by.uuid())
    .execute(tx.conn())
    .await?;
    Ok(before.map(EvidenceId::from_uuid))
}

/// The statement with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: EvidenceId) -> Result<Option<Statement>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query.push("WHERE e.id = ").push_bind(id.uuid());
    let row = query.build().fetch_optional(tx.conn()).await?;
    row.as_ref().map(read).transpose()
}

/// Takes a statement back that still counts.
///
/// # Errors
/// [`Error::Guard`] when it was withdrawn or superseded in the meantime.
pub async fn withdraw(tx: &mut Tx, id: EvidenceId, by: PrincipalId, reason: &str) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE evidence SET withdrawn_by = $2, withdrawn_at = now(), withdrawn_reason = $3 \
         WHERE id = $1 AND withdrawn_at IS NULL AND superseded_by IS NULL",
    )
    .bind(id.uuid())
    .bind(by.uuid())
    .bind(reason)
    .execute(tx.conn())
    .await?;
    exactly_one("withdrawing evidence", done.rows_affected())
}

/// Filters of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only what was not followed by another of its subject, kind and name.
    pub newest: bool,
}

/// What was stated about a subject, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    of: Subject,
    filter: Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<Statement>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    match of {
        Subject::ComponentVersion(version) => query.push("WHERE e.version_id = ").push_bind(version.uuid()),
        Subject::Release(release) => query.push("WHERE e.release_id = ").push_bind(release.uuid()),
    };
    if let Some(kind) = filter.kind {
        query.push(" AND e.kind = ").push_bind(kind.as_str());
    }
    if filter.newest {
        query.push(" AND e.superseded_by IS NULL");
    }
    crate::listing::newest_first(&mut query, "e.id", before, limit);
    all(&query.build().fetch_all(tx.conn()).await?)
}

/// The newest of each kind and name that was stated about any of these digests: all that gates are judged on.
///
/// # Errors
/// When the database refuses.
pub async fn newest(tx: &mut Tx, of: &[Digest]) -> Result<Vec<Statement>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    let digests: Vec<String> = of.iter().map(ToString::to_string).collect();
    query
        .push("WHERE e.superseded_by IS NULL AND e.digest = ANY(")
        .push_bind(digests)
        .push(") ORDER BY e.id");
    all(&query.build().fetch_all(tx.conn()).await?)
}

/// Everything that was ever stated about any of these digests, the newest last: at most ten thousand of them, the newest.
///
/// # Errors
/// When the database refuses.
pub async fn every(tx: &mut Tx, of: &[Digest]) -> Result<Vec<Statement>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    let digests: Vec<String> = of.iter().map(ToString::to_string).collect();
    query
        .push("WHERE e.digest = ANY(")
        .push_bind(digests)
        .push(") ORDER BY e.id DESC LIMIT 10000");
    let mut statements = all(&query.build().fetch_all(tx.conn()).await?)?;
    statements.reverse();
    Ok(statements)
}

/// Has everything that waits to bring one of these somewhere looked at again at once, and says what that is.
///
/// # Errors
/// When the database refuses.
pub async fn look_again(tx: &mut Tx, of: &[Subject]) -> Result<Vec<DeploymentId>, Error> {
    let (versions, releases) = split(of);
    // Waits for those that are being judged at this moment: they may have read what was stated before. Nobody who holds a
    // deployment waits for what whoever states something holds, and these are taken in one order.
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE deployments SET look_at = now() WHERE id IN (SELECT d.id FROM deployments d \
         WHERE d.state IN ('pending', 'queued') AND d.kind = 'deploy' AND NOT d.heals AND (d.release_id = ANY($2) \
            OR EXISTS (SELECT 1 FROM release_components c WHERE c.release_id = d.release_id AND c.version_id = ANY($1))) \
         ORDER BY d.id FOR NO KEY UPDATE OF d) RETURNING id",
    )
    .bind(versions)
    .bind(releases)
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(DeploymentId::from_uuid).collect())
}

fn split(of: &[Subject]) -> (Vec<Uuid>, Vec<Uuid>) {
    let mut versions = Vec::new();
    let mut releases = Vec::new();
    for subject in of {
        match subject {
            Subject::ComponentVersion(version) => versions.push(version.uuid()),
            Subject::Release(release) => releases.push(release.uuid()),
        }
    }
    (versions, releases)
}

/// Sealed releases that are one of these, or hold one, the newest first.
///
/// # Errors
/// When the database refuses.
pub async fn carriers(tx: &mut Tx, of: &[Subject], limit: i64) -> Result<Vec<ReleaseId>, Error> {
    let (versions, releases) = split(of);
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT r.id FROM releases r WHERE r.state = 'sealed' AND (r.id = ANY($2) \
            OR r.id IN (SELECT release_id FROM release_components WHERE version_id = ANY($1))) \
         ORDER BY r.id DESC LIMIT $3",
    )
    .bind(versions)
    .bind(releases)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(ReleaseId::from_uuid).collect())
}

/// What the newest statements that were verified with a key are about.
///
/// # Errors
/// When the database refuses.
pub async fn verified_with(tx: &mut Tx, key: &str) -> Result<Vec<Subject>, Error> {
    let rows: Vec<(Option<Uuid>, Option<Uuid>)> = sqlx::query_as(
        "SELECT DISTINCT version_id, release_id FROM evidence WHERE verified_by = $1 AND superseded_by IS NULL",
    )
    .bind(key)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(version, release)| match (version, release) {
            (Some(version), _) => Some(Subject::ComponentVersion(ComponentVersionId::from_uuid(version))),
            (None, Some(release)) => Some(Subject::Release(ReleaseId::from_uuid(release))),
            (None, None) => None,
        })
        .collect())
}
