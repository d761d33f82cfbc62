//! What watching for drift needs from the outside: who watches which cluster, what is to be watched there, and where to
//! say what was seen. The application keeps it; executors ask.

use super::Drift;
use crate::{
    Name,
    component::bundle::ObjectRef,
    ids::{ClusterId, TargetId},
    registry::Connection,
    render::Rendering,
};
use jiff::SignedDuration;
use std::{collections::BTreeMap, future::Future, sync::Arc};

/// The ledger could not be reached or refused; worth trying again.
#[derive(Debug, thiserror::Error)]
#[error("the ledger of drift is unavailable: {0}")]
pub struct LedgerUnavailable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// An executor that watches says that it is there.
#[derive(Debug, Clone)]
pub struct WatchRequest {
    /// Who: unique to the process.
    pub holder: String,
    /// For how long what it gets is its own.
    pub lease: SignedDuration,
    /// Only clusters that carry all of these labels; empty for every cluster.
    pub cluster_labels: BTreeMap<String, String>,
}

/// The right to say what was seen on a cluster, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterWatch {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub name: Name,
    /// Who holds it.
    pub holder: String,
    /// Grows whenever a watch changes hands; a stale holder's reports touch zero rows.
    pub fence: i64,
}

/// What there is to watch on a cluster.
#[derive(Debug, Clone)]
pub struct Overview {
    /// How to reach it; only when that is not of the revision asked with.
    pub connection: Option<Connection>,
    /// Whether deployments are at work on the cluster: what can wait, waits.
    pub busy: bool,
    /// Targets that no deployment acts on, whose last deployment brought what runs there; each with its generation.
    pub targets: BTreeMap<TargetId, i64>,
}

/// A target to watch.
#[derive(Debug, Clone)]
pub struct WatchedTarget {
    /// Which.
    pub target: TargetId,
    /// The generation that all of this is true of.
    pub generation: i64,
    /// Its namespace.
    pub namespace: Name,
    /// What was applied.
    pub rendering: Arc<Rendering>,
    /// Drift that is known.
    pub open: Vec<(ObjectRef, Drift)>,
}

/// What became of one object.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Which.
    pub object: ObjectRef,
    /// Its drift; none when it is as it was applied.
    pub drift: Option<Drift>,
}

/// What was seen on one target.
#[derive(Debug, Clone)]
pub struct DriftReport {
    /// Which target.
    pub target: TargetId,
    /// Its generation when it was judged.
    pub generation: i64,
    /// The objects that were looked at.
    pub judged: Vec<Judged>,
}

/// The answer to a [`DriftReport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is written down.
    Recorded,
    /// Nothing was written: a deployment has been or is at work on the target since.
    Stale,
    /// Nothing was written: somebody else watches the cluster by now.
    Lost,
}

/// The ledger of drift, as an executor sees it.
pub trait DriftLedger: Send + Sync + 'static {
    /// Extends what this holder watches, takes what is its to take, lets go of what others are to have; says what it
    /// watches from now on.
    fn keep(
        &self,
        request: &WatchRequest,
    ) -> impl Future<Output = Result<Vec<ClusterWatch>, LedgerUnavailable>> + Send;

    /// This holder watches nothing any more.
    fn leave(&self, holder: &str) -> impl Future<Output = Result<(), LedgerUnavailable>> + Send;

    /// What there is to watch; none when the watch is somebody else's by now. `revision` is that of the connection
    /// details known.
    fn overview(
        &self,
        watch: &ClusterWatch,
        revision: Option<i64>,
    ) -> impl Future<Output = Result<Option<Overview>, LedgerUnavailable>> + Send;

    /// Everything about some of the targets; those that are not to be watched (any more) are left out.
    fn details(
        &self,
        watch: &ClusterWatch,
        targets: &[TargetId],
    ) -> impl Future<Output = Result<Vec<WatchedTarget>, LedgerUnavailable>> + Send;

    /// Writes down what was seen, if the watch holds and the target is as it was judged.
    fn report(
        &self,
        watch: &ClusterWatch,
        report: &DriftReport,
    ) -> impl Future<Output = Result<Taken, LedgerUnavailable>> + Send;
}
