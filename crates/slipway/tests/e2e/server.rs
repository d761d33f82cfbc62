//! `slipway serve` as a process: started, made ready, told to stop, or killed.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The binary under test.
pub(crate) const SLIPWAY: &str = env!("CARGO_BIN_EXE_slipway");
/// The bootstrap admin.
pub(crate) const ADMIN: &str = "adam";

pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    /// Base URL of its API, if it has the role.
    pub(crate) api: String,
    /// Base URL of its development issuer, if it has the role `api`.
    pub(crate) issuer: String,
}

/// Waits until something is true, looking again and again.
pub(crate) async fn within(most: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < most, "not within {most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Server {
    /// Starts one in a folder and waits until it is ready. Ports are free ones; should somebody else take one before the
    /// server does, others are tried.
    pub(crate) async fn start(dir: &Path, name: &str, database: &str, roles: &str) -> Self {
        for _ in 0..3 {
            let mut server = Self::spawn(dir, name, database, roles);
            if server.ready(roles).await {
                return server;
            }
        }
        let log = fs::read_to_string(dir.join(format!("{name}.log"))).unwrap_or_default();
        panic!("slipway serve --roles {roles} does not start:\n{log}");
    }

    fn spawn(dir: &Path, name: &str, database: &str, roles: &str) -> Self {
        let (api, issuer) = (free_port(), free_port());
        let key = dir.join("secret-key");
        if !key.exists() {
            fs::write(&key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key file");
        }
        let config = format!(
            "listen = '127.0.0.1:{api}'\n\
             [database]\nurl = '{database}'\nconnections = 12\n\
             [secrets]\nkey_file = '{}'\n\
             [dev_issuer]\nlisten = '127.0.0.1:{issuer}'\nkey_file = '{}'\n\
             [[bootstrap.admins]]\nissuer = 'slipway-development'\nsubject = '{ADMIN}'\n\
             [executor]\nlease_seconds = {LEASE_SECONDS}\n\
             [log]\nformat = 'json'\nfilter = 'info,slipway=debug,slipway_app=debug,slipway_api=debug,slipway_executor=debug'\n",
            key.display(),
            dir.join("issuer-key.pem").display(),
        );
        let file = dir.join(format!("{name}.toml"));
        fs::write(&file, config).expect("a configuration");
        let log = dir.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        let child = Command::new(SLIPWAY)
            .args(["serve", "--migrate", "--roles", roles, "--config"])
            .arg(&file)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log"))
            .stderr(output)
            .spawn()
            .expect("the binary starts");
        Self {
            child,
            log,
            api: format!("http://127.0.0.1:{api}"),
            issuer: format!("http://127.0.0.1:{issuer}"),
        }
    }

    /// Waits for it; false when it ended instead.
    async fn ready(&mut self, roles: &str) -> bool {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let began = Instant::now();
        loop {
            if self.child.try_wait().expect("its status").is_some() {
                return false;
            }
            let answers = if roles.contains("api") {
                let ready = client.get(format!("{}/readyz", self.api)).send().await;
                let issuer = client
                    .get(format!("{}/.well-known/jwks.json", self.issuer))
                    .send()
                    .await;
                ready.is_ok_and(|r| r.status().is_success()) && issuer.is_ok()
            } else {
                // Nothing to ask: what it does is seen by what becomes of work.
                true
            };
            if answers {
                return true;
            }
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "not ready: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has written to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it takes signals");
    }

    /// Tells it to stop; how it ended, and how long that took.
    pub(crate) async fn terminate(&mut self) -> (ExitStatus, Duration) {
        self.signal(Signal::TERM);
        let mut status = None;
        let child = &mut self.child;
        let ended = async || {
            status = child.try_wait().expect("its status");
            status.is_some()
        };
        let took = within(Duration::from_secs(40), "the server ends after SIGTERM", ended).await;
        (status.expect("it ended"), took)
    }

    /// Kills it, as a machine that loses power.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

/// Length of leases in these tests: the shortest that a server accepts.
pub(crate) const LEASE_SECONDS: i64 = 5;

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the server's log is in {}", self.log.display());
        }
    }
}
