//! Targets as people see them: with names.

use super::{CURRENT, HOLDS, read};
use crate::{
    Before, Cols, Error, Tx,
    listing::{newest_first, only_seen},
};
use slipway_domain::{
    Name,
    identity::Visible,
    ids::{ClusterId, EnvironmentId, ServiceId, TargetId, TeamId},
    registry::Target,
};
use sqlx::QueryBuilder;

/// A target with the names of what it is made of.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four questions that a row answers, each on its own"
)]
#[derive(Debug, Clone)]
pub struct Listed {
    /// The target.
    pub target: Target,
    /// Whether somebody said so, or it is the default.
    pub declared: bool,
    /// Whether its declaration was taken back.
    pub retired: bool,
    /// Whether the service lands there by now; else it is a former target.
    pub current: bool,
    /// Whether anything of the service may still be there.
    pub holds: bool,
    /// The team that owns the service.
    pub team: TeamId,
    /// The service's name.
    pub service: Name,
    /// The environment's name.
    pub environment: Name,
    /// The cluster's name.
    pub cluster: Name,
    /// Version of the release that succeeded on it last.
    pub runs: Option<String>,
}

/// Filters of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only this one, whatever became of it.
    pub id: Option<TargetId>,
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only in this environment.
    pub environment: Option<EnvironmentId>,
    /// Only on this cluster.
    pub cluster: Option<ClusterId>,
    /// Only former ones that still hold something.
    pub former: bool,
}

/// Targets that may be seen, newest first. A former one that holds nothing any more is only found by id.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    filter: Filter,
    visible: &Visible,
    before: Before,
    limit: i64,
) -> Result<Vec<Listed>, Error> {
    let mut query = QueryBuilder::new(
        "SELECT g.id, g.service_id, g.environment_id, g.cluster_id, g.namespace, c.labels || g.labels AS labels, \
         g.generation, g.revision, g.now_release_id, g.now_deployment_id, g.now_rendering, g.declared, \
         g.retired_at IS NOT NULL AS retired, ",
    );
    query.push(CURRENT).push(" AS current, ").push(HOLDS).push(
        " AS holds, s.team_id, s.name AS service, e.name AS environment, \
         c.name AS cluster, r.version AS runs \
         FROM targets g JOIN clusters c ON c.id = g.cluster_id JOIN services s ON s.id = g.service_id \
         JOIN environments e ON e.id = g.environment_id LEFT JOIN releases r ON r.id = g.now_release_id WHERE ",
    );
    only_seen(&mut query, visible, "s.team_id", Some("g.environment_id"));
    match filter.id {
        Some(id) => query.push(" AND g.id = ").push_bind(id.uuid()),
        None => query
            .push(" AND (")
            .push(if filter.former { "false" } else { CURRENT })
            .push(" OR NOT ")
            .push(CURRENT)
            .push(" AND ")
            .push(HOLDS)
            .push(")"),
    };
    if let Some(id) = filter.service {
        query.push(" AND g.service_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.environment {
        query.push(" AND g.environment_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.cluster {
        query.push(" AND g.cluster_id = ").push_bind(id.uuid());
    }
    newest_first(&mut query, "g.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            let cols = Cols::new("targets", row);
            Ok(Listed {
                target: read(row)?,
                declared: cols.get("declared")?,
                retired: cols.get("retired")?,
                current: cols.get("current")?,
                holds: cols.get("holds")?,
                team: cols.id("team_id")?,
                service: cols.parse("service")?,
                environment: cols.parse("environment")?,
                cluster: cols.parse("cluster")?,
                runs: cols.get("runs")?,
            })
        })
        .collect()
}
