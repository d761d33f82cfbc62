//! What a sandbox consists of.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::nodes::Pace;

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that everything lives in; created when absent. Data in it survives a restart.
    pub dir: PathBuf,
    /// The Postgres to start, if any.
    pub postgres: Option<PostgresOptions>,
    /// The Kubernetes clusters to start, if any.
    pub kubernetes: Option<KubernetesOptions>,
    /// Told one line for every part that becomes ready.
    pub progress: Progress,
}

/// How to start Postgres.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Folder with `initdb` and `postgres`; found by itself when absent.
    pub binaries: Option<PathBuf>,
    /// Never waits for the disk: a crash of the machine loses data. For tests that make a database each.
    pub forgetful: bool,
}

/// How to start Kubernetes.
#[derive(Debug, Clone)]
pub struct KubernetesOptions {
    /// Folder with `etcd`, `kube-apiserver` and `kube-controller-manager`; found by itself when absent.
    pub binaries: Option<PathBuf>,
    /// Names of the clusters: DNS labels, each once, at least one.
    pub clusters: Vec<String>,
    /// How fast the simulated nodes are; `None` starts no nodes.
    pub nodes: Option<Pace>,
}

impl Options {
    /// Postgres and the clusters named, in `dir`, saying nothing.
    pub fn new(dir: impl Into<PathBuf>, clusters: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            dir: dir.into(),
            postgres: Some(PostgresOptions::default()),
            kubernetes: Some(KubernetesOptions {
                binaries: None,
                clusters: clusters.into_iter().map(Into::into).collect(),
                nodes: Some(Pace::default()),
            }),
            progress: Progress::silent(),
        }
    }
}

/// Where progress lines go.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&str) + Send + Sync>);

impl Progress {
    /// Calls `tell` with every line.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Drops every line.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn tell(&self, line: impl AsRef<str>) {
        (self.0)(line.as_ref());
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
