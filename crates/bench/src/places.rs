//! Where a row runs: a Postgres that waits for the disk as those of users do, and Kubernetes API servers. Started when a
//! row first needs them, and gone at the end.

use anyhow::Result;
use slipway_testkit::live::{Database, OwnPostgres, OwnSandbox};

/// The clusters, in order.
pub(crate) const CLUSTERS: [&str; 4] = ["c1", "c2", "c3", "c4"];

/// What servers under measurement have beside the harness's own settings: the log that a server has by default.
pub(crate) const SETTINGS: &str =
    "[log]\nformat = 'json'\nfilter = 'info,kube_client=off'\n[executor]\nlease_seconds = 15\n";

/// What has been started so far.
#[derive(Default)]
pub(crate) struct Places {
    postgres: Option<OwnPostgres>,
    clusters: Option<OwnSandbox>,
}

impl Places {
    /// URL of the Postgres.
    pub(crate) async fn postgres(&mut self) -> String {
        if self.postgres.is_none() {
            self.postgres = Some(OwnPostgres::start("bench-postgres").await);
        }
        self.postgres
            .as_ref()
            .map(|own| own.url.clone())
            .unwrap_or_default()
    }

    /// A database of its own, without a schema.
    pub(crate) async fn database(&mut self) -> Result<Database> {
        let url = self.postgres().await;
        Ok(Database::create_on(&url).await)
    }

    /// A kubeconfig with a context for each of [`CLUSTERS`].
    pub(crate) async fn kubeconfig(&mut self) -> String {
        if self.clusters.is_none() {
            self.clusters = Some(OwnSandbox::start("bench-clusters", &CLUSTERS).await);
        }
        self.clusters
            .as_ref()
            .map(|own| own.kubeconfig.clone())
            .unwrap_or_default()
    }
}
