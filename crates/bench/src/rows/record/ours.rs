//! Our side: entries as use-cases write them, and the sequencer that chains them.

use super::{CONNECTIONS, Noted, verify::Exported};
use crate::{places::Places, stats::count};
use anyhow::{Result, ensure};
use slipway_domain::{
    audit::{Checkpoint, Frontier, export},
    signing::{KeyName, SigningKey},
};
use slipway_store::{
    Database,
    audit::{self, Filter},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// As the timers of a server have it: so many at once, and a pause when there were fewer.
const BATCH: i64 = 500;
const PAUSE: Duration = Duration::from_millis(200);

/// A database with the product's record.
pub(super) struct Record {
    database: Database,
    /// Kept for as long as it is used.
    _place: slipway_testkit::live::Database,
}

/// Entries a second.
#[derive(Debug)]
pub(super) struct Rates {
    /// While they were written, and chained beside it.
    pub(super) written: f64,
    /// Until the last of them was chained.
    pub(super) chained: f64,
}

impl Record {
    pub(super) async fn create(places: &mut Places) -> Result<Self> {
        let place = places.database().await?;
        // One more for the sequencer.
        let database = Database::connect(&place.url, CONNECTIONS + 1).await?;
        database.migrate().await?;
        Ok(Self {
            database,
            _place: place,
        })
    }

    /// Writes entries for this long.
    pub(super) async fn run(&self, duration: Duration) -> Result<Rates> {
        let begun = Instant::now();
        let written = Arc::new(AtomicBool::new(false));
        let sequencer = tokio::spawn(sequence(self.database.clone(), Arc::clone(&written)));
        let database = self.database.clone();
        let (rate, entries) = super::rate(duration, move |n| write(database.clone(), n)).await?;
        written.store(true, Ordering::SeqCst);
        let chained = sequencer.await??;
        let took = begun.elapsed().as_secs_f64();
        ensure!(
            usize::try_from(chained)? == entries,
            "{chained} of {entries} entries were chained"
        );
        Ok(Rates {
            written: rate,
            chained: count(entries) / took,
        })
    }

    /// What was chained, so many entries of it, as an export.
    pub(super) async fn export(&self, entries: u32) -> Result<Exported> {
        self.fill(i64::from(entries)).await?;
        let name: KeyName = "slipway/bench".parse()?;
        let key = SigningKey::from_pkcs8(name.clone(), &SigningKey::generate()?)?;
        let mut file = export::header(&name, None)?.into_bytes();
        let (mut lines, mut frontier, mut at) = (Vec::new(), Frontier::default(), 0);
        let mut tx = self.database.read().await?;
        while at < i64::from(entries) {
            for (entry, digest) in audit::after(&mut tx, at, &Filter::default(), 1_000).await? {
                at = entry.seq;
                if at > i64::from(entries) {
                    break;
                }
                let line = export::line(&entry, digest)?;
                frontier.push(digest);
                file.push(b'\n');
                file.extend_from_slice(&line);
                lines.push(line);
            }
        }
        let head = Checkpoint {
            origin: name,
            head: frontier.head(),
        };
        file.push(b'\n');
        file.extend(export::footer(&head.sign(&key))?.into_bytes());
        file.push(b'\n');
        Ok(Exported {
            lines,
            file,
            key: key.verifying_key(),
        })
    }

    /// Writes entries until there are so many, many in a transaction: how fast says nothing.
    async fn fill(&self, entries: i64) -> Result<()> {
        loop {
            let mut tx = self.database.begin().await?;
            let (there, _) = audit::head(&mut tx).await?;
            let missing = entries - there;
            if missing <= 0 {
                return Ok(());
            }
            for n in 0..missing.min(BATCH) {
                append(&mut tx, usize::try_from(there + n)?).await?;
            }
            tx.commit().await?;
            chain(&self.database).await?;
        }
    }
}

async fn append(tx: &mut slipway_store::Tx, n: usize) -> Result<()> {
    let noted = Noted::number(n);
    Ok(audit::append(tx, noted.actor, noted.action, &noted.subject, &noted.data).await?)
}

async fn write(database: Database, n: usize) -> Result<()> {
    let mut tx = database.begin().await?;
    append(&mut tx, n).await?;
    Ok(tx.commit().await?)
}

async fn chain(database: &Database) -> Result<u64> {
    let mut tx = database.begin().await?;
    let chained = audit::chain(&mut tx, BATCH).await?;
    tx.commit().await?;
    Ok(chained.unwrap_or_default())
}

/// Chains until everything is written and chained; how many entries.
async fn sequence(database: Database, written: Arc<AtomicBool>) -> Result<u64> {
    let mut all = 0;
    loop {
        // Asked before: what is committed by then is seen.
        let is_last = written.load(Ordering::SeqCst);
        let chained = chain(&database).await?;
        all += chained;
        if chained < BATCH.unsigned_abs() {
            if is_last {
                return Ok(all);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
