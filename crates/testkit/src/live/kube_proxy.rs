//! An HTTP proxy on loopback, to stand between Slipway and a real Kubernetes API server, and to fail in the ways an API
//! server fails: refusals, answers that are lost or replaced, watches that expire or fall silent.
//!
//! It answers plain HTTP, which clusters on loopback may be registered with, and passes requests on with the credential
//! they carry: a token, that is. [`Rule`]s decide what becomes of a request; without one, everything passes. What came is
//! in its [log](KubeProxy::log), with times. It runs in a thread of its own: a test that blocks does not hold up what goes
//! through.
//!
//! ```no_run
//! # fn test() {
//! use slipway_testkit::live::{KubeProxy, Fate, kubeconfig};
//! let proxy = KubeProxy::before(&kubeconfig(), "eu");
//! // The first write of every object takes effect, and nobody is told.
//! proxy.rule(|asked| (asked.is_write() && asked.n == 1).then_some(Fate::PassThenBreak));
//! # }
//! ```

use super::kube_carry::{self, Upstream};
use kube::config::Kubeconfig;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::{oneshot, watch};

/// A request, as a rule sees it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// `GET`, `PATCH`, …
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// What follows the `?`; empty without.
    pub query: &'a str,
    /// `User-Agent`: Slipway's servers name themselves there.
    pub agent: &'a str,
    /// What was sent.
    pub body: &'a [u8],
    /// Which request of this method to this path it is, from 1.
    pub n: usize,
}

impl Asked<'_> {
    /// Whether it opens a watch.
    pub fn is_watch(&self) -> bool {
        self.query
            .split('&')
            .any(|part| matches!(part, "watch=true" | "watch=1"))
    }

    /// Whether it may change something.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && !self.query.contains("dryRun=All") && !self.path.contains("reviews")
    }
}

/// An answer that the API server did not give.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A refusal, as a `metav1.Status` with this code and message.
    pub fn status(code: u16, message: &str) -> Self {
        let body = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message,
        });
        Self {
            code,
            retry_after: None,
            body: body.to_string(),
        }
    }

    /// 429 with `Retry-After`.
    pub fn too_many_requests(seconds: u64) -> Self {
        let mut answer = Self::status(429, "the server has received too many requests");
        answer.retry_after = Some(seconds);
        answer
    }

    /// 200 with this body.
    pub fn ok(body: &str) -> Self {
        Self {
            code: 200,
            retry_after: None,
            body: body.to_owned(),
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It passes, and its answer arrives.
    Pass,
    /// It does not reach the API server; this is answered.
    Answer(Answer),
    /// It does not reach the API server; the connection ends.
    Break,
    /// It takes effect, and this is answered instead.
    PassThenAnswer(Answer),
    /// It takes effect, and the connection ends instead of an answer.
    PassThenBreak,
    /// It takes effect, and nothing is ever answered; the connection stays open.
    PassThenSilence,
    /// It passes this much later.
    Delay(Duration),
    /// It passes once the gate is opened.
    Hold(Gate),
    /// It does not reach the API server; a stream begins, in which nothing comes.
    Silence,
}

/// Holds requests until it is opened. Cheap to clone; clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Gate {
    /// Lets everything through, from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn passed(&self) {
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// What becomes of the watches that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchEnd {
    /// Their connections stay open, and nothing comes any more.
    Silent,
    /// Their connections end.
    Broken,
    /// They are told `410 Gone`, as by an API server that no longer has what they ask for.
    Expired,
}

