//! Processes and their versions, whose they are, and what releases pin.

use crate::{
    Before, Cols, Error, Ref, Tx,
    listing::{newest_first, seen_by},
    versioned::Tables,
};
use slipway_domain::{
    Digest, Name,
    identity::Visible,
    ids::{DeploymentId, EnvironmentId, PrincipalId, ProcessId, ReleaseId, ServiceId, TeamId},
    process::{Document, Head, Version, Where},
};
use sqlx::QueryBuilder;
use std::collections::BTreeMap;
use uuid::Uuid;

const TABLES: Tables = Tables {
    heads: "processes",
    versions: "process_versions",
    owner: "process_id",
};

/// The process that every database begins with, as the migration writes it.
pub const SHIPPED: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0002);

/// Whose releases go by a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of a service.
    Service(ServiceId),
    /// Those of a team's services that have none of their own.
    Team(TeamId),
    /// Those of all others.
    Rest,
}

/// Whose releases go by a process, with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    /// Whose.
    pub scope: Scope,
    /// The name of the service or the team.
    pub name: Option<Name>,
    /// The team: the service's, or the one itself.
    pub team: Option<TeamId>,
}

/// Writes a new process with its first version.
///
/// # Errors
/// [`Error::Duplicate`] with `processes_name_key` when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    name: &Name,
    scope: Scope,
    document: &Document,
    digest: Digest,
    author: PrincipalId,
) -> Result<ProcessId, Error> {
    let (service, team) = match scope {
        Scope::Service(service) => (Some(service.uuid()), None),
        Scope::Team(team) => (None, Some(team.uuid())),
        Scope::Rest => (None, None),
    };
    TABLES
        .insert_with(
            tx,
            name,
            document,
            digest,
            author,
            [("service_id", service), ("team_id", team)],
        )
        .await
}

/// Whose releases go by a process.
///
/// # Errors
/// When the database refuses.
pub async fn of(tx: &mut Tx, id: ProcessId) -> Result<Of, Error> {
    let row = sqlx::query(
        "SELECT p.id, p.service_id, p.team_id, COALESCE(s.name, t.name) AS scope_name, COALESCE(p.team_id, s.team_id) AS owner \
         FROM processes p LEFT JOIN services s ON s.id = p.service_id LEFT JOIN teams t ON t.id = p.team_id WHERE p.id = $1",
    )
    .bind(id.uuid())
    .fetch_one(tx.conn())
    .await?;
    let cols = Cols::new("processes", &row);
    let scope = match (cols.id_opt("service_id")?, cols.id_opt("team_id")?) {
        (Some(service), None) => Scope::Service(service),
        (None, Some(team)) => Scope::Team(team),
        (None, None) => Scope::Rest,
        _ => return Err(cols.bad("service_id", "a process is of a service or of a team")),
    };
    Ok(Of {
        scope,
        name: cols.parse_opt("scope_name")?,
        team: cols.id_opt("owner")?,
    })
}

/// Writes a further version of a process that still has the revision it was read at; says which version it is.
///
/// # Errors
/// [`Error::Guard`] when the process was changed in between.
pub async fn insert_version(
    tx: &mut Tx,
    of: &Head,
    document: &Document,
    digest: Digest,
    author: PrincipalId,
) -> Result<i64, Error> {
    TABLES.insert_version(tx, of, document, digest, author).await
}

/// The process with this id or name.
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

/// Processes, newest first: those that are for one service only if that may be seen, or any environment.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, visible: &Visible, before: Before, limit: i64) -> Result<Vec<Head>, Error> {
    let (everything, teams, environments) = seen_by(visible);
    let mut query = QueryBuilder::new(
        "SELECT p.id, p.name, p.in_force, p.latest, p.revision, p.created_at FROM processes p \
         LEFT JOIN services s ON s.id = p.service_id WHERE (p.service_id IS NULL OR ",
    );
    query.push_bind(everything || !environments.is_empty());
    query.push(" OR s.team_id = ANY(").push_bind(teams).push("))");
    newest_first(&mut query, "p.id", before, limit);
    let rows = query.build().fetch_all(tx.conn()).await?;
    rows.iter().map(|row| TABLES.head(row)).collect()
}

