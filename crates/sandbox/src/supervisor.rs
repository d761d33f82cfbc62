//! Starts the servers, keeps them running, and ends them with this process.
//!
//! Three guards stand behind each other. Told to stop, the supervisor ends the children in order and waits for them.
//! Dropped, it does the same. Killed, the kernel ends them: each child runs under `setpriv --pdeathsig`. The kernel
//! sends that signal when the *thread* that forked ends, so all children are forked by one thread that lives as long
//! as the supervisor, and not by whichever worker of the caller's runtime happens to run.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::layout::Layout;
use crate::process::{Recorded, send};

/// A child that ends sooner than this after its start, so many times in a row, would end again: the sandbox fails.
const SHORT_LIFE: Duration = Duration::from_secs(5);
const SHORT_LIVES: u32 = 4;
/// Before the first new start of a child; doubles with every short life. Postgres that was killed needs it, until the
/// processes it left behind have noticed.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// How long a child may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(15);

/// A server to run.
#[derive(Debug, Clone)]
pub(crate) struct ChildSpec {
    /// Names its log and its pid file.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// The user to run as, if not the present one.
    pub(crate) user: Option<String>,
    pub(crate) ending: Ending,
}

/// How to end a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Keeps nothing: killed, before those of [`Ending::Tidy`].
    Abrupt,
    /// Keeps data: asked with SIGINT.
    Tidy,
}

impl Ending {
    fn signal(self) -> Signal {
        match self {
            Self::Abrupt => Signal::KILL,
            Self::Tidy => Signal::INT,
        }
    }

    fn signal_name(self) -> &'static str {
        match self {
            Self::Abrupt => "KILL",
            Self::Tidy => "INT",
        }
    }
}

/// The program and arguments that run `program` as `user`, tied to the life of the thread that forks it.
pub(crate) fn tied_command(
    program: impl Into<OsString>,
    args: impl IntoIterator<Item = impl Into<OsString>>,
    user: Option<&str>,
    ending: Ending,
) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", ending.signal_name()]);
    if let Some(user) = user {
        // setpriv sets the signal after it changed the user, which would clear it.
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command
        .arg("--")
        .arg(program.into())
        .args(args.into_iter().map(Into::into));
    command
        // Its own group: Ctrl-C is for the sandbox, which ends its children in order.
        .process_group(0)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/")
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs children until it is dropped, and waits then until they are gone.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// `None` once it is ending.
    requests: Option<mpsc::UnboundedSender<Request>>,
    thread: Option<JoinHandle<()>>,
    failure: watch::Receiver<Option<String>>,
}

type Request = (Work, oneshot::Sender<Result<()>>);

#[derive(Debug)]
enum Work {
    Keep(ChildSpec),
    RunOnce(ChildSpec),
}

