//! The command line.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use slipway_sandbox::nodes::Pace;
use slipway_sandbox::{KubernetesOptions, Layout, Options, PostgresOptions, Progress, Sandbox};
use tokio::signal::unix::{SignalKind, signal};

/// A private Postgres and real Kubernetes control planes, for development and tests.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything and keep it running until this process ends.
    Up(Up),
    /// Print the environment of a sandbox, for `eval`.
    Env(Folder),
    /// Stop the sandbox that runs in a folder.
    Down(Down),
    /// Print the digest of an image as a Pod of a cluster has pulled it.
    Pulled(crate::pulled::Pulled),
}

#[derive(Debug, Args)]
struct Folder {
    /// The folder of the sandbox.
    #[arg(long, default_value = ".slipway")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct Down {
    #[command(flatten)]
    folder: Folder,
    /// Then delete the folder and all data of the sandbox.
    #[arg(long)]
    delete: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
struct Up {
    #[command(flatten)]
    folder: Folder,
    /// Names of the Kubernetes clusters to start.
    #[arg(long, value_delimiter = ',', default_value = "staging,eu,us")]
    clusters: Vec<String>,
    /// Start Postgres; this is the default.
    #[arg(long, overrides_with = "no_postgres")]
    postgres: bool,
    /// Do not start Postgres.
    #[arg(long)]
    no_postgres: bool,
    /// Start Kubernetes; this is the default.
    #[arg(long, overrides_with = "no_kubernetes")]
    kubernetes: bool,
    /// Do not start Kubernetes.
    #[arg(long)]
    no_kubernetes: bool,
    /// Do not simulate nodes: Pods stay pending.
    #[arg(long)]
    no_nodes: bool,
    /// Milliseconds until a Pod that asks for nothing else is ready.
    #[arg(long, default_value_t = 300)]
    pod_ready_ms: u64,
    /// Folder with etcd, kube-apiserver and kube-controller-manager [default: `SLIPWAY_KUBE_BIN_DIR`, PATH, the cache].
    #[arg(long)]
    kube_bin: Option<PathBuf>,
    /// Folder with initdb and postgres [default: `SLIPWAY_POSTGRES_BIN_DIR`, the newest installed, PATH].
    #[arg(long)]
    postgres_bin: Option<PathBuf>,
    /// Postgres never waits for the disk: for tests, which make a database each.
    #[arg(long)]
    forgetful: bool,
    /// A file to make when everything is ready; taken away first, and at the end.
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

impl Cli {
    pub(crate) fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(async {
            match self.command {
                Command::Up(up) => up.run().await,
                Command::Env(folder) => folder.print_environment(),
                Command::Down(down) => down.run().await,
                Command::Pulled(pulled) => pulled.run().await,
            }
        })
    }
}

impl Up {
    async fn run(self) -> Result<()> {
        let begun = Instant::now();
        let (mut terminate, mut interrupt, mut hangup) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        );
        let asked_to_end = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {}
            }
        };
        tokio::pin!(asked_to_end);
        self.set_ready(false)?;
        let sandbox = tokio::select! {
            started = Sandbox::start(self.options()) => started?,
            () = &mut asked_to_end => return Ok(()),
        };
        let folder = sandbox.layout().root().display();
        say(&format!(
            "sandbox ready in {:.1} s in {folder}",
            begun.elapsed().as_secs_f64()
        ));
        self.set_ready(true)?;
        let end = tokio::select! {
            failure = sandbox.failed() => Err(failure),
            () = &mut asked_to_end => Ok(()),
        };
        self.set_ready(false)?;
        sandbox.stop().await;
        end
    }

    fn options(&self) -> Options {
        let kubernetes = KubernetesOptions {
            binaries: self.kube_bin.clone(),
            clusters: self.clusters.clone(),
            nodes: (!self.no_nodes).then(|| Pace {
                ready_after: Duration::from_millis(self.pod_ready_ms),
            }),
        };
        Options {
            dir: self.folder.dir.clone(),
            postgres: (!self.no_postgres).then(|| PostgresOptions {
                binaries: self.postgres_bin.clone(),
                forgetful: self.forgetful,
            }),
            kubernetes: (!self.no_kubernetes).then_some(kubernetes),
            progress: Progress::new(say),
        }
    }

    fn set_ready(&self, ready: bool) -> Result<()> {
        let Some(path) = &self.ready_file else {
            return Ok(());
        };
        let done = if ready {
            fs::write(path, "ready\n")
        } else {
            fs::remove_file(path)
        };
        match done {
            Err(error) if ready || error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot change {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Folder {
    fn print_environment(&self) -> Result<()> {
        let layout = Layout::of(&self.dir)?;
        if let Ok(url) = fs::read_to_string(layout.database_url()) {
            println!("export DATABASE_URL={}", quoted(url.trim()));
        }
        if layout.kubeconfig().exists() {
            println!(
                "export KUBECONFIG={}",
                quoted(&layout.kubeconfig().to_string_lossy())
            );
        }
        Ok(())
    }
}

impl Down {
    async fn run(&self) -> Result<()> {
        let layout = Layout::of(&self.folder.dir)?;
        let running = slipway_sandbox::stop_running(&layout).await?;
        say(if running { "stopped" } else { "none was running" });
        if self.delete {
            layout.delete()?;
            say("deleted");
        }
        Ok(())
    }
}

/// Prints a line, for whoever still listens: that nobody does is no reason to end.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
