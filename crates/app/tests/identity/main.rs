//! Who is let in, and with what. The numbers are those of the attacks that Slipway must withstand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod claims;
mod signatures;
mod api_tokens;
mod grants;
#[path = "../support/mod.rs"]
mod support;
