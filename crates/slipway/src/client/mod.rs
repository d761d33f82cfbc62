//! The command line: arguments, and commands that speak to a server over its public API and in no other way.
//!
//! To extend: a file in [`commands`] for a new noun (its arguments, what it sends, how it is shown), a variant in
//! [`Command`], a line in `docs/command-line.md`.

mod commands;
mod exit;
mod files;
mod http;
mod output;
mod parse;
mod settings;
mod sink;
mod sse;
#[cfg(test)]
mod tests;
mod watch;

use crate::server;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use commands::{
    approve, audit, away, certificate, cluster, component, delegation, deploy, drift, environment, events,
    evidence, group, identity, policy, process, release, review, role_binding, service, status, target, team,
    token,
};
use exit::{Exit, Failure};
use http::Api;
use output::{Format, Out};
use std::process::ExitCode;

/// Slipway: releases, approved and reconciled onto Kubernetes.
///
/// One binary: `slipway serve` runs the server, every other command talks to one.
#[derive(Debug, Parser)]
#[command(name = "slipway", version, after_long_help = exit::HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
struct Global {
    /// The server's URL; else the one of `slipway login`
    #[arg(
        long,
        global = true,
        env = "SLIPWAY_SERVER",
        value_name = "URL",
        hide_env_values = true
    )]
    server: Option<String>,
    /// The bearer token; else the one of `slipway login`
    #[arg(
        long,
        global = true,
        env = "SLIPWAY_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// How to print: a table for people, or the API's own JSON
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    output: Format,
    /// Print only what names each thing, one a line, and no notes
    #[arg(short, long, global = true)]
    quiet: bool,
    /// No colours; the same as setting the environment's `NO_COLOR`
    #[arg(long, global = true)]
    no_color: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep a server and a token for the commands to come
    Login(identity::Login),
    /// Forget the kept server and token
    Logout,
    /// Show who you are and what you may do
    Whoami,
    /// Show what runs where, what is under way and what waits
    Status,
    /// Teams: own services and components
    #[command(subcommand)]
    Team(team::Command),
    /// Services: what users depend on
    #[command(subcommand)]
    Service(service::Command),
    /// Environments: where releases go
    #[command(subcommand, visible_alias = "environment")]
    Env(environment::Command),
    /// Clusters: Kubernetes API endpoints
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Server processes: which there are, and what they do
    #[command(subcommand)]
    Server(commands::server::Command),
    /// Targets: where a service lands in an environment
    #[command(subcommand)]
    Target(target::Command),
    /// Components and their versions: the library
    #[command(subcommand)]
    Component(component::Command),
    /// Releases: component versions, configuration and notes for a service
    #[command(subcommand)]
    Release(release::Command),
    /// Deployments: a release going to an environment
    #[command(subcommand)]
    Deploy(deploy::Command),
    /// What runs and is not what was applied, and who changed it
    Drift(drift::Drift),
    /// Approvals: see what waits for you, and decide
    Approve(approve::Approve),
    /// Reviews of what went on without a gate, in an emergency
    #[command(subcommand)]
    Review(review::Command),
    /// Groups: who is asked for approval together
    #[command(subcommand)]
    Group(group::Command),
    /// Delegations: somebody else decides in your place, for a time
    #[command(subcommand)]
    Delegation(delegation::Command),
    /// Say that you are away, or back: who is away is not waited for
    Away(away::Away),
    /// Policies: your organisation's own rules about what may go where
    #[command(subcommand)]
    Policy(policy::Command),
    /// Processes: which stages releases go through
    #[command(subcommand)]
    Process(process::Command),
    /// Evidence: what is stated about component versions and releases, and what it is verified with
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// The tamper-evident record of every change
    #[command(subcommand)]
    Audit(audit::Command),
    /// Verify the certificate of a release, without a server
    Verify(certificate::Verify),
    /// API tokens of your own
    #[command(subcommand)]
    Token(token::Command),
    /// Who holds which role, and on what
    #[command(subcommand)]
    RoleBinding(role_binding::Command),
    /// What happened, and what happens
    Events(events::Events),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Run the server
    Serve(server::ServeArgs),
    /// Bring a database to this version's schema
    Migrate(server::MigrateArgs),
    /// Examine an installation: whether every invariant holds, in the database and on the clusters
    Doctor(server::DoctorArgs),
    /// Get a token from a development issuer, and print it
    DevToken(server::DevTokenArgs),
}

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    /// The server.
    pub(crate) api: Api,
    /// The output.
    pub(crate) out: Out,
}

