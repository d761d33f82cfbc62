//! Kubernetes clusters: one etcd for all, and for each a real API server and a real controller manager.

mod control_plane;
mod etcd;
pub(crate) mod kubeconfig;
pub(crate) mod pki;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::future::try_join_all;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::identity::{ClusterIdentity, Identity};
use crate::layout::{Layout, write_private};
use crate::options::Progress;
use crate::supervisor::Supervisor;

const READY_WITHIN: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);

/// What the servers are started with.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) supervisor: &'a Supervisor,
    pub(crate) binaries: &'a Path,
    pub(crate) progress: &'a Progress,
    /// Whether the simulated node is made known.
    pub(crate) with_node: bool,
}

/// Starts the clusters named, all at once, and writes their kubeconfig files when all are ready. Returns a client of
/// each.
pub(crate) async fn start(site: Site<'_>, identity: &Identity, clusters: &[String]) -> Result<Vec<Client>> {
    let endpoint = etcd::start(site, identity).await?;
    let mut members = Vec::new();
    for name in clusters {
        let known = identity
            .clusters
            .get(name)
            .with_context(|| format!("cluster {name} has no identity"))?;
        members.push((name.as_str(), known));
    }
    let starts = members
        .iter()
        .map(|(name, member)| control_plane::start(site, &endpoint, name, member));
    let clients = try_join_all(starts).await?;
    let layout = site.layout;
    for (name, member) in &members {
        write_private(
            &layout.kubeconfig_of(name),
            &kubeconfig::render([(*name, *member)]),
        )?;
    }
    write_private(&layout.kubeconfig(), &kubeconfig::render(members))?;
    Ok(clients)
}

/// Checks the names of clusters: they become names of contexts and files.
pub(crate) fn check_names(clusters: &[String]) -> Result<()> {
    if clusters.is_empty() {
        bail!("name at least one cluster, or start no Kubernetes");
    }
    for (index, name) in clusters.iter().enumerate() {
        let label = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !label || name.is_empty() || name.len() > 63 || name.starts_with('-') || name.ends_with('-') {
            bail!("{name:?} is not a cluster name: small letters, digits and dashes within");
        }
        if clusters[..index].contains(name) {
            bail!("cluster {name} is named twice");
        }
    }
    Ok(())
}

async fn client(name: &str, identity: &ClusterIdentity) -> Result<Client> {
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig::render([(name, identity)]))?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    config.connect_timeout = Some(Duration::from_secs(5));
    Ok(Client::try_from(config)?)
}

/// Asks until the answer is yes.
async fn wait_until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) -> Result<()> {
    let end = Instant::now() + READY_WITHIN;
    while !ask().await {
        if Instant::now() >= end {
            bail!("{what} was not ready within {} s", READY_WITHIN.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_names;

    #[test]
    fn cluster_names_are_dns_labels_and_differ() {
        let check =
            |names: &[&str]| check_names(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert!(check(&["staging", "eu-1"]).is_ok());
        for bad in [&[][..], &[""], &["EU"], &["a/b"], &["-a"], &["a-"], &["a", "a"]] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
