//! The use-cases: authorise, load, decide, save, record, enqueue, in one transaction.
//!
//! The caller opens the transaction ([`App::begin`]) and commits it, so that its own bookkeeping (an idempotency key's
//! answer) is in the same one. Every use-case authorises itself: no second door lacks the check. Decisions are the
//! domain's pure functions; this crate only brings them their facts. Every change is recorded by [`record::change`],
//! which writes the audit entry and the event.
//!
//! To extend: `app::<aggregate>::<verb>(tx, actor, input) -> Result<View, Error>`, one file a verb (small verbs of one
//! aggregate may share a file that is read in one sitting).

pub mod approvals;
pub mod audit;
pub mod clusters;
pub mod compliance;
pub mod components;
pub mod config;
pub mod deployments;
pub mod doctor;
pub mod drift;
pub mod environments;
mod error;
pub mod events;
pub mod evidence;
pub mod execution;
pub mod idempotency;
pub mod identity;
mod input;
mod measure;
pub mod people;
pub mod policies;
pub mod processes;
pub mod record;
pub mod releases;
pub mod reviews;
mod secrets;
pub mod servers;
pub mod services;
pub mod status;
pub mod targets;
pub mod teams;
pub mod timers;

pub use config::{Algorithm, Config, IssuerConfig, KeySource, PemKey, Subjects, Unusable};
pub use error::{ANY_REVISION, Error};
pub use identity::authenticate::{RequestInfo, Unauthenticated};
pub use input::labels as check_labels;
pub use secrets::{SecretKey, unreadable};
pub use slipway_store::{Before, Database, Ref, Tx};

use slipway_domain::{identity::Actor, ports::ClusterProbe};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The application: what use-cases need beside the transaction. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// Turns at the database, for requests.
    lane: Option<Arc<Semaphore>>,
}

/// How long a request waits for its turn at the database.
const TURN: Duration = Duration::from_secs(5);

struct Inner {
    database: Database,
    config: Config,
    authenticator: identity::authenticate::Authenticator,
    probe: Arc<dyn ClusterProbe>,
    feed: events::Feed,
    /// How many executors share the work that this process can take, as last heard of.
    executors: AtomicU32,
}

impl App {
    /// Puts it together.
    ///
    /// # Errors
    /// When the configuration cannot work: a key that is none, an issuer without keys.
    pub fn new(
        database: Database,
        config: Config,
        probe: Arc<dyn ClusterProbe>,
    ) -> Result<Self, config::Unusable> {
        let authenticator = identity::authenticate::Authenticator::new(&config)?;
        let feed = events::Feed::new();
        Ok(Self {
            inner: Arc::new(Inner {
                database,
                config,
                authenticator,
                probe,
                feed,
                executors: AtomicU32::new(1),
            }),
            lane: None,
        })
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Questions to clusters.
    #[must_use]
    pub fn probe(&self) -> &Arc<dyn ClusterProbe> {
        &self.inner.probe
    }

    /// News of events, one reader of the database for all watchers.
    #[must_use]
    pub fn feed(&self) -> &events::Feed {
        &self.inner.feed
    }

    /// How many executors share the work that this process can take.
    pub(crate) fn executors(&self) -> u32 {
        self.inner.executors.load(Ordering::Relaxed).max(1)
    }

    pub(crate) fn set_executors(&self, executors: u32) {
        self.inner.executors.store(executors, Ordering::Relaxed);
    }

    /// How many tokens are remembered: those that were accepted lately, and no others.
    #[must_use]
    pub fn remembered_tokens(&self) -> usize {
        self.inner.authenticator.remembered()
    }

    pub(crate) fn authenticator(&self) -> &identity::authenticate::Authenticator {
        &self.inner.authenticator
    }

    /// Finds out who sends a request.
    ///
    /// # Errors
    /// [`Unauthenticated`], which never says more than whoever holds the token may know.
    pub async fn authenticate(&self, bearer: &str, request: &RequestInfo) -> Result<Actor, Unauthenticated> {
        let asked = self
            .inner
            .authenticator
            .authenticate(&self.inner.database, bearer, request);
        self.while_the_database_answers(asked).await
    }

    /// The same application for requests: they take at most three quarters of the connections, so that however many
    /// there are, and whatever they wait for, timers and executors go on.
    #[must_use]
    pub fn for_requests(self) -> Self {
        let most = self.inner.database.connections().max;
        let turns = (most - most.div_ceil(4)).max(1);
        Self {
            lane: Some(Arc::new(Semaphore::new(turns as usize))),
            ..self
        }
    }

    /// Runs what waits for the database, for as long as that answers: what would wait for nothing ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn while_the_database_answers<T, E: From<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        let done = self.inner.database.while_it_answers(work);
        async move { done.await.unwrap_or_else(|error| Err(Error::from(error).into())) }
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let turn = self.turn().await?;
        let mut tx = self.inner.database.begin().await?;
        tx.keep(turn);
        Ok(tx)
    }

    /// Begins a transaction that reads one state of the database.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn read(&self) -> Result<Tx, Error> {
        let turn = self.turn().await?;
        let mut tx = self.inner.database.read().await?;
        tx.keep(turn);
        Ok(tx)
    }

    async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Some(lane) = &self.lane else { return Ok(None) };
        let turn = timeout(TURN, Arc::clone(lane).acquire_owned());
        let turn = self.inner.database.while_it_answers(turn).await?;
        match turn {
            Ok(Ok(turn)) => Ok(Some(turn)),
            _ => Err(Error::Unavailable {
                detail: "all connections to the database that requests may have are in use".to_owned(),
                retry_after: 2,
            }),
        }
    }
}
