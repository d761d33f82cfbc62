//! Who acts: signing in, what one may do, role bindings, API tokens.
//!
//! * [`authenticate`]: from a bearer token to an actor; `jwt` checks signed tokens and `claims` reads them, [`issuers`] knows whose and with which
//!   keys, `remembered` keeps the answer for a second.
//! * [`me`]: what one may do; [`role_bindings`], [`tokens`]: changing that; [`principals`]: who has been seen.

pub mod authenticate;
mod claims;
pub mod issuers;
mod jwt;
mod me;
pub mod principals;
mod remembered;
pub mod role_bindings;
pub mod tokens;

pub use me::{HeldRole, MeView, me};
pub use role_bindings::bootstrap;
