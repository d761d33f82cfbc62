//! The executor against real Kubernetes API servers, and a queue that remembers what it was told.
//!
//! `SLIPWAY_TEST_KUBECONFIG` names a kubeconfig with the contexts `staging`, `eu` and `us`, whose clusters have nodes that
//! act on what a pod says (see the sandbox). Every test has a namespace of its own. `tests/run executor` starts what is
//! needed, runs them and stops it again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod apply;
mod connection;
mod definitions;
mod difficult_definitions;
mod difficult_immutable;
mod difficult_kinds;
mod difficult_neighbours;
mod difficult_size;
mod drift;
mod every_step;
mod every_step_bundle;
mod every_step_faults;
mod fences;
mod health;
mod hooks;
mod lost_answers;
mod preview;
mod prune;
mod queue;
mod server;
mod world;
