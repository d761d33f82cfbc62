//! Where a deployment lands and what it brings there: what its plan's digest is taken over.

use crate::{Digest, Name, plan::target::Intent};
use serde::{Deserialize, Serialize};

/// One target of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landing {
    /// The cluster's name.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// In which wave, from 0.
    pub wave: usize,
    /// Apply, roll back or clean.
    pub intent: Intent,
    /// The rendering.
    pub rendering: Digest,
}

#[derive(Serialize)]
struct Content<'a> {
    schema: &'static str,
    environment: &'a Name,
    targets: &'a [Landing],
}

/// Digest over where a deployment lands and what it brings there, in order (RFC 8785 canonical JSON, SHA-256).
///
/// # Errors
/// Never, for what it is taken over has a canonical form; the type says otherwise.
pub fn plan_digest(environment: &Name, targets: &[Landing]) -> Result<Digest, serde_json::Error> {
    Digest::of_canonical(&Content {
        schema: "slipway.dev/plan/v1",
        environment,
        targets,
    })
}
