//! `/v1/audit`: the tamper-evident chain.

use crate::{
    extract::{Params, Reader, json, limit},
    problem::Failure,
    state::ApiState,
};
use axum::response::Response;
use serde::Deserialize;
use slipway_api_types::audit::{AuditCheckpoint, AuditEntry, AuditPage};
use slipway_app::audit::{self, Filter};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(entries))
        .routes(routes!(checkpoint))
}

/// What of the chain is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EntriesQuery {
    /// Only entries after this number.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Only what this actor did.
    actor: Option<String>,
    /// Only this action.
    #[param(example = "release.seal")]
    action: Option<String>,
    /// Only what was done to this.
    subject: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Read the audit chain.
///
/// In its order, oldest first. Each entry's digest is SHA-256 over the canonical JSON (RFC 8785) of its other fields, of
/// which one is the digest before it. With a filter the answer has gaps, and cannot be verified by itself.
#[utoipa::path(
    get, path = "/v1/audit/entries", operation_id = "list_audit_entries", tag = "audit",
    params(EntriesQuery),
    responses((status = 200, description = "A part of the chain.", body = AuditPage)),
    extensions(("x-slipway-permission" = json!("audit.read"))),
)]
async fn entries(Params(query): Params<EntriesQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let filter = Filter {
        actor: query.actor,
        action: query.action,
        subject: query.subject,
    };
    let after = query.after.unwrap_or(0);
    let asked = i64::from(limit) + 1;
    let mut entries = audit::entries(&mut reader.tx, &reader.actor, after, &filter, asked).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = if more {
        entries.last().map(|(entry, _)| entry.seq)
    } else {
        None
    };
    let items = entries
        .into_iter()
        .map(|(entry, digest)| AuditEntry {
            seq: entry.seq,
            id: entry.id,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            data: entry.data,
            previous: entry.previous.to_string(),
            digest: digest.to_string(),
        })
        .collect();
    json(&AuditPage { items, next })
}

/// Check the audit chain.
///
/// Recomputes every link and answers with the head. Keep it elsewhere: a chain that was rewritten later does not have
/// that digest at that place.
#[utoipa::path(
    get, path = "/v1/audit/checkpoint", operation_id = "get_audit_checkpoint", tag = "audit",
    responses((status = 200, description = "The head of the chain.", body = AuditCheckpoint)),
    extensions(
        ("x-slipway-permission" = json!("audit.read")),
        ("x-slipway-problems" = json!(["audit-chain-broken"])),
    ),
)]
async fn checkpoint(mut reader: Reader) -> Result<Response, Failure> {
    let head = audit::checkpoint(&mut reader.tx, &reader.actor).await?;
    json(&AuditCheckpoint {
        entries: head.entries,
        digest: head.digest.to_string(),
        unchained: head.unchained,
    })
}
