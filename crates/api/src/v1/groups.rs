//! `/v1/groups`: people who are asked for approval together.

use super::me::wire_principal;
use crate::{
    cursor,
    etag::Tag,
    extract::{Change, Command, Params, Reader, json, limit, page},
    problem::Failure,
    state::ApiState,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    people::{CreateGroup, Group, PersonRef, UpdateGroup},
};
use slipway_app::people::{
    Named,
    groups::{self, Create, GroupView, Update},
};
use slipway_domain::ids::GroupTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update))
}

/// Somebody as the use-cases take them.
pub(super) fn named(person: PersonRef) -> Named {
    Named {
        issuer: person.issuer,
        subject: person.subject,
    }
}

fn wire(view: &GroupView) -> Group {
    let members = view.members.as_ref();
    Group {
        id: view.group.id.to_string(),
        name: view.group.name.to_string(),
        description: view.group.description.clone(),
        size: view.size,
        members: members.map(|members| members.iter().map(wire_principal).collect()),
        created_at: view.group.created_at,
    }
}

/// Make a group.
///
/// Nobody is in it. Groups are never deleted, only emptied: what names them and what was approved is explained by them.
#[utoipa::path(
    post, path = "/v1/groups", operation_id = "create_group", tag = "identity",
    request_body = CreateGroup,
    responses((status = 201, description = "The group.", body = Group,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("identity.manage")), ("x-slipway-problems" = json!(["exists"]))),
)]
async fn create(Command(body, mut change): Command<CreateGroup>) -> Result<Response, Failure> {
    let input = Create {
        name: body.name,
        description: body.description,
    };
    let view = groups::create(&mut change.tx, &change.actor, input).await?;
    change
        .created(
            format!("/v1/groups/{}", view.group.id),
            Tag::Composed(view.group.revision),
            &wire(&view),
        )
        .await
}

/// Change a group, and who is in it.
///
/// What is absent stays. Nobody adds or removes themselves: who is in a group decides who may approve.
#[utoipa::path(
    patch, path = "/v1/groups/{group}", operation_id = "update_group", tag = "identity",
    params(("group" = String, Path, description = "Its id or name.", example = "risk")),
    request_body = UpdateGroup,
    responses((status = 200, description = "The group as it is now.", body = Group,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown.")))),
    extensions(
        ("x-slipway-permission" = json!("identity.manage")),
        ("x-slipway-problems" = json!(["separation-of-duties"])),
    ),
)]
async fn update(
    Path(group): Path<String>,
    Command(body, mut change): Command<UpdateGroup>,
) -> Result<Response, Failure> {
    let if_match = change.if_match()?;
    let input = Update {
        description: body.description,
        add: body.add.into_iter().map(named).collect(),
        remove: body.remove.into_iter().map(named).collect(),
    };
    let Change { tx, actor, app, .. } = &mut change;
    let view = groups::update(tx, app, actor, &group, if_match, input).await?;
    change.ok(Tag::Composed(view.group.revision), &wire(&view)).await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List groups.
///
/// Newest first, without who is in them.
#[utoipa::path(
    get, path = "/v1/groups", operation_id = "list_groups", tag = "identity",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Group>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<GroupTag>(query.cursor.as_deref())?;
    let views = groups::list(&mut reader.tx, &reader.actor, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.group.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a group.
///
/// With everybody who is in it.
#[utoipa::path(
    get, path = "/v1/groups/{group}", operation_id = "get_group", tag = "identity",
    params(("group" = String, Path, description = "Its id or name.", example = "risk")),
    responses((status = 200, description = "The group.", body = Group,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(group): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = groups::get(&mut reader.tx, &reader.actor, &group).await?;
    reader.one(Tag::Composed(view.group.revision), &wire(&view))
}
