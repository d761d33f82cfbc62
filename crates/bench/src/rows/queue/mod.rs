//! Rows 3 and 4: jobs with fences and leases, as the product takes and finishes them, beside the least SQL that does the
//! same; and what a snapshot that is left open costs.

mod full;
mod ours;
mod raw;

use crate::{
    places::Places,
    stats::{median, paired_ratio, sides},
    table::{Goal, Line, Measured},
};
use anyhow::{Context as _, Result};
use slipway_testkit::live::Database;
use sqlx::{Connection as _, PgConnection};
use std::time::{Duration, Instant};

/// Connections on either side.
const CONNECTIONS: u32 = 8;
const ROUNDS: usize = 5;
/// How long a round of one side takes, about.
const EACH: Duration = Duration::from_secs(3);
/// How long the snapshot of row 4 stays open.
const SNAPSHOT: Duration = Duration::from_mins(1);

async fn prepared(places: &mut Places) -> Result<Database> {
    let database = places.database().await?;
    let store = slipway_store::Database::connect(&database.url, 2).await?;
    store.migrate().await?;
    store.pool().close().await;
    database.execute(include_str!("../../sql/queue.sql")).await;
    Ok(database)
}

/// Row 3.
pub(crate) async fn rate(places: &mut Places) -> Result<Measured> {
    let database = prepared(places).await?;
    let queue = ours::Queue::connect(&database, CONNECTIONS).await?;
    let raw = raw::Script::write(&database, raw::Finish::Statement)?;
    let with_transactions = raw::Script::write(&database, raw::Finish::Transaction)?;
    queue.run(Duration::from_secs(1)).await?;
    raw.run(CONNECTIONS, Duration::from_secs(1)).await?;
    let (mut rounds, mut beside) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        rounds.push(if round % 2 == 0 {
            let ours = queue.run(EACH).await?;
            (ours, raw.run(CONNECTIONS, EACH).await?)
        } else {
            let other = raw.run(CONNECTIONS, EACH).await?;
            (queue.run(EACH).await?, other)
        });
        let ours = rounds.last().map_or(0.0, |round| round.0);
        beside.push((ours, with_transactions.run(CONNECTIONS, EACH).await?));
        eprintln!("  {:?}", rounds.last());
    }
    drop(queue);
    drop(database);
    let full = full::measure(places).await?;
    let (ours, other) = sides(&rounds);
    let (_, transactions) = sides(&beside);
    let rate = |values: &[f64]| median(values).map(|rate| format!("{rate:.0} jobs/s"));
    Ok(Measured {
        lines: vec![
            Line {
                row: 3,
                what: "jobs claimed and finished under a fence over a raw pgbench script".to_owned(),
                ours: rate(&ours).context("no rounds")?,
                baseline: rate(&other).context("no rounds")?,
                value: paired_ratio(&rounds).context("no rounds")?,
                unit: "",
                goal: Goal::AtLeast(0.8),
            },
            Line {
                row: 3,
                what: "the same over the script with a transaction around its finish, as a report has one"
                    .to_owned(),
                ours: rate(&ours).context("no rounds")?,
                baseline: rate(&transactions).context("no rounds")?,
                value: paired_ratio(&beside).context("no rounds")?,
                unit: "",
                goal: Goal::None,
            },
            Line {
                row: 3,
                what: format!(
                    "whole targets claimed, reported ({:.0} reports each, {:.0} a second) and recorded, without clusters",
                    full.each, full.reports
                ),
                ours: String::new(),
                baseline: String::new(),
                value: full.targets,
                unit: "/s",
                goal: Goal::None,
            },
        ],
        notes: vec![format!(
            "{CONNECTIONS} connections on either side, one Postgres with `fsync` and `synchronous_commit` on, {ROUNDS} rounds in \
             turns; ours claims {} at a time and finishes each in a transaction of its own, with the checks of a report",
            ours::BATCH
        )],
    })
}

/// Row 4.
pub(crate) async fn under_a_snapshot(places: &mut Places) -> Result<Measured> {
    let database = prepared(places).await?;
    let queue = ours::Queue::connect(&database, CONNECTIONS).await?;
    queue.run(Duration::from_secs(1)).await?;
    let clean = queue.run(SNAPSHOT / 4).await?;
    let mut holder = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM work")
        .execute(&mut holder)
        .await?;
    let opened = Instant::now();
    let whole = queue.run(SNAPSHOT * 3 / 4).await?;
    let last = queue.run(SNAPSHOT / 4).await?;
    let open_for = opened.elapsed();
    sqlx::raw_sql("COMMIT").execute(&mut holder).await?;
    let after = queue.run(SNAPSHOT / 4).await?;
    // Before and after: what the machine itself does in a minute and a half is the same for both.
    let clean_rates = [clean, after];
    let clean = median(&clean_rates).context("no rounds")?;
    let under = median(&[whole, whole, whole, last]).context("no rounds")?;
    Ok(Measured {
        lines: vec![Line {
            row: 4,
            what: "the same queue under an open snapshot, over clean".to_owned(),
            ours: format!("{last:.0} jobs/s"),
            baseline: format!("{clean:.0} jobs/s"),
            value: last / clean,
            unit: "",
            goal: Goal::AtLeast(0.9),
        }],
        notes: vec![format!(
            "the snapshot was open for {:.0} s; ours is the rate in the last quarter of it ({under:.0} jobs/s in the first three), \
             the baseline the mean of {} s before ({:.0} jobs/s) and after ({:.0} jobs/s)",
            open_for.as_secs_f64(),
            (SNAPSHOT / 4).as_secs(),
            clean_rates[0],
            clean_rates[1]
        )],
    })
}
