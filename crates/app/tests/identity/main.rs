//! Who is let in, and with what. The numbers are those of the attacks that Slipway must withstand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api_tokens;
mod claims;
mod doors;
mod grants;
mod remembered;
mod signatures;
#[path = "../support/mod.rs"]
mod support;
