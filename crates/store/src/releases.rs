//! Releases and what they are made of.

use crate::{
    Before, Cols, Error, Ref, Tx,
    listing::{newest_first, seen_by},
    row::exactly_one,
};
use slipway_domain::{
    identity::Visible,
    ids::{PrincipalId, ReleaseId, ServiceId},
    release::{Release, ReleaseComponent, ReleaseState, Seal},
};
use sqlx::{QueryBuilder, postgres::PgRow};
use std::collections::HashMap;
use uuid::Uuid;

const SELECT: &str =
    "SELECT r.*, s.name AS service_name, s.team_id FROM releases r JOIN services s ON s.id = r.service_id ";

fn read(row: &PgRow) -> Result<Release, Error> {
    let cols = Cols::new("releases", row);
    let seal = match (
        cols.parse_opt("digest")?,
        cols.id_opt("sealed_by")?,
        cols.time_opt("sealed_at")?,
    ) {
        (Some(digest), Some(by), Some(at)) => Some(Seal { digest, by, at }),
        (None, None, None) => None,
        _ => return Err(cols.bad("digest", "a seal is digest, sealed_by and sealed_at together")),
    };
    let state = match (cols.get::<String>("state")?.as_str(), seal) {
        ("draft", None) => ReleaseState::Draft,
        ("sealed", Some(seal)) => ReleaseState::Sealed(seal),
        ("withdrawn", seal) => ReleaseState::Withdrawn {
            seal,
            reason: cols.get("withdrawn_reason")?,
            at: cols.time("withdrawn_at")?,
        },
        (other, _) => return Err(cols.bad("state", format!("`{other}` does not go with this seal"))),
    };
    Ok(Release {
        id: cols.id("id")?,
        service: cols.id("service_id")?,
        service_name: cols.parse("service_name")?,
        team: cols.id("team_id")?,
        version: cols.parse("version")?,
        components: Vec::new(),
        config: cols.json("config")?,
        notes: cols.get("notes")?,
        author: cols.id("author_id")?,
        editors: cols
            .get::<Vec<Uuid>>("editors")?
            .into_iter()
            .map(PrincipalId::from_uuid)
            .collect(),
        state,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

async fn with_components(tx: &mut Tx, mut releases: Vec<Release>) -> Result<Vec<Release>, Error> {
    let ids: Vec<Uuid> = releases.iter().map(|r| r.id.uuid()).collect();
    let rows = sqlx::query(
        "SELECT rc.release_id, v.id, c.name, v.version, v.digest FROM release_components rc \
         JOIN component_versions v ON v.id = rc.version_id JOIN components c ON c.id = v.component_id \
         WHERE rc.release_id = ANY($1) ORDER BY rc.release_id, rc.position",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    let mut parts: HashMap<Uuid, Vec<ReleaseComponent>> = HashMap::new();
    for row in &rows {
        let cols = Cols::new("release_components", row);
        parts
            .entry(cols.get("release_id")?)
            .or_default()
            .push(ReleaseComponent {
                id: cols.id("id")?,
                name: cols.parse("name")?,
                version: cols.parse("version")?,
                digest: cols.digest("digest")?,
            });
    }
    for release in &mut releases {
        release.components = parts.remove(&release.id.uuid()).unwrap_or_default();
    }
    Ok(releases)
}

/// By id, or by `service@version`.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Release>, Error> {
    let (service, version) = reference.name().and_then(|name| name.split_once('@')).unzip();
    let mut query = QueryBuilder::new(SELECT);
    query.push("WHERE r.id = ").push_bind(reference.id());
    query.push(" OR (s.name = ").push_bind(service.map(str::to_owned));
    query
        .push(" AND r.version = ")
        .push_bind(version.map(str::to_owned))
        .push(")");
    match query.build().fetch_optional(tx.conn()).await? {
        None => Ok(None),
        Some(row) => Ok(with_components(tx, vec![read(&row)?]).await?.pop()),
    }
}

/// Several, by their ids.
///
/// # Errors
/// When the database refuses, or one of them cannot be.
pub async fn many(tx: &mut Tx, ids: &[ReleaseId]) -> Result<Vec<Release>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let mut query = QueryBuilder::new(SELECT);
    query.push("WHERE r.id = ANY(").push_bind(ids).push(")");
    let rows = query.build().fetch_all(tx.conn()).await?;
    let releases = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    with_components(tx, releases).await
}

/// By id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: ReleaseId) -> Result<Option<Release>, Error> {
    find(tx, &Ref::Id(id.uuid())).await
}

/// Its revision, from one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, id: ReleaseId) -> Result<Option<i64>, Error> {
    Ok(sqlx::query_scalar("SELECT revision FROM releases WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?)
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only in this state.
    pub state: Option<String>,
}

/// Newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    visible: &Visible,
    before: Before,
    limit: i64,
) -> Result<Vec<Release>, Error> {
    let (everything, teams, environments) = seen_by(visible);
    let mut query = QueryBuilder::new(SELECT);
    // Whoever sees an environment sees what may come there.
    query
        .push("WHERE (")
        .push_bind(everything || !environments.is_empty());
    query.push(" OR s.team_id = ANY(").push_bind(teams).push("))");
    if let Some(service) = filter.service {
        query.push(" AND r.service_id = ").push_bind(service.uuid());
    }
    if let Some(state) = &filter.state {
        query.push(" AND r.state = ").push_bind(state.clone());
    }
    newest_first(&mut query, "r.id", before, limit);
    let rows = query.build().fetch_all(tx.conn()).await?;
    let releases = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    with_components(tx, releases).await
}

/// Writes a new draft.
///
/// # Errors
/// [`Error::Duplicate`] of `releases_service_id_version_key` when the version exists.
pub async fn insert(tx: &mut Tx, release: &Release) -> Result<(), Error> {
    sqlx::query("INSERT INTO releases (id, service_id, version, config, notes, author_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, now())")
        .bind(release.id.uuid())
        .bind(release.service.uuid())
        .bind(release.version.to_string())
        .bind(serde_json::json!(release.config))
        .bind(&release.notes)
        .bind(release.author.uuid())
        .execute(tx.conn())
        .await?;
    insert_components(tx, release).await
}

async fn insert_components(tx: &mut Tx, release: &Release) -> Result<(), Error> {
    let versions: Vec<Uuid> = release.components.iter().map(|c| c.id.uuid()).collect();
    sqlx::query(
        "INSERT INTO release_components (release_id, version_id, position) \
         SELECT $1, v, n FROM unnest($2::uuid[]) WITH ORDINALITY AS t(v, n)",
    )
    .bind(release.id.uuid())
    .bind(versions)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Replaces a draft's content. `release.revision` is the one that was read.
///
/// # Errors
/// [`Error::Guard`] when it is no draft any more, or was changed since.
pub async fn update_draft(tx: &mut Tx, release: &Release) -> Result<(), Error> {
    let editors: Vec<Uuid> = release
        .editors
        .iter()
        .map(type_safe_id::TypeSafeId::uuid)
        .collect();
    let rows = sqlx::query(
        "UPDATE releases SET config = $3, notes = $4, editors = $5, revision = revision + 1 \
         WHERE id = $1 AND revision = $2 AND state = 'draft'",
    )
    .bind(release.id.uuid())
    .bind(release.revision)
    .bind(serde_json::json!(release.config))
    .bind(&release.notes)
    .bind(editors)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("changing a draft", rows)?;
    sqlx::query("DELETE FROM release_components WHERE release_id = $1")
        .bind(release.id.uuid())
        .execute(tx.conn())
        .await?;
    insert_components(tx, release).await
}

/// Writes the seal. `release.revision` is the one that was read.
///
/// # Errors
/// [`Error::Guard`] when it is no draft any more, or was changed since.
pub async fn seal(tx: &mut Tx, release: &Release, seal: &Seal) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE releases SET state = 'sealed', digest = $3, sealed_by = $4, sealed_at = now(), revision = revision + 1 \
         WHERE id = $1 AND revision = $2 AND state = 'draft'",
    )
    .bind(release.id.uuid())
    .bind(release.revision)
    .bind(seal.digest.to_string())
    .bind(seal.by.uuid())
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("sealing a release", rows)
}

/// Withdraws it. `release.revision` is the one that was read.
///
/// # Errors
/// [`Error::Guard`] when it is withdrawn already, or was changed since.
pub async fn withdraw(tx: &mut Tx, release: &Release, reason: &str) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE releases SET state = 'withdrawn', withdrawn_reason = $3, withdrawn_at = now(), revision = revision + 1 \
         WHERE id = $1 AND revision = $2 AND state IN ('draft', 'sealed')",
    )
    .bind(release.id.uuid())
    .bind(release.revision)
    .bind(reason)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("withdrawing a release", rows)
}
