//! Endurance: two full servers, and now and then a third, carry a stream of releases of several services to several targets
//! in waves, while processes are killed and held still, Postgres dies, networks break and API servers fail. When the faults
//! stop everything ends, and ends as it should.
//!
//! `tests/run soak --minutes N --seed N`, or
//! `SLIPWAY_SOAK_MINUTES=10 SLIPWAY_SOAK_SEED=7 cargo test -p slipway --test soak -- --nocapture`. The load and the faults,
//! with their times, are a pure function of seed and minutes ([`plan`]); how processes take turns is not. A failure names
//! the seed and the folder with the logs, which stays.
//!
//! What must be true is written in [`verdict`]. To extend: a new kind of trouble is a variant of [`plan::Fault`], with its
//! lane, and an arm in [`faults`]; a new kind of release or of steering is one of [`plan::Story`], in [`load`].

mod caller;
mod faults;
mod field;
mod load;
mod plan;
mod verdict;

use field::Field;
use plan::Plan;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

#[tokio::test]
async fn a_stream_of_releases_survives_a_stream_of_faults() {
    let minutes = number("SLIPWAY_SOAK_MINUTES").unwrap_or(3);
    let seed = number("SLIPWAY_SOAK_SEED").unwrap_or_else(|| {
        let random = uuid::Uuid::now_v7().as_u128() % 1_000_000;
        u64::try_from(random).unwrap_or_default()
    });
    let plan = Plan::of(seed, Duration::from_secs(minutes * 60));
    eprintln!("soak: {plan}");
    let _said = Said(seed, minutes);
    let field = Field::prepare(&plan).await;
    eprintln!("soak: logs are in {}", field.dir.display());
    // One thread carries all of it: proxies, servers and clusters have their own.
    let here = tokio::task::LocalSet::new();
    let soaked = here
        .run_until(async move {
            let failed = field.ledger.clone();
            let soaking = tokio::task::spawn_local(soak(plan, field));
            tokio::select! {
                soaked = soaking => soaked,
                () = failed.failed() => panic!("something of it failed: see above"),
            }
        })
        .await;
    if let Err(error) = soaked {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Says how to replay it, when it failed.
struct Said(u64, u64);

impl Drop for Said {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "soak: again: tests/run soak --minutes {} --seed {}",
                self.1, self.0
            );
        }
    }
}

async fn soak(plan: Plan, mut field: Field) {
    let began = Instant::now();
    let until = began + plan.length;
    let lanes = faults::lanes(&plan, &mut field, began);
    let teams = load::teams(&plan, &field, until);
    let hooks = field
        .ledger
        .watched(verdict::watch_hooks(field.namespaces().await, field.over.clone()));
    let examined = field
        .ledger
        .watched(verdict::examine_meanwhile(field.dir.clone(), until));
    let progress = field
        .ledger
        .watched(report_progress(field.ledger.clone(), field.over.clone(), began));
    let mut servers = Vec::new();
    for lane in lanes {
        servers.extend(lane.await.expect("a lane of faults"));
    }
    field.calm();
    let calm = Instant::now();
    eprintln!("soak: the faults have stopped after {:?}", began.elapsed());
    for team in teams {
        team.await.expect("a team");
    }
    let settled = calm.elapsed();
    eprintln!("soak: everything has ended {settled:?} later");
    verdict::nothing_is_lost(&field).await;
    verdict::everything_ended_as_it_should(&field);
    // What hands and aborted deployments left is mended by a last release of every service.
    load::last_releases(&plan, &field).await;
    verdict::clusters_run_what_the_database_says(&field).await;
    let examinations = examined.await.expect("examinations meanwhile");
    field.over.store(true, Ordering::SeqCst);
    let hooks = hooks.await.expect("who watches hooks");
    progress.await.expect("who reports");
    verdict::healthy(&field.dir, true).await;
    verdict::figures(&plan, &field, began.elapsed(), settled, &hooks, examinations);
    field.close(servers).await;
}

/// A line every few seconds.
async fn report_progress(
    ledger: Arc<load::Ledger>,
    over: Arc<std::sync::atomic::AtomicBool>,
    began: Instant,
) {
    while !over.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_secs(5)).await;
        eprintln!("soak: {:>4} s: {}", began.elapsed().as_secs(), ledger.line());
    }
}
