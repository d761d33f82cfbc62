//! What handlers take: [`Command`] to change something, [`Reader`] to read, [`Caller`] to ask a cluster, [`Params`] for
//! query parameters.

mod body;
mod caller;
mod command;
mod params;
mod reader;

pub(crate) use body::{Input, NoBody};
pub(crate) use caller::Caller;
pub(crate) use command::{Change, Command};
pub(crate) use params::{Params, invalid_parameter};
pub(crate) use reader::{Reader, encode, json, limit, not_modified, page, tagged};

use crate::problem::{Failure, catalogue};
use axum::http::Extensions;
use slipway_domain::identity::Actor;
use std::sync::Arc;

/// Who sends the request, as the authenticating layer found out.
pub(crate) fn actor(extensions: &Extensions) -> Result<Arc<Actor>, Failure> {
    extensions.get::<Arc<Actor>>().cloned().ok_or_else(|| {
        // Unreachable while all of /v1 is behind the layer; and if it ever is not, this must refuse.
        Failure::new(
            &catalogue::UNAUTHENTICATED,
            "send `Authorization: Bearer <token>`",
        )
    })
}
