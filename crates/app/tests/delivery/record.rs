//! The record: one entry a transition, chained and numbered without gaps, final, and free of secrets.

use crate::{
    claims::plain,
    shop::{Shop, code},
};
use slipway_app::{deployments, releases, timers};
use slipway_domain::{
    deployment::StateName,
    ids::DeploymentId,
    plan::target::Step,
    work::{Assignment, StepOutcome},
};
use slipway_store::{audit, events};
use std::collections::BTreeMap;

/// A small generator: the same seed, the same story.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// A random operation; what is not allowed is refused and changes nothing.
async fn anything(
    shop: &Shop,
    dice: &mut Dice,
    all: &mut Vec<DeploymentId>,
    held: &mut BTreeMap<String, Assignment>,
) {
    let one = |dice: &mut Dice| all[dice.roll(all.len())];
    match dice.roll(12) {
        0 => {
            let environment = ["staging", "production"][dice.roll(2)];
            let release = ["storefront@1.0.0", "storefront@2.0.0"][dice.roll(2)];
            if let Ok(id) = shop.ask(release, environment).await {
                all.push(id);
            }
        }
        1 => drop(shop.pause(one(dice)).await),
        2 => drop(shop.resume(one(dice)).await),
        3 => drop(shop.cancel(one(dice)).await),
        4 => {
            if let Ok(id) = shop.roll_back(one(dice)).await {
                all.push(id);
            }
        }
        5 => {
            if let Ok(id) = shop.retry(one(dice)).await {
                all.push(id);
            }
        }
        6 => {
            timers::rescue(&shop.app).await.unwrap();
            shop.look().await;
        }
        7 => drop(shop.sql("UPDATE work SET lease_until = now() - interval '1 s' WHERE state = 'leased' AND random() < 0.2").await),
        8 | 9 => {
            shop.look().await;
            for a in shop.claim().await {
                held.insert(a.lease.work.to_string(), a);
            }
        }
        _ => {
            let Some(key) = held.keys().nth(dice.roll(held.len().max(1))).cloned() else { return };
            let a = held[&key].clone();
            let outcome = match dice.roll(6) {
                0 => StepOutcome::Begun,
                1 | 2 => StepOutcome::Done(serde_json::Value::Null),
                3 => StepOutcome::Failed { reason: "bad".to_owned() },
                4 => StepOutcome::Errored { reason: "odd".to_owned() },
                _ => StepOutcome::Succeeded,
            };
            if shop.say(&a, Step::Guard, outcome).await != slipway_domain::work::Ack::Continue {
                held.remove(&key);
            }
        }
    }
}

#[tokio::test]
async fn whatever_happens_there_is_one_entry_a_transition_in_its_transaction_and_everything_ends() {
    for seed in 1..=4 {
        let shop = Shop::with(plain(&["eu", "us"])).await;
        let mut dice = Dice::new(seed);
        let mut all = Vec::new();
        let mut held = BTreeMap::new();
        for version in ["1.0.0", "2.0.0"] {
            let release = shop.release(version).await;
            all.push(shop.staged(&release).await);
        }
        for step in 0..120 {
            anything(&shop, &mut dice, &mut all, &mut held).await;
            if step % 40 == 39 {
                shop.check().await;
            }
        }
        ends(&shop).await;
    }
}

/// Lets everything go on, and asserts that everything ends.
pub(crate) async fn ends(shop: &Shop) {
    let otto = shop.who("otto").await;
    for _ in 0..40 {
        shop.sql(
            "UPDATE work SET lease_until = now() - interval '1 s' WHERE state = 'leased'; \
            UPDATE work SET run_at = now(); UPDATE deployments SET look_at = now() WHERE look_at IS NOT NULL",
        )
        .await
        .unwrap();
        timers::rescue(&shop.app).await.unwrap();
        let paused: Vec<String> =
            sqlx::query_scalar("SELECT id::text FROM deployments WHERE state = 'paused'")
                .fetch_all(shop.app.database().pool())
                .await
                .unwrap();
        for id in paused {
            let id = DeploymentId::from_uuid(id.parse().unwrap()).to_string();
            shop.act(async |tx| deployments::resume(tx, &otto, &id).await)
                .await
                .unwrap();
        }
        shop.run_all().await;
        if shop
            .number("SELECT count(*) FROM deployments WHERE finished_at IS NULL")
            .await
            == 0
        {
            break;
        }
    }
    let open = shop.text("SELECT COALESCE(string_agg(kind || ' ' || state || ': ' || gates::text, '; '), '') FROM deployments \
        WHERE finished_at IS NULL").await;
    assert_eq!(open, "", "all have ended");
    assert_eq!(shop.number("SELECT count(*) FROM work").await, 0);
    shop.check().await;
}