/// Carries a command out and says how it went.
pub(crate) async fn run(cli: Cli) -> ExitCode {
    let out = Out::new(cli.global.output, cli.global.quiet, cli.global.no_color);
    let Err(failure) = dispatch(cli.command, &cli.global, out.clone()).await else {
        return Exit::Done.into();
    };
    match &failure {
        Failure::PipeClosed => {}
        failure if out.json_wanted() => say(&output::indented(&failure.for_machines())),
        failure => say(&failure.for_people()),
    }
    failure.exit().into()
}

fn say(text: &str) {
    let safe: Vec<_> = text.split('\n').map(output::clean).collect();
    sink::beside(&safe.join("\n"));
}

async fn dispatch(command: Command, global: &Global, out: Out) -> Result<(), Failure> {
    let (server, token) = (global.server.as_deref(), global.token.as_deref());
    let context = || -> Result<Context, Failure> {
        let access = settings::access(server, token, &settings::path()?)?;
        Ok(Context {
            api: Api::new(access)?,
            out: out.clone(),
        })
    };
    let failed = |error: anyhow::Error| Failure::Outcome {
        exit: Exit::Refused,
        what: format!("{error:#}"),
    };
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "slipway", &mut script);
            out.print(&String::from_utf8_lossy(&script))
        }
        Command::Login(login) => login.run(server, token, &settings::path()?, &out).await,
        Command::Logout => identity::logout(&settings::path()?, &out),
        Command::Whoami => identity::whoami(&context()?).await,
        Command::Status => status::run(&context()?).await,
        Command::Team(command) => command.run(&context()?).await,
        Command::Service(command) => command.run(&context()?).await,
        Command::Env(command) => command.run(&context()?).await,
        Command::Cluster(command) => command.run(&context()?).await,
        Command::Server(command) => command.run(&context()?).await,
        Command::Target(command) => command.run(&context()?).await,
        Command::Component(command) => command.run(&context()?).await,
        Command::Release(command) => command.run(&context()?).await,
        Command::Deploy(command) => command.run(&context()?).await,
        Command::Drift(drift) => drift.run(&context()?).await,
        Command::Approve(approve) => approve.run(&context()?).await,
        Command::Review(command) => command.run(&context()?).await,
        Command::Group(command) => command.run(&context()?).await,
        Command::Delegation(command) => command.run(&context()?).await,
        Command::Away(away) => away.run(&context()?).await,
        Command::Policy(command) => command.run(&context()?).await,
        Command::Process(command) => command.run(&context()?).await,
        Command::Evidence(command) => command.run(&context()?).await,
        // A file is verified where nobody is signed in, and without trusting any server.
        Command::Audit(audit::Command::Verify(verify)) if verify.is_offline() => verify.offline(&out),
        Command::Audit(command) => command.run(&context()?).await,
        Command::Verify(verify) => verify.run(&out),
        Command::Token(command) => command.run(&context()?).await,
        Command::RoleBinding(command) => command.run(&context()?).await,
        Command::Events(events) => events.run(&context()?).await,
        Command::Serve(args) => server::serve(args).await.map_err(failed),
        Command::Migrate(args) => server::migrate(args).await.map_err(failed),
        Command::Doctor(args) => doctor(args, &out).await,
        Command::DevToken(args) => server::dev_token(args).await.map_err(failed),
    }
}

/// Says what an examination came to: what was found is as if refused, what could not be examined as if unavailable.
async fn doctor(args: server::DoctorArgs, out: &Out) -> Result<(), Failure> {
    let diagnosis = match server::doctor(args, out.json_wanted(), out.is_quiet()).await {
        Ok(diagnosis) => diagnosis,
        Err(server::NotExamined::Configuration(error)) => return Err(Failure::Usage(format!("{error:#}"))),
        Err(server::NotExamined::Database(error)) => {
            return Err(Failure::unavailable(format!(
                "nothing could be examined: {error:#}"
            )));
        }
    };
    let safe: Vec<_> = diagnosis.text.split('\n').map(output::clean).collect();
    out.print(&safe.join("\n"))?;
    let exit = match diagnosis.verdict {
        server::Verdict::Healthy => return Ok(()),
        server::Verdict::Found => Exit::Refused,
        server::Verdict::Incomplete => Exit::Unavailable,
    };
    Err(Failure::Outcome {
        exit,
        what: diagnosis.summary,
    })
}
