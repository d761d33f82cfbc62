//! Row 7: from starting the process to its being ready, with a million releases and with none; and the memory of a server
//! that does nothing.

use crate::{
    places::{self, Places},
    process,
    stats::{median, paired_ratio, sides},
    table::{Goal, Line, Measured},
};
use anyhow::{Context as _, Result, ensure};
use slipway_testkit::live::{Database, Server, ServerOptions, binary, test_folder};
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const ROUNDS: usize = 9;
/// How long a server does nothing before its memory counts.
const IDLE: Duration = Duration::from_secs(15);

/// An installation that can be started again and again.
struct Installation {
    config: PathBuf,
    address: String,
    _database: Database,
}

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Installation {
    async fn with(places: &mut Places, name: &str, releases: u32) -> Result<Self> {
        let database = places.database().await?;
        let options = ServerOptions::default().settings(places::SETTINGS);
        let dir = test_folder(&format!("bench-start-{name}"));
        let mut server = Server::start(&dir, "server", &database, &options).await;
        let (config, address) = (server.config.clone(), server.api.replace("http://", ""));
        server.terminate().await;
        if releases > 0 {
            let sql = include_str!("../sql/releases.sql").replace(":releases", &releases.to_string());
            database.execute(&sql).await;
        }
        Ok(Self {
            config,
            address,
            _database: database,
        })
    }

    /// Starts it; how long until it says that it is ready, in milliseconds.
    async fn start(&self) -> Result<(Running, f64)> {
        let begun = Instant::now();
        let child = Command::new(binary())
            .args(["serve", "--config"])
            .arg(&self.config)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut running = Running(child);
        while !self.is_ready().await {
            ensure!(running.0.try_wait()?.is_none(), "the server has ended");
            ensure!(
                begun.elapsed() < Duration::from_secs(30),
                "the server does not become ready"
            );
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Ok((running, begun.elapsed().as_secs_f64() * 1000.0))
    }

    async fn is_ready(&self) -> bool {
        let asked = async {
            let mut stream = TcpStream::connect(&self.address).await?;
            let request = format!(
                "GET /readyz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
                self.address
            );
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        asked
            .await
            .is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
    }
}

/// Measures the row.
pub(crate) async fn measure(places: &mut Places) -> Result<Measured> {
    let empty = Installation::with(places, "empty", 0).await?;
    let some = Installation::with(places, "some", 10_000).await?;
    let (running, _) = some.start().await?;
    tokio::time::sleep(IDLE).await;
    let idle = process::resident_mb(running.0.id())?;
    drop(running);
    drop(some);
    let full = Installation::with(places, "full", 1_000_000).await?;
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let (ours, other);
        if round % 2 == 0 {
            ours = full.start().await?.1;
            other = empty.start().await?.1;
        } else {
            other = empty.start().await?.1;
            ours = full.start().await?.1;
        }
        // The first of either reads the binary from the disk.
        if round > 0 {
            rounds.push((ours, other));
        }
    }
    let (ours, other) = sides(&rounds);
    let (ours, other) = (
        median(&ours).context("no rounds")?,
        median(&other).context("no rounds")?,
    );
    let value = |what: &str, value: f64, unit: &'static str, goal: Goal| Line {
        row: 7,
        what: what.to_owned(),
        ours: String::new(),
        baseline: String::new(),
        value,
        unit,
        goal,
    };
    Ok(Measured {
        lines: vec![
            Line {
                row: 7,
                what: "cold start to ready, a million releases over none".to_owned(),
                ours: format!("{ours:.0} ms"),
                baseline: format!("{other:.0} ms"),
                value: paired_ratio(&rounds).context("no rounds")?,
                unit: "",
                goal: Goal::AtMost(1.2),
            },
            value("the same, by itself", ours, "ms", Goal::AtMost(300.0)),
            value(
                "resident memory of an idle server at ten thousand releases",
                idle,
                "MB",
                Goal::AtMost(64.0),
            ),
        ],
        notes: vec![format!(
            "{ROUNDS} rounds in turns, from starting the process until `/readyz` says 200, the schema being there; memory after {} s \
             of doing nothing with every role",
            IDLE.as_secs()
        )],
    })
}
