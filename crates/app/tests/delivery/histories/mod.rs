//! Generated histories of the queue and of everything around it, on a real Postgres: several workers that claim, report,
//! beat, stall and die; people who steer; time that is moved in the database. After every operation the invariants are
//! checked, by number; and when the faults stop, every history ends.
//!
//! A history is a pure function of its seed, which is printed when it fails, with the shortest part of it that still does:
//! `SLIPWAY_SEED=7 cargo test -p slipway-app --test delivery histories` plays that one, `SLIPWAY_HISTORIES=500` as many from
//! it on.
//!
//! * `ops`: the operations, and how a history is made of a seed
//! * `play`: what each does
//! * `oracle`: what must hold, told from the rows alone

mod ops;
mod oracle;
mod play;

use crate::{
    claims::plain,
    record::ends,
    shop::{Setup, Shop, wave},
};
use ops::Op;
use oracle::Oracle;
use play::Play;
use slipway_app::{
    approvals::RequirementInput,
    environments::{SettingsInput, WaveInput},
};
use slipway_domain::deployment::StateName;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How many operations a history has.
const OPERATIONS: usize = 90;
/// How long a failing history may be made shorter.
const SHRINKING: Duration = Duration::from_secs(90);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

/// The world that a seed's history plays in.
fn setup(seed: u64) -> Setup {
    let mut setup = plain(&["eu-1", "eu-2", "us-1"]);
    let waves = vec![
        WaveInput {
            max_parallel: seed.is_multiple_of(3).then_some(1),
            max_failures: u32::from(seed.is_multiple_of(4)),
            ..wave("eu")
        },
        wave("us"),
    ];
    setup.production = SettingsInput {
        waves: Some(waves),
        automatic_rollback: Some(seed.is_multiple_of(2)),
        approvals: (seed % 5 < 2).then(|| {
            Some(RequirementInput {
                count: 1 + u32::try_from(seed % 2).unwrap(),
                role: "authority".to_owned(),
                ..RequirementInput::default()
            })
        }),
        ..SettingsInput::default()
    };
    setup
}

/// Plays a history to its end; panics where something does not hold.
async fn whole(seed: u64, ops: Vec<Op>) {
    let shop = Arc::new(Shop::with(setup(seed)).await);
    let mut play = Play::begin(shop.clone()).await;
    let mut oracle = Oracle::default();
    for (n, op) in ops.iter().enumerate() {
        play.act(*op).await;
        oracle.check(&play).await;
        if n % 15 == 14 {
            shop.check().await;
        }
    }
    // Invariant 5: the faults have stopped.
    drop(play);
    let unanswered = "UPDATE deployments SET expires_at = now() WHERE id IN (SELECT deployment_id FROM approvals WHERE state = 'pending')";
    shop.sql(unanswered).await.unwrap();
    ends(&shop).await;
    invariant_6_what_runs_can_be_undone_from_what_is_stored(&shop).await;
}

/// With every release withdrawn, and nobody left who may do more than operate.
async fn invariant_6_what_runs_can_be_undone_from_what_is_stored(shop: &Shop) {
    let ana = shop.who("ana").await;
    for release in play::RELEASES {
        let why = Some("unsound".to_owned());
        let withdrawn = shop
            .act(async |tx| slipway_app::releases::withdraw(tx, &ana, release, why).await)
            .await;
        drop(withdrawn);
    }
    shop.sql(
        "DELETE FROM role_bindings b USING principals p WHERE p.id = b.principal_id AND p.subject NOT IN ('otto', 'root')",
    )
    .await
    .unwrap();
    // One whose executor took the guard everywhere, as a real one does: another has changed nothing that could be undone.
    let newest: Option<String> = sqlx::query_scalar(
        "SELECT d.id::text FROM deployments d WHERE d.state = 'succeeded' AND d.kind = 'deploy' AND NOT EXISTS ( \
           SELECT 1 FROM deployment_targets dt JOIN targets t ON t.id = dt.target_id WHERE dt.deployment_id = d.id \
           AND dt.generation IS DISTINCT FROM t.generation) \
           AND NOT EXISTS (SELECT 1 FROM deployment_targets dt WHERE dt.deployment_id = d.id AND NOT EXISTS ( \
             SELECT 1 FROM target_steps s WHERE s.deployment_target_id = dt.id AND s.key = 'guard')) ORDER BY d.finished_at DESC LIMIT 1",
    )
    .fetch_optional(shop.app.database().pool())
    .await
    .unwrap();
    let Some(newest) = newest else { return };
    let id = slipway_domain::ids::DeploymentId::from_uuid(newest.parse().unwrap());
    let before = shop.view(id).await;
    let undoing = shop
        .roll_back(id)
        .await
        .expect("invariant 6: it can be rolled back");
    shop.run_all().await;
    assert_eq!(
        shop.state(undoing).await,
        StateName::Succeeded,
        "invariant 6: {}",
        shop.reason(undoing).await
    );
    for target in &before.targets {
        let back = target
            .previous
            .as_ref()
            .map(|previous| previous.rendering.to_string());
        let now: Option<String> = sqlx::query_scalar("SELECT now_rendering FROM targets WHERE id = $1")
            .bind(target.target.target.uuid())
            .fetch_one(shop.app.database().pool())
            .await
            .unwrap();
        assert_eq!(now, back, "invariant 6: what ran before runs again");
    }
    shop.check().await;
}

/// What went wrong in a history, if anything did.
fn fails(seed: u64, ops: Vec<Op>) -> Option<String> {
    // A stack of its own: the futures of whole use-cases are large before they are optimised.
    let thread = std::thread::Builder::new().stack_size(32 << 20);
    let played = thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(whole(seed, ops));
    });
    let panic = played.unwrap().join().err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(
        text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()))
            .unwrap_or_default(),
    )
}

/// Leaves out what is not needed for it to fail: halves, quarters, and so on, for as long as there is time.
fn shortest(seed: u64, mut ops: Vec<Op>) -> Vec<Op> {
    let until = Instant::now() + SHRINKING;
    let mut piece = ops.len() / 2;
    while piece > 0 && Instant::now() < until {
        let mut at = 0;
        while at < ops.len() && Instant::now() < until {
            let mut fewer = ops.clone();
            fewer.drain(at..(at + piece).min(ops.len()));
            if fails(seed, fewer.clone()).is_some() {
                ops = fewer;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    ops
}

#[test]
fn whatever_the_history_the_invariants_hold_and_it_ends() {
    let first = number("SLIPWAY_SEED");
    let histories = number("SLIPWAY_HISTORIES").unwrap_or(if first.is_some() { 1 } else { 6 });
    let first = first.unwrap_or(1);
    let began = Instant::now();
    for seed in first..first + histories {
        let ops = ops::history(seed, OPERATIONS);
        let Some(what) = fails(seed, ops.clone()) else {
            continue;
        };
        eprintln!("history {seed} fails: {what}\nit is made shorter, for {SHRINKING:?} at most");
        let short = shortest(seed, ops);
        let list: Vec<String> = short.iter().map(|op| format!("  {op:?}")).collect();
        panic!(
            "SLIPWAY_SEED={seed}: {what}\nthe shortest part of it that fails:\n{}",
            list.join("\n")
        );
    }
    println!(
        "{histories} histories of {OPERATIONS} operations from seed {first}: {:?}",
        began.elapsed()
    );
}
