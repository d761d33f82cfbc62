//! The library: components, their immutable versions, and the bundles these hold (stored once each, by digest).

use crate::{
    Before, Cols, Error, Ref, Tx,
    listing::{newest_first, only_seen},
    row::exactly_one,
};
use semver::Version;
use serde_json::Value;
use slipway_domain::{
    Digest, Name,
    component::{
        Component, ComponentKind, ComponentVersion, ImagePin, Requirement, Source, VersionState,
        bundle::{Bundle, ObjectRef, Warning},
    },
    identity::Visible,
    ids::{ComponentId, ComponentVersionId, Fresh as _, PrincipalId, TeamId},
};
use sqlx::{QueryBuilder, postgres::PgRow, types::Json};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT c.*, t.name AS team_name FROM components c JOIN teams t ON t.id = c.team_id ",
            $tail
        )
    };
}

macro_rules! select_version {
    ($tail:literal) => {
        concat!(
            "SELECT v.id, v.component_id, c.name AS component_name, v.version, v.digest, v.source, v.requires, \
             v.images, v.objects, v.warnings, v.state, v.state_reason, v.created_by, v.revision, v.created_at \
             FROM component_versions v JOIN components c ON c.id = v.component_id ",
            $tail
        )
    };
}

/// What a component is made of.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Its unique name.
    pub name: &'a Name,
    /// What it is made of.
    pub kind: ComponentKind,
    /// Who owns it.
    pub team: TeamId,
    /// What it is.
    pub description: &'a str,
}

/// Filters of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only of this team.
    pub team: Option<TeamId>,
}

