//! Row 6: audit entries written as use-cases write them, beside a chain whose head is one locked row; and an export that is
//! verified, beside hashing its lines and nothing else.

mod locked;
mod ours;
mod verify;

use crate::{
    places::Places,
    stats::{count, median, paired_ratio, sides},
    table::{Goal, Line, Measured},
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Connections that write, on either side.
const CONNECTIONS: u32 = 16;
const ROUNDS: usize = 5;
/// How long a round of one side takes, about.
const EACH: Duration = Duration::from_secs(4);
/// Entries of the export that is verified.
const EXPORTED: u32 = 100_000;

/// What is recorded: a change of a deployment's state by a person.
struct Noted {
    actor: &'static str,
    action: &'static str,
    subject: String,
    data: Value,
}

impl Noted {
    fn number(n: usize) -> Self {
        let data = json!({
            "message": "deployment of storefront 1.2.3 to production: running, was queued",
            "by": {"principal": "prn_01k9w3m8q2f7r5t1v6x4z0a9bc", "issuer": "https://login.example.com", "proof": "signed_in"},
            "request": format!("req_{n:026}"),
            "data": {
                "from": "queued", "to": "running", "reason": null, "release": "storefront@1.2.3", "environment": "production",
                "release_digest": slipway_domain::audit::GENESIS, "plan_digest": slipway_domain::audit::GENESIS,
            },
        });
        Self {
            actor: "ana@example.com",
            action: "deployment.run",
            subject: format!("dep_{n:026}"),
            data,
        }
    }
}

/// Measures the row.
pub(crate) async fn measure(places: &mut Places) -> Result<Measured> {
    let record = ours::Record::create(places).await?;
    let head = locked::Head::create(places).await?;
    record.run(EACH / 4).await?;
    head.run(EACH / 4).await?;
    let (mut written, mut chained) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (ours, other);
        if round % 2 == 0 {
            ours = record.run(EACH).await?;
            other = head.run(EACH).await?;
        } else {
            other = head.run(EACH).await?;
            ours = record.run(EACH).await?;
        }
        eprintln!("  {ours:?} {other:.0}");
        written.push((ours.written, other));
        chained.push((ours.chained, other));
    }
    let export = record.export(EXPORTED).await?;
    let verified = tokio::task::block_in_place(|| verify::measure(&export))?;
    let append = |what: &str, rounds: &[(f64, f64)], goal: Goal| -> Result<Line> {
        let (ours, other) = sides(rounds);
        let rate = |values: &[f64]| median(values).map(|rate| format!("{rate:.0} entries/s"));
        Ok(Line {
            row: 6,
            what: what.to_owned(),
            ours: rate(&ours).context("no rounds")?,
            baseline: rate(&other).context("no rounds")?,
            value: paired_ratio(rounds).context("no rounds")?,
            unit: "",
            goal,
        })
    };
    let (ours, raw) = sides(&verified);
    let rate = |values: &[f64]| median(values).map(|rate| format!("{:.0}k entries/s", rate / 1000.0));
    Ok(Measured {
        lines: vec![
            append(
                "audit entries, each in a transaction of its own, over a chain whose head is one locked row",
                &written,
                Goal::AtLeast(5.0),
            )?,
            append("the same until the last of them is chained", &chained, Goal::None)?,
            Line {
                row: 6,
                what: "verification of an export over a raw SHA-256 chain of its lines".to_owned(),
                ours: rate(&ours).context("no rounds")?,
                baseline: rate(&raw).context("no rounds")?,
                value: paired_ratio(&verified).context("no rounds")?,
                unit: "",
                goal: Goal::AtLeast(0.3),
            },
        ],
        notes: vec![
            format!(
                "appending: {CONNECTIONS} connections on either side, one Postgres with `fsync` and `synchronous_commit` on, {ROUNDS} \
                 rounds of {} s in turns; beside ours the sequencer numbers and chains what is committed, at the pace of a server",
                EACH.as_secs()
            ),
            format!(
                "verification: {EXPORTED} entries as they were written and chained by ours, {:.0} bytes a line, from memory, by one \
                 thread; either side {} times in turns",
                export.bytes_each(),
                verified.len()
            ),
        ],
    })
}

/// Has every connection do this again and again until the time is over; how often a second, and how often.
async fn rate<F>(
    duration: Duration,
    once: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Result<(f64, usize)>
where
    F: Future<Output = Result<()>> + Send,
{
    let begun = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (next, once) = (Arc::clone(&next), once.clone());
        tasks.spawn(async move {
            while begun.elapsed() < duration {
                once(next.fetch_add(1, Ordering::Relaxed)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(one) = tasks.join_next().await {
        one??;
    }
    let done = next.load(Ordering::Relaxed);
    Ok((count(done) / begun.elapsed().as_secs_f64(), done))
}
