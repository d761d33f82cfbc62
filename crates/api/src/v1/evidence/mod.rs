//! Evidence: below what it is about, by itself, and what it is verified with.

mod keys;
mod read;
mod schemas;
mod state;

use crate::state::ApiState;
use serde::Deserialize;
use slipway_api_types::evidence::Evidence;
use slipway_app::evidence::EvidenceView;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(read::of_version, state::of_version))
        .routes(routes!(read::of_release, state::of_release))
        .routes(routes!(read::get))
        .routes(routes!(read::document))
        .routes(routes!(state::withdraw))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::get))
        .routes(routes!(keys::revoke))
        .routes(routes!(schemas::list, schemas::create))
        .routes(routes!(schemas::get))
}

/// What of a list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

fn wire(view: &EvidenceView) -> Evidence {
    let statement = &view.statement;
    let normal = &statement.normal;
    let withdrawn = statement.withdrawn.as_ref();
    Evidence {
        id: statement.id.to_string(),
        about: view.about.clone(),
        digest: statement.digest.to_string(),
        kind: normal.kind.to_string(),
        name: normal.name.to_string(),
        format: normal.format.to_string(),
        passed: normal.passed,
        counts: normal.counts.clone(),
        verified_by: statement.verified_by().map(ToString::to_string),
        builder: normal.builder.clone(),
        tool: normal.tool.as_ref().map(|tool| match &tool.version {
            Some(version) => format!("{} {version}", tool.name),
            None => tool.name.clone(),
        }),
        produced_at: normal.produced_at,
        document: statement.payload.to_string(),
        standing: view.standing().to_owned(),
        stated_by: view.name(statement.stated_by),
        stated_at: statement.stated_at,
        dates_from: statement.dates_from(),
        withdrawn_by: withdrawn.map(|one| view.name(one.by)),
        withdrawn_at: withdrawn.map(|one| one.at),
        withdrawn_reason: withdrawn.map(|one| one.reason.clone()),
        superseded_by: statement.superseded_by.map(|id| id.to_string()),
    }
}
