//! What a process says.

use super::Stage;
use serde::{Deserialize, Serialize};

/// Most characters of a description.
pub const MAX_DESCRIPTION: usize = 2_000;
/// Most stages of one process.
pub const MAX_STAGES: usize = 20;

/// One version of a process, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What it is for, for people.
    pub description: String,
    /// The stages that a release goes through, in this order.
    pub stages: Vec<Stage>,
}
