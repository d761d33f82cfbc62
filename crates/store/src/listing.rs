//! Lists: what somebody may see of them, and a page of what is left, newest first.

use crate::Before;
use slipway_domain::identity::Visible;
use sqlx::{Postgres, QueryBuilder};
use type_safe_id::TypeSafeId;
use uuid::Uuid;

/// What somebody may see, as values to bind: everything, or what belongs to these teams, or is in these environments.
pub(crate) fn seen_by(visible: &Visible) -> (bool, Vec<Uuid>, Vec<Uuid>) {
    let teams = visible.teams.iter().map(TypeSafeId::uuid);
    let environments = visible.environments.iter().map(TypeSafeId::uuid);
    (visible.everything, teams.collect(), environments.collect())
}

/// The condition that a row may be seen, by the columns that name its team and its environment; what is in no environment
/// belongs to a team alone.
pub(crate) fn only_seen(
    query: &mut QueryBuilder<Postgres>,
    visible: &Visible,
    team: &'static str,
    environment: Option<&'static str>,
) {
    let (everything, teams, environments) = seen_by(visible);
    query.push("(").push_bind(everything);
    query
        .push(" OR ")
        .push(team)
        .push(" = ANY(")
        .push_bind(teams)
        .push(")");
    if let Some(environment) = environment {
        query.push(" OR ").push(environment).push(" = ANY(");
        query.push_bind(environments).push(")");
    }
    query.push(")");
}

/// The end of a query that has a condition: from below that id on, by the column of the id, which goes by time.
pub(crate) fn newest_first(query: &mut QueryBuilder<Postgres>, id: &'static str, before: Before, limit: i64) {
    if let Some(before) = before {
        query.push(" AND ").push(id).push(" < ").push_bind(before);
    }
    query
        .push(" ORDER BY ")
        .push(id)
        .push(" DESC LIMIT ")
        .push_bind(limit);
}
