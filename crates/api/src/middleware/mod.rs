//! What happens around every request, from the outside in: [`context`] (ids, trace, metrics, writing problems; with
//! [`rest`], what is left of a body is read), [`panic`], [`limits`] (room and time), [`authenticate`] (all of `/v1`).
//! [`Around`] is all of it, as the one layer that routes are given.

mod around;
pub(crate) mod authenticate;
pub(crate) mod context;
mod limits;
mod measure;
mod panic;
mod rest;

pub(crate) use around::{Around, Guard};
pub(crate) use measure::Routes;
