//! The audit chain.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One link of the chain. `digest` is SHA-256 over the canonical JSON (RFC 8785) of all other fields.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain, from 1, without gaps.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// When (database time).
    pub at: Timestamp,
    /// Who did it.
    #[schema(example = "ana")]
    pub actor: String,
    /// What was done.
    #[schema(example = "release.seal")]
    pub action: String,
    /// To what.
    #[schema(example = "storefront@1.0.0")]
    pub subject: String,
    /// What there is to know of it.
    #[schema(value_type = Value)]
    pub data: serde_json::Value,
    /// Digest of the entry before; zeros for the first.
    pub previous: String,
    /// Digest of this entry.
    pub digest: String,
}

/// A part of the chain, in its order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The entries, oldest first.
    pub items: Vec<AuditEntry>,
    /// Give it as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// The head of the chain as the server sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditCheckpoint {
    /// How many entries there are.
    pub entries: i64,
    /// Digest of the last.
    pub digest: String,
    /// Entries that are written but not chained yet.
    pub unchained: i64,
    /// The newest head of the Merkle tree over the chain that was signed. Absent until something was signed for the first
    /// time, which takes a few seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedHead>,
}

/// A signed head of the Merkle tree over the chain: what to keep elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignedHead {
    /// How many entries it covers.
    pub size: u64,
    /// The root over their digests (RFC 9162, 2.1.1).
    #[schema(example = "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752")]
    pub root: String,
    /// The checkpoint: a C2SP tlog-checkpoint in a signed note.
    pub note: String,
    /// When it was signed (database time).
    pub at: Timestamp,
}

/// A proof from the Merkle tree over the chain.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditProof {
    /// The entry that is proved to be in the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
    /// The size of the earlier record that is proved to be this one's beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The entry's digest, or the root of the earlier record.
    pub digest: String,
    /// The hashes of the proof (RFC 9162, 2.1.3.1 and 2.1.4.1).
    pub hashes: Vec<String>,
    /// The signed head that it leads to.
    pub checkpoint: SignedHead,
}

/// A key that the record is signed with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditKey {
    /// Its id.
    pub id: String,
    /// As a C2SP verifier key: `name+hash+base64`.
    pub verifier_key: String,
    /// Its public half (`SubjectPublicKeyInfo`, PEM).
    pub public_key: String,
    /// SHA-256 of the same, in hexadecimal digits: the `keyid` of what it signs.
    pub fingerprint: String,
    /// Since when there is one.
    pub created_at: Timestamp,
    /// Since when it signs nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
}

/// The keys that the record was signed with, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditKeys {
    /// All of them.
    pub items: Vec<AuditKey>,
}
