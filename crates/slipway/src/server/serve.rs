//! Putting the roles of a server together, and draining them.

use super::{
    ServeArgs, ServerRole, config,
    issuer::Issuer,
    telemetry::{self, Metrics},
};
use anyhow::{Context as _, bail};
use jiff::SignedDuration;
use slipway_api::ApiConfig;
use slipway_app::{
    App,
    drift::Ledger,
    execution::Queue,
    identity::{self, issuers},
    servers::{self, Myself},
};
use slipway_domain::{identity::Role, ids::WorkId};
use slipway_executor::{ClientSettings, Clients, DriftSettings, DriftWatcher, Executor, Probe, RetryDelays};
use slipway_issuers::HttpDocuments;
use slipway_store::Database;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long the last spans may take to be sent, after the drain: both together are below 30 s.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// Runs the server until SIGTERM or SIGINT, then drains: nothing new is taken, what is under way is finished or given
/// back, and the process ends within the time configured.
pub(crate) async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let settings = config::read(args.common.config.as_deref())?;
    let myself = myself(&args.roles, &settings);
    let traces = telemetry::start(&settings, &myself.holder)?;
    let metrics = Metrics::start(&args.roles)?;
    let database = Database::connect(&settings.database.url, settings.database.connections)
        .await
        .context("database.url: cannot connect")?
        .watched();
    if args.migrate {
        database.migrate().await.context("cannot migrate the database")?;
    }
    if !database.is_migrated().await? {
        bail!("the database lacks this version's schema: run `slipway migrate`, or give --migrate");
    }

    let mut issuers = settings.issuers.clone();
    let dev_issuer = settings.dev_issuer.as_ref().map(Issuer::open).transpose()?;
    issuers.extend(dev_issuer.as_ref().map(Issuer::as_config));
    let clients = Clients::new(ClientSettings {
        agent: Some(myself.holder.clone()),
        ..ClientSettings::default()
    });
    let app = App::new(
        database,
        settings.app(issuers)?,
        Arc::new(Probe::new(clients.clone())),
    )?;
    check_keys(&app, &settings).await?;
    bootstrap(&app, &settings).await?;

    // Before anything is begun that must be ended well.
    let mut told = ToldToStop::listen()?;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let has = |role| args.roles.contains(&role);
    let api_config = ApiConfig {
        metrics: Some(metrics.render(app.database().clone())),
        ..ApiConfig::default()
    };
    if let Some(listen) = settings.metrics_listen {
        be_watched(
            listen,
            slipway_api::system_router(app.clone(), api_config.clone(), stop.clone()),
        )
        .await?;
    }
    tasks.spawn(servers::keep(app.clone(), myself.clone(), stop.clone()));
    if has(ServerRole::Api) {
        let listener = tokio::net::TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("listen: cannot listen on {}", settings.listen))?;
        let router = slipway_api::router(app.clone(), api_config.clone(), stop.clone());
        let stopped = stop.clone().cancelled_owned();
        tracing::info!(listen = %settings.listen, "the API answers; its documentation is at /docs");
        tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
            {
                tracing::error!(%error, "the API ended");
            }
        });
        let documents = HttpDocuments::new().context("cannot ask issuers for their keys")?;
        tasks.spawn(issuers::follow(app.clone(), Arc::new(documents), stop.clone()));
        let (app, stopped) = (app.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = app.feed().follow(app.database()) => {}
                () = stopped.cancelled() => {}
            }
        });
        if let Some(issuer) = dev_issuer {
            tasks.spawn(sign_for_anybody(issuer, stop.clone()));
        }
    }
    if has(ServerRole::Scheduler) {
        tasks.spawn(slipway_scheduler::run(app.clone(), stop.clone()));
    }
    if has(ServerRole::Executor) {
        work_on_clusters(&settings, &myself, &app, clients, &tasks, &stop).await?;
    }
    tasks.close();
    let signal = told.heard().await;
    tracing::info!(
        signal,
        "draining: nothing new is taken, what is under way is finished or given back"
    );
    stop.cancel();
    let most = Duration::from_secs(settings.drain_seconds);
    if tokio::time::timeout(most, tasks.wait()).await.is_err() {
        tracing::warn!("not everything ended in time; leases will be rescued by other servers");
    }
    tracing::info!("stopped");
    if let Some(traces) = traces {
        traces.end(LAST_SPANS).await;
    }
    Ok(())
}

