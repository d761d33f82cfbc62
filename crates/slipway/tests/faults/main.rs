//! What Slipway must survive. Each test is of two full servers on one database, and really kills, stops, restarts, fills or
//! cuts off what it says; the invariant of the fault stands beside it. Each ends with [`ground::finish`], which lets `slipway
//! doctor` look for a breach of the eight invariants.
//!
//! The parts are in `slipway_testkit::live`. `SLIPWAY_TEST_DATABASE_URL` and `SLIPWAY_TEST_KUBECONFIG` name what all tests
//! share and none breaks; what is broken, a test starts for itself. `tests/run faults` sets both.
//!
//! To add a fault: a file here, named after what happens.

mod api_server_429;
mod api_server_500;
mod black_hole;
mod clocks;
mod cluster_scene;
mod cut_off;
mod disk_full;
mod drain;
mod duplicates;
mod exhausted;
mod field_conflict;
mod ground;
mod held_still;
mod killed;
mod listener;
mod long_snapshot;
mod poison_manifest;
mod rescue;
mod restart;
mod revoked_credential;
mod stale_watch;
mod unknown_kind;
