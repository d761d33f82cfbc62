//! For machines and readers, without a token: health, metrics, documentation.

pub(crate) mod docs;
pub(crate) mod health;
