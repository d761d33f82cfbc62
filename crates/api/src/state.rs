//! What every handler can reach.

use crate::{
    ApiConfig,
    v1::{
        events::{Hub, Rechecks},
        status::Shown,
    },
};
use slipway_app::{App, status::Shared};
use std::{ops::Deref, sync::Arc};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What every handler can reach. Each layer of each request takes a clone: one pointer, whatever there is behind it.
#[derive(Clone)]
pub(crate) struct ApiState(Arc<Reached>);

/// What is reached.
pub(crate) struct Reached {
    /// The use-cases.
    pub(crate) app: App,
    /// Limits.
    pub(crate) config: Arc<ApiConfig>,
    /// Ends event streams when the server shuts down.
    pub(crate) shutdown: CancellationToken,
    /// Room for requests under way.
    pub(crate) in_flight: Semaphore,
    /// Room for open event streams.
    pub(crate) streams: Arc<Semaphore>,
    /// News for open event streams.
    pub(crate) hub: Hub,
    /// Whether the tokens of open event streams still hold.
    pub(crate) rechecks: Rechecks,
    /// The status, read once for all who may see the same.
    pub(crate) status: Shared<Shown>,
}

impl ApiState {
    pub(crate) fn new(app: App, config: ApiConfig, shutdown: CancellationToken) -> Self {
        let in_flight = Semaphore::new(config.max_in_flight);
        let streams = Arc::new(Semaphore::new(config.max_streams));
        Self(Arc::new(Reached {
            app: app.for_requests(),
            config: Arc::new(config),
            shutdown,
            in_flight,
            streams,
            hub: Hub::new(),
            rechecks: Rechecks::default(),
            status: Shared::default(),
        }))
    }
}

impl Deref for ApiState {
    type Target = Reached;

    fn deref(&self) -> &Reached {
        &self.0
    }
}
