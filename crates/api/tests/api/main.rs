//! The API over a real database: what it answers, what it refuses, and to whom.

mod approvals;
mod audit;
mod conventions;
mod deployments;
mod events;
mod idempotency;
mod identity;
mod library;
mod limits;
mod matrix;
mod registry;
mod releases;
mod status;
mod system;
