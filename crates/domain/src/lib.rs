//! The rules of Slipway, and nothing else: no I/O, no runtime, no clock of its own.
//!
//! Everything that decides lives here as values and pure functions, so that it can be tested by the thousand with
//! generated input: ids and digests, identity and permissions, the library of components, sealed releases, the
//! deployment state machine, the gates `(facts, now) -> verdicts`, the planner `(desired, observed, now) -> next step`,
//! rendering, health, policies, processes, evidence, compliance, the audit chain and certificates. Time always arrives as an argument and is the database's.
//!
//! # How to extend
//! * a new aggregate: a folder with its entity and state machine, an id in [`ids`], a permission in
//!   [`identity::Permission`];
//! * a new gate: a file in [`gates`], a variant of [`gates::GateName`], its facts in [`gates::Facts`];
//! * a new step of execution: a variant of [`plan::target::Step`] and its place in [`plan::target::next`];
//! * a new format of evidence: a file in [`evidence`], a variant of [`evidence::Format`];
//! * something the outside must do for a rule: a trait in [`ports`].

pub mod approval;
pub mod audit;
pub mod certificate;
pub mod clock;
pub mod compliance;
pub mod component;
mod counted;
pub mod deployment;
pub mod digest;
pub mod doctor;
pub mod drift;
pub mod dsse;
pub mod duration;
pub mod evidence;
pub mod fault;
pub mod gates;
pub mod health;
pub mod identity;
pub mod ids;
pub mod name;
pub mod plan;
pub mod policy;
pub mod ports;
pub mod process;
pub mod registry;
pub mod release;
pub mod render;
pub mod signing;
pub mod versioned;
pub mod work;

pub use counted::counted;
pub use digest::Digest;
pub use fault::{Fault, Faults};
pub use name::Name;
