//! What digests are taken over, and the histories in the record: read a row at a time, judged by the application. A row
//! that cannot be read as what it should be is given as it is, for the application to say so.

use crate::{Cols, Error, Tx};
use futures::TryStreamExt as _;
use serde_json::Value;
use slipway_domain::{
    audit,
    deployment::StateName,
    ids::{ApprovalId, AuditEntryTag, DeploymentId, ReleaseId},
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// A bundle.
#[derive(Debug)]
pub struct BundleRow {
    /// The digest it is stored under.
    pub digest: String,
    /// Its objects.
    pub objects: Value,
}

/// A rendering.
#[derive(Debug)]
pub struct RenderingRow {
    /// The digest it is stored under.
    pub digest: String,
    /// Its content.
    pub content: Value,
    /// Digests of the releases that are said to be rendered so.
    pub releases: Vec<String>,
    /// Whether it runs somewhere, or ran there before what runs now: what a rollback goes back to.
    pub to_go_back_to: bool,
}

/// A component version.
#[derive(Debug)]
pub struct VersionRow {
    /// Its id.
    pub id: Uuid,
    /// The component's name.
    pub component: String,
    /// The version.
    pub version: String,
    /// The digest it is registered with.
    pub digest: String,
    /// The bundle's.
    pub bundle: String,
    /// Where it was built from.
    pub source: Option<Value>,
    /// What it needs.
    pub requires: Value,
    /// Pinned images.
    pub images: Value,
}

/// What a deployment's plan is made of.
#[derive(Debug)]
pub struct PlanRow {
    /// Its id.
    pub id: DeploymentId,
    /// The digest it is stored with.
    pub plan_digest: String,
    /// Name of the environment.
    pub environment: String,
    /// Each target in order: cluster, namespace, wave, intent, rendering.
    pub targets: Value,
}

/// What a deployment's row says that the record has to tell.
#[derive(Debug)]
pub struct DeploymentRow {
    /// Its id.
    pub id: DeploymentId,
    /// Its state.
    pub state: String,
    /// Whether it was ever admitted.
    pub started: bool,
    /// Digest of its release.
    pub release_digest: Option<String>,
    /// Digest of its plan.
    pub plan_digest: String,
}

/// What an approval's row says that the record has to tell.
#[derive(Debug)]
pub struct ApprovalRow {
    /// Its id.
    pub id: ApprovalId,
    /// Its state.
    pub state: String,
    /// How many decisions there are on it.
    pub decisions: i64,
}

async fn each(
    tx: &mut Tx,
    sql: &'static str,
    mut f: impl FnMut(&PgRow) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut rows = sqlx::query(sql).fetch(tx.conn());
    while let Some(row) = rows.try_next().await? {
        f(&row)?;
    }
    Ok(())
}

/// Every bundle.
///
/// # Errors
/// When the database refuses.
pub async fn bundles(tx: &mut Tx, mut f: impl FnMut(BundleRow)) -> Result<(), Error> {
    each(tx, "SELECT digest, objects FROM bundles", |row| {
        let cols = Cols::new("bundles", row);
        f(BundleRow {
            digest: cols.get("digest")?,
            objects: cols.get("objects")?,
        });
        Ok(())
    })
    .await
}

/// Every rendering.
///
/// # Errors
/// When the database refuses.
pub async fn renderings(tx: &mut Tx, mut f: impl FnMut(RenderingRow)) -> Result<(), Error> {
    let sql = "SELECT r.digest, r.content, x.releases, \
         r.digest IN (SELECT now_rendering FROM targets WHERE now_rendering IS NOT NULL UNION \
             SELECT previous_rendering FROM deployment_targets WHERE previous_rendering IS NOT NULL) AS to_go_back_to \
         FROM renderings r LEFT JOIN (SELECT dt.rendering, array_agg(DISTINCT rel.digest) AS releases \
             FROM deployment_targets dt JOIN releases rel ON rel.id = dt.release_id WHERE rel.digest IS NOT NULL \
             GROUP BY dt.rendering) x ON x.rendering = r.digest";
    each(tx, sql, |row| {
        let cols = Cols::new("renderings", row);
        f(RenderingRow {
            digest: cols.get("digest")?,
            content: cols.get("content")?,
            releases: cols.get::<Option<Vec<String>>>("releases")?.unwrap_or_default(),
            to_go_back_to: cols.get("to_go_back_to")?,
        });
        Ok(())
    })
    .await
}

/// Every component version.
///
/// # Errors
/// When the database refuses.
pub async fn versions(tx: &mut Tx, mut f: impl FnMut(VersionRow)) -> Result<(), Error> {
    let sql = "SELECT v.id, c.name, v.version, v.digest, v.bundle, v.source, v.requires, v.images \
         FROM component_versions v JOIN components c ON c.id = v.component_id";
    each(tx, sql, |row| {
        let cols = Cols::new("component_versions", row);
        f(VersionRow {
            id: cols.get("id")?,
            component: cols.get("name")?,
            version: cols.get("version")?,
            digest: cols.get("digest")?,
            bundle: cols.get("bundle")?,
            source: cols.get("source")?,
            requires: cols.get("requires")?,
            images: cols.get("images")?,
        });
        Ok(())
    })
    .await
}

/// What every deployment's plan digest is taken over.
///
/// # Errors
/// When the database refuses.
pub async fn plans(tx: &mut Tx, mut f: impl FnMut(PlanRow)) -> Result<(), Error> {
    let sql = "SELECT d.id, d.plan_digest, e.name, x.targets FROM deployments d JOIN environments e ON e.id = d.environment_id \
         LEFT JOIN (SELECT dt.deployment_id, jsonb_agg(jsonb_build_object('cluster', c.name, 'namespace', t.namespace, \
                 'wave', dt.wave, 'intent', CASE WHEN h.heals AND dt.intent = 'apply' THEN 'heal' ELSE dt.intent END, 'rendering', dt.rendering) ORDER BY dt.position) AS targets \
             FROM deployment_targets dt JOIN deployments h ON h.id = dt.deployment_id JOIN targets t ON t.id = dt.target_id \
             JOIN clusters c ON c.id = t.cluster_id GROUP BY dt.deployment_id) x ON x.deployment_id = d.id";
    each(tx, sql, |row| {
        let cols = Cols::new("deployments", row);
        f(PlanRow {
            id: cols.id("id")?,
            plan_digest: cols.get("plan_digest")?,
            environment: cols.get("name")?,
            targets: cols
                .get::<Option<Value>>("targets")?
                .unwrap_or(Value::Array(Vec::new())),
        });
        Ok(())
    })
    .await
}

/// Every deployment.
///
/// # Errors
/// When the database refuses.
pub async fn deployments(tx: &mut Tx, mut f: impl FnMut(DeploymentRow)) -> Result<(), Error> {
    let sql =
        "SELECT id, state, started_at IS NOT NULL AS started, release_digest, plan_digest FROM deployments";
    each(tx, sql, |row| {
        let cols = Cols::new("deployments", row);
        f(DeploymentRow {
            id: cols.id("id")?,
            state: cols.get("state")?,
            started: cols.get("started")?,
            release_digest: cols.get("release_digest")?,
            plan_digest: cols.get("plan_digest")?,
        });
        Ok(())
    })
    .await
}

/// Every approval.
///
/// # Errors
/// When the database refuses.
pub async fn approvals(tx: &mut Tx, mut f: impl FnMut(ApprovalRow)) -> Result<(), Error> {
    let sql = "SELECT a.id, a.state, COALESCE(c.n, 0) AS decisions FROM approvals a \
         LEFT JOIN (SELECT approval_id, count(*) AS n FROM decisions GROUP BY approval_id) c ON c.approval_id = a.id";
    each(tx, sql, |row| {
        let cols = Cols::new("approvals", row);
        f(ApprovalRow {
            id: cols.id("id")?,
            state: cols.get("state")?,
            decisions: cols.get("decisions")?,
        });
        Ok(())
    })
    .await
}

/// Ids of releases that were ever sealed, after this one.
///
/// # Errors
/// When the database refuses.
pub async fn sealed_after(
    tx: &mut Tx,
    after: Option<ReleaseId>,
    limit: i64,
) -> Result<Vec<ReleaseId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM releases WHERE digest IS NOT NULL AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2",
    )
    .bind(after.map(|id| id.uuid()))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(ReleaseId::from_uuid).collect())
}

