//! The whole product as its users have it: the real binary, a real Postgres, real Kubernetes API servers.
//!
//! Each test starts `slipway serve` in processes of its own over a database of its own, and talks to it over HTTP and with
//! the command line. `SLIPWAY_TEST_DATABASE_URL` names a Postgres where databases may be made; `SLIPWAY_TEST_KUBECONFIG` has
//! the contexts `staging`, `eu` and `us`, where the sandbox's nodes run pods as their images ask. `tests/run executor` sets
//! both.
//!
//! To extend: `slipway_testkit::live` is where a test begins, its `World` above all.

mod bad_clusters;
mod bad_input;
mod decisions;
mod difficult_places;
mod difficult_releases;
mod doctor;
mod drift;
mod issuers;
mod observability;
mod online_boutique;
mod preconditions;
mod secrets;
mod several_servers;
mod split_roles;
mod steering;
mod traces;
mod trouble;
