//! Problem documents (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable URI path that names the kind of problem; documented at that path.
    #[serde(rename = "type")]
    #[schema(example = "/problems/validation")]
    pub kind: String,
    /// The kind of problem in a few words.
    #[schema(example = "The request breaks rules")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong this time, and what would be right.
    pub detail: String,
    /// The request: its id.
    #[schema(example = "/requests/0198b2f0-0000-7000-8000-000000000000")]
    pub instance: String,
    /// Every fault of the input at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemFault>,
}

/// One fault of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemFault {
    /// JSON pointer (RFC 6901) into the body; empty for the whole of it; `?name` for a query parameter.
    #[schema(example = "/version")]
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}
