//! What must hold at any time, and what was found not to: the eight invariants, and a report on an installation.
//!
//! * `report`: findings, what was examined, what could not be examined
//! * [`history`]: a deployment's recorded transitions against the state machine and against its row
//! * [`needles`]: looking for many secrets in much text
//! * [`cluster`]: what a cluster was found to hold against what the database says
//!
//! Everything here is pure. `slipway_store::doctor` reads the database, `slipway_app::doctor` puts a report together,
//! and the executor answers what only a cluster knows.
//!
//! # How to extend
//! A rule that a query can judge is a row in `slipway_store::doctor`; a rule that takes more is a function here with its
//! tests, called by `slipway_app::doctor`. Each names its [`Invariant`], and its test damages a database and finds it.

pub mod cluster;
pub mod history;
mod invariant;
pub mod needles;
mod report;

pub use invariant::Invariant;
pub use report::{Examined, Finding, More, Report, Unexamined};
