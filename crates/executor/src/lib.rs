//! The hands of Slipway: the only crate that talks to Kubernetes.
//!
//! It decides nothing. What is to be done comes from the queue as an [`Assignment`](slipway_domain::work::Assignment);
//! what comes next on a target is the pure planner's (`domain::plan::target`); this crate acts on one step at a time and
//! reports what came of it. Any executor can go on where another stopped, because what is done is either recorded by
//! the queue or to be seen on the cluster, and never only in memory.
//!
//! * [`Clients`], [`Cluster`]: one client a cluster, with its rate, circuit breaker and time limits
//! * [`Probe`]: read-only questions (is this connection good, what would a deployment do)
//! * [`Executor`]: claims work and carries it out
//! * [`DriftWatcher`]: whether what was applied is still what is there
//! * `steps`: one file a step; `watch`: waking what waits; [`LeaseClock`]: stopping in time; `fault`: what went wrong,
//!   in words that a user can act on
//!
//! # A target's steps
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> preflight
//!     preflight --> namespace: every kind is served and granted
//!     namespace --> guard
//!     guard --> configuration: no newer deployment acts here
//!     configuration --> hooks_before: namespaces, definitions, access, configuration, storage
//!     hooks_before --> workloads: each Job ended well
//!     workloads --> await_health: services, workloads, the rest
//!     await_health --> hooks_after: all is healthy
//!     hooks_after --> prune
//!     prune --> [*]: succeeded
//!     preflight --> failed: nothing was written
//!     configuration --> failed: conflict, refused
//!     hooks_before --> failed: the Job failed
//!     workloads --> failed: conflict, refused
//!     await_health --> failed: not healthy within the deadline
//! ```
//! Whatever waits (health, hooks, deletions) answers "not yet": it gives its lease back and is woken by a watch, or
//! looked at again after a few seconds.
//!
//! # Who may write
//! Three fences, from the inside out: the [`LeaseClock`] is looked at before every write and dropped requests end before
//! the lease does; the guard object in the target's namespace is compared and swapped before the first write of every
//! claim; and every write over an object that was there names the `resourceVersion` it was decided on.
//!
//! # How to extend
//! * a new step: a variant of `domain::plan::target::Step`, a file in `steps` with a function `act`, an arm in
//!   `steps::act`;
//! * a new question to a cluster: a method of `domain::ports::ClusterProbe`, a file in `probe`;
//! * a new fault that users can act on: a variant of `domain::ports::ClusterFault`, and where it comes from in `fault`.

mod api;
mod concurrent;
mod drift;
mod fault;
mod lease;
mod object;
mod probe;
mod steps;
mod watch;
mod worker;

pub use api::{Breaker, BreakerSettings, BreakerState, ClientSettings, Clients, Cluster};
pub use drift::{DriftSettings, DriftWatcher};
pub use lease::{LeaseClock, LeaseEnding};
pub use probe::Probe;
pub use worker::{Executor, RetryDelays, Settings};
#[cfg(debug_assertions)]
pub use worker::{Moment, Seam};