impl Supervisor {
    pub(crate) fn start(layout: Layout) -> Result<Self> {
        let (requests, inbox) = mpsc::unbounded_channel();
        let (failed, failure) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("sandbox-children".to_owned())
            .spawn(move || runtime.block_on(serve(layout, inbox, failed)))?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
            failure,
        })
    }

    /// Starts a server and keeps it running: one that ends by itself is started again.
    pub(crate) async fn keep(&self, spec: ChildSpec) -> Result<()> {
        self.ask(Work::Keep(spec)).await
    }

    /// Runs a program to its end; one that fails is an error that says where its log is.
    pub(crate) async fn run_once(&self, spec: ChildSpec) -> Result<()> {
        self.ask(Work::RunOnce(spec)).await
    }

    async fn ask(&self, work: Work) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().context("the supervisor has ended")?;
        requests
            .send((work, reply))
            .map_err(|_| anyhow!("the supervisor has ended"))?;
        answer.await.context("the supervisor has ended")?
    }

    /// Waits until a server cannot be kept running.
    pub(crate) async fn failed(&self) -> anyhow::Error {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(message) => anyhow!(message.clone().unwrap_or_default()),
            Err(_) => anyhow!("the supervisor has ended"),
        }
    }

    /// Ends all children and waits until they are gone.
    pub(crate) async fn stop(mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported by its own thread.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The supervisor's thread.
async fn serve(
    layout: Layout,
    mut inbox: mpsc::UnboundedReceiver<Request>,
    failed: watch::Sender<Option<String>>,
) {
    let (abrupt, tidy) = (CancellationToken::new(), CancellationToken::new());
    let (mut abrupt_tasks, mut tidy_tasks, mut runs) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    while let Some((work, reply)) = inbox.recv().await {
        match work {
            Work::Keep(spec) => {
                let (tasks, stop) = match spec.ending {
                    Ending::Abrupt => (&mut abrupt_tasks, abrupt.clone()),
                    Ending::Tidy => (&mut tidy_tasks, tidy.clone()),
                };
                let started = spawn(&layout, &spec);
                // Who asked may have gone: the child is kept, and ended, all the same.
                let _ = reply.send(started.as_ref().map(|_| ()).map_err(|error| anyhow!("{error:#}")));
                if let Ok(child) = started {
                    tasks.spawn(keep(layout.clone(), spec, child, stop, failed.clone()));
                }
            }
            Work::RunOnce(spec) => {
                let layout = layout.clone();
                runs.spawn(async move {
                    let _ = reply.send(run_once(&layout, &spec).await);
                });
            }
        }
    }
    runs.shutdown().await;
    abrupt.cancel();
    while abrupt_tasks.join_next().await.is_some() {}
    tidy.cancel();
    while tidy_tasks.join_next().await.is_some() {}
}

fn spawn(layout: &Layout, spec: &ChildSpec) -> Result<Child> {
    let log = open_log(layout, &spec.name)?;
    let child = tied_command(&spec.program, &spec.args, spec.user.as_deref(), spec.ending)
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {} with setpriv (package util-linux)", spec.name))?;
    if let Some(pid) = child.id() {
        Recorded::new(pid, command_line(spec)).write(&layout.pid(&spec.name))?;
    }
    Ok(child)
}

fn open_log(layout: &Layout, name: &str) -> Result<File> {
    let path = layout.log(name);
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn command_line(spec: &ChildSpec) -> String {
    let mut line = spec.program.to_string_lossy().into_owned();
    for arg in &spec.args {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line.trim_end().to_owned()
}

/// Keeps one child running until `stop`.
async fn keep(
    layout: Layout,
    spec: ChildSpec,
    mut child: Child,
    stop: CancellationToken,
    failed: watch::Sender<Option<String>>,
) {
    let (mut started, mut short_lives) = (Instant::now(), 0);
    loop {
        let status = tokio::select! {
            status = child.wait() => status,
            () = stop.cancelled() => break,
        };
        let end = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        short_lives = if started.elapsed() < SHORT_LIFE {
            short_lives + 1
        } else {
            0
        };
        let pause = RESTART_PAUSE * (1 << short_lives);
        let again = if short_lives >= SHORT_LIVES {
            Err(anyhow!("it does not stay up"))
        } else {
            tracing::warn!(server = spec.name, end, "a server ended and is started again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            started = Instant::now();
            spawn(&layout, &spec)
        };
        match again {
            Ok(next) => child = next,
            Err(error) => {
                let log = layout.log(&spec.name);
                failed.send_replace(Some(format!(
                    "{} ended ({end}): {error:#}; see {}",
                    spec.name,
                    log.display()
                )));
                return;
            }
        }
    }
    end(&spec, &mut child).await;
    let _ = std::fs::remove_file(layout.pid(&spec.name));
}

async fn end(spec: &ChildSpec, child: &mut Child) {
    if let Some(pid) = child.id() {
        send(pid, spec.ending.signal());
    }
    if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
        tracing::warn!(server = spec.name, "a server does not end and is killed");
        // The only failure is that it has ended meanwhile.
        let _ = child.kill().await;
    }
}

async fn run_once(layout: &Layout, spec: &ChildSpec) -> Result<()> {
    let status = spawn(layout, spec)?.wait().await?;
    let _ = std::fs::remove_file(layout.pid(&spec.name));
    if !status.success() {
        return Err(anyhow!(
            "{} failed ({status}); see {}",
            spec.name,
            layout.log(&spec.name).display()
        ));
    }
    Ok(())
}
