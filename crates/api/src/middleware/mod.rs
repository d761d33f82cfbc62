//! What happens around every request, from the outside in: [`context`] (ids, trace, metrics, writing problems; with
//! [`rest`], what is left of a body is read), [`panic`], [`limits`] (room and time), [`authenticate`] (all of `/v1`).

pub(crate) mod authenticate;
pub(crate) mod context;
pub(crate) mod limits;
pub(crate) mod measure;
pub(crate) mod panic;
mod rest;