#[tokio::test]
async fn sequencers_at_once_number_everything_once_without_gaps() {
    let shop = Shop::open().await;
    shop.released("1.0.0").await;
    let total = shop.number("SELECT count(*) FROM audit_entries").await;
    for limit in [1, 7, 500] {
        let (mut a, mut b) = (shop.app.begin().await.unwrap(), shop.app.begin().await.unwrap());
        let first = audit::chain(&mut a, limit).await.unwrap();
        assert_eq!(
            audit::chain(&mut b, limit).await.unwrap(),
            None,
            "another is at it"
        );
        assert!(first.is_some_and(|n| n > 0));
        a.commit().await.unwrap();
    }
    let none = tokio::join!(
        timers::chain(&shop.app),
        timers::chain(&shop.app),
        timers::number(&shop.app),
        timers::number(&shop.app)
    );
    assert!(none.0.is_ok() && none.1.is_ok() && none.2.is_ok() && none.3.is_ok());
    shop.check().await;
    let gaps = "SELECT count(*) FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS n FROM audit_entries) x WHERE seq IS DISTINCT FROM n";
    assert_eq!(
        (
            shop.number(gaps).await,
            shop.number("SELECT count(*) FROM audit_entries").await
        ),
        (0, total)
    );
}

#[tokio::test]
async fn an_entry_of_a_transaction_that_commits_late_comes_after_what_is_chained_already() {
    let shop = Shop::open().await;
    let mut late = shop.app.begin().await.unwrap();
    audit::append(&mut late, "x", "late", "late", &serde_json::Value::Null)
        .await
        .unwrap();
    shop.release("1.0.0").await;
    while timers::chain(&shop.app).await.unwrap() > 0 {}
    let head = audit::head(&mut shop.app.begin().await.unwrap()).await.unwrap().0;
    late.commit().await.unwrap();
    timers::chain(&shop.app).await.unwrap();
    assert_eq!(
        shop.number("SELECT seq FROM audit_entries WHERE action = 'late'")
            .await,
        head + 1
    );
    shop.check().await;
}

#[tokio::test]
async fn a_chained_entry_can_neither_be_changed_nor_removed_and_an_unchained_one_only_be_chained() {
    let shop = Shop::open().await;
    for sql in [
        "UPDATE audit_entries SET actor = 'nobody'",
        "UPDATE audit_entries SET data = 'null'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ] {
        assert!(shop.sql(sql).await.is_err(), "unchained: {sql}");
    }
    while timers::chain(&shop.app).await.unwrap() > 0 {}
    for sql in [
        "UPDATE audit_entries SET actor = 'nobody'",
        "UPDATE audit_entries SET seq = seq + 1000",
        "UPDATE audit_entries SET seq = NULL, previous = NULL, digest = NULL",
        "UPDATE audit_entries SET digest = previous",
        "DELETE FROM audit_entries WHERE seq = 1",
        "TRUNCATE audit_entries",
    ] {
        assert!(shop.sql(sql).await.is_err(), "chained: {sql}");
    }
    shop.check().await;
    shop.sql(
        "SET session_replication_role = replica; UPDATE audit_entries SET actor = 'x' WHERE seq = 2; \
        SET session_replication_role = DEFAULT",
    )
    .await
    .unwrap();
    let mut tx = shop.app.begin().await.unwrap();
    let mut verifier = slipway_domain::audit::Verifier::default();
    let broken = audit::after(&mut tx, 0, &audit::Filter::default(), 100)
        .await
        .unwrap()
        .iter()
        .find_map(|(entry, digest)| verifier.check(entry, *digest).err());
    assert!(
        matches!(broken, Some(slipway_domain::audit::Broken::Altered { seq: 2 })),
        "{broken:?}"
    );
}

