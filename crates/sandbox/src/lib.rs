//! The real parts that tests and the quickstart run on.
//!
//! Slipway is developed against a real Postgres and real Kubernetes API servers with real controllers, on machines
//! without a container runtime and without rights beyond a user's own. This crate starts them as child processes on
//! free loopback ports, private to one folder, and guarantees that nothing outlives the process that started them,
//! however that process ends. Nodes are the one thing that is simulated: [`nodes`] binds Pods and plays their kubelet.
//!
//! It is for development only; no other crate of the product depends on it, tests excepted.
//!
//! # How to extend it
//! - Another server to run beside these: a module like `postgres.rs` that builds a `ChildSpec`, hands it to the
//!   `Supervisor`, and waits until it answers; start it from [`Sandbox::start`].
//! - Another kind of trouble a Pod can ask for: a case in `nodes/behaviour.rs` (what the Pod says → what its containers
//!   do) and, if no existing state shows it, one in `nodes/timeline.rs`; both are pure, with tables of tests.
//! - Another object that only a cloud or a node would complete (as load balancers and volumes here): a module in
//!   `nodes/` with its own watch, started in `nodes/mod.rs`.

mod binaries;
mod clock;
mod identity;
mod kubernetes;
mod layout;
pub mod nodes;
mod options;
mod postgres;
mod process;
mod sandbox;
mod supervisor;

pub use layout::Layout;
pub use options::{KubernetesOptions, Options, PostgresOptions, Progress};
pub use process::stop_running;
pub use sandbox::Sandbox;
