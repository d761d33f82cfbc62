//! Measures Slipway beside what it is compared with, in one run on one machine, and writes what came of it.
//!
//! Nothing here is guessed: a row that cannot be measured says so in the table, and the exit code is not 0. Every row starts
//! what it needs (a Postgres that waits for the disk, Kubernetes API servers, `slipway serve` as its users run it) and takes
//! its two sides in turns.
//!
//! * `rows`: one file a row of the table of performance goals
//! * [`stats`], [`table`], [`document`]: pure, with tests
//! * [`load`]: the generator of requests; [`bare`]: the other side of the status; [`process`]: what `/proc` says
//! * [`places`]: where a row runs
//!
//! # How to extend
//! A row: a file in `rows` with `measure`, and its arm in [`rows::measure`].

mod bare;
mod document;
mod kubectl;
mod load;
mod places;
mod process;
mod rows;
mod seen;
mod stats;
mod table;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

/// Measures Slipway beside what it is compared with.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Args)]
struct Run {
    /// Measure only this row; may be given again. Without it all are, and the page is written
    #[arg(long = "row", value_name = "N")]
    rows: Vec<u8>,
    /// The page to write the figures into
    #[arg(long, default_value = "docs/performance.md", value_name = "FILE")]
    page: PathBuf,
    /// Write the page even if only some rows were asked for
    #[arg(long)]
    write: bool,
    /// How long a clean release build took, in seconds, to be written down
    #[arg(long, value_name = "SECONDS")]
    clean_build: Option<u64>,
    /// A file with what `tests/run` said at its end, to be written down
    #[arg(long, value_name = "FILE")]
    suites: Option<PathBuf>,
    /// Measure nothing: write down what `--clean-build` and `--suites` say
    #[arg(long)]
    only_write: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The other side of row 2: an axum handler that does nothing else
    #[command(hide = true)]
    Bare {
        /// Port to listen on
        #[arg(long)]
        port: u16,
        /// The document to show
        #[arg(long)]
        file: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    // Fails when the process has chosen its provider already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let ended = match cli.command {
        Some(Command::Bare { port, file }) => bare::serve(&file, port).await.map(|()| ExitCode::SUCCESS),
        None => run(&cli.run).await,
    };
    ended.unwrap_or_else(|error| {
        eprintln!("slipway-bench: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(args: &Run) -> Result<ExitCode> {
    let mut page = Page::read(&args.page)?;
    let write = args.write || args.only_write || args.rows.is_empty();
    if let Some(seconds) = args.clean_build {
        page.put("clean build", &format!("Clean release build: {seconds} s."))?;
    }
    if let Some(file) = &args.suites {
        let said = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        page.put(
            "suites",
            &suites(&said).context("there are no durations of suites in it")?,
        )?;
    }
    let mut code = ExitCode::SUCCESS;
    if !args.only_write {
        let begun = Instant::now();
        let machine = process::machine();
        let wanted = if args.rows.is_empty() {
            rows::ALL.to_vec()
        } else {
            args.rows.clone()
        };
        let measured = rows::all(&wanted).await;
        let table = table::markdown(&measured);
        let binary = rows::binary_mb()?;
        println!(
            "{table}\n\nrelease binary: {binary:.1} MB; took {} s",
            begun.elapsed().as_secs()
        );
        if table::failed(&measured) > 0 {
            code = ExitCode::FAILURE;
        }
        let text = format!(
            "Command: `tests/run bench`{}. {}\n\n{table}\n\nRelease binary (stripped of debug information): {binary:.1} MB.",
            if cfg!(debug_assertions) {
                ", of a debug build: these figures say nothing"
            } else {
                ""
            },
            machine.join("; "),
        );
        page.put("rows", &text)?;
        eprintln!(
            "{} of the goals missed, {} rows not measured",
            table::missed(&measured),
            table::failed(&measured)
        );
    }
    if write {
        page.write()?;
    }
    Ok(code)
}

/// The page with the figures.
struct Page<'a> {
    file: &'a Path,
    text: String,
}

impl<'a> Page<'a> {
    fn read(file: &'a Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Ok(Self { file, text })
    }

    fn put(&mut self, name: &str, text: &str) -> Result<()> {
        self.text = document::replace(&self.text, name, text)?;
        Ok(())
    }

    fn write(&self) -> Result<()> {
        std::fs::write(self.file, &self.text).with_context(|| self.file.display().to_string())
    }
}

/// The durations that `tests/run` prints at its end, as a table.
fn suites(said: &str) -> Option<String> {
    let lines: Vec<String> = said
        .lines()
        .filter_map(|line| {
            let (seconds, name) = line.trim().split_once(" s  ")?;
            let seconds: u64 = seconds.trim().parse().ok()?;
            Some(format!("| {} | {seconds} s |", name.trim()))
        })
        .collect();
    (!lines.is_empty()).then(|| format!("| suite | duration |\n|---|---|\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_durations_of_suites_are_found_in_what_the_tests_say() {
        let said =
            "test result: ok\n   312 s  faults\n     4 s  format\nslipway: passed: format faults (/work)\n";
        assert_eq!(
            suites(said).unwrap(),
            "| suite | duration |\n|---|---|\n| faults | 312 s |\n| format | 4 s |"
        );
        assert_eq!(suites("nothing"), None);
    }
}
