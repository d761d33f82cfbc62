//! The queue as executors see it: claiming, heartbeats, reports. The one place that admits deployments is [`claim`].

mod claim;
mod known;
mod report;

use crate::{App, Error, Tx, deployments::advance, record};
use jiff::SignedDuration;
use slipway_domain::{
    deployment::{State, TargetState},
    ids::{DeploymentId, DeploymentTargetId, WorkId},
    ports::{ClaimRequest, Heartbeat, QueueUnavailable, WorkQueue},
    work::{Ack, Assignment, Lease, Report},
};
use slipway_store::{Database, Listener, deployment_targets, deployments, work};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How often work is tried before it is given up as poison.
pub const MAX_ATTEMPTS: u32 = 8;

/// The queue over the database.
#[derive(Clone)]
pub struct Queue {
    app: App,
    /// Heartbeats have connections of their own: a pool that is exhausted must not cost leases.
    heartbeats: Database,
    listener: Arc<Mutex<Option<Listener>>>,
    outlook: work::Outlook,
}

impl Queue {
    /// Over the application's database; heartbeats over `heartbeats`, a small pool of their own.
    #[must_use]
    pub fn new(app: App, heartbeats: Database) -> Self {
        Self {
            app,
            heartbeats,
            listener: Arc::new(Mutex::new(None)),
            outlook: work::Outlook::default(),
        }
    }

    /// Claims look at everything there is, each time: for tests that move times by hand.
    #[must_use]
    pub fn looking_at_everything(mut self) -> Self {
        self.outlook = work::Outlook::everything();
        self
    }
}

/// Puts idle work away that must not be claimed now: parked while the deployment is paused, dropped when it has ended.
/// Says whether it did. The deployment must be locked in this transaction, else a resume could miss what is parked.
pub(crate) async fn put_away(tx: &mut Tx, row: &deployments::Row) -> Result<bool, Error> {
    match row.deployment.state {
        State::Pending | State::Queued | State::Running { .. } => return Ok(false),
        State::Paused { .. } => work::park_all(tx, row.deployment.id).await?,
        _ => work::drop_idle(tx, row.deployment.id).await?,
    }
    Ok(true)
}

/// Ends a target as errored whose work was tried too often and is not acted on now.
pub(crate) async fn give_up(
    app: &App,
    deployment: DeploymentId,
    target: DeploymentTargetId,
    unit: WorkId,
    reason: &str,
) -> Result<(), Error> {
    let mut tx = app.begin().await?;
    let Some(row) = deployments::lock(&mut tx, deployment).await? else {
        return Ok(());
    };
    if !matches!(row.deployment.state, State::Running { .. } | State::Paused { .. }) {
        return Ok(());
    }
    if !work::take_idle(&mut tx, unit).await? {
        return Ok(());
    }
    deployment_targets::finish(&mut tx, target, TargetState::Errored, Some(reason)).await?;
    record::by_system(
        &mut tx,
        record::Change::of(&row.deployment, "target.error", reason),
    )
    .await?;
    advance::advance(&mut tx, deployment).await?;
    Ok(tx.commit().await?)
}

fn unavailable(error: Error) -> QueueUnavailable {
    // The source says more than the sentence for users.
    match error {
        Error::Internal(source) => QueueUnavailable(source),
        other => QueueUnavailable(Box::new(other)),
    }
}

impl WorkQueue for Queue {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Assignment>, QueueUnavailable> {
        let claimed = claim::claim(&self.app, self.outlook.now(self.app.database()), request);
        let claimed = self.app.while_the_database_answers(claimed).await;
        claimed.map_err(unavailable)
    }

    async fn heartbeat(
        &self,
        holder: &str,
        leases: &[Lease],
        extend_by: SignedDuration,
    ) -> Result<Heartbeat, QueueUnavailable> {
        let held = async {
            let mut tx = self.heartbeats.begin().await?;
            let held = work::heartbeat(&mut tx, holder, leases, extend_by).await?;
            tx.commit().await?;
            Ok::<_, Error>(held)
        };
        let held = self.heartbeats.while_it_answers(held).await;
        let held = held.map_err(Error::from).flatten().map_err(unavailable)?;
        let those = |extended: bool| {
            let held = leases
                .iter()
                .filter(|lease| held.contains(&(lease.work, lease.fence, extended)));
            held.cloned().collect()
        };
        Ok(Heartbeat {
            extended: those(true),
            busy: those(false),
        })
    }

    async fn report(&self, assignment: &Assignment, report: Report) -> Result<Ack, QueueUnavailable> {
        let reported = report::report(&self.app, assignment, report);
        let reported = self.app.while_the_database_answers(reported).await;
        reported.map_err(unavailable)
    }

    async fn wake(&self, targets: &[DeploymentTargetId]) -> Result<(), QueueUnavailable> {
        let woken = async {
            let mut tx = self.app.begin().await?;
            work::wake(&mut tx, targets).await?;
            tx.commit().await?;
            Ok::<_, Error>(())
        };
        let woken = self.app.while_the_database_answers(woken).await;
        woken.map_err(unavailable)
    }

    async fn hint(&self, at_most: SignedDuration) {
        let at_most = Duration::try_from(at_most).unwrap_or(Duration::from_secs(1));
        let heard = async {
            let mut guard = self.listener.lock().await;
            if guard.is_none() {
                *guard = self.app.database().listen(&[work::CHANNEL]).await.ok();
            }
            let alive = match guard.as_mut() {
                Some(listener) => listener.next().await.is_ok(),
                None => false,
            };
            if !alive {
                *guard = None;
                drop(guard);
                // Without a listener there is polling: the caller's timeout is its interval.
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(at_most, heard).await;
    }
}