/// Every entry that is written but not chained, in the order it will be.
///
/// # Errors
/// When the database refuses.
pub async fn unchained(tx: &mut Tx, mut f: impl FnMut(audit::Entry)) -> Result<(), Error> {
    let sql =
        "SELECT id, at, actor, action, subject, data FROM audit_entries WHERE seq IS NULL ORDER BY at, id";
    each(tx, sql, |row| {
        let cols = Cols::new("audit_entries", row);
        f(audit::Entry {
            seq: 0,
            id: cols.id::<AuditEntryTag>("id")?.to_string(),
            at: cols.time("at")?,
            actor: cols.get("actor")?,
            action: cols.get("action")?,
            subject: cols.get("subject")?,
            data: cols.get("data")?,
            previous: audit::GENESIS,
        });
        Ok(())
    })
    .await
}

/// How many entries are chained.
///
/// # Errors
/// When the database refuses.
pub async fn chained(tx: &mut Tx) -> Result<i64, Error> {
    Ok(
        sqlx::query_scalar("SELECT count(*) FROM audit_entries WHERE seq IS NOT NULL")
            .fetch_one(tx.conn())
            .await?,
    )
}

/// The recorded changes of state of one deployment, in the order of the record.
///
/// # Errors
/// When the database refuses.
pub async fn moves(tx: &mut Tx, id: DeploymentId) -> Result<Vec<(String, String)>, Error> {
    Ok(sqlx::query_as(
        "SELECT COALESCE(data->'data'->>'from', ''), COALESCE(data->'data'->>'to', '') FROM audit_entries \
         WHERE subject = $1 AND action LIKE 'deployment.%' AND data->'data' ? 'to' ORDER BY seq NULLS LAST, at, id",
    )
    .bind(id.to_string())
    .fetch_all(tx.conn())
    .await?)
}

/// Whether deployments in this state have ended.
#[must_use]
pub fn has_ended(state: &str) -> bool {
    state.parse::<StateName>().is_ok_and(StateName::is_terminal)
}
