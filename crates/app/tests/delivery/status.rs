//! What dashboards are shown: one reading for all who may see the same, and never an old one.

use crate::shop::Shop;
use futures::future::join_all;
use slipway_app::{App, Config, Database, Error, SecretKey, status::Shared, timers};
use slipway_domain::identity::{Actor, Role};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

const HOUR: Duration = Duration::from_hours(1);

/// Dashboards of one server: they show how many deployments are queued.
struct Dashboards {
    app: App,
    shared: Shared<i64>,
    readings: AtomicU32,
}

impl Dashboards {
    fn new(app: &App, max_age: Duration, pause: Duration) -> Self {
        Self {
            app: app.clone(),
            shared: Shared::new(max_age, pause),
            readings: AtomicU32::new(0),
        }
    }

    async fn queued(&self, who: &Actor) -> Result<i64, Error> {
        let show = |view: slipway_app::status::StatusView| {
            self.readings.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Error>(view.active.get("queued").copied().unwrap_or_default())
        };
        let shown: Arc<i64> = self.shared.read(&self.app, who, show).await?;
        Ok(*shown)
    }

    fn readings(&self) -> u32 {
        self.readings.load(Ordering::SeqCst)
    }
}

async fn ask(shop: &Shop) {
    let release = shop.release("1.0.0").await;
    shop.ask(&release, "staging").await.unwrap();
}

#[tokio::test]
async fn however_many_ask_the_database_is_read_once() {
    let shop = Shop::open().await;
    let otto = shop.who("otto").await;
    let dashboards = Dashboards::new(&shop.app, HOUR, Duration::ZERO);
    let all = join_all((0..5_000).map(|_| dashboards.queued(&otto))).await;
    assert!(all.into_iter().all(|shown| shown.unwrap() == 0));
    assert_eq!(dashboards.readings(), 1);
    ask(&shop).await;
    let all = join_all((0..5_000).map(|_| dashboards.queued(&otto))).await;
    assert!(
        all.into_iter().all(|shown| shown.unwrap() == 1),
        "what happened is shown to all"
    );
    assert_eq!(dashboards.readings(), 2);
    assert_eq!(dashboards.queued(&shop.who("aud").await).await.unwrap(), 1);
    assert_eq!(dashboards.readings(), 2, "another who may see the same");
}

#[tokio::test]
async fn what_happened_at_another_server_is_shown_when_its_events_are_heard_of() {
    let shop = Shop::open().await;
    let otto = shop.who("otto").await;
    let database = Database::over(shop.app.database().pool().clone());
    let key = SecretKey::parse("secret_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let other = App::new(database, Config::new(Vec::new(), key), shop.app.probe().clone()).unwrap();
    let listening = tokio::spawn({
        let other = other.clone();
        async move { other.feed().follow(other.database()).await }
    });
    let dashboards = Dashboards::new(&other, HOUR, Duration::ZERO);
    assert_eq!(dashboards.queued(&otto).await.unwrap(), 0);
    ask(&shop).await;
    while timers::number(&shop.app).await.unwrap() > 0 {}
    let heard = async {
        while dashboards.queued(&otto).await.unwrap() != 1 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    // Much less than the age at which it would be read again by itself.
    tokio::time::timeout(Duration::from_secs(20), heard)
        .await
        .unwrap();
    listening.abort();
}

#[tokio::test]
async fn much_going_on_costs_one_reading_a_pause() {
    let shop = Shop::open().await;
    let otto = shop.who("otto").await;
    let dashboards = Dashboards::new(&shop.app, HOUR, HOUR);
    assert_eq!(dashboards.queued(&otto).await.unwrap(), 0);
    ask(&shop).await;
    assert_eq!(dashboards.queued(&otto).await.unwrap(), 0);
    assert_eq!(dashboards.readings(), 1);
}

#[tokio::test]
async fn nothing_is_shown_that_is_older_than_its_age() {
    let shop = Shop::open().await;
    let otto = shop.who("otto").await;
    let max_age = Duration::from_millis(200);
    // A pause that is longer does not make it older.
    let dashboards = Dashboards::new(&shop.app, max_age, HOUR);
    assert_eq!(dashboards.queued(&otto).await.unwrap(), 0);
    let read = Instant::now();
    ask(&shop).await;
    sleep_until(read + max_age).await;
    assert_eq!(dashboards.queued(&otto).await.unwrap(), 1);

    let read = Instant::now();
    shop.app.database().pool().close().await;
    sleep_until(read + max_age).await;
    let gone = dashboards.queued(&otto).await.unwrap_err();
    assert!(matches!(gone, Error::Unavailable { .. }), "{gone:?}");
}

#[tokio::test]
async fn whoever_may_read_nothing_is_shown_nothing_of_what_is_kept_for_others() {
    let shop = Shop::open().await;
    let otto = shop.who("otto").await;
    let sam = shop.person("sam", &[] as &[Role]).await;
    let dashboards = Dashboards::new(&shop.app, HOUR, HOUR);
    dashboards.queued(&otto).await.unwrap();
    let refused = dashboards.queued(&sam).await.unwrap_err();
    assert!(matches!(refused, Error::Lacking(_)), "{refused:?}");
}
