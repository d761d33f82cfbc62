//! [`Caller`]: for what talks to clusters, and so opens and closes its own transactions.

use super::actor;
use crate::{problem::Failure, state::ApiState};
use axum::{extract::FromRequestParts, http::request::Parts};
use slipway_app::App;
use slipway_domain::identity::Actor;
use std::sync::Arc;

/// Who asks, and the use-cases. No transaction is held while a cluster is asked.
pub(crate) struct Caller {
    /// Who asks.
    pub(crate) actor: Arc<Actor>,
    /// The use-cases.
    pub(crate) app: App,
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Failure> {
        Ok(Self {
            actor: actor(&parts.extensions)?,
            app: state.app.clone(),
        })
    }
}
