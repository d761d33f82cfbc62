//! What happens around every request, from the outside in: [`context`] (ids, trace, metrics, writing problems,
//! [`rest`]: reading what is left of a body),
//! [`panic`], [`limits`] (room and time), [`authenticate`] (all of `/v1`).

pub(crate) mod authenticate;
pub(crate) mod context;
pub(crate) mod limits;
pub(crate) mod measure;
pub(crate) mod panic;
mod rest;
