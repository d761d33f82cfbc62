//! The queue on a real Postgres: whose turn it is, and how work is shared out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod servers;
mod setup;
mod turns;