#[tokio::test]
async fn events_are_numbered_in_order_without_gaps_and_from_any_number_on_the_rest_is_seen() {
    let shop = Shop::open().await;
    let mut late = shop.app.begin().await.unwrap();
    let event = events::NewEvent {
        kind: "late".to_owned(),
        ..Default::default()
    };
    events::append(&mut late, &event).await.unwrap();
    let id = shop.released("1.0.0").await;
    while timers::number(&shop.app).await.unwrap() > 0 {}
    let visible = shop.who("root").await.rights.visible();
    let mut tx = shop.app.begin().await.unwrap();
    let all = events::after(&mut tx, 0, &events::Filter::default(), &visible, 10_000)
        .await
        .unwrap();
    let numbers: Vec<i64> = all.iter().map(|e| e.seq.unwrap()).collect();
    assert_eq!(
        numbers,
        (1..=i64::try_from(all.len()).unwrap()).collect::<Vec<_>>()
    );
    let mine: Vec<_> = all
        .iter()
        .filter(|e| e.deployment == Some(id))
        .map(|e| e.kind.as_str())
        .collect();
    let states: Vec<_> = mine
        .iter()
        .filter(|k| k.starts_with("deployment."))
        .copied()
        .collect();
    assert_eq!(
        states,
        [
            "deployment.request",
            "deployment.queue",
            "deployment.run",
            "deployment.succeed"
        ]
    );
    let last = *numbers.last().unwrap();
    for from in [0, 1, 5, last - 1, last] {
        let rest = events::after(&mut tx, from, &events::Filter::default(), &visible, 10_000)
            .await
            .unwrap();
        assert_eq!(
            rest.iter().map(|e| e.seq.unwrap()).collect::<Vec<_>>(),
            numbers[usize::try_from(from).unwrap()..]
        );
    }
    late.commit().await.unwrap();
    timers::number(&shop.app).await.unwrap();
    let rest = events::after(&mut tx, last, &events::Filter::default(), &visible, 10)
        .await
        .unwrap();
    assert_eq!(
        rest.iter().map(|e| e.kind.as_str()).collect::<Vec<_>>(),
        ["late"],
        "whoever commits late is still seen"
    );
}

#[tokio::test]
async fn a_refusal_writes_nothing() {
    let shop = Shop::open().await;
    let id = shop.released("1.0.0").await;
    let before = shop
        .number("SELECT (SELECT count(*) FROM audit_entries) * 10000 + (SELECT count(*) FROM events)")
        .await;
    assert_eq!(code(shop.pause(id).await), "deployment-state");
    assert_eq!(code(shop.resume(id).await), "deployment-state");
    assert_eq!(code(shop.cancel(id).await), "deployment-state");
    assert_eq!(code(shop.retry(id).await), "deployment-state");
    assert_eq!(
        code(shop.ask("storefront@9.9.9", "production").await),
        "not-found"
    );
    let after = shop
        .number("SELECT (SELECT count(*) FROM audit_entries) * 10000 + (SELECT count(*) FROM events)")
        .await;
    assert_eq!(before, after);
    assert_eq!(shop.state(id).await, StateName::Succeeded);
}

const SECRET: &str = "hunter2-hunter2";

fn with_secret(colour: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: web}}\nstringData: {{password: {SECRET}, colour: {colour}}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata: {{colour: {colour}}}\n"
    )
}

#[tokio::test]
async fn a_secret_in_a_bundle_is_in_no_record_and_no_view() {
    let shop = Shop::with(plain(&["eu"])).await;
    let ana = shop.who("ana").await;
    for (version, colour) in [("1.0.0", "red"), ("2.0.0", "blue")] {
        shop.version_of(version, &with_secret(colour)).await.unwrap();
        shop.act(async |tx| releases::compose(tx, &ana, crate::shop::compose("storefront", version)).await)
            .await
            .unwrap();
        shop.seal(&format!("storefront@{version}")).await;
    }
    shop.staged("storefront@1.0.0").await;
    let id = shop.ask("storefront@1.0.0", "production").await.unwrap();
    shop.run_all().await;
    let encoded = "aHVudGVyMi1odW50ZXIy";
    for table in [
        "audit_entries",
        "events",
        "deployments",
        "deployment_targets",
        "approvals",
        "work",
        "target_steps",
    ] {
        for secret in [SECRET, encoded] {
            let found = shop
                .number(&format!(
                    "SELECT count(*) FROM {table} t WHERE row_to_json(t)::text LIKE '%{secret}%'"
                ))
                .await;
            assert_eq!(found, 0, "{table}");
        }
    }
    assert!(
        shop.number(&format!(
            "SELECT count(*) FROM renderings t WHERE content::text LIKE '%{SECRET}%' \
        OR content::text LIKE '%{encoded}%'"
        ))
        .await
            > 0,
        "it is there to be applied, so looking for it can find it"
    );
    let mut tx = shop.app.begin().await.unwrap();
    let shown = deployments::manifests(&mut tx, &ana, &id.to_string())
        .await
        .unwrap();
    let shown: Vec<_> = shown
        .iter()
        .map(|t| serde_json::to_string(&t.rendering).unwrap())
        .collect();
    let diff = releases::diff(&mut tx, &ana, "storefront@2.0.0", "storefront@1.0.0")
        .await
        .unwrap();
    let diff = format!("{diff:?}");
    for text in shown.iter().chain([&diff]) {
        assert!(!text.contains(SECRET) && !text.contains(encoded), "{text}");
        assert!(text.contains("ConfigMap"));
    }
    assert!(diff.contains("Secret"), "that it differs is shown");
}
