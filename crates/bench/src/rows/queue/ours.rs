//! Our side: the queue's own statements, in the transactions that a claim and a report are.

use anyhow::{Result, ensure};
use jiff::SignedDuration;
use slipway_domain::{ids::WorkId, work::Lease};
use slipway_store::{Database, work};
use sqlx::PgPool;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, task::JoinSet};

/// How many units a claim takes.
pub(super) const BATCH: u32 = 16;
const LEASE: SignedDuration = SignedDuration::from_secs(15);
/// What waits when a run begins: more than is taken in the seconds of row 3, so that nothing is put into the queue meanwhile.
const AT_FIRST: u64 = 40_000;
/// When less than this waits, more is put into the queue, not by those who are measured.
const LOW: u64 = 5_000;
/// How much more.
const MORE: u64 = 2_500;

pub(super) struct Queue {
    database: Database,
    connections: u32,
    outlook: work::Outlook,
    /// Units that the last run has left in the queue.
    left: AtomicU64,
    feed: Arc<Feed>,
}

/// Puts work into the queue, for one target after the other.
struct Feed {
    pool: PgPool,
    targets: i64,
    /// The position of the target whose turn it is.
    next: Mutex<i64>,
}

impl Queue {
    pub(super) async fn connect(
        database: &slipway_testkit::live::Database,
        connections: u32,
    ) -> Result<Self> {
        // More for who puts work into the queue, and for who looks how far back it goes.
        let database = Database::connect(&database.url, connections + 2).await?;
        let pool = database.pool().clone();
        let targets = sqlx::query_scalar("SELECT count(*) FROM deployment_targets")
            .fetch_one(&pool)
            .await?;
        let next = Mutex::new(0);
        Ok(Self {
            database,
            connections,
            outlook: work::Outlook::default(),
            left: AtomicU64::new(0),
            feed: Arc::new(Feed { pool, targets, next }),
        })
    }

    /// Takes and finishes work for this long; jobs a second.
    pub(super) async fn run(&self, duration: Duration) -> Result<f64> {
        let left = self.left.load(Ordering::SeqCst);
        let put = self.feed.put(AT_FIRST.saturating_sub(left)).await?;
        sqlx::raw_sql("VACUUM ANALYZE work")
            .execute(self.database.pool())
            .await?;
        let waiting = Arc::new(AtomicU64::new(left + put));
        let done = Arc::new(AtomicU64::new(0));
        let begun = Instant::now();
        let until = begun + duration;
        let mut tasks = JoinSet::new();
        for holder in 0..self.connections {
            let (database, done, waiting) = (self.database.clone(), Arc::clone(&done), Arc::clone(&waiting));
            let (outlook, holder) = (self.outlook.clone(), format!("bench-{holder}"));
            tasks.spawn(async move {
                while Instant::now() < until {
                    for lease in claim(&database, &outlook, &holder).await?.into_values() {
                        finish(&database, &lease).await?;
                        done.fetch_add(1, Ordering::Relaxed);
                        waiting.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                anyhow::Ok(())
            });
        }
        let (feed, fuel) = (Arc::clone(&self.feed), Arc::clone(&waiting));
        let filling = tokio::spawn(async move {
            while Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if fuel.load(Ordering::Relaxed) < LOW {
                    fuel.fetch_add(feed.put(MORE).await?, Ordering::Relaxed);
                }
            }
            anyhow::Ok(())
        });
        while let Some(one) = tasks.join_next().await {
            one??;
        }
        let took = begun.elapsed();
        filling.await??;
        self.left.store(waiting.load(Ordering::SeqCst), Ordering::SeqCst);
        Ok(crate::stats::count(usize::try_from(done.load(Ordering::Relaxed))?) / took.as_secs_f64())
    }
}

impl Feed {
    /// Puts a unit into the queue for each of the next so many targets that has none; how many that was.
    async fn put(&self, units: u64) -> Result<u64> {
        let mut next = self.next.lock().await;
        let put = sqlx::query(
            "INSERT INTO work (id, kind, deployment_id, deployment_target_id, target_id, cluster_id) \
             SELECT gen_random_uuid(), 'deployment_target', dt.deployment_id, dt.id, t.id, t.cluster_id \
             FROM deployment_targets dt JOIN targets t ON t.id = dt.target_id \
             WHERE dt.position >= $1 AND dt.position < $2 ON CONFLICT (deployment_target_id) DO NOTHING",
        )
        .bind(*next)
        .bind(next.saturating_add_unsigned(units))
        .execute(&self.pool)
        .await?;
        *next = next.saturating_add_unsigned(units) % self.targets;
        Ok(put.rows_affected())
    }
}

/// As the product's claim: what is due, and its leases, in one transaction.
async fn claim(
    database: &Database,
    outlook: &work::Outlook,
    holder: &str,
) -> Result<BTreeMap<WorkId, Lease>> {
    let mut tx = database.begin().await?;
    let due = work::due_since(&mut tx, outlook.now(database), BATCH, &BTreeMap::new()).await?;
    let ids: Vec<_> = due.iter().map(|unit| unit.id).collect();
    let leases = work::lease(&mut tx, &ids, holder, LEASE).await?;
    tx.commit().await?;
    Ok(leases)
}

/// As the product's report of the last step: finished under its fence, or nothing is recorded.
async fn finish(database: &Database, lease: &Lease) -> Result<()> {
    let mut tx = database.begin().await?;
    ensure!(work::finish(&mut tx, lease).await?.is_some(), "a lease was lost");
    tx.commit().await?;
    Ok(())
}
