//! The rows of the table of performance goals, one file each.

mod approve;
mod fan_out;
mod policies;
mod queue;
mod record;
mod start;
mod status;

use crate::{
    places::Places,
    table::{Measured, Row},
};
use anyhow::{Context as _, Result, bail};
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;

/// Every row that is measured.
pub(crate) const ALL: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// Measures these rows, one after the other. What fails is said, and the others are measured all the same.
pub(crate) async fn all(wanted: &[u8]) -> Vec<Row> {
    let mut places = Places::default();
    let mut rows = Vec::new();
    for number in wanted {
        eprintln!("row {number} …");
        // What the harness cannot do is a panic.
        let outcome = AssertUnwindSafe(measure(*number, &mut places))
            .catch_unwind()
            .await;
        let outcome = match outcome {
            Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
            Err(panic) => Err(said(panic.as_ref())),
        };
        let outcome = outcome.map_err(|why| the_end_of(&why));
        rows.push(Row {
            number: *number,
            outcome,
        });
    }
    rows
}

/// What went wrong stands at the end of what is said; what was being done, before it, may be long.
fn the_end_of(why: &str) -> String {
    const MOST: usize = 300;
    let length = why.chars().count();
    why.chars().skip(length.saturating_sub(MOST)).collect()
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

async fn measure(row: u8, places: &mut Places) -> Result<Measured> {
    match row {
        1 => approve::measure(places).await,
        2 => status::measure(places).await,
        3 => queue::rate(places).await,
        4 => queue::under_a_snapshot(places).await,
        5 => fan_out::measure(places).await,
        6 => record::measure(places).await,
        7 => start::measure(places).await,
        8 => policies::measure(places).await,
        other => bail!("row {other} is not measured here"),
    }
}

/// Size of the server's binary, in MB.
pub(crate) fn binary_mb() -> Result<f64> {
    let path = slipway_testkit::live::binary();
    let bytes = std::fs::metadata(&path)
        .with_context(|| path.display().to_string())?
        .len();
    Ok(f64::from(u32::try_from(bytes / 1000)?) / 1000.0)
}