/// Says what becomes of a request; `None` leaves it to the next rule.
pub trait Rule: Fn(&Asked<'_>) -> Option<Fate> + Send + Sync + 'static {}

impl<F: Fn(&Asked<'_>) -> Option<Fate> + Send + Sync + 'static> Rule for F {}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Logged {
    /// When it had come in full.
    pub at: Instant,
    /// When its answer began; none when there was none (yet).
    pub answered: Option<Instant>,
    /// `GET`, `PATCH`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What follows the `?`.
    pub query: String,
    /// `User-Agent`.
    pub agent: String,
    /// What was answered; none when nothing was (yet).
    pub code: Option<u16>,
}

/// What all connections of a proxy share.
#[derive(Default)]
pub(super) struct Shared {
    rules: Mutex<Vec<Arc<dyn Rule>>>,
    seen: Mutex<HashMap<(String, String), usize>>,
    log: Mutex<Vec<Logged>>,
    pub(super) watches: watch::Sender<(u64, Option<WatchEnd>)>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// What becomes of a request, and its place in the log.
    pub(super) fn decide(
        &self,
        method: &str,
        path: &str,
        query: &str,
        agent: &str,
        body: &[u8],
    ) -> (Fate, usize) {
        let n = {
            let mut seen = lock(&self.seen);
            let n = seen.entry((method.to_owned(), path.to_owned())).or_default();
            *n += 1;
            *n
        };
        let logged = Logged {
            at: Instant::now(),
            answered: None,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            agent: agent.to_owned(),
            code: None,
        };
        let place = {
            let mut log = lock(&self.log);
            log.push(logged);
            log.len() - 1
        };
        let asked = Asked {
            method,
            path,
            query,
            agent,
            body,
            n,
        };
        // Rules may ask the proxy itself something: no lock is held meanwhile.
        let rules = lock(&self.rules).clone();
        let fate = rules.iter().find_map(|rule| rule(&asked)).unwrap_or(Fate::Pass);
        (fate, place)
    }

    pub(super) fn answered(&self, place: usize, code: u16) {
        if let Some(logged) = lock(&self.log).get_mut(place) {
            logged.code = Some(code);
            logged.answered = Some(Instant::now());
        }
    }
}

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub struct KubeProxy {
    /// Where it listens: `http://127.0.0.1:…`.
    pub url: String,
    shared: Arc<Shared>,
    kubeconfig: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl KubeProxy {
    /// In front of an API server at this URL, whose certificate is signed by this authority (PEM).
    ///
    /// # Panics
    /// When it cannot listen, or the authority cannot be read.
    pub fn start(server: &str, authority: Option<&str>) -> Self {
        let shared = Arc::new(Shared::default());
        let upstream = Upstream::new(server, authority, Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("a port");
                ready
                    .send(listener.local_addr().expect("an address"))
                    .expect("who started this waits");
                tokio::select! {
                    () = kube_carry::accept(listener, upstream) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            url: format!("http://{}", address.recv().expect("the proxy listens")),
            shared,
            kubeconfig: None,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// In front of the cluster of a context of this kubeconfig.
    ///
    /// # Panics
    /// When the kubeconfig has no such context, or its user has no token.
    pub fn before(kubeconfig: &str, context: &str) -> Self {
        let mut all = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
        let named = all
            .contexts
            .iter()
            .find(|c| c.name == context)
            .and_then(|c| c.context.clone());
        let named = named.unwrap_or_else(|| panic!("the kubeconfig has no context {context}"));
        let cluster = all
            .clusters
            .iter()
            .find(|c| c.name == named.cluster)
            .and_then(|c| c.cluster.clone());
        let cluster = cluster.expect("the context's cluster");
        let authority = cluster
            .certificate_authority_data
            .map(|data| String::from_utf8(kube_carry::decode(&data)).expect("PEM"));
        let mut proxy = Self::start(&cluster.server.expect("an address"), authority.as_deref());
        all.clusters.retain(|c| c.name == named.cluster);
        all.contexts.retain(|c| c.name == context);
        all.auth_infos.retain(|u| Some(&u.name) == named.user.as_ref());
        all.current_context = Some(context.to_owned());
        for cluster in all.clusters.iter_mut().filter_map(|c| c.cluster.as_mut()) {
            cluster.server = Some(proxy.url.clone());
            cluster.certificate_authority_data = None;
        }
        proxy.kubeconfig = Some(serde_json::to_string(&all).expect("a kubeconfig"));
        proxy
    }

    /// The kubeconfig it was started with, with that one context, which leads through it.
    ///
    /// # Panics
    /// When it was not started with one.
    pub fn kubeconfig(&self) -> &str {
        self.kubeconfig
            .as_deref()
            .expect("it was started with a kubeconfig")
    }

    /// Adds a rule; those that were added before it go first.
    pub fn rule(&self, rule: impl Rule) {
        lock(&self.shared.rules).push(Arc::new(rule));
    }

    /// Takes all rules away: everything passes.
    pub fn clear(&self) {
        lock(&self.shared.rules).clear();
    }

    /// Ends the watches that are open, in this way. Those to come are requests like others.
    pub fn end_watches(&self, end: WatchEnd) {
        self.shared.watches.send_modify(|(n, last)| {
            *n += 1;
            *last = Some(end);
        });
    }

    /// Everything that came, in order.
    pub fn log(&self) -> Vec<Logged> {
        lock(&self.shared.log).clone()
    }

    /// How many requests of a method came for a path.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let key = (method.to_owned(), path.to_owned());
        lock(&self.shared.seen).get(&key).copied().unwrap_or_default()
    }
}

impl Drop for KubeProxy {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
