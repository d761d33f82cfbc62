//! `slipway`: the server in all its roles, its database migrations, and the command line that talks to it. One binary.
//!
//! [`client`] holds the arguments and every command that speaks to a server; [`server`] holds what runs one.

mod client;
mod server;

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("slipway: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    client::run(client::Cli::parse()).await
}
