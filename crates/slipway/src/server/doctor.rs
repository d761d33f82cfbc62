//! `slipway doctor`: whether the eight invariants hold on an installation, said for people or for machines. It reads the
//! database and the clusters, and changes nothing.

use super::{Common, config};
use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use slipway_app::{
    App, Error,
    doctor::{Options, examine},
};
use slipway_domain::{
    counted,
    doctor::{Invariant, Report},
};
use slipway_executor::{ClientSettings, Clients, Probe};
use slipway_store::Database;
use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Connections to the database: one for what is read in one state, the others while clusters are asked.
const CONNECTIONS: u32 = 10;
/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `slipway doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    common: Common,
    /// Leave clusters alone, and read the database only
    #[arg(long)]
    no_clusters: bool,
    /// How many findings of one kind to list; the rest is counted
    #[arg(long, default_value_t = 20, value_name = "N")]
    list: usize,
}

/// What an examination came to.
pub(crate) enum Verdict {
    /// Everything was examined, and nothing was found.
    Healthy,
    /// Something was found.
    Found,
    /// Nothing was found, and something could not be examined.
    Incomplete,
}

/// An examination, said.
pub(crate) struct Diagnosis {
    /// What to print.
    pub(crate) text: String,
    /// In a sentence.
    pub(crate) summary: String,
    /// What it came to.
    pub(crate) verdict: Verdict,
}

/// Why nothing could be examined.
pub(crate) enum NotExamined {
    /// The configuration cannot be read or used.
    Configuration(anyhow::Error),
    /// The database cannot be read.
    Database(anyhow::Error),
}

/// Examines an installation. `json` asks for the report as JSON; `quiet` for no progress.
pub(crate) async fn doctor(args: DoctorArgs, json: bool, quiet: bool) -> Result<Diagnosis, NotExamined> {
    let settings = config::read(args.common.config.as_deref()).map_err(NotExamined::Configuration)?;
    // Who may sign in is nothing that is examined.
    let for_app = settings.app(Vec::new()).map_err(NotExamined::Configuration)?;
    let database = connect(&settings.database.url)
        .await
        .map_err(NotExamined::Database)?;
    let probe = Probe::new(Clients::new(ClientSettings::default()));
    let app = App::new(database, for_app, Arc::new(probe))
        .map_err(|unusable| NotExamined::Configuration(unusable.into()))?;
    let told = Mutex::new((String::new(), Instant::now()));
    let progress = |what: &str, count: u64| {
        if quiet {
            return;
        }
        let mut last = told.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != what || last.1.elapsed() >= TOLD_EVERY {
            *last = (what.to_owned(), Instant::now());
            eprintln!("examining {what}: {count}");
        }
    };
    let options = Options {
        clusters: !args.no_clusters,
        limit: args.list,
        progress: &progress,
        ..Options::default()
    };
    let report = examine(&app, &options)
        .await
        .map_err(|error| NotExamined::Database(in_full(error)))?;
    Ok(diagnosis(&report, json))
}

async fn connect(url: &str) -> anyhow::Result<Database> {
    let database = Database::connect(url, CONNECTIONS)
        .await
        .context("database.url: cannot connect")?;
    anyhow::ensure!(
        database.is_migrated().await?,
        "the database lacks this version's schema: run `slipway migrate`"
    );
    Ok(database)
}

/// The source says more than the sentence for users; whoever runs this has the database's password anyway.
fn in_full(error: Error) -> anyhow::Error {
    match error {
        Error::Internal(source) => anyhow::anyhow!("{source}"),
        other => other.into(),
    }
}

fn diagnosis(report: &Report, json: bool) -> Diagnosis {
    let found: u64 = Invariant::ALL
        .into_iter()
        .map(|invariant| report.count(invariant))
        .sum();
    let (verdict, summary) = match (found, report.unexamined.len()) {
        (0, 0) => (
            Verdict::Healthy,
            "nothing was found: every invariant holds".to_owned(),
        ),
        (0, left) => (
            Verdict::Incomplete,
            format!("nothing was found, but {left} could not be examined"),
        ),
        (1, _) => (Verdict::Found, "1 finding: an invariant does not hold".to_owned()),
        (n, _) => (Verdict::Found, format!("{n} findings: invariants do not hold")),
    };
    let text = if json {
        format!("{:#}\n", document(report))
    } else {
        plain(report, &summary)
    };
    Diagnosis {
        text,
        summary,
        verdict,
    }
}

/// For machines.
fn document(report: &Report) -> Value {
    let invariants: Vec<Value> = Invariant::ALL
        .into_iter()
        .map(|invariant| {
            let examined: Vec<Value> = report
                .examined
                .iter()
                .filter(|examined| examined.invariant == invariant)
                .map(|examined| json!({"what": examined.what, "count": examined.count}))
                .collect();
            json!({
                "number": invariant.number(), "name": invariant.as_str(), "sentence": invariant.sentence(),
                "findings": report.count(invariant), "examined": examined,
            })
        })
        .collect();
    json!({
        "at": report.at, "healthy": report.is_healthy(), "complete": report.is_complete(), "invariants": invariants,
        "findings": report.findings, "more": report.more, "unexamined": report.unexamined, "notes": report.notes,
    })
}

/// For people.
fn plain(report: &Report, summary: &str) -> String {
    let mut text = String::new();
    for invariant in Invariant::ALL {
        one(&mut text, report, invariant);
    }
    for unexamined in &report.unexamined {
        let _ = writeln!(text, "not examined: {}: {}", unexamined.subject, unexamined.why);
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "{summary} (as of {})", report.at);
    text
}

fn one(text: &mut String, report: &Report, invariant: Invariant) {
    let examined: Vec<String> = report
        .examined
        .iter()
        .filter(|examined| examined.invariant == invariant)
        .map(|examined| format!("{} {}", examined.count, examined.what))
        .collect();
    let verdict = match report.count(invariant) {
        0 => "ok".to_owned(),
        n => counted(n, "finding", "findings"),
    };
    let _ = writeln!(
        text,
        "{} {:<12} {verdict:<11} examined {}",
        invariant.number(),
        invariant.as_str(),
        examined.join(", ")
    );
    if report.count(invariant) > 0 {
        let _ = writeln!(text, "  {}", invariant.sentence());
    }
    for finding in report.findings.iter().filter(|f| f.invariant == invariant) {
        let _ = writeln!(
            text,
            "  {} [{}]\n    {}\n    do: {}",
            finding.subject, finding.check, finding.found, finding.remedy
        );
    }
    for more in report.more.iter().filter(|more| more.invariant == invariant) {
        let _ = writeln!(text, "  and {} more [{}]", more.count, more.check);
    }
}
