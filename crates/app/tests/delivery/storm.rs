//! Everything at once for some seconds: nothing stands still, nothing is lost, and every invariant holds after it.

use crate::{
    claims::plain,
    record::{Dice, ends},
    shop::{Shop, report},
};
use slipway_app::{Error, timers};
use slipway_domain::{
    approval::Answer,
    ids::DeploymentId,
    plan::target::Step,
    ports::{ClaimRequest, WorkQueue as _},
    work::{Ack, StepOutcome},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A result that may stand in a storm: done, refused, or to be tried again. Never a fault of ours.
fn sound<T>(result: Result<T, Error>, contended: &AtomicU64) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Internal(source)) => panic!("an internal fault: {source:?}"),
        Err(Error::Unavailable { detail, .. }) => {
            assert!(detail.contains("another change"), "{detail}");
            contended.fetch_add(1, Ordering::Relaxed);
            None
        }
        Err(_) => None,
    }
}

async fn executor(
    shop: Arc<Shop>,
    name: String,
    until: Instant,
    contended: Arc<AtomicU64>,
    done: Arc<AtomicU64>,
) {
    let mut dice = Dice::new(name.len() as u64 + name.bytes().map(u64::from).sum::<u64>());
    let request = ClaimRequest {
        holder: name,
        max: 3,
        lease: jiff::SignedDuration::from_millis(300),
        cluster_labels: std::collections::BTreeMap::new(),
    };
    let retry = |error: &slipway_domain::ports::QueueUnavailable| {
        let text = format!("{error:?}");
        assert!(text.contains("another change"), "{text}");
        contended.fetch_add(1, Ordering::Relaxed);
    };
    while Instant::now() < until {
        let all = match shop.queue.claim(&request).await {
            Ok(all) => all,
            Err(error) => {
                retry(&error);
                continue;
            }
        };
        if all.is_empty() {
            tokio::task::yield_now().await;
        }
        for a in all {
            for step in 0..4 {
                let outcome = match (step, dice.roll(12)) {
                    (_, 0) => StepOutcome::Failed {
                        reason: "bad".to_owned(),
                    },
                    (_, 1) => StepOutcome::NotYet(jiff::SignedDuration::ZERO),
                    (_, 2) => break,
                    (0, _) => StepOutcome::Begun,
                    (3, _) => StepOutcome::Succeeded,
                    _ => StepOutcome::Done(serde_json::Value::Null),
                };
                match shop.queue.report(&a, report(Step::Guard, outcome)).await {
                    Ok(Ack::Continue) => {}
                    Ok(Ack::Released) => {
                        done.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    Ok(Ack::Lost) => break,
                    Err(error) => retry(&error),
                }
            }
        }
    }
}

async fn people(
    shop: Arc<Shop>,
    seed: u64,
    all: Vec<DeploymentId>,
    until: Instant,
    contended: Arc<AtomicU64>,
) {
    let mut dice = Dice::new(seed);
    let mut all = all;
    let ada = shop.who("ada").await;
    while Instant::now() < until {
        let id = all[dice.roll(all.len())];
        let made = match dice.roll(8) {
            0 => sound(shop.pause(id).await, &contended).and(None),
            1 | 2 => sound(shop.resume(id).await, &contended).and(None),
            3 => sound(shop.cancel(id).await, &contended).and(None),
            4 => sound(shop.roll_back(id).await, &contended),
            5 => sound(shop.retry(id).await, &contended),
            6 if shop.view(id).await.approval.is_some() => {
                sound(shop.decide(&ada, id, Answer::Approve, None).await, &contended).and(None)
            }
            _ => {
                let release = ["storefront@1.0.0", "storefront@2.0.0"][dice.roll(2)];
                sound(
                    shop.ask(release, ["staging", "production"][dice.roll(2)]).await,
                    &contended,
                )
            }
        };
        all.extend(made);
    }
}

async fn clockwork(shop: Arc<Shop>, until: Instant, contended: Arc<AtomicU64>) {
    while Instant::now() < until {
        sound(timers::look(&shop.app).await, &contended);
        sound(timers::rescue(&shop.app).await, &contended);
        sound(timers::chain(&shop.app).await, &contended);
        sound(timers::number(&shop.app).await, &contended);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_once_ends_and_every_invariant_holds() {
    let shop = Arc::new(Shop::with(plain(&["eu", "us"])).await);
    let mut all = Vec::new();
    for version in ["1.0.0", "2.0.0"] {
        let release = shop.release(version).await;
        all.push(shop.staged(&release).await);
    }
    all.push(shop.ask("storefront@1.0.0", "production").await.unwrap());
    let until = Instant::now() + Duration::from_secs(6);
    let (contended, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..3 {
        tasks.spawn(executor(
            shop.clone(),
            format!("executor-{n}"),
            until,
            contended.clone(),
            done.clone(),
        ));
    }
    // Who does what is a function of the seed; how they take turns is not.
    let seed = std::env::var("SLIPWAY_SEED").map_or(11, |seed| seed.parse().unwrap());
    println!("SLIPWAY_SEED={seed}");
    for seed in seed..seed + 3 {
        tasks.spawn(people(shop.clone(), seed, all.clone(), until, contended.clone()));
    }
    for _ in 0..2 {
        tasks.spawn(clockwork(shop.clone(), until, contended.clone()));
    }
    let joined = tokio::time::timeout(Duration::from_secs(40), tasks.join_all()).await;
    assert!(joined.is_ok(), "something stands still");
    println!(
        "reports that ended: {}, contended: {}, deployments: {}, transitions: {}",
        done.load(Ordering::Relaxed),
        contended.load(Ordering::Relaxed),
        shop.number("SELECT count(*) FROM deployments").await,
        shop.number("SELECT count(*) FROM witness_moves").await
    );
    assert!(done.load(Ordering::Relaxed) > 10);
    ends(&shop).await;
}
