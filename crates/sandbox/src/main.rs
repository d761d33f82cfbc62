//! `slipway-sandbox`: the real parts that tests and the quickstart run on, from the command line.

mod cli;
mod pulled;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // While a server is not up yet, the client would tell of every question that is not answered.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,kube_client=off"));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .init();
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slipway-sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}