/// The revision of a process, and the team of the service that it is for, if it is for one.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, reference: &Ref) -> Result<Option<(i64, Option<TeamId>)>, Error> {
    let row = reference
        .either(
            "SELECT p.id, p.revision, s.team_id FROM processes p LEFT JOIN services s ON s.id = p.service_id WHERE p.id = $1",
            "SELECT p.id, p.revision, s.team_id FROM processes p LEFT JOIN services s ON s.id = p.service_id WHERE p.name = $1",
        )
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        let cols = Cols::new("processes", &row);
        Ok((cols.get("revision")?, cols.id_opt("team_id")?))
    })
    .transpose()
}

/// One version of a process.
///
/// # Errors
/// When the database refuses.
pub async fn get_version(tx: &mut Tx, id: ProcessId, number: i64) -> Result<Option<Version>, Error> {
    TABLES.get_version(tx, id, number).await
}

/// Versions of a process below a number, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list_versions(
    tx: &mut Tx,
    id: ProcessId,
    below: Option<i64>,
    limit: i64,
) -> Result<Vec<Version>, Error> {
    TABLES.list_versions(tx, id, below, limit).await
}

/// Puts a draft in force, in the place of what was, which is retired by the same hand. The process must be locked.
///
/// # Errors
/// [`Error::Duplicate`] with `processes_one_for_…` when another process is in force for the same; [`Error::Guard`] when it is
/// no draft, or the process was changed in between.
pub async fn activate(tx: &mut Tx, of: &Head, number: i64, by: PrincipalId) -> Result<(), Error> {
    TABLES.activate(tx, of, number, by).await
}

/// Takes a process out of force. It must be locked.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between.
pub async fn retire(tx: &mut Tx, of: &Head, by: PrincipalId) -> Result<(), Error> {
    TABLES.retire(tx, of, by).await
}

/// The version that a release pinned when it was sealed. One that was sealed before there were processes goes by the first
/// version of the one that Slipway comes with. None while it is not sealed.
///
/// # Errors
/// When the database refuses.
pub async fn of_release(tx: &mut Tx, release: ReleaseId) -> Result<Option<Version>, Error> {
    let pinned: Option<(Uuid, i64)> = sqlx::query_as(
        "SELECT COALESCE(process_id, $2), COALESCE(process_version, 1) FROM releases WHERE id = $1 AND digest IS NOT NULL",
    )
    .bind(release.uuid())
    .bind(SHIPPED)
    .fetch_optional(tx.conn())
    .await?;
    match pinned {
        Some((id, number)) => get_version(tx, ProcessId::from_uuid(id), number).await,
        None => Ok(None),
    }
}

/// What these releases go by: name and version; those that are not sealed by nothing.
///
/// # Errors
/// When the database refuses.
pub async fn of_releases(
    tx: &mut Tx,
    releases: &[ReleaseId],
) -> Result<BTreeMap<ReleaseId, (Name, i64)>, Error> {
    let ids: Vec<Uuid> = releases.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows = sqlx::query(
        "SELECT r.id, p.name, COALESCE(r.process_version, 1) AS version FROM releases r \
         JOIN processes p ON p.id = COALESCE(r.process_id, $2) WHERE r.id = ANY($1) AND r.digest IS NOT NULL",
    )
    .bind(ids)
    .bind(SHIPPED)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("releases", row);
            Ok((cols.id("id")?, (cols.parse("name")?, cols.get("version")?)))
        })
        .collect()
}

/// A sealed release, and the version of a process that it pinned.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The release.
    pub release: ReleaseId,
    /// What it is called.
    pub name: String,
    /// The team of its service.
    pub team: TeamId,
    /// The version.
    pub version: i64,
}

