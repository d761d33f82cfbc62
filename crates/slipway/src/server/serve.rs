//! Putting the roles of a server together, and draining them.

use super::{ServeArgs, ServerRole, config, issuer::Issuer, telemetry};
use anyhow::{Context as _, bail};
use jiff::SignedDuration;
use slipway_api::ApiConfig;
use slipway_app::{App, execution::Queue, identity};
use slipway_domain::{identity::Role, ids::WorkId};
use slipway_executor::{ClientSettings, Clients, Executor, Probe};
use slipway_store::Database;
use std::{sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Runs the server until SIGTERM or SIGINT, then drains: nothing new is taken, what is under way is finished or given
/// back, and the process ends within the time configured.
pub(crate) async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let settings = config::read(args.common.config.as_deref())?;
    telemetry::logs(&settings.log)?;
    let metrics = telemetry::metrics()?;
    let database = Database::connect(&settings.database.url, settings.database.connections)
        .await
        .context("database.url: cannot connect")?;
    if args.migrate {
        database.migrate().await.context("cannot migrate the database")?;
    }
    if !database.is_migrated().await? {
        bail!("the database lacks this version's schema: run `slipway migrate`, or give --migrate");
    }

    let mut issuers = settings.issuers.clone();
    let dev_issuer = settings.dev_issuer.as_ref().map(Issuer::open).transpose()?;
    issuers.extend(dev_issuer.as_ref().map(Issuer::as_config));
    let clients = Clients::new(ClientSettings::default());
    let app = App::new(
        database,
        settings.app(issuers)?,
        Arc::new(Probe::new(clients.clone())),
    )?;
    bootstrap(&app, &settings).await?;

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let has = |role| args.roles.contains(&role);
    if has(ServerRole::Api) {
        let listener = tokio::net::TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("listen: cannot listen on {}", settings.listen))?;
        let api_config = ApiConfig {
            metrics: Some(Arc::new(move || {
                metrics.run_upkeep();
                metrics.render()
            })),
            ..ApiConfig::default()
        };
        let router = slipway_api::router(app.clone(), api_config, stop.clone());
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
        let (app, stopped) = (app.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = app.feed().follow(app.database()) => {}
                () = stopped.cancelled() => {}
            }
        });
        if let Some(issuer) = dev_issuer {
            let stopped = stop.clone().cancelled_owned();
            tasks.spawn(async move {
                if let Err(error) = issuer.serve(stopped).await {
                    tracing::error!(error = format!("{error:#}"), "the development issuer ended");
                }
            });
        }
    }
    if has(ServerRole::Scheduler) {
        tasks.spawn(slipway_scheduler::run(app.clone(), stop.clone()));
    }
    if has(ServerRole::Executor) {
        let heartbeats = Database::connect(&settings.database.url, 2).await?;
        let queue = Queue::new(app.clone(), heartbeats);
        let mut executor = slipway_executor::Settings::new(holder());
        executor.max_in_flight = settings.executor.max_in_flight;
        executor.lease = SignedDuration::from_secs(i64::from(settings.executor.lease_seconds));
        executor.heartbeat_every = Duration::from_secs(u64::from(settings.executor.lease_seconds)) / 5;
        executor
            .cluster_labels
            .clone_from(&settings.executor.cluster_labels);
        tasks.spawn(Executor::new(queue, clients, executor).run(stop.clone()));
    }
    tasks.close();
    let signal = told_to_stop().await?;
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

/// A name for this process that no other has.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let unique = WorkId::new().uuid().simple().to_string();
    format!("{}-{}-{}", host.trim(), std::process::id(), &unique[24..])
}

async fn told_to_stop() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
