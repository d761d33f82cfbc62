//! The API over a real database: what it answers, what it refuses, and to whom.

#![expect(clippy::unwrap_used, reason = "an answer that cannot be read fails its test")]

mod approvals;
mod attacks;
mod attacks_approval;
mod attacks_identity;
mod attacks_lifetime;
mod attacks_roles;
mod attacks_secrets;
mod attacks_tenancy;
mod audit;
mod conventions;
mod deployments;
mod drift;
mod events;
mod evidence;
mod idempotency;
mod identity;
mod issuers;
mod library;
mod limits;
mod matrix;
mod people;
mod policies;
mod processes;
mod registry;
mod releases;
mod reports;
mod servers;
mod signing_keys;
mod status;
mod system;
