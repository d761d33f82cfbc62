//! What an organisation registers so that evidence can be read: keys, and schemas.

use crate::{
    Digest, Name,
    ids::{EvidenceKeyId, EvidenceSchemaId, PrincipalId},
};
use jiff::Timestamp;
use serde_json::Value;

/// A public key that signatures are verified with. It never changes; it may be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredKey {
    /// Its id.
    pub id: EvidenceKeyId,
    /// Its unique name: what statements that were verified with it say.
    pub name: Name,
    /// As PEM of its `SubjectPublicKeyInfo`.
    pub pem: String,
    /// Who registered it.
    pub created_by: PrincipalId,
    /// When.
    pub created_at: Timestamp,
    /// Whether nothing that was signed with it counts any more.
    pub revoked: Option<Revocation>,
}

/// That a key is not to be trusted any more, and neither is what was signed with it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// By whom.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// What generic evidence of this name must conform to. It never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisteredSchema {
    /// Its id.
    pub id: EvidenceSchemaId,
    /// Its unique name, which is that of the evidence.
    pub name: Name,
    /// A JSON Schema (2020-12).
    pub schema: Value,
    /// Digest of that.
    pub digest: Digest,
    /// Who registered it.
    pub created_by: PrincipalId,
    /// When.
    pub created_at: Timestamp,
}
