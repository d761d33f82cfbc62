//! Teams and environments by name, for rights that name them.

use crate::{Cols, Database, Error};
use slipway_domain::{
    identity::GivenOn,
    ids::{EnvironmentId, EnvironmentTag, TeamId, TeamTag},
};
use std::collections::BTreeMap;

/// Places that are there, by name.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Teams.
    pub teams: BTreeMap<String, TeamId>,
    /// Environments.
    pub environments: BTreeMap<String, EnvironmentId>,
}

/// Those of these places that are there: one statement, outside any transaction, because it is asked with tokens.
///
/// # Errors
/// When the database refuses.
pub async fn known(database: &Database, wanted: impl Iterator<Item = &GivenOn>) -> Result<Places, Error> {
    let (mut teams, mut environments) = (Vec::new(), Vec::new());
    for place in wanted {
        match place {
            GivenOn::Everything => {}
            GivenOn::Team(name) => teams.push(name.as_str()),
            GivenOn::Environment(name) => environments.push(name.as_str()),
        }
    }
    let rows = sqlx::query(
        "SELECT name, id AS team_id, NULL::uuid AS environment_id FROM teams WHERE name = ANY($1) \
         UNION ALL SELECT name, NULL, id FROM environments WHERE name = ANY($2)",
    )
    .bind(teams)
    .bind(environments)
    .fetch_all(database.pool())
    .await?;
    let mut places = Places::default();
    for row in &rows {
        let cols = Cols::new("places", row);
        let name: String = cols.get("name")?;
        if let Some(team) = cols.id_opt::<TeamTag>("team_id")? {
            places.teams.insert(name, team);
        } else {
            let environment = cols.id::<EnvironmentTag>("environment_id")?;
            places.environments.insert(name, environment);
        }
    }
    Ok(places)
}
