//! The words of the REST API: what goes over the wire, shared by the server and the command line.
//!
//! Plain data with serde and `OpenAPI` schemas, no behaviour. Requests refuse unknown fields; replies may grow fields.
//! Times are RFC 3339 in UTC, durations ISO 8601 (`PT15M`), fields `snake_case`, ids `prefix_…`.
//!
//! To extend: a file an aggregate, requests and replies beside each other, every field with a doc comment (it becomes
//! the description in `OpenAPI`) and an example.

pub mod approval;
pub mod audit;
pub mod compliance;
pub mod component;
pub mod deployment;
pub mod drift;
pub mod event;
pub mod evidence;
pub mod identity;
pub mod people;
pub mod policy;
pub mod problem;
pub mod process;
pub mod registry;
pub mod release;
pub mod review;
pub mod server;
pub mod status;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

pub use problem::{Problem, ProblemFault};

/// Labels: region, wave and whatever else tells things apart.
pub type Labels = BTreeMap<String, String>;

/// One page of a list, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// Opaque: give it as `cursor` to get the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An action that takes a reason.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why, for those who read the record later.
    #[schema(max_length = 2000, example = "checkout shows errors since 09:40")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
