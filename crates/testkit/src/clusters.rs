//! Clusters as tests want them: what the port that asks them answers.

use slipway_domain::{
    Name,
    ports::{
        ClusterFault, ClusterProbe, ClusterReport, InspectRequest, PortFuture, PreviewRequest, TargetPreview,
        TargetSeen,
    },
    registry::Connection,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Answers for clusters: healthy, unless a test says otherwise.
#[derive(Clone, Default)]
pub struct Clusters {
    faults: Arc<Mutex<HashMap<String, ClusterFault>>>,
}

impl Clusters {
    /// From now on, this cluster has this fault.
    pub fn fails(&self, cluster: &str, fault: impl FnOnce(Name) -> ClusterFault) {
        let name: Name = cluster.parse().expect("a cluster's name");
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(cluster.to_owned(), fault(name));
    }

    fn fault(&self, cluster: &Name) -> Result<(), ClusterFault> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults
            .get(&cluster.to_string())
            .map_or(Ok(()), |fault| Err(fault.clone()))
    }
}

impl ClusterProbe for Clusters {
    fn check<'a>(
        &'a self,
        connection: &'a Connection,
    ) -> PortFuture<'a, Result<ClusterReport, ClusterFault>> {
        Box::pin(async move {
            self.fault(&connection.name)?;
            Ok(ClusterReport {
                version: "v1.33.2".to_owned(),
                round_trip: jiff::SignedDuration::from_millis(3),
                missing_rights: Vec::new(),
            })
        })
    }

    fn preview<'a>(
        &'a self,
        request: &'a PreviewRequest,
    ) -> PortFuture<'a, Result<TargetPreview, ClusterFault>> {
        Box::pin(async move {
            self.fault(&request.connection.name)?;
            Ok(TargetPreview {
                creates_namespace: true,
                objects: Vec::new(),
                notes: Vec::new(),
            })
        })
    }

    fn inspect<'a>(
        &'a self,
        request: &'a InspectRequest,
    ) -> PortFuture<'a, Result<TargetSeen, ClusterFault>> {
        Box::pin(async move {
            self.fault(&request.connection.name)?;
            Ok(TargetSeen::default())
        })
    }
}
