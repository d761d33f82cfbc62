//! What executors ask about drift, and what they say.

use super::record;
use crate::{App, Error, clusters};
use slipway_domain::{
    drift::{
        ClusterWatch, DriftLedger, DriftReport, LedgerUnavailable, Overview, Taken, WatchRequest,
        WatchedTarget, spread,
    },
    ids::{ClusterId, TargetId},
};
use slipway_store::{drift_targets, drift_watches, drifts, renderings};
use std::sync::Arc;

/// The ledger over the database.
#[derive(Clone)]
pub struct Ledger {
    app: App,
}

impl Ledger {
    /// Over the application's database.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn keep(&self, request: &WatchRequest) -> Result<Vec<ClusterWatch>, Error> {
        let mut tx = self.app.begin().await?;
        drift_watches::present(&mut tx, request).await?;
        let present = drift_watches::watchers(&mut tx).await?;
        let held = drift_watches::held(&mut tx).await?;
        let mine: Vec<ClusterId> = spread(&present, &held)
            .into_iter()
            .filter_map(|(cluster, holder)| (holder == request.holder).then_some(cluster))
            .collect();
        let taken = drift_watches::take(&mut tx, &request.holder, &mine, request.lease).await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn leave(&self, holder: &str) -> Result<(), Error> {
        let mut tx = self.app.begin().await?;
        drift_watches::leave(&mut tx, holder).await?;
        Ok(tx.commit().await?)
    }

    async fn overview(&self, watch: &ClusterWatch, revision: Option<i64>) -> Result<Option<Overview>, Error> {
        let mut tx = self.app.begin().await?;
        if !drift_watches::holds(&mut tx, watch).await? {
            return Ok(None);
        }
        let now = slipway_store::clusters::get(&mut tx, watch.cluster).await?;
        let connection = if revision == now.map(|cluster| cluster.revision) {
            None
        } else {
            Some(clusters::connection(&mut tx, &self.app, watch.cluster).await?)
        };
        let targets = drift_targets::overview(&mut tx, watch.cluster).await?;
        let busy = drift_targets::is_busy(&mut tx, watch.cluster).await?;
        tx.commit().await?;
        Ok(Some(Overview {
            connection,
            busy,
            targets,
        }))
    }

    async fn details(&self, watch: &ClusterWatch, targets: &[TargetId]) -> Result<Vec<WatchedTarget>, Error> {
        let mut tx = self.app.read().await?;
        let mut open = drifts::open_on(&mut tx, targets).await?;
        let mut all = Vec::new();
        for target in drift_targets::of(&mut tx, watch.cluster, targets).await? {
            let rendering = renderings::get(&mut tx, target.rendering)
                .await?
                .ok_or_else(|| Error::internal(format!("rendering {} is gone", target.rendering)))?;
            let open = open.remove(&target.target).unwrap_or_default();
            all.push(WatchedTarget {
                target: target.target,
                generation: target.generation,
                namespace: target.namespace,
                rendering: Arc::new(rendering),
                open: open.into_iter().map(|row| (row.object, row.drift)).collect(),
            });
        }
        tx.commit().await?;
        Ok(all)
    }

    async fn report(&self, watch: &ClusterWatch, report: &DriftReport) -> Result<Taken, Error> {
        let mut tx = self.app.begin().await?;
        if !drift_watches::holds(&mut tx, watch).await? {
            return Ok(Taken::Lost);
        }
        let held = drift_targets::hold(&mut tx, watch.cluster, report.target, report.generation).await?;
        let Some(target) = held else {
            return Ok(Taken::Stale);
        };
        record::seen(&mut tx, &target, &report.judged).await?;
        tx.commit().await?;
        Ok(Taken::Recorded)
    }
}

fn unavailable(error: Error) -> LedgerUnavailable {
    // The source says more than the sentence for users.
    match error {
        Error::Internal(source) => LedgerUnavailable(source),
        other => LedgerUnavailable(Box::new(other)),
    }
}

impl DriftLedger for Ledger {
    async fn keep(&self, request: &WatchRequest) -> Result<Vec<ClusterWatch>, LedgerUnavailable> {
        Self::keep(self, request).await.map_err(unavailable)
    }

    async fn leave(&self, holder: &str) -> Result<(), LedgerUnavailable> {
        Self::leave(self, holder).await.map_err(unavailable)
    }

    async fn overview(
        &self,
        watch: &ClusterWatch,
        revision: Option<i64>,
    ) -> Result<Option<Overview>, LedgerUnavailable> {
        Self::overview(self, watch, revision).await.map_err(unavailable)
    }

    async fn details(
        &self,
        watch: &ClusterWatch,
        targets: &[TargetId],
    ) -> Result<Vec<WatchedTarget>, LedgerUnavailable> {
        Self::details(self, watch, targets).await.map_err(unavailable)
    }

    async fn report(&self, watch: &ClusterWatch, report: &DriftReport) -> Result<Taken, LedgerUnavailable> {
        Self::report(self, watch, report).await.map_err(unavailable)
    }
}
