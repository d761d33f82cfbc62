//! `/v1/delegations`: who decides on approvals in the place of whom.

use super::{groups::named, me::wire_principal};
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
    people::{CreateDelegation, Delegation, DelegationScope},
};
use slipway_app::people::delegations::{self, Create, DelegationView, Filter, For};
use slipway_domain::{approval::delegation::Scope, ids::DelegationTag};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, revoke))
}

fn wire(view: &DelegationView) -> Delegation {
    let delegation = &view.stored.delegation;
    let scope = DelegationScope {
        team: view.stored.team.as_ref().map(ToString::to_string),
        environment: view.stored.environment.as_ref().map(ToString::to_string),
        approval: match delegation.scope {
            Scope::Approval(approval) => Some(approval.to_string()),
            _ => None,
        },
    };
    Delegation {
        id: view.stored.id.to_string(),
        from: wire_principal(&view.from),
        to: wire_principal(&view.to),
        starts: delegation.starts,
        ends: delegation.ends,
        scope: (delegation.scope != Scope::Everything).then_some(scope),
        reason: delegation.reason.clone(),
        state: view.state().to_owned(),
        revoked_at: delegation.revoked_at,
        created_at: view.stored.created_at,
    }
}

/// Have somebody else decide in your place.
///
/// For yourself only, for 90 days at most, and never dated back. What they decide counts by what you are entitled to; they
/// cannot pass it on, nor decide where they are involved themselves.
#[utoipa::path(
    post, path = "/v1/delegations", operation_id = "create_delegation", tag = "approvals",
    request_body = CreateDelegation,
    responses((status = 201, description = "The delegation.", body = Delegation,
        headers(("ETag" = String, description = "A digest of what is shown."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("approval.decide")),
        ("x-slipway-problems" = json!(["not-a-person"])),
    ),
)]
async fn create(Command(body, mut change): Command<CreateDelegation>) -> Result<Response, Failure> {
    let input = Create {
        to: named(body.to),
        starts: body.starts,
        ends: body.ends,
        scope: body.scope.map(|scope| For {
            team: scope.team,
            environment: scope.environment,
            approval: scope.approval,
        }),
        reason: body.reason,
    };
    let view = delegations::create(&mut change.tx, &change.app, &change.actor, input).await?;
    change
        .created(
            format!("/v1/delegations/{}", view.stored.id),
            Tag::Body,
            &wire(&view),
        )
        .await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only those from or to you.
    mine: Option<bool>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List delegations.
///
/// Those from or to you, newest first; with the permission `audit.read` or `identity.manage` everybody's, unless `?mine=true`.
#[utoipa::path(
    get, path = "/v1/delegations", operation_id = "list_delegations", tag = "approvals",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Delegation>)),
    extensions(("x-slipway-permission" = json!("none"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<DelegationTag>(query.cursor.as_deref())?;
    let filter = Filter {
        mine: query.mine.unwrap_or(false),
    };
    let views = delegations::list(
        &mut reader.tx,
        &reader.actor,
        filter,
        before,
        i64::from(limit) + 1,
    )
    .await?;
    json(&page(
        views,
        limit,
        |view| view.stored.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a delegation.
///
/// One from or to you, or anybody's with the permission `audit.read` or `identity.manage`.
#[utoipa::path(
    get, path = "/v1/delegations/{delegation}", operation_id = "get_delegation", tag = "approvals",
    params(("delegation" = String, Path, description = "Its id.", example = "dlg_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The delegation.", body = Delegation,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("none"))),
)]
async fn get(Path(delegation): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = delegations::get(&mut reader.tx, &reader.actor, &delegation).await?;
    reader.one(Tag::Body, &wire(&view))
}

/// Take a delegation back.
///
/// Your own, or anybody's with the permission `identity.manage`. What was decided by it stays decided, and its record stays.
#[utoipa::path(
    delete, path = "/v1/delegations/{delegation}", operation_id = "revoke_delegation", tag = "approvals",
    params(("delegation" = String, Path, description = "Its id.", example = "dlg_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 204, description = "It is taken back.")),
    extensions(("x-slipway-permission" = json!("none"))),
)]
async fn revoke(
    Path(delegation): Path<String>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    delegations::revoke(&mut change.tx, &change.actor, &delegation).await?;
    change.no_content().await
}
