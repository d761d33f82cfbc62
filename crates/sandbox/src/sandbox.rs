//! A running sandbox.

use std::fs::{self, File};
use std::future::Future;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use crate::identity::Identity;
use crate::kubernetes::Site;
use crate::layout::Layout;
use crate::options::Options;
use crate::process::{Recorded, clear_leftovers};
use crate::supervisor::Supervisor;
use crate::{binaries, kubernetes, nodes, postgres};

/// Servers that run until this is stopped or dropped, or the process ends in whatever way.
///
/// Dropping blocks until they have ended; [`Sandbox::stop`] waits without blocking.
#[derive(Debug)]
pub struct Sandbox {
    layout: Layout,
    // Fields are dropped in this order: the nodes before what they talk to, the lock after all.
    nodes: JoinSet<()>,
    supervisor: Supervisor,
    _lock: File,
}

impl Sandbox {
    /// Starts everything that `options` name and returns when all of it is ready.
    ///
    /// Fails when the folder is in use by another sandbox, when a program is missing, and when a server does not start;
    /// nothing is left running then.
    pub async fn start(options: Options) -> Result<Self> {
        // Fails when the process has chosen its provider already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let wanted = options.kubernetes.as_ref();
        let clusters = wanted
            .map(|kubernetes| kubernetes.clusters.clone())
            .unwrap_or_default();
        if wanted.is_some() {
            kubernetes::check_names(&clusters)?;
        }
        let postgres_binaries = options
            .postgres
            .as_ref()
            .map(|part| binaries::postgres(part.binaries.as_deref()))
            .transpose()?;
        let kubernetes_binaries = wanted
            .map(|part| binaries::kubernetes(part.binaries.as_deref()))
            .transpose()?;

        let layout = Layout::prepare(&options.dir)?;
        let lock = layout.lock()?;
        clear_leftovers(&layout).await?;
        clear_logs(&layout)?;
        layout.clear_access()?;
        Recorded::this().write(&layout.pid("sandbox"))?;
        let identity = Identity::settle(&layout, &clusters)?;
        let supervisor = Supervisor::start(layout.clone())?;

        let pace = wanted.and_then(|part| part.nodes);
        let postgres = when(postgres_binaries.as_ref(), |binaries| {
            let Identity {
                postgres_port,
                ref postgres_password,
                ..
            } = identity;
            postgres::start(
                &layout,
                &supervisor,
                binaries,
                postgres_port,
                postgres_password,
                options
                    .postgres
                    .as_ref()
                    .is_some_and(|postgres| postgres.forgetful),
                &options.progress,
            )
        });
        let kubernetes = when(kubernetes_binaries.as_ref(), |binaries| {
            let site = Site {
                layout: &layout,
                supervisor: &supervisor,
                binaries,
                progress: &options.progress,
                with_node: pace.is_some(),
            };
            kubernetes::start(site, &identity, &clusters)
        });
        let (_, clients) = tokio::select! {
            both = async { tokio::try_join!(postgres, kubernetes) } => both?,
            failure = supervisor.failed() => return Err(failure),
        };

        let mut nodes = JoinSet::new();
        if let Some(pace) = pace {
            for client in clients.into_iter().flatten() {
                nodes.spawn(nodes::run(client, pace));
            }
        }
        Ok(Self {
            layout,
            nodes,
            supervisor,
            _lock: lock,
        })
    }

    /// Where its files are.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Waits until a server cannot be kept running, and returns why. One that ends is started again first.
    pub async fn failed(&self) -> anyhow::Error {
        self.supervisor.failed().await
    }

    /// Ends everything and waits until it is gone.
    pub async fn stop(mut self) {
        self.nodes.shutdown().await;
        self.supervisor.stop().await;
        let _ = fs::remove_file(self.layout.pid("sandbox"));
    }
}

/// Runs `start` on a part that is wanted.
async fn when<'a, P, T, F>(part: Option<&'a P>, start: impl FnOnce(&'a P) -> F) -> Result<Option<T>>
where
    F: Future<Output = Result<T>>,
{
    match part {
        Some(part) => start(part).await.map(Some),
        None => Ok(None),
    }
}

fn clear_logs(layout: &Layout) -> Result<()> {
    for entry in fs::read_dir(layout.root().join("logs"))? {
        fs::remove_file(entry?.path()).context("cannot clear the logs")?;
    }
    Ok(())
}
