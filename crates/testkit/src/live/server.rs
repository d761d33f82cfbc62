//! `slipway serve` as a process: started, made ready, told to stop, held still, killed, started again.

use super::{TMP, binary, database::Database};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The bootstrap admin.
pub const ADMIN: &str = "adam";
/// Who vouches for people by default: the development issuer of a server.
pub(super) const DEV_ISSUER: &str = "slipway-development";
/// Every role of a server.
pub const ALL: &str = "api,scheduler,executor";
/// Length of leases in these tests, in seconds: the shortest that a server accepts.
pub const LEASE_SECONDS: i64 = 5;
/// The key that encrypts clusters' credentials in these tests, base64.
const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// How to start a server. [`Default`] is one with every role, over the world's database.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Roles, parted by commas.
    pub roles: String,
    /// URL of the database, when it is not the world's own: a proxy's, say.
    pub database: Option<String>,
    /// Most connections of the process.
    pub connections: u32,
    /// Length of its leases, in seconds.
    pub lease_seconds: i64,
    /// More configuration (TOML), merged into what every server here has.
    pub settings: String,
    /// More environment: `LD_PRELOAD`, say.
    pub environment: Vec<(String, String)>,
    /// A command that the server is run with, and that becomes it (`exec`): signals go to the process started.
    pub prefix: Vec<String>,
    /// Another binary than [`binary`]'s: an older one, say.
    pub binary: Option<PathBuf>,
    /// Whether it brings the database to its schema first.
    pub migrate: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            roles: ALL.to_owned(),
            database: None,
            connections: 12,
            lease_seconds: LEASE_SECONDS,
            settings: String::new(),
            environment: Vec::new(),
            prefix: Vec::new(),
            binary: None,
            migrate: true,
        }
    }
}

impl ServerOptions {
    /// With these roles only.
    pub fn roles(roles: &str) -> Self {
        Self {
            roles: roles.to_owned(),
            ..Self::default()
        }
    }

    /// Over a database at this URL.
    pub fn over(self, database: &str) -> Self {
        Self {
            database: Some(database.to_owned()),
            ..self
        }
    }

    /// With more configuration (TOML).
    pub fn settings(self, settings: &str) -> Self {
        Self {
            settings: format!("{}\n{settings}", self.settings),
            ..self
        }
    }

