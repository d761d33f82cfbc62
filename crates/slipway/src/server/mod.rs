//! Running a server: `slipway serve`, `slipway migrate`, `slipway doctor` and, for development only, `slipway dev-token`.
//!
//! [`config`] reads files and environment, [`serve`] puts the roles together and drains them, [`issuer`] is the
//! development issuer, [`telemetry`] the logs and metrics. Nothing here decides anything about releases.

mod config;
mod doctor;
mod issuer;
mod serve;
mod telemetry;
mod unquoted;

pub(crate) use doctor::{DoctorArgs, NotExamined, Verdict, doctor};
pub(crate) use issuer::{DevTokenArgs, dev_token};
pub(crate) use serve::serve;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use slipway_store::Database;
use std::path::PathBuf;

/// Arguments of `slipway serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    common: Common,
    /// What this process does: any split over any number of processes works
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "api,scheduler,executor"
    )]
    roles: Vec<ServerRole>,
    /// Bring the database to this version's schema first
    #[arg(long)]
    migrate: bool,
}

/// Arguments of `slipway migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Configuration file (TOML); every key can be given as `SLIPWAY__SECTION__KEY` too
    #[arg(long, env = "SLIPWAY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServerRole {
    /// Answers requests
    Api,
    /// Judges gates, keeps time, chains the record
    Scheduler,
    /// Carries out work on clusters
    Executor,
}

/// Brings the database to this version's schema.
pub(crate) async fn migrate(args: MigrateArgs) -> anyhow::Result<()> {
    let settings = config::read(args.common.config.as_deref())?;
    let database = Database::connect(&settings.database.url, 2)
        .await
        .context("database.url: cannot connect")?;
    database.migrate().await?;
    println!("the database has this version's schema");
    Ok(())
}
