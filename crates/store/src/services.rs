//! Services: what users depend on.

use crate::{
    Before, Cols, Error, Ref, Tx,
    listing::{newest_first, only_seen},
    row::exactly_one,
};
use slipway_domain::{
    Name,
    identity::Visible,
    ids::{Fresh as _, ServiceId, TeamId},
    registry::{Criticality, Service},
};
use sqlx::{QueryBuilder, postgres::PgRow};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT s.*, t.name AS team_name FROM services s JOIN teams t ON t.id = s.team_id ",
            $tail
        )
    };
}

/// What a service is made of.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Its unique name.
    pub name: &'a Name,
    /// Who owns it.
    pub team: TeamId,
    /// How much depends on it.
    pub criticality: Criticality,
    /// What it is.
    pub description: &'a str,
    /// The group that is asked at the end.
    pub escalation_group: Option<&'a Name>,
}

/// Filters of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only of this team.
    pub team: Option<TeamId>,
}

fn read(row: &PgRow) -> Result<Service, Error> {
    let cols = Cols::new("services", row);
    Ok(Service {
        id: cols.id("id")?,
        name: cols.parse("name")?,
        team: cols.id("team_id")?,
        team_name: cols.parse("team_name")?,
        criticality: cols.parse("criticality")?,
        description: cols.get("description")?,
        escalation_group: cols.parse_opt("escalation_group")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

/// Writes a new service.
///
/// # Errors
/// [`Error::Duplicate`] with `services_name_key` when the name is taken.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<ServiceId, Error> {
    let id = ServiceId::fresh();
    sqlx::query(
        "INSERT INTO services (id, name, team_id, criticality, description, escalation_group) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.uuid())
    .bind(new.name.as_str())
    .bind(new.team.uuid())
    .bind(new.criticality.as_str())
    .bind(new.description)
    .bind(new.escalation_group.map(Name::as_str))
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Saves team, criticality, description and point of escalation of a service, if it still has the revision it was read at.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between.
pub async fn update(tx: &mut Tx, service: &Service) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE services SET team_id = $3, criticality = $4, description = $5, escalation_group = $6, \
         revision = revision + 1 \
         WHERE id = $1 AND revision = $2",
    )
    .bind(service.id.uuid())
    .bind(service.revision)
    .bind(service.team.uuid())
    .bind(service.criticality.as_str())
    .bind(&service.description)
    .bind(service.escalation_group.as_ref().map(Name::as_str))
    .execute(tx.conn())
    .await?;
    exactly_one("changing a service", done.rows_affected())
}

/// The service with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: ServiceId) -> Result<Option<Service>, Error> {
    find(tx, &Ref::Id(id.uuid())).await
}

/// The service with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Service>, Error> {
    let row = reference
        .either(select!("WHERE s.id = $1"), select!("WHERE s.name = $1"))
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The service with this id or name, locked until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn find_for_update(tx: &mut Tx, reference: &Ref) -> Result<Option<Service>, Error> {
    let row = reference
        .either(
            select!("WHERE s.id = $1 FOR UPDATE OF s"),
            select!("WHERE s.name = $1 FOR UPDATE OF s"),
        )
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Services that may be seen, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    filter: Filter,
    visible: &Visible,
    before: Before,
    limit: i64,
) -> Result<Vec<Service>, Error> {
    let mut query = QueryBuilder::new(select!("WHERE "));
    only_seen(&mut query, visible, "s.team_id", None);
    if let Some(team) = filter.team {
        query.push(" AND s.team_id = ").push_bind(team.uuid());
    }
    newest_first(&mut query, "s.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The revision of a service and the team that owns it, by one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, reference: &Ref) -> Result<Option<(i64, TeamId)>, Error> {
    let row = reference
        .either(
            "SELECT id, revision, team_id FROM services WHERE id = $1",
            "SELECT id, revision, team_id FROM services WHERE name = $1",
        )
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        let cols = Cols::new("services", &row);
        Ok((cols.get("revision")?, cols.id("team_id")?))
    })
    .transpose()
}
