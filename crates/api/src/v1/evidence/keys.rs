//! Keys that signatures are verified with.

use super::ListQuery;
use crate::{
    cursor,
    etag::Tag,
    extract::{Change, Command, Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::{
    Page, Reason,
    evidence::{CreateEvidenceKey, EvidenceKey},
};
use slipway_app::evidence::{self, KeyView};
use slipway_domain::ids::EvidenceKeyTag;

fn wire(view: &KeyView) -> EvidenceKey {
    let key = &view.key;
    let revoked = key.revoked.as_ref();
    EvidenceKey {
        id: key.id.to_string(),
        name: key.name.to_string(),
        pem: key.pem.clone(),
        state: if revoked.is_some() { "revoked" } else { "trusted" }.to_owned(),
        created_by: view.name(key.created_by),
        created_at: key.created_at,
        revoked_by: revoked.map(|one| view.name(one.by)),
        revoked_at: revoked.map(|one| one.at),
        revoked_reason: revoked.map(|one| one.reason.clone()),
    }
}

/// Register a key.
///
/// What comes signed with it from now on is verified. Takes an authority who signed in.
#[utoipa::path(
    post, path = "/v1/evidence-keys", operation_id = "create_evidence_key", tag = "evidence",
    request_body = CreateEvidenceKey,
    responses((status = 201, description = "The key.", body = EvidenceKey,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("policy.write")),
        ("x-slipway-problems" = json!(["exists", "not-a-person"])),
    ),
)]
pub(super) async fn create(
    Command(body, mut change): Command<CreateEvidenceKey>,
) -> Result<Response, Failure> {
    let Change { tx, actor, .. } = &mut change;
    let view = evidence::register_key(tx, actor, &body.name, &body.pem).await?;
    let location = format!("/v1/evidence-keys/{}", view.key.id);
    change
        .created(location, Tag::Revision(view.revision()), &wire(&view))
        .await
}

/// List keys.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/evidence-keys", operation_id = "list_evidence_keys", tag = "evidence",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<EvidenceKey>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<EvidenceKeyTag>(query.cursor.as_deref())?;
    let views = evidence::list_keys(&mut reader.tx, &reader.actor, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.key.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a key.
#[utoipa::path(
    get, path = "/v1/evidence-keys/{key}", operation_id = "get_evidence_key", tag = "evidence",
    params(("key" = String, Path, description = "Its id or name.", example = "ci-builder")),
    responses((status = 200, description = "The key.", body = EvidenceKey,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(key): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = evidence::get_key(&mut reader.tx, &reader.actor, &key).await?;
    reader.one(Tag::Revision(view.revision()), &wire(&view))
}

/// Revoke a key.
///
/// Nothing that was verified with it counts any more: it is as if it had been withdrawn. What waits is looked at again at once.
/// Takes an authority who signed in.
#[utoipa::path(
    post, path = "/v1/evidence-keys/{key}/revoke", operation_id = "revoke_evidence_key", tag = "evidence",
    params(("key" = String, Path, description = "Its id or name.", example = "ci-builder")),
    request_body = Reason,
    responses((status = 200, description = "The key as it is now.", body = EvidenceKey,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("policy.write")),
        ("x-slipway-problems" = json!(["evidence-state", "not-a-person"])),
    ),
)]
pub(super) async fn revoke(
    Path(key): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let Change { tx, actor, .. } = &mut change;
    let view = evidence::revoke_key(tx, actor, &key, body.reason.as_deref().unwrap_or_default()).await?;
    change.ok(Tag::Revision(view.revision()), &wire(&view)).await
}
