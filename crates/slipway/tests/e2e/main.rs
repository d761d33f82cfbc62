//! The whole product as its users have it: the real binary, a real Postgres, real Kubernetes API servers.
//!
//! Each test starts `slipway serve` in processes of its own over a database of its own, and talks to it over HTTP and with
//! the command line. `SLIPWAY_TEST_DATABASE_URL` names a Postgres where databases may be made; `SLIPWAY_TEST_KUBECONFIG` has
//! the contexts `staging`, `eu` and `us`, where the sandbox's nodes run pods as their images ask. `tests/run executor` sets
//! both.
//!
//! To extend: [`world`] is where a test begins; [`database`], [`server`], [`person`] and [`kubernetes`] are its parts.

mod bad_clusters;
mod bad_input;
mod database;
mod decisions;
mod kubernetes;
mod manifests;
mod online_boutique;
mod person;
mod preconditions;
mod server;
mod split_roles;
mod steering;
mod trouble;
mod world;
