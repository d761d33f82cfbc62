//! Teams, services, environments, clusters, targets, components and idempotency keys, as use-cases.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod setup;
mod ownership;
mod places;
mod library;
mod idempotency;
#[path = "../support/mod.rs"]
mod support;
