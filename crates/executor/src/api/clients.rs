//! One client a cluster, shared, and built anew when its connection details change. Clients of clusters that nobody has
//! asked for in a while are let go: their connections, what is remembered of them, and the state of their breakers.

use super::{BreakerSettings, Cluster, connect::connect, pause::Pause};
use slipway_domain::{ids::ClusterId, ports::ClusterFault, registry::Connection};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A client that nobody asked for in this time, and nobody uses, is let go.
const UNUSED: Duration = Duration::from_mins(15);

/// How clusters are talked to.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// For a connection to come about, TLS included.
    pub connect_timeout: Duration,
    /// For a request to be answered in full.
    pub request_timeout: Duration,
    /// Requests a second to one cluster, and as many at once after a pause.
    pub rate: NonZeroU32,
    /// Requests under way at once to one cluster.
    pub at_once: usize,
    /// When to leave a cluster alone.
    pub breaker: BreakerSettings,
    /// Reach clusters through this HTTP proxy (`http://host:port`). The environment's `HTTPS_PROXY` is not looked at.
    pub proxy: Option<String>,
    /// What the API servers' logs are to call this process, behind `slipway/VERSION`: the same as its name in the queue.
    pub agent: Option<String>,
}

impl Default for ClientSettings {
    /// 5 s to connect, 15 s to answer, 400 requests a second, 64 at once.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            rate: NonZeroU32::new(400).unwrap_or(NonZeroU32::MIN),
            at_once: 64,
            breaker: BreakerSettings::default(),
            proxy: None,
            agent: None,
        }
    }
}

/// The clusters that this process talks to. Cheap to clone; clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    settings: Arc<ClientSettings>,
    clusters: Arc<Mutex<HashMap<ClusterId, Known>>>,
}

/// A client, and when it was last asked for.
#[derive(Debug)]
struct Known {
    cluster: Arc<Cluster>,
    asked: Instant,
}

impl Clients {
    /// None yet; each is built when first asked for.
    #[must_use]
    pub fn new(settings: ClientSettings) -> Self {
        Self {
            settings: Arc::new(settings),
            clusters: Arc::default(),
        }
    }

    /// The cluster's client, built when it is not there yet or the details have changed since.
    ///
    /// # Errors
    /// [`ClusterFault::Misconfigured`] when no client can be built from the details.
    pub fn get(&self, connection: &Connection) -> Result<Arc<Cluster>, ClusterFault> {
        let asked = Instant::now();
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        match clusters.get_mut(&connection.cluster) {
            // Work that was claimed before a change must not bring the old details back.
            Some(known) if known.cluster.revision() >= connection.revision => {
                known.asked = asked;
                Ok(Arc::clone(&known.cluster))
            }
            _ => {
                let cluster = self.build(connection)?;
                // Clients only become more here: the time to see which are not needed any more.
                clusters.retain(|_, known| known.is_used(asked));
                let known = Known {
                    cluster: Arc::clone(&cluster),
                    asked,
                };
                clusters.insert(connection.cluster, known);
                Ok(cluster)
            }
        }
    }

    /// A client that nothing else uses: to test details that may not be saved yet.
    ///
    /// # Errors
    /// As [`Clients::get`].
    pub fn build(&self, connection: &Connection) -> Result<Arc<Cluster>, ClusterFault> {
        let pause = Arc::new(Pause::default());
        let client = connect(connection, &self.settings, &pause)?;
        Ok(Arc::new(Cluster::new(connection, client, pause, &self.settings)))
    }

    /// The clusters in use, for showing the state of their circuit breakers.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Cluster>> {
        self.clusters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .map(|known| Arc::clone(&known.cluster))
            .collect()
    }
}

impl Known {
    /// Whether somebody has it, or has asked for it of late.
    fn is_used(&self, now: Instant) -> bool {
        Arc::strong_count(&self.cluster) > 1 || now.duration_since(self.asked) < UNUSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;
    use slipway_domain::registry::Credential;

    fn connection(name: &str) -> Connection {
        Connection {
            cluster: ClusterId::new(),
            name: name.parse().unwrap(),
            revision: 1,
            server: "https://10.0.0.1".to_owned(),
            certificate_authority: None,
            tls_server_name: None,
            credential: Credential::Token(SecretString::from("one")),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_nobody_has_asked_for_in_a_while_is_let_go_unless_somebody_uses_it() {
        let clients = Clients::default();
        let held = clients.get(&connection("held")).unwrap();
        clients.get(&connection("gone")).unwrap();
        let late = connection("late");
        clients.get(&late).unwrap();
        tokio::time::advance(UNUSED / 2).await;
        clients.get(&late).unwrap();
        tokio::time::advance(UNUSED / 2).await;
        clients.get(&connection("new")).unwrap();
        let mut names: Vec<_> = clients.all().iter().map(|c| c.name().to_string()).collect();
        names.sort();
        assert_eq!(names, ["held", "late", "new"]);
        drop(held);
    }

    #[tokio::test]
    async fn a_client_is_shared_until_the_details_change_and_old_details_do_not_come_back() {
        let clients = Clients::default();
        let mut connection = connection("eu");
        let first = clients.get(&connection).unwrap();
        assert!(Arc::ptr_eq(&first, &clients.get(&connection).unwrap()));
        connection.revision = 2;
        let second = clients.get(&connection).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        connection.revision = 1;
        assert!(Arc::ptr_eq(&second, &clients.get(&connection).unwrap()));
        assert!(
            !Arc::ptr_eq(&second, &clients.build(&connection).unwrap()),
            "a test has a client of its own"
        );
        assert_eq!(clients.all().len(), 1);
    }
}
