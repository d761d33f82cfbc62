//! Servers of one's own, for tests that break them: a private Postgres, private Kubernetes API servers.

use super::server::{test_folder, within};
use rustix::process::{Pid, Signal, kill_process};
use slipway_sandbox::{KubernetesOptions, Layout, Options, PostgresOptions, Progress, Sandbox, nodes::Pace};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// A private Postgres: started in two seconds, empty. It ends when dropped, and its folder goes with it.
pub struct OwnPostgres {
    sandbox: Option<Sandbox>,
    dir: PathBuf,
    forgetful: bool,
    /// URL of its superuser; the same after every restart.
    pub url: String,
}

impl OwnPostgres {
    /// Starts one that waits for the disk before it acknowledges, as those of users do.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(name: &str) -> Self {
        Self::start_in(&unique(name), false).await
    }

    /// Starts one that never waits for the disk: quicker, for tests that do not kill it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_forgetful(name: &str) -> Self {
        Self::start_in(&unique(name), true).await
    }

    /// Starts one in this folder: one on a small disk, say.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_in(dir: &Path, forgetful: bool) -> Self {
        let mut own = Self {
            sandbox: None,
            dir: dir.to_owned(),
            forgetful,
            url: String::new(),
        };
        own.up().await;
        own
    }

    /// Starts it after [`OwnPostgres::stop`], at the same address and with its data.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn up(&mut self) {
        assert!(self.sandbox.is_none(), "it runs");
        let options = Options {
            dir: self.dir.clone(),
            postgres: Some(PostgresOptions {
                binaries: None,
                forgetful: self.forgetful,
            }),
            kubernetes: None,
            progress: Progress::silent(),
        };
        let sandbox = Sandbox::start(options)
            .await
            .unwrap_or_else(|e| panic!("a private Postgres in {}: {e:#}", self.dir.display()));
        let url = fs::read_to_string(sandbox.layout().database_url()).expect("its URL");
        url.trim().clone_into(&mut self.url);
        self.sandbox = Some(sandbox);
        // As with a forgetful one: clients that are not optimised take a tenth of a second to sign in with SCRAM.
        let access = self.data().join("pg_hba.conf");
        let text = fs::read_to_string(&access).expect("who may sign in");
        if text.contains("scram-sha-256") {
            fs::write(&access, text.replace("scram-sha-256", "password")).expect("who may sign in");
            kill_process(Pid::from_raw(self.pid()).expect("a pid"), Signal::HUP).expect("it reads it again");
        }
    }

    /// Stops it in order ("fast": clients are told, transactions are rolled back).
    ///
    /// # Panics
    /// When it does not run.
    pub async fn stop(&mut self) {
        self.sandbox.take().expect("it runs").stop().await;
    }

    /// Stops it in order and starts it again: the shortest maintenance there is.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.up().await;
    }

    /// Starts it again when it has given up, or is about to: stops what is left of it first.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn up_again(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.stop().await;
        }
        self.up().await;
    }

    /// Kills it at once, all of its processes, as a machine that loses power. It is started again by itself, after 200 ms
    /// or more, and recovers.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&self) {
        let pid = self.pid();
        let all: Vec<i32> = children(pid).into_iter().chain([pid]).collect();
        for pid in all {
            let _ = kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL);
        }
        let gone = async || !Path::new(&format!("/proc/{pid}")).exists();
        within(Duration::from_secs(10), "the postmaster is gone", gone).await;
    }

    /// The pid of its first process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> i32 {
        let file = self.data().join("postmaster.pid");
        let text = fs::read_to_string(file).expect("Postgres runs");
        text.lines()
            .next()
            .expect("a line")
            .trim()
            .parse()
            .expect("a pid")
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.join("postgres/data")
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("logs/postgres.log")).unwrap_or_default()
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the private Postgres ended its log with:\n{}", tail(&self.log()));
        }
        // Its end is waited for before its folder goes.
        self.sandbox = None;
        if let Ok(layout) = Layout::of(&self.dir) {
            let _ = layout.delete();
        }
    }
}

/// Kubernetes API servers of one's own, with nodes; Postgres too, if asked for. They end when dropped.
pub struct OwnSandbox {
    sandbox: Option<Sandbox>,
    /// A kubeconfig with one context for every cluster, named after it.
    pub kubeconfig: String,
}

impl OwnSandbox {
    /// Starts these clusters: five seconds, and 300 MB each.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn start(name: &str, clusters: &[&str]) -> Self {
        let options = Options {
            dir: unique(name),
            postgres: None,
            kubernetes: Some(KubernetesOptions {
                binaries: None,
                clusters: clusters.iter().map(|&name| name.to_owned()).collect(),
                nodes: Some(Pace::default()),
            }),
            progress: Progress::silent(),
        };
        let sandbox = Sandbox::start(options)
            .await
            .unwrap_or_else(|e| panic!("a sandbox: {e:#}"));
        let kubeconfig = fs::read_to_string(sandbox.layout().kubeconfig()).expect("a kubeconfig");
        Self {
            sandbox: Some(sandbox),
            kubeconfig,
        }
    }
}

impl Drop for OwnSandbox {
    fn drop(&mut self) {
        let layout = self.sandbox.take().map(|sandbox| sandbox.layout().clone());
        if let Some(layout) = layout {
            let _ = layout.delete();
        }
    }
}

/// A folder that nobody else has.
fn unique(name: &str) -> PathBuf {
    let unique = uuid::Uuid::now_v7().simple().to_string();
    test_folder(&format!("{name}-{}", &unique[20..]))
}

/// The processes that this one has started.
fn children(pid: i32) -> Vec<i32> {
    let file = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