    /// With this in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A server's process.
pub struct Server {
    child: Child,
    name: String,
    dir: PathBuf,
    database: String,
    options: ServerOptions,
    /// Its configuration file.
    pub config: PathBuf,
    log: PathBuf,
    ports: (u16, u16),
    /// Whether the test has killed it.
    killed: bool,
    /// Base URL of its API, if it has the role.
    pub api: String,
    /// Base URL of its development issuer, if it has the role `api`.
    pub issuer: String,
}

/// Waits until something is true, looking again and again; how long it took.
///
/// # Panics
/// When it does not become true in time.
pub async fn within(most: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < most, "not within {most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

/// A port that nobody listens on just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A folder for one test, below the build's own.
pub fn test_folder(name: &str) -> PathBuf {
    let dir = TMP.join(name);
    fs::create_dir_all(&dir).expect("a folder");
    dir
}

impl Server {
    /// Starts one in a folder and waits until it is ready. Ports are free ones; should somebody else take one before the
    /// server does, others are tried.
    pub async fn start(dir: &Path, name: &str, database: &Database, options: &ServerOptions) -> Self {
        for _ in 0..3 {
            let ports = (free_port(), free_port());
            let mut server = Self::spawn(dir, name, &database.url, options, ports);
            if server.ready().await {
                return server;
            }
        }
        let log = fs::read_to_string(dir.join(format!("{name}.log"))).unwrap_or_default();
        panic!("slipway serve --roles {} does not start:\n{log}", options.roles);
    }

    fn spawn(dir: &Path, name: &str, database: &str, options: &ServerOptions, ports: (u16, u16)) -> Self {
        let config = dir.join(format!("{name}.toml"));
        let url = options.database.as_deref().unwrap_or(database);
        fs::write(&config, configuration(dir, url, options, ports)).expect("a configuration");
        let log = dir.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        let mut words: Vec<String> = options.prefix.clone();
        let program = options.binary.clone().unwrap_or_else(binary);
        words.push(program.to_str().expect("a path").to_owned());
        words.push("serve".to_owned());
        if options.migrate {
            words.push("--migrate".to_owned());
        }
        words.extend(["--roles", &options.roles, "--config"].map(str::to_owned));
        let child = Command::new(&words[0])
            .args(&words[1..])
            .arg(&config)
            .env_remove("DATABASE_URL")
            .envs(options.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|e| panic!("{} does not start: {e}", words[0]));
        Self {
            child,
            name: name.to_owned(),
            dir: dir.to_owned(),
            database: database.to_owned(),
            options: options.clone(),
            config,
            log,
            ports,
            killed: false,
            api: format!("http://127.0.0.1:{}", ports.0),
            issuer: format!("http://127.0.0.1:{}", ports.1),
        }
    }

    /// Starts it again after its end, as it was: people reach it where they did.
    pub async fn again(&mut self) {
        assert!(!self.lives(), "it has not ended");
        let began = Instant::now();
        loop {
            *self = Self::spawn(&self.dir, &self.name, &self.database, &self.options, self.ports);
            if self.ready().await {
                return;
            }
            // Somebody's outgoing connection may have its port for a moment.
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "it does not start again: {}",
                self.log()
            );
        }
    }

    /// Waits for it; false when it ended instead.
    async fn ready(&mut self) -> bool {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let began = Instant::now();
        loop {
            if !self.lives() {
                return false;
            }
            let answers = if self.options.roles.contains("api") {
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

    /// Whether its process lives.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_none()
    }

    /// Whether the test has killed it, and not started it again.
    pub fn is_killed(&self) -> bool {
        self.killed
    }

    /// Whether it is the one that names itself so: as holder of a lease, or to API servers.
    pub fn is_named(&self, name: &str) -> bool {
        name.contains(&format!("-{}-", self.pid()))
    }

    /// The pid of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    /// Sends it a signal: `STOP` holds it still, `CONT` lets it go on.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it takes signals");
    }

    /// Tells it to stop; how it ended, and how long that took.
    pub async fn terminate(&mut self) -> (ExitStatus, Duration) {
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
    pub fn kill(&mut self) {
        self.killed = true;
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

/// Writes what a server or a command of its operator needs: the same secrets for all of one folder.
fn configuration(dir: &Path, database: &str, options: &ServerOptions, ports: (u16, u16)) -> String {
    let key = dir.join("secret-key");
    if !key.exists() {
        fs::write(&key, SECRET_KEY).expect("a key file");
    }
    let base = format!(
        "listen = '127.0.0.1:{}'\n\
         [database]\nurl = '{database}'\nconnections = {}\n\
         [secrets]\nkey_file = '{}'\n\
         [dev_issuer]\nlisten = '127.0.0.1:{}'\nkey_file = '{}'\n\
         [[bootstrap.admins]]\nissuer = '{DEV_ISSUER}'\nsubject = '{ADMIN}'\n\
         [executor]\nlease_seconds = {}\n\
         [log]\nformat = 'json'\nfilter = 'info,slipway=debug,slipway_app=debug,slipway_api=debug,slipway_executor=debug'\n",
        ports.0,
        options.connections,
        key.display(),
        ports.1,
        dir.join("issuer-key.pem").display(),
        options.lease_seconds,
    );
    let mut settings: toml::Table = base.parse().expect("a configuration");
    merge(
        &mut settings,
        options.settings.parse().expect("more configuration"),
    );
    settings.to_string()
}

fn merge(into: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The configuration file of somebody who looks at the same installation from outside: the database itself, the same keys.
pub(super) fn operator(dir: &Path, database: &Database) -> PathBuf {
    let file = dir.join("operator.toml");
    let text = configuration(dir, &database.url, &ServerOptions::default(), (1, 1));
    fs::write(&file, text).expect("a configuration");
    file
}

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
