//! `/v1/role-bindings`: roles granted to people and machines.

use super::me::wire_principal;
use crate::{
    cursor,
    etag::Tag,
    extract::{Command, NoBody, Params, Reader, invalid_parameter, json, limit, page},
    problem::Failure,
    state::ApiState,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    identity::{CreateRoleBinding, RoleBinding},
};
use slipway_app::identity::role_bindings::{self, Create, Filter, RoleBindingView};
use slipway_domain::ids::RoleBindingTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, delete))
}

fn wire(view: &RoleBindingView) -> RoleBinding {
    RoleBinding {
        id: view.id.to_string(),
        principal: wire_principal(&view.principal),
        role: view.grant.role.to_string(),
        team: view.team.as_ref().map(ToString::to_string),
        environment: view.environment.as_ref().map(ToString::to_string),
        created_at: view.created_at,
    }
}

/// Grant a role.
///
/// On everything, on what a team owns, or in an environment. The principal need not have been seen yet.
#[utoipa::path(
    post, path = "/v1/role-bindings", operation_id = "create_role_binding", tag = "identity",
    request_body = CreateRoleBinding,
    responses((status = 201, description = "The binding.", body = RoleBinding,
        headers(("ETag" = String, description = "A digest of what is shown."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("identity.manage")),
        ("x-slipway-problems" = json!(["self-grant", "exists"])),
    ),
)]
async fn create(Command(body, mut change): Command<CreateRoleBinding>) -> Result<Response, Failure> {
    let input = Create {
        issuer: body.principal.issuer,
        subject: body.principal.subject,
        kind: body.principal.kind,
        role: body.role,
        team: body.team,
        environment: body.environment,
    };
    let view = role_bindings::create(&mut change.tx, &change.app, &change.actor, input).await?;
    change
        .created(format!("/v1/role-bindings/{}", view.id), Tag::Body, &wire(&view))
        .await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of this subject.
    subject: Option<String>,
    /// Only of this role.
    role: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List role bindings.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/role-bindings", operation_id = "list_role_bindings", tag = "identity",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<RoleBinding>)),
    extensions(("x-slipway-permission" = json!("identity.manage"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<RoleBindingTag>(query.cursor.as_deref())?;
    let role = query.role.as_deref().map(str::parse).transpose();
    let role = role.map_err(
        |error: <slipway_domain::identity::Role as std::str::FromStr>::Err| {
            invalid_parameter("role", error.to_string())
        },
    )?;
    let filter = Filter {
        principal: None,
        subject: query.subject,
        role,
    };
    let views = role_bindings::list(
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
        |view| view.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a role binding.
#[utoipa::path(
    get, path = "/v1/role-bindings/{binding}", operation_id = "get_role_binding", tag = "identity",
    params(("binding" = String, Path, description = "Its id.", example = "rbd_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The binding.", body = RoleBinding,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("identity.manage"))),
)]
async fn get(Path(binding): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = role_bindings::get(&mut reader.tx, &reader.actor, &binding).await?;
    reader.one(Tag::Body, &wire(&view))
}

/// Take a role away.
///
/// With the next request it is gone, at other servers within a second, and open streams show no more than is still allowed.
#[utoipa::path(
    delete, path = "/v1/role-bindings/{binding}", operation_id = "delete_role_binding", tag = "identity",
    params(("binding" = String, Path, description = "Its id.", example = "rbd_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 204, description = "It is gone.")),
    extensions(
        ("x-slipway-permission" = json!("identity.manage")),
        ("x-slipway-problems" = json!(["in-use"])),
    ),
)]
async fn delete(
    Path(binding): Path<String>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    role_bindings::delete(&mut change.tx, &change.actor, &binding).await?;
    change.no_content().await
}