/// Sealed releases that go by a process, newest first; only those that go by another version than one, if that is asked for.
///
/// # Errors
/// When the database refuses.
pub async fn pinned(
    tx: &mut Tx,
    id: ProcessId,
    but: Option<i64>,
    before: Before,
    limit: i64,
) -> Result<Vec<Pinned>, Error> {
    let rows = sqlx::query(
        "SELECT r.id, s.name || '@' || r.version AS called, s.team_id, r.process_version FROM releases r \
         JOIN services s ON s.id = r.service_id WHERE r.process_id = $1 AND r.state = 'sealed' \
         AND ($2::bigint IS NULL OR r.process_version <> $2) AND ($3::uuid IS NULL OR r.id < $3) ORDER BY r.id DESC LIMIT $4",
    )
    .bind(id.uuid())
    .bind(but)
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("releases", row);
            Ok(Pinned {
                release: cols.id("id")?,
                name: cols.get("called")?,
                team: cols.id("team_id")?,
                version: cols.get("process_version")?,
            })
        })
        .collect()
}

/// Every environment there is: what stages are looked for among.
///
/// # Errors
/// When the database refuses.
pub async fn environments(tx: &mut Tx) -> Result<Vec<Where>, Error> {
    let rows = sqlx::query("SELECT id, name, tier FROM environments ORDER BY id")
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("environments", row);
            Ok(Where {
                name: cols.parse("name")?,
                tier: cols.parse("tier")?,
            })
        })
        .collect()
}

/// Successes of releases whose process promotes by itself, that nobody has decided on yet, the oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn to_promote(tx: &mut Tx, limit: i64) -> Result<Vec<DeploymentId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT d.id FROM process_versions v JOIN releases r ON (r.process_id, r.process_version) = (v.process_id, v.version) \
         JOIN deployments d ON d.release_id = r.id \
         WHERE v.promotes AND d.state = 'succeeded' AND d.kind = 'deploy' AND NOT d.heals \
         AND d.finished_at > now() - interval '91 days' \
         AND NOT EXISTS (SELECT 1 FROM promotions p WHERE p.deployment_id = d.id) ORDER BY d.finished_at, d.id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(DeploymentId::from_uuid).collect())
}

/// Whether it was decided what follows a success by itself.
///
/// # Errors
/// When the database refuses.
pub async fn is_promoted(tx: &mut Tx, id: DeploymentId) -> Result<bool, Error> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM promotions WHERE deployment_id = $1)")
            .bind(id.uuid())
            .fetch_one(tx.conn())
            .await?,
    )
}

/// Writes down what follows a success by itself.
///
/// # Errors
/// When the database refuses.
pub async fn set_promoted(tx: &mut Tx, id: DeploymentId, outcome: &str) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO promotions (deployment_id, outcome) VALUES ($1, $2) ON CONFLICT (deployment_id) DO NOTHING",
    )
    .bind(id.uuid())
    .bind(outcome)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether a release was asked for in an environment, and that has not ended, or has succeeded.
///
/// # Errors
/// When the database refuses.
pub async fn was_asked_for(
    tx: &mut Tx,
    release: ReleaseId,
    environment: EnvironmentId,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM deployments WHERE release_id = $1 AND environment_id = $2 AND kind = 'deploy' \
         AND NOT heals AND (finished_at IS NULL OR state = 'succeeded'))",
    )
    .bind(release.uuid())
    .bind(environment.uuid())
    .fetch_one(tx.conn())
    .await?)
}

/// Whether somebody asked for a deployment of a release.
///
/// # Errors
/// When the database refuses.
pub async fn deployed_by(tx: &mut Tx, release: ReleaseId, who: PrincipalId) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM deployments WHERE release_id = $1 AND requested_by = $2)",
    )
    .bind(release.uuid())
    .bind(who.uuid())
    .fetch_one(tx.conn())
    .await?)
}