fn read(row: &PgRow) -> Result<Component, Error> {
    let cols = Cols::new("components", row);
    Ok(Component {
        id: cols.id("id")?,
        name: cols.parse("name")?,
        kind: cols.parse("kind")?,
        team: cols.id("team_id")?,
        team_name: cols.parse("team_name")?,
        description: cols.get("description")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

fn read_version(row: &PgRow) -> Result<ComponentVersion, Error> {
    let cols = Cols::new("component_versions", row);
    Ok(ComponentVersion {
        id: cols.id("id")?,
        component: cols.id("component_id")?,
        component_name: cols.parse("component_name")?,
        version: cols.parse("version")?,
        digest: cols.digest("digest")?,
        source: cols.json_opt("source")?,
        requires: cols.json("requires")?,
        images: cols.json("images")?,
        objects: cols.json("objects")?,
        warnings: cols.json("warnings")?,
        state: cols.parse("state")?,
        state_reason: cols.get("state_reason")?,
        created_by: cols.id("created_by")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

/// Writes a new component.
///
/// # Errors
/// [`Error::Duplicate`] with `components_name_key` when the name is taken.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<ComponentId, Error> {
    let id = ComponentId::fresh();
    sqlx::query("INSERT INTO components (id, name, kind, team_id, description) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.uuid())
        .bind(new.name.as_str())
        .bind(new.kind.as_str())
        .bind(new.team.uuid())
        .bind(new.description)
        .execute(tx.conn())
        .await?;
    Ok(id)
}

/// The component with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: ComponentId) -> Result<Option<Component>, Error> {
    find(tx, &Ref::Id(id.uuid())).await
}

/// The component with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Component>, Error> {
    let row = reference
        .either(select!("WHERE c.id = $1"), select!("WHERE c.name = $1"))
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Components that may be seen, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    filter: Filter,
    visible: &Visible,
    before: Before,
    limit: i64,
) -> Result<Vec<Component>, Error> {
    let mut query = QueryBuilder::new(select!("WHERE "));
    only_seen(&mut query, visible, "c.team_id", None);
    if let Some(team) = filter.team {
        query.push(" AND c.team_id = ").push_bind(team.uuid());
    }
    newest_first(&mut query, "c.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The revision of a component and the team that owns it, by one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, reference: &Ref) -> Result<Option<(i64, TeamId)>, Error> {
    let row = reference
        .either(
            "SELECT id, revision, team_id FROM components WHERE id = $1",
            "SELECT id, revision, team_id FROM components WHERE name = $1",
        )
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        let cols = Cols::new("components", &row);
        Ok((cols.get("revision")?, cols.id("team_id")?))
    })
    .transpose()
}

/// What a version is made of.
#[derive(Debug, Clone)]
pub struct NewVersion<'a> {
    /// Of which component.
    pub component: ComponentId,
    /// Its semantic version.
    pub version: &'a Version,
    /// Digest of everything in it.
    pub digest: Digest,
    /// Its objects.
    pub bundle: &'a Bundle,
    /// Digest of these.
    pub bundle_digest: Digest,
    /// Where it was built from.
    pub source: Option<&'a Source>,
    /// What it needs.
    pub requires: &'a [Requirement],
    /// Pinned images.
    pub images: &'a [ImagePin],
    /// What objects it holds.
    pub objects: &'a [ObjectRef],
    /// What is hardly meant in it.
    pub warnings: &'a [Warning],
    /// Who registers it.
    pub created_by: PrincipalId,
}

/// Writes a new version with its bundle; `None` when the component has that version already.
///
/// # Errors
/// When the database refuses.
pub async fn insert_version(tx: &mut Tx, new: &NewVersion<'_>) -> Result<Option<ComponentVersionId>, Error> {
    let bundle = new.bundle_digest.to_string();
    sqlx::query("INSERT INTO bundles (digest, objects) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING")
        .bind(&bundle)
        .bind(Json(new.bundle))
        .execute(tx.conn())
        .await?;
    let id = ComponentVersionId::fresh();
    let done = sqlx::query(
        "INSERT INTO component_versions (id, component_id, version, digest, bundle, source, requires, images, objects, \
         created_by, warnings) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (component_id, version) DO NOTHING",
    )
    .bind(id.uuid())
    .bind(new.component.uuid())
    .bind(new.version.to_string())
    .bind(new.digest.to_string())
    .bind(&bundle)
    .bind(new.source.map(Json))
    .bind(Json(new.requires))
    .bind(Json(new.images))
    .bind(Json(new.objects))
    .bind(new.created_by.uuid())
    .bind(Json(new.warnings))
    .execute(tx.conn())
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// The version with this id.
///
/// # Errors
/// When the database refuses.
pub async fn version(tx: &mut Tx, id: ComponentVersionId) -> Result<Option<ComponentVersion>, Error> {
    let row = sqlx::query(select_version!("WHERE v.id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read_version).transpose()
}

/// A component's version by names.
///
/// # Errors
/// When the database refuses.
pub async fn find_version(
    tx: &mut Tx,
    component: &str,
    version: &Version,
) -> Result<Option<ComponentVersion>, Error> {
    let row = sqlx::query(select_version!("WHERE c.name = $1 AND v.version = $2"))
        .bind(component)
        .bind(version.to_string())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read_version).transpose()
}

/// A component's versions, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn versions(
    tx: &mut Tx,
    component: ComponentId,
    before: Before,
    limit: i64,
) -> Result<Vec<ComponentVersion>, Error> {
    sqlx::query(select_version!(
        "WHERE v.component_id = $1 AND ($2::uuid IS NULL OR v.id < $2) ORDER BY v.id DESC LIMIT $3"
    ))
    .bind(component.uuid())
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(read_version)
    .collect()
}

/// The objects of a version, in the order they were written; none when there is no such version.
///
/// # Errors
/// When the database refuses.
pub async fn bundle(tx: &mut Tx, id: ComponentVersionId) -> Result<Vec<Value>, Error> {
    let row = sqlx::query(
        "SELECT v.id, b.objects FROM component_versions v JOIN bundles b ON b.digest = v.bundle WHERE v.id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(tx.conn())
    .await?;
    row.map_or_else(
        || Ok(Vec::new()),
        |row| Cols::new("bundles", &row).json("objects"),
    )
}

/// Moves a version from the state it was read in to another.
///
/// # Errors
/// [`Error::Guard`] when somebody else moved it in between.
pub async fn set_version_state(
    tx: &mut Tx,
    version: &ComponentVersion,
    state: VersionState,
    reason: &str,
) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE component_versions SET state = $3, state_reason = $4, revision = revision + 1 \
         WHERE id = $1 AND state = $2",
    )
    .bind(version.id.uuid())
    .bind(version.state.as_str())
    .bind(state.as_str())
    .bind(reason)
    .execute(tx.conn())
    .await?;
    exactly_one("changing the state of a component version", done.rows_affected())
}
