//! `/v1/tokens`: API tokens, whose secrets are shown once.

use super::me::wire_principal;
use crate::{
    cursor,
    etag::Tag,
    extract::{Command, NoBody, Params, Reader, json, limit, page},
    problem::Failure,
    state::ApiState,
};
use axum::{extract::Path, response::Response};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use slipway_api_types::{
    Page,
    identity::{CreateToken, NewToken, Token},
};
use slipway_app::identity::tokens::{self, Create, TokenView};
use slipway_domain::ids::TokenTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, revoke))
}

fn wire(view: &TokenView) -> Token {
    Token {
        id: view.id.to_string(),
        name: view.name.clone(),
        principal: wire_principal(&view.principal),
        roles: view.roles.iter().map(ToString::to_string).collect(),
        expires_at: view.expires_at,
        revoked_at: view.revoked_at,
        created_at: view.created_at,
    }
}

/// Make an API token.
///
/// For yourself. It never may more than you, nor lives longer than what you made it with, and never approves. Its secret
/// is shown this once; a repetition under the same `Idempotency-Key` is told so.
#[utoipa::path(
    post, path = "/v1/tokens", operation_id = "create_token", tag = "identity",
    request_body = CreateToken,
    responses((status = 201, description = "The token, with its secret.", body = NewToken,
        headers(("Location" = String, description = "Where its record is.")))),
    extensions(("x-slipway-permission" = json!("none")), ("x-slipway-problems" = json!(["secret-shown-once"]))),
)]
async fn create(Command(body, mut change): Command<CreateToken>) -> Result<Response, Failure> {
    let input = Create {
        name: body.name,
        roles: body.roles,
        expires_in: body.expires_in,
    };
    let made = tokens::create(&mut change.tx, &change.app, &change.actor, input).await?;
    let location = format!("/v1/tokens/{}", made.token.id);
    let body = NewToken {
        token: wire(&made.token),
        secret: made.secret.expose_secret().to_owned(),
    };
    change.created_secret(location, &body).await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Everybody's tokens; needs the permission `identity.manage`.
    all: Option<bool>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List API tokens.
///
/// Your own, newest first; everybody's with `?all=true`. Never their secrets.
#[utoipa::path(
    get, path = "/v1/tokens", operation_id = "list_tokens", tag = "identity",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Token>)),
    extensions(("x-slipway-permission" = json!("none"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<TokenTag>(query.cursor.as_deref())?;
    let all = query.all.unwrap_or(false);
    let views = tokens::list(&mut reader.tx, &reader.actor, all, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show an API token.
///
/// Your own, or anybody's with the permission `identity.manage`. Never its secret.
#[utoipa::path(
    get, path = "/v1/tokens/{token}", operation_id = "get_token", tag = "identity",
    params(("token" = String, Path, description = "Its id.", example = "tok_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The token.", body = Token,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("none"))),
)]
async fn get(Path(token): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = tokens::get(&mut reader.tx, &reader.actor, &token).await?;
    reader.one(Tag::Body, &wire(&view))
}

/// Revoke an API token.
///
/// Your own, or anybody's with the permission `identity.manage`. The next request with it is refused, at other servers within
/// a second, and streams that it opened end. Its record stays.
#[utoipa::path(
    delete, path = "/v1/tokens/{token}", operation_id = "revoke_token", tag = "identity",
    params(("token" = String, Path, description = "Its id.", example = "tok_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 204, description = "It is revoked.")),
    extensions(("x-slipway-permission" = json!("none"))),
)]
async fn revoke(
    Path(token): Path<String>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    tokens::revoke(&mut change.tx, &change.actor, &token).await?;
    change.no_content().await
}
