//! The pure planner: `(desired, observed, now) -> next step`.
//!
//! [`target`] plans the work on one target, [`deployment`] the waves of a deployment. Neither does I/O nor reads a
//! clock; acting on what they answer has no meaningful choice left in it.

pub mod deployment;
pub mod target;
