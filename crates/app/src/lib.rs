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
pub mod components;
pub mod config;
pub mod deployments;
pub mod environments;
mod error;
pub mod events;
pub mod execution;
pub mod idempotency;
pub mod identity;
mod input;
pub mod record;
pub mod releases;
mod secrets;
pub mod services;
pub mod status;
pub mod targets;
pub mod teams;
pub mod timers;

pub use config::{Algorithm, Config, IssuerConfig, KeySource, PemKey, Subjects, Unusable};
pub use error::{ANY_REVISION, Error};
pub use identity::authenticate::{RequestInfo, Unauthenticated};
pub use secrets::SecretKey;
pub use slipway_store::{Before, Database, Ref, Tx};

use slipway_domain::{identity::Actor, ports::ClusterProbe};
use std::sync::Arc;

/// The application: what use-cases need beside the transaction. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    config: Config,
    authenticator: identity::authenticate::Authenticator,
    probe: Arc<dyn ClusterProbe>,
    feed: events::Feed,
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
            }),
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

    /// Finds out who sends a request.
    ///
    /// # Errors
    /// [`Unauthenticated`], which never says more than whoever holds the token may know.
    pub async fn authenticate(&self, bearer: &str, request: &RequestInfo) -> Result<Actor, Unauthenticated> {
        self.inner
            .authenticator
            .authenticate(&self.inner.database, bearer, request)
            .await
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(self.inner.database.begin().await?)
    }

    /// Begins a transaction that reads one state of the database.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn read(&self) -> Result<Tx, Error> {
        Ok(self.inner.database.read().await?)
    }
}
