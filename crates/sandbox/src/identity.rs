//! What a sandbox keeps over a restart: ports, keys and passwords.
//!
//! A quickstart is repeated with the same folder, and what was written into Slipway's database then, such as the
//! address and credentials of a cluster, has to hold on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::kubernetes::pki::Certificates;
use crate::layout::{Layout, write_private};

/// Below the range that the kernel takes the ports of outgoing connections from, so that none of those is in the way.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) postgres_port: u16,
    pub(crate) postgres_password: String,
    pub(crate) etcd_port: u16,
    pub(crate) etcd_peer_port: u16,
    #[serde(default)]
    pub(crate) clusters: BTreeMap<String, ClusterIdentity>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ClusterIdentity {
    pub(crate) port: u16,
    /// The bearer token of the cluster's administrator.
    pub(crate) token: String,
    pub(crate) certificates: Certificates,
}

impl Identity {
    /// Reads the identity of a folder, or makes one, with every port free at this moment and every cluster named.
    pub(crate) fn settle(layout: &Layout, clusters: &[String]) -> Result<Self> {
        let path = layout.identity();
        let mut identity = match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self {
                postgres_port: 0,
                postgres_password: random_token()?,
                etcd_port: 0,
                etcd_peer_port: 0,
                clusters: BTreeMap::new(),
            },
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        for name in clusters {
            if !identity.clusters.contains_key(name) {
                let new = ClusterIdentity {
                    port: 0,
                    token: random_token()?,
                    certificates: Certificates::generate(name)?,
                };
                identity.clusters.insert(name.clone(), new);
            }
        }
        let mut ports = vec![
            &mut identity.postgres_port,
            &mut identity.etcd_port,
            &mut identity.etcd_peer_port,
        ];
        ports.extend(identity.clusters.values_mut().map(|cluster| &mut cluster.port));
        settle_ports(&mut ports)?;
        write_private(&path, &serde_json::to_string_pretty(&identity)?)?;
        Ok(identity)
    }
}

/// Replaces the ports that are not free.
fn settle_ports(ports: &mut [&mut u16]) -> Result<()> {
    // Held until all are chosen, so that none is chosen twice.
    let mut held = Vec::new();
    for port in ports {
        if **port != 0 {
            if let Some(listener) = free(**port) {
                held.push(listener);
                continue;
            }
            tracing::warn!(port = **port, "a port used before is taken, another one is used");
        }
        let mut choice = None;
        for _ in 0..1000 {
            let candidate = PORTS.start + u16::from_le_bytes(random()?) % (PORTS.end - PORTS.start);
            if let Some(listener) = free(candidate) {
                choice = Some((candidate, listener));
                break;
            }
        }
        let Some((candidate, listener)) = choice else {
            bail!("no free port between {} and {}", PORTS.start, PORTS.end)
        };
        **port = candidate;
        held.push(listener);
    }
    Ok(())
}

fn free(port: u16) -> Option<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).ok()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("no randomness")?;
    Ok(bytes)
}

fn random_token() -> Result<String> {
    let bytes: [u8; 24] = random()?;
    let mut token = String::new();
    for byte in bytes {
        write!(token, "{byte:02x}")?;
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_kept_and_a_taken_one_is_replaced() {
        let mut first = 0;
        settle_ports(&mut [&mut first]).unwrap();
        let kept = first;
        settle_ports(&mut [&mut first]).unwrap();
        assert_eq!(first, kept);

        let _taken = free(first).unwrap();
        settle_ports(&mut [&mut first]).unwrap();
        assert_ne!(first, kept);
        assert!(PORTS.contains(&first));
    }

    #[test]
    fn ports_differ_among_each_other() {
        let (mut one, mut two) = (0, 0);
        settle_ports(&mut [&mut one, &mut two]).unwrap();
        assert_ne!(one, two);
    }
}
