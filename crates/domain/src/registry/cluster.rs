//! A cluster: a Kubernetes API endpoint and the write-only credential for it.

use super::Labels;
use crate::{Name, ids::ClusterId};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// What of a cluster may be shown.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Its unique name.
    pub name: Name,
    /// Base URL of its API.
    pub server: String,
    /// Region, wave and so on.
    pub labels: Labels,
    /// What may be applied there beyond the target's namespace.
    pub grants: ClusterGrants,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When the last successful check or deployment step talked to it.
    pub last_seen_at: Option<Timestamp>,
}

/// What bundles may contain, on this cluster, beyond namespaced objects in the target's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterGrants {
    /// Cluster-scoped kinds, as `Kind.group` (`Kind` for the core group), or `*` for all.
    pub cluster_scoped_kinds: Vec<String>,
}

/// The secret half of a cluster: how to be let in.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A bearer token.
    Token(SecretString),
    /// A client certificate and its key, both PEM.
    ClientCertificate {
        /// The certificate chain, PEM.
        certificate: String,
        /// The private key, PEM.
        key: SecretString,
    },
}

/// All that is needed to talk to a cluster. `Debug` never shows the credential.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Its name, for messages.
    pub name: Name,
    /// The cluster's revision this was read at: a client built from it is kept until this changes.
    pub revision: i64,
    /// Base URL of its API; always `https`, or `http` on loopback.
    pub server: String,
    /// The certificate authority to trust, PEM; the system's own when absent.
    pub certificate_authority: Option<String>,
    /// Name to expect in the server's certificate, when it is not the host of `server`.
    pub tls_server_name: Option<String>,
    /// How to be let in.
    pub credential: Credential,
}
