//! Policies as they are kept, which is as everything is kept that has versions: see [`crate::versioned`].

use super::Document;
use crate::{ids::PolicyId, versioned};

pub use versioned::{NotActivated, Person, VersionState};

/// A policy.
pub type Head = versioned::Head<PolicyId>;

/// One version of a policy.
pub type Version = versioned::Version<PolicyId, Document>;
