//! What a server says of itself: the names of its metrics, and the trace that a piece of work belongs to.
//!
//! Every crate that runs uses this one, and it uses none of theirs: it knows no database, no cluster and no exporter. The
//! binary (`slipway::server::telemetry`) says where metrics and spans go; without it, nothing here does anything.
//!
//! * [`catalogue`]: every metric there is. To add one: an entry there, its line in the table of `docs/operating.md` (a
//!   test of the binary says which), and the macro of `metrics` where it happens, with the constant as its name;
//! * [`trace`]: carrying a trace over the queue, where no call is under way that could carry it.

pub mod catalogue;
pub mod trace;
