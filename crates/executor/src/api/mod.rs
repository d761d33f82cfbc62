//! Talking to clusters: one [`Cluster`] each, shared by everything that acts on it, kept in [`Clients`].
//!
//! * `connect`: connection details → a client, and nothing read from this machine
//! * `cluster`: one request: rate, circuit breaker, time limits, waiting when asked to, what the answer means
//! * `objects`: reading, applying and deleting one object
//! * `kinds`: what the cluster serves
//! * `pause`: waiting when a cluster asks for it
//! * `breaker`: leaving a cluster alone that does not answer

mod breaker;
mod clients;
mod cluster;
mod connect;
mod kinds;
mod measure;
mod objects;
mod pause;

pub use breaker::{Breaker, BreakerSettings, BreakerState};
pub use clients::{ClientSettings, Clients};
pub use cluster::Cluster;
pub(crate) use cluster::{Answered, Call};
pub(crate) use kinds::Resource;
pub(crate) use objects::{Applied, ApplyMode, Deletion, FIELD_MANAGER, as_kept};
pub(crate) use pause::retry_after;
