//! Read-only questions to a cluster: is the connection good, what would a deployment do, and what does a target hold?

mod check;
mod inspect;
mod preview;

use crate::api::Clients;
use slipway_domain::{
    ports::{
        ClusterFault, ClusterProbe, ClusterReport, InspectRequest, PortFuture, PreviewRequest, TargetPreview,
        TargetSeen,
    },
    registry::Connection,
};

/// Answers the questions of [`ClusterProbe`].
#[derive(Debug, Clone)]
pub struct Probe {
    clients: Clients,
}

impl Probe {
    /// Shares clients with whatever else uses them.
    #[must_use]
    pub const fn new(clients: Clients) -> Self {
        Self { clients }
    }
}

impl ClusterProbe for Probe {
    fn check<'a>(
        &'a self,
        connection: &'a Connection,
    ) -> PortFuture<'a, Result<ClusterReport, ClusterFault>> {
        // A client of its own: the details may not be saved yet, and a circuit breaker must not answer in its place.
        Box::pin(async move { check::check(&*self.clients.build(connection)?).await })
    }

    fn preview<'a>(
        &'a self,
        request: &'a PreviewRequest,
    ) -> PortFuture<'a, Result<TargetPreview, ClusterFault>> {
        Box::pin(async move { preview::preview(&*self.clients.get(&request.connection)?, request).await })
    }

    fn inspect<'a>(
        &'a self,
        request: &'a InspectRequest,
    ) -> PortFuture<'a, Result<TargetSeen, ClusterFault>> {
        Box::pin(async move { inspect::inspect(&*self.clients.get(&request.connection)?, request).await })
    }
}
