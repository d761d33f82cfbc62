//! A TCP proxy on loopback, to stand between a server and its Postgres, and to fail in the ways a network fails.
//!
//! It runs in a thread of its own: a test that blocks (on a command it runs, say) does not hold up what goes through.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
    sync::{oneshot, watch},
    time::sleep,
};

/// What the proxy does with connections, those there are and those to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// Nobody listens: new connections are refused. Those there are stay; [`TcpProxy::cut`] ends them.
    Refuse,
    /// Connections are accepted and stay open, and nothing goes through, in either direction. What was sent meanwhile goes
    /// on when the mode changes, as it does when a network comes back.
    BlackHole,
    /// Everything passes, each piece this much later, in either direction.
    Delay(Duration),
}

/// A running proxy; it ends when dropped.
pub struct TcpProxy {
    /// Where it listens.
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    cut: watch::Sender<u64>,
    lost: watch::Sender<u64>,
    open: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TcpProxy {
    /// Starts one that passes everything on to `upstream` (`host:port`).
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(upstream: &str) -> Self {
        let (mode, modes) = watch::channel(Mode::Pass);
        let (cut, cuts) = watch::channel(0);
        let (lost, losses) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = std::sync::mpsc::channel();
        let open = Arc::new(AtomicUsize::new(0));
        let link = Link {
            upstream: upstream.to_owned(),
            modes,
            cuts,
            losses,
            open: Arc::clone(&open),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = listener.local_addr().expect("an address");
                ready.send(address).expect("who started this waits");
                tokio::select! {
                    () = accept(listener, address, link) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address: address.recv().expect("the proxy listens"),
            mode,
            cut,
            lost,
            open,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// One in front of a Postgres, and the URL that leads through it.
    ///
    /// # Panics
    /// When the URL is none.
    pub fn before_postgres(url: &str) -> (Self, String) {
        let mut through = url::Url::parse(url).expect("a URL");
        let (host, port) = (
            through.host_str().expect("a host"),
            through.port().unwrap_or(5432),
        );
        let proxy = Self::start(&format!("{host}:{port}"));
        through.set_host(Some("127.0.0.1")).expect("a host");
        through.set_port(Some(proxy.address.port())).expect("a port");
        (proxy, through.into())
    }

    /// Switches what it does, at once.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends every connection there is, with a reset.
    pub fn cut(&self) {
        self.cut.send_modify(|n| *n += 1);
    }

    /// Every connection there is goes dead for good, without a word, as when a firewall forgets them: they stay open, and
    /// nothing goes through any more. Those to come are treated as the mode says.
    pub fn lose(&self) {
        self.lost.send_modify(|n| *n += 1);
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What every connection needs to know.
#[derive(Clone)]
struct Link {
    upstream: String,
    modes: watch::Receiver<Mode>,
    cuts: watch::Receiver<u64>,
    losses: watch::Receiver<u64>,
    open: Arc<AtomicUsize>,
}

async fn accept(listener: TcpListener, address: SocketAddr, mut link: Link) {
    let mut listener = Some(listener);
    loop {
        let refuses = *link.modes.borrow_and_update() == Mode::Refuse;
        if refuses {
            listener = None;
            if link.modes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let listening = if let Some(listening) = listener.take() {
            listening
        } else if let Ok(listening) = TcpListener::bind(address).await {
            listening
        } else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::select! {
            accepted = listening.accept() => if let Ok((stream, _)) = accepted {
                tokio::spawn(carry(stream, link.clone()));
            },
            changed = link.modes.changed() => if changed.is_err() {
                return;
            },
        }
        listener = Some(listening);
    }
}

/// Carries one connection, until either side closes it or it is cut.
async fn carry(mut client: TcpStream, mut link: Link) {
    link.cuts.borrow_and_update();
    link.losses.borrow_and_update();
    link.open.fetch_add(1, Ordering::SeqCst);
    let (mut cuts, mut losses) = (link.cuts.clone(), link.losses.clone());
    let carried = async {
        // A black hole accepts, and tells nobody of it.
        passable(&mut link.modes).await;
        let Ok(mut server) = TcpStream::connect(&link.upstream).await else {
            return;
        };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::select! {
            () = pump(from_client, to_server, link.modes.clone()) => {}
            () = pump(from_server, to_client, link.modes.clone()) => {}
        }
    };
    let carried = async {
        tokio::select! {
            biased;
            _ = losses.changed() => pending().await,
            () = carried => {}
        }
    };
    let was_cut = tokio::select! {
        () = carried => false,
        _ = cuts.changed() => true,
    };
    if was_cut {
        let _ = client.set_zero_linger();
    }
    link.open.fetch_sub(1, Ordering::SeqCst);
}

async fn pump(mut from: tcp::ReadHalf<'_>, mut to: tcp::WriteHalf<'_>, mut modes: watch::Receiver<Mode>) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let Ok(n) = from.read(&mut piece).await else {
            return;
        };
        if let Mode::Delay(time) = passable(&mut modes).await {
            sleep(time).await;
        }
        // The end of one side goes through the hole no more than a byte does: it has waited too.
        if n == 0 || to.write_all(&piece[..n]).await.is_err() {
            return;
        }
    }
}

/// Waits while the proxy is a black hole; what it is then.
async fn passable(modes: &mut watch::Receiver<Mode>) -> Mode {
    let passable = modes.wait_for(|mode| *mode != Mode::BlackHole).await;
    // `None` when the proxy is ending, and everything with it.
    let mode = passable.ok().map(|mode| *mode);
    match mode {
        Some(mode) => mode,
        None => pending().await,
    }
}
