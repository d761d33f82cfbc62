//! The commands, a file a noun: its arguments, what it sends, and how it is shown.

pub(crate) mod approve;
mod approve_show;
pub(crate) mod audit;
pub(crate) mod away;
pub(crate) mod certificate;
pub(crate) mod cluster;
pub(crate) mod component;
pub(crate) mod delegation;
pub(crate) mod deploy;
mod deploy_show;
mod diff;
pub(crate) mod drift;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod group;
pub(crate) mod identity;
pub(crate) mod policy;
pub(crate) mod process;
pub(crate) mod release;
pub(crate) mod review;
pub(crate) mod role_binding;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod target;
pub(crate) mod team;
pub(crate) mod token;
mod version;

use super::http::Query;
pub(crate) use deploy_show::{blocker as deploy_blocker, target as deploy_target};

/// A query of those filters that were given.
fn filters<const N: usize>(given: [(&'static str, Option<String>); N]) -> Query {
    given
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
}
