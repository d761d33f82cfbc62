//! Teams, services, environments, clusters, targets, components and idempotency keys, as use-cases.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod idempotency;
mod library;
mod ownership;
mod people;
mod places;
mod setup;
#[path = "../support/mod.rs"]
mod support;
