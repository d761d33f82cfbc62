//! One client a cluster, shared, and built anew when its connection details change.

use super::{BreakerSettings, Cluster, connect::connect};
use slipway_domain::{ids::ClusterId, ports::ClusterFault, registry::Connection};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
        }
    }
}

/// The clusters that this process talks to. Cheap to clone; clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    settings: Arc<ClientSettings>,
    clusters: Arc<Mutex<HashMap<ClusterId, Arc<Cluster>>>>,
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
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        match clusters.get(&connection.cluster) {
            // Work that was claimed before a change must not bring the old details back.
            Some(cluster) if cluster.revision() >= connection.revision => Ok(Arc::clone(cluster)),
            _ => {
                let cluster = self.build(connection)?;
                clusters.insert(connection.cluster, Arc::clone(&cluster));
                Ok(cluster)
            }
        }
    }

    /// A client that nothing else uses: to test details that may not be saved yet.
    ///
    /// # Errors
    /// As [`Clients::get`].
    pub fn build(&self, connection: &Connection) -> Result<Arc<Cluster>, ClusterFault> {
        let client = connect(connection, &self.settings)?;
        Ok(Arc::new(Cluster::new(connection, client, &self.settings)))
    }

    /// The clusters in use, for showing the state of their circuit breakers.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Cluster>> {
        self.clusters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;
    use slipway_domain::registry::Credential;

    #[tokio::test]
    async fn a_client_is_shared_until_the_details_change_and_old_details_do_not_come_back() {
        let clients = Clients::default();
        let mut connection = Connection {
            cluster: ClusterId::new(),
            name: "eu".parse().unwrap(),
            revision: 1,
            server: "https://10.0.0.1".to_owned(),
            certificate_authority: None,
            tls_server_name: None,
            credential: Credential::Token(SecretString::from("one")),
        };
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
