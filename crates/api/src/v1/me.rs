//! `/v1/me`: who am I, and what may I do?

use crate::{etag::Tag, extract::Reader, problem::Failure, state::ApiState};
use axum::response::Response;
use slipway_api_types::identity::{HeldRole, Me, Principal};
use slipway_app::identity;
use slipway_domain::identity::{self as domain, PrincipalKind, Proof, Source};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// A principal as it goes over the wire.
pub(super) fn wire_principal(principal: &domain::Principal) -> Principal {
    let kind = match principal.kind {
        PrincipalKind::Human => "human",
        PrincipalKind::Machine => "machine",
    };
    Principal {
        id: principal.id.to_string(),
        kind: kind.to_owned(),
        issuer: principal.issuer.clone(),
        subject: principal.subject.clone(),
        name: principal.name.clone(),
    }
}

/// What gives a role, and which.
fn source(source: Source) -> (&'static str, Option<String>) {
    match source {
        Source::Binding => ("role_binding", None),
        Source::Claim(claim) => ("claim", Some(claim)),
        Source::Rule(rule) => ("trust_rule", Some(rule)),
    }
}

/// Show who you are.
///
/// And which roles you hold where, and what gives each: a role binding, a claim of your token, or a trust rule that it fits. Everybody whose token is accepted may ask.
#[utoipa::path(
    get, path = "/v1/me", operation_id = "get_me", tag = "identity",
    responses((status = 200, description = "You.", body = Me,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("none"))),
)]
async fn show(mut reader: Reader) -> Result<Response, Failure> {
    let view = identity::me(&mut reader.tx, &reader.actor).await?;
    let proof = match view.proof {
        Proof::SignedIn { .. } => "signed_in",
        Proof::ApiToken { .. } => "api_token",
        Proof::System => "system",
    };
    let roles = view
        .roles
        .into_iter()
        .map(|held| (source(held.source.clone()), held))
        .map(|((from, by), held)| HeldRole {
            from: from.to_owned(),
            by,
            role: held.role.to_string(),
            team: held.team.map(|name| name.to_string()),
            environment: held.environment.map(|name| name.to_string()),
            permissions: held.permissions.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let principal = wire_principal(&view.principal);
    reader.one(
        Tag::Body,
        &Me {
            principal,
            proof: proof.to_owned(),
            until: view.until,
            roles,
        },
    )
}
