//! `/v1/absences`: who is away, and is not waited for.

use super::me::wire_principal;
use crate::{
    cursor,
    etag::Tag,
    extract::{Command, NoBody, Params, Reader, json, limit, page},
    problem::Failure,
    state::ApiState,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    people::{Absence, CreateAbsence},
};
use slipway_app::people::absences::{self, AbsenceView, Create, Filter};
use slipway_domain::ids::AbsenceTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, end))
}

fn wire(view: &AbsenceView) -> Absence {
    Absence {
        id: view.absence.id.to_string(),
        who: wire_principal(&view.who),
        starts: view.absence.away.from,
        ends: view.absence.away.until,
        state: view.state().to_owned(),
        created_at: view.absence.created_at,
    }
}

/// Say that you are away.
///
/// For yourself only, for 90 days at most, and never dated back. When everybody who is asked is away, the next are asked at
/// once. It does not delegate: for that, say who decides in your place.
#[utoipa::path(
    post, path = "/v1/absences", operation_id = "create_absence", tag = "approvals",
    request_body = CreateAbsence,
    responses((status = 201, description = "The absence.", body = Absence,
        headers(("ETag" = String, description = "A digest of what is shown."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("read")),
        ("x-slipway-problems" = json!(["not-a-person"])),
    ),
)]
async fn create(Command(body, mut change): Command<CreateAbsence>) -> Result<Response, Failure> {
    let input = Create {
        starts: body.starts,
        ends: body.ends,
    };
    let view = absences::create(&mut change.tx, &change.actor, input).await?;
    change
        .created(
            format!("/v1/absences/{}", view.absence.id),
            Tag::Body,
            &wire(&view),
        )
        .await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Of everybody in this group (name or id).
    group: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List absences.
///
/// Your own, or those of everybody in a group, newest first; those that are over, too.
#[utoipa::path(
    get, path = "/v1/absences", operation_id = "list_absences", tag = "approvals",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Absence>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<AbsenceTag>(query.cursor.as_deref())?;
    let filter = Filter { group: query.group };
    let views = absences::list(
        &mut reader.tx,
        &reader.actor,
        &filter,
        before,
        i64::from(limit) + 1,
    )
    .await?;
    json(&page(
        views,
        limit,
        |view| view.absence.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show an absence.
#[utoipa::path(
    get, path = "/v1/absences/{absence}", operation_id = "get_absence", tag = "approvals",
    params(("absence" = String, Path, description = "Its id.", example = "abs_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The absence.", body = Absence,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(absence): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = absences::get(&mut reader.tx, &reader.actor, &absence).await?;
    reader.one(Tag::Body, &wire(&view))
}

/// End an absence.
///
/// Your own, now; one that is to come never was. It stays readable: who was asked meanwhile follows from it.
#[utoipa::path(
    delete, path = "/v1/absences/{absence}", operation_id = "end_absence", tag = "approvals",
    params(("absence" = String, Path, description = "Its id.", example = "abs_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 204, description = "It is over.")),
    extensions(("x-slipway-permission" = json!("none")), ("x-slipway-problems" = json!(["refused"]))),
)]
async fn end(
    Path(absence): Path<String>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    absences::end(&mut change.tx, &change.actor, &absence).await?;
    change.no_content().await
}
