//! `/v1/audit`: the tamper-evident chain.

use crate::{
    etag::Tag,
    extract::{Change, Command, Params, Reader, json, limit},
    problem::Failure,
    state::ApiState,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use futures::stream;
use serde::Deserialize;
use slipway_api_types::{
    Reason,
    audit::{AuditCheckpoint, AuditEntry, AuditKey, AuditKeys, AuditPage, AuditProof, SignedHead},
};
use slipway_app::audit::{self, Claim, Filter, PublicKey, Signed};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(entries))
        .routes(routes!(checkpoint))
        .routes(routes!(proof))
        .routes(routes!(keys))
        .routes(routes!(rotate_key))
        .routes(routes!(export))
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

/// What of the head is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CheckpointQuery {
    /// Check every link of the chain before answering, which takes as long as the chain is.
    verify: Option<bool>,
}

fn head(signed: Signed) -> SignedHead {
    SignedHead {
        size: signed.size,
        root: signed.root.to_string(),
        note: signed.note,
        at: signed.at,
    }
}

/// Show the head of the audit chain.
///
/// With the newest head of the Merkle tree over it that was signed. Keep that elsewhere: a chain that was rewritten later
/// does not lead to it. With `verify` the server recomputes every link before it answers.
#[utoipa::path(
    get, path = "/v1/audit/checkpoint", operation_id = "get_audit_checkpoint", tag = "audit",
    params(CheckpointQuery),
    responses((status = 200, description = "The head of the chain.", body = AuditCheckpoint,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(
        ("x-slipway-permission" = json!("audit.read")),
        ("x-slipway-problems" = json!(["audit-chain-broken"])),
    ),
)]
async fn checkpoint(Params(query): Params<CheckpointQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let verify = query.verify.unwrap_or(false);
    let checkpoint = audit::checkpoint(&mut reader.tx, &reader.actor, verify).await?;
    let shown = AuditCheckpoint {
        entries: checkpoint.entries,
        digest: checkpoint.digest.to_string(),
        unchained: checkpoint.unchained,
        signed: checkpoint.signed.map(head),
    };
    reader.one(Tag::Body, &shown)
}

/// What is to be proved: one of both.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ProofQuery {
    /// That this entry, by its number, is in the record.
    #[param(minimum = 1)]
    entry: Option<i64>,
    /// That the record of so many entries, as an earlier checkpoint has them, is the beginning of this one.
    #[param(minimum = 0)]
    from: Option<u64>,
    /// Under the signed head over so many entries; the newest unless given.
    #[param(minimum = 1)]
    size: Option<u64>,
}

/// Prove something of the record.
///
/// That an entry is in it, or that it continues what an earlier checkpoint covers: hashes that lead to the root of a signed
/// head, to be verified without the server.
#[utoipa::path(
    get, path = "/v1/audit/proof", operation_id = "get_audit_proof", tag = "audit",
    params(ProofQuery),
    responses((status = 200, description = "The proof.", body = AuditProof,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(
        ("x-slipway-permission" = json!("audit.read")),
        ("x-slipway-problems" = json!(["not-signed", "not-in-the-record", "validation"])),
    ),
)]
async fn proof(Params(query): Params<ProofQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let claim = match (query.entry, query.from) {
        (Some(seq), None) => Some(Claim::Entry(seq)),
        (None, Some(size)) => Some(Claim::Continues(size)),
        _ => None,
    };
    let proof = audit::prove(&mut reader.tx, &reader.actor, claim, query.size).await?;
    let shown = AuditProof {
        entry: query.entry,
        from: query.from,
        digest: proof.of.to_string(),
        hashes: proof.hashes.iter().map(ToString::to_string).collect(),
        checkpoint: head(proof.checkpoint),
    };
    reader.one(Tag::Body, &shown)
}

fn shown_key(kept: &PublicKey) -> AuditKey {
    AuditKey {
        id: kept.id.to_string(),
        verifier_key: kept.key.to_string(),
        public_key: kept.key.to_pem(),
        fingerprint: kept.key.fingerprint(),
        created_at: kept.created_at,
        retired_at: kept.retired_at,
    }
}

/// List the keys that the record is signed with.
///
/// The newest first. Keep them elsewhere, with the first checkpoint: whoever verifies later then trusts no server.
#[utoipa::path(
    get, path = "/v1/audit/keys", operation_id = "list_audit_keys", tag = "audit",
    responses((status = 200, description = "The keys.", body = AuditKeys,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("audit.read"))),
)]
async fn keys(mut reader: Reader) -> Result<Response, Failure> {
    let keys = audit::keys(&mut reader.tx, &reader.actor).await?;
    let items = keys.iter().map(shown_key);
    let shown = AuditKeys {
        items: items.collect(),
    };
    reader.one(Tag::Body, &shown)
}

/// Sign with another key from now on.
///
/// A new key is made. The one before signs nothing any more: its private half is erased, and its public half stays, for what it
/// signed. Whoever verifies needs both from then on.
#[utoipa::path(
    post, path = "/v1/audit/keys/rotate", operation_id = "rotate_audit_key", tag = "audit",
    request_body = Reason,
    responses((status = 200, description = "The new key.", body = AuditKey,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("identity.manage"))),
)]
async fn rotate_key(Command(body, mut change): Command<Reason>) -> Result<Response, Failure> {
    let Change { tx, actor, app, .. } = &mut change;
    let key = audit::rotate(app, tx, actor, body.reason.as_deref()).await?;
    change.ok(Tag::Body, &shown_key(&key)).await
}

/// Export the record.
///
/// All that the newest signed head covers, as JSON Lines: a header, an entry a line, the checkpoint. `slipway audit verify
/// --file` verifies it without a server. An answer that does not end with the checkpoint was cut off: ask again.
#[utoipa::path(
    get, path = "/v1/audit/export", operation_id = "export_audit", tag = "audit",
    responses((status = 200, description = "The export.", body = String, content_type = "application/jsonl")),
    extensions(("x-slipway-permission" = json!("audit.read")), ("x-slipway-problems" = json!(["not-signed"]))),
)]
async fn export(State(state): State<ApiState>, mut reader: Reader) -> Result<Response, Failure> {
    let export = audit::export(&state.app, &mut reader.tx, &reader.actor).await?;
    // Each page has a connection for as long as it is read, and none while it is sent.
    drop(reader);
    let pages = stream::try_unfold(export, |mut export| async move {
        let lines = export.lines().await.map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an export of the record ends early"
            );
            std::io::Error::other("the record cannot be read further")
        })?;
        Ok::<_, std::io::Error>(lines.map(|lines| (lines, export)))
    });
    let mut response = Response::new(Body::from_stream(pages));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/jsonl"),
    );
    Ok(response)
}