/// The development issuer, until it is told to stop.
async fn sign_for_anybody(issuer: Issuer, stop: CancellationToken) {
    if let Err(error) = issuer.serve(stop.cancelled_owned()).await {
        tracing::error!(error = format!("{error:#}"), "the development issuer ended");
    }
}

/// Answers those who watch the process, until it ends: they see that it drains.
async fn be_watched(listen: SocketAddr, router: axum::Router) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("metrics_listen: cannot listen on {listen}"))?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "nobody can watch this process any more");
        }
    });
    Ok(())
}

/// The role `executor`: carries work out, and watches what it has applied.
async fn work_on_clusters(
    settings: &config::Settings,
    myself: &Myself,
    app: &App,
    clients: Clients,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let heartbeats = Database::connect(&settings.database.url, 2).await?.watched();
    let queue = Queue::new(app.clone(), heartbeats);
    let mut executor = slipway_executor::Settings::new(myself.holder.clone());
    executor.max_in_flight = settings.executor.max_in_flight;
    executor.lease = SignedDuration::from_secs(i64::from(settings.executor.lease_seconds));
    executor.heartbeat_every = Duration::from_secs(u64::from(settings.executor.lease_seconds)) / 5;
    executor
        .cluster_labels
        .clone_from(&settings.executor.cluster_labels);
    executor.retry = RetryDelays {
        first: Duration::from_millis(settings.executor.retry_first_ms),
        longest: Duration::from_millis(settings.executor.retry_longest_ms),
    };
    let mut drift = DriftSettings::new(myself.holder.clone());
    drift.cluster_labels.clone_from(&settings.executor.cluster_labels);
    drift.compare_every = Duration::from_mins(settings.executor.drift_compare_minutes);
    let watcher = DriftWatcher::new(Ledger::new(app.clone()), clients.clone(), drift);
    tasks.spawn(watcher.run(stop.clone()));
    tasks.spawn(Executor::new(queue, clients, executor).run(stop.clone()));
    Ok(())
}

/// Refuses to go on with keys that do not read what is stored: work would be claimed that nobody can do, and what is written
/// from now on could not be read by the servers with the right ones.
async fn check_keys(app: &App, settings: &config::Settings) -> anyhow::Result<()> {
    for (name, count) in slipway_app::unreadable(app).await? {
        if settings.secrets.lost_keys.contains(&name) {
            tracing::warn!(
                key = name,
                count,
                "what was encrypted with a key that is lost has to be given again"
            );
            continue;
        }
        bail!(
            "the configuration cannot be used: secrets.key: {count} of what is stored was encrypted with the key `{name}`, \
             which is not configured: give that one, as `key` or among `older_keys`; only if it is lost, name it among \
             `lost_keys`, and give the credentials of clusters again"
        );
    }
    Ok(())
}

/// Grants the first admins, while there is none.
async fn bootstrap(app: &App, settings: &config::Settings) -> anyhow::Result<()> {
    let admins: Vec<(String, String, Role)> = settings
        .bootstrap
        .admins
        .iter()
        .map(|s| (s.issuer.clone(), s.subject.clone(), Role::Admin))
        .collect();
    let mut tx = app.begin().await?;
    identity::bootstrap(&mut tx, &admins).await?;
    tx.commit().await?;
    Ok(())
}

/// What this process says of itself.
fn myself(roles: &[ServerRole], settings: &config::Settings) -> Myself {
    let all = [
        (ServerRole::Api, "api"),
        (ServerRole::Scheduler, "scheduler"),
        (ServerRole::Executor, "executor"),
    ];
    let named = all.into_iter().filter(|(role, _)| roles.contains(role));
    let limited = roles.contains(&ServerRole::Executor);
    Myself {
        holder: holder(),
        roles: named.map(|(_, name)| name.to_owned()).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster_labels: if limited {
            settings.executor.cluster_labels.clone()
        } else {
            std::collections::BTreeMap::new()
        },
    }
}

/// A name for this process that no other has.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let unique = WorkId::new().uuid().simple().to_string();
    format!("{}-{}-{}", host.trim(), std::process::id(), &unique[24..])
}

/// Hears the signals that end a server.
struct ToldToStop {
    terminate: Signal,
    interrupt: Signal,
}

impl ToldToStop {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn heard(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
