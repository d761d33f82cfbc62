//! Processes: which stages a release goes through, what each asks of it, and who looks at it, written down and versioned.
//!
//! A service has a process, or its team has, or the [default](default_document) holds. A release pins the version that is in
//! force when it is sealed: how it goes on does not change under way.
//!
//! * [`document`], [`stage`]: what a process says, and what follows from a stage for a deployment there.
//! * `faults`: what may not be said.
//! * [`route`]: which stage an environment is, and what comes before and after.
//! * `mermaid`: a process as a picture.
//!
//! To add to what a stage says: a field of [`Stage`] with a default, so that documents that are stored go on being read; its
//! bounds in `faults`; its line in `mermaid`.

pub mod document;
mod faults;
mod mermaid;
pub mod route;
mod shipped;
pub mod stage;

pub use document::Document;
pub use route::{Neighbour, Where};
pub use shipped::default_document;
pub use stage::{Check, Place, Promotion, Stage, Strategy};

use crate::{ids::ProcessId, versioned};

/// A process.
pub type Head = versioned::Head<ProcessId>;

/// One version of a process.
pub type Version = versioned::Version<ProcessId, Document>;

#[cfg(test)]
mod tests;
