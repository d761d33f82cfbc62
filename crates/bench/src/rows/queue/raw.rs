//! The other side: a claim and a finish as pgbench does them.

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, PgConnection};
use std::{path::PathBuf, process::Stdio, time::Duration};

/// More than any machine takes in one run.
const JOBS: u32 = 15_000;

pub(super) struct Script {
    url: String,
    file: PathBuf,
    program: PathBuf,
}

/// What is done for each job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Finish {
    /// One statement takes a job, another one deletes it.
    Statement,
    /// It is deleted in a transaction of its own, as it is where more is recorded with it.
    Transaction,
}

impl Script {
    pub(super) fn write(database: &slipway_testkit::live::Database, finish: Finish) -> Result<Self> {
        let (name, text) = match finish {
            Finish::Statement => ("raw-queue.sql", include_str!("../../sql/raw-queue.sql")),
            Finish::Transaction => (
                "raw-queue-transaction.sql",
                include_str!("../../sql/raw-queue-transaction.sql"),
            ),
        };
        let file = slipway_testkit::live::test_folder("bench").join(name);
        std::fs::write(&file, text)?;
        Ok(Self {
            url: database.url.clone(),
            file,
            program: program().context("there is no pgbench beside Postgres")?,
        })
    }

    /// Claims and finishes for this long; jobs a second.
    pub(super) async fn run(&self, connections: u32, duration: Duration) -> Result<f64> {
        let mut connection = PgConnection::connect(&self.url).await?;
        let jobs = u64::from(JOBS) * duration.as_secs().max(1);
        sqlx::query("INSERT INTO raw_jobs (id) SELECT gen_random_uuid() FROM generate_series(1, $1)")
            .bind(i64::try_from(jobs)?)
            .execute(&mut connection)
            .await?;
        sqlx::raw_sql("VACUUM ANALYZE raw_jobs")
            .execute(&mut connection)
            .await?;
        let output = tokio::process::Command::new(&self.program)
            .args([
                "--no-vacuum",
                "--protocol=prepared",
                "--client",
                &connections.to_string(),
            ])
            .args([
                "--jobs",
                "2",
                "--time",
                &duration.as_secs().max(1).to_string(),
                "--file",
            ])
            .arg(&self.file)
            .arg(&self.url)
            .stdin(Stdio::null())
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench: {complained}");
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM raw_jobs WHERE state = 'ready'")
            .fetch_one(&mut connection)
            .await?;
        ensure!(left > 0, "pgbench ran out of jobs");
        sqlx::raw_sql("TRUNCATE raw_jobs")
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        rate(&said).with_context(|| format!("pgbench says no rate: {said}"))
    }
}

/// What pgbench says of it.
fn rate(said: &str) -> Option<f64> {
    let line = said.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Beside the Postgres that is used, or on the path.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("SLIPWAY_POSTGRES_BIN_DIR").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|dir| dir.join("pgbench"))
        .find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_what_pgbench_says_without_its_connecting() {
        let said = "number of failed transactions: 0 (0.000%)\nlatency average = 1.4 ms\ninitial connection time = 9.2 ms\n\
                    tps = 5612.345678 (without initial connection time)\n";
        assert_eq!(rate(said).map(f64::floor), Some(5612.0));
        assert_eq!(rate("nothing"), None);
    }
}
