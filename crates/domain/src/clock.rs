//! The only place that reads a clock of this process, for what is never recorded.
//!
//! What is recorded, compared or decided on uses the database's time (invariant 8), which arrives as an argument.
//! A token's `exp` and `nbf` are checked against this clock where no transaction is open yet.

use jiff::Timestamp;

/// This process's idea of now. Never stored, never compared with a stored time.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that may read the wall clock"
)]
pub fn process_now() -> Timestamp {
    Timestamp::now()
}
