//! The wall clock, for what a kubelet would stamp into a status.

/// Now, by this machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox plays a node, and nodes stamp statuses with their own clock; nothing here is recorded"
)]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
