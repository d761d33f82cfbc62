//! A shop in which everything has happened that can happen to a deployment.

use crate::shop::{Shop, compose};
use slipway_app::{components, evidence, releases, timers};
use slipway_domain::{
    approval::Answer,
    deployment::StateName,
    ids::DeploymentId,
    plan::target::Step,
    work::{Ack, StepOutcome},
};

/// A value of a Secret in a bundle.
pub(crate) const SECRET: &str = "hunter2-hunter2-hunter2";

/// The shop, and what became of its deployments.
pub(crate) struct Story {
    pub(crate) shop: Shop,
    /// Deployments to production in each of these states.
    pub(crate) deployments: Vec<(StateName, DeploymentId)>,
}

impl Story {
    /// The first deployment in a state.
    pub(crate) fn one(&self, state: StateName) -> DeploymentId {
        self.deployments
            .iter()
            .find(|(s, _)| *s == state)
            .map(|(_, id)| *id)
            .unwrap()
    }
}

/// Asks for a deployment of a new version to production, after staging.
async fn asked(shop: &Shop, version: &str) -> DeploymentId {
    let release = shop.release(version).await;
    shop.staged(&release).await;
    shop.ask(&release, "production").await.unwrap()
}

/// Plays it.
pub(crate) async fn play() -> Story {
    let shop = Shop::open().await;
    let mut all = vec![shop.released("1.0.0").await];
    // Fails on its second wave, and is rolled back by itself.
    let failed = shop.ready("2.0.0").await;
    let eu = shop.claim_one().await;
    assert_eq!(shop.succeed(&eu).await, Ack::Released);
    let us = shop.claim_one().await;
    shop.fail(&us, "web is down").await;
    shop.run_all().await;
    all.extend([failed, shop.undoing(failed).await]);
    // Is rolled back by hand.
    let undone = shop.released("3.0.0").await;
    let by_hand = shop.roll_back(undone).await.unwrap();
    shop.run_all().await;
    all.extend([undone, by_hand]);
    // Ends as errored; then again, and that is cancelled while it runs, and undone.
    let errored = shop.ready("4.0.0").await;
    let a = shop.claim_one().await;
    shop.touch(&a).await;
    let reason = "no answer".to_owned();
    shop.say(&a, Step::AwaitHealth, StepOutcome::Errored { reason })
        .await;
    assert_eq!(shop.state(errored).await, StateName::Errored);
    let again = shop.retry(errored).await.unwrap();
    shop.approve(again).await.unwrap();
    let a = shop.claim_one().await;
    shop.touch(&a).await;
    shop.cancel(again).await.unwrap();
    shop.say(&a, Step::Prune, StepOutcome::Succeeded).await;
    all.extend([errored, again]);
    let undo = shop.roll_back(again).await.unwrap();
    shop.run_all().await;
    all.push(undo);
    all.extend(waiting(&shop).await);
    all.extend(under_way(&shop).await);
    all.extend(secret(&shop).await);
    stated(&shop).await;
    shop.look().await;
    while timers::chain(&shop.app).await.unwrap() > 0 {}
    while timers::grow(&shop.app).await.unwrap() > 0 {}
    while timers::number(&shop.app).await.unwrap() > 0 {}
    let mut deployments = Vec::new();
    for id in all {
        deployments.push((shop.state(id).await, id));
    }
    Story { shop, deployments }
}

/// Something stated about a version that ran long ago.
async fn stated(shop: &Shop) {
    let eve = shop.who("eve").await;
    let report = evidence::State {
        kind: "test_report".to_owned(),
        document: "<testsuite><testcase name=\"adds\"/></testsuite>".to_owned(),
        ..evidence::State::default()
    };
    let about = evidence::About::Version("web".to_owned(), "1.0.0".to_owned());
    shop.act(async |tx| evidence::state(tx, &eve, &about, report).await)
        .await
        .unwrap();
}

/// What never began: rejected, cancelled, expired, superseded, its release withdrawn; and what still waits.
async fn waiting(shop: &Shop) -> Vec<DeploymentId> {
    let ada = shop.who("ada").await;
    let ana = shop.who("ana").await;
    let rejected = asked(shop, "5.0.0").await;
    shop.decide(&ada, rejected, Answer::Reject, None).await.unwrap();
    let cancelled = asked(shop, "5.1.0").await;
    shop.cancel(cancelled).await.unwrap();
    let expired = asked(shop, "5.2.0").await;
    let uuid = expired.uuid();
    shop.sql(&format!(
        "UPDATE deployments SET expires_at = now(), look_at = now() WHERE id = '{uuid}'"
    ))
    .await
    .unwrap();
    shop.look().await;
    let withdrawn = asked(shop, "5.3.0").await;
    shop.act(async |tx| releases::withdraw(tx, &ana, "storefront@5.3.0", Some("a mistake".to_owned())).await)
        .await
        .unwrap();
    let superseded = asked(shop, "5.4.0").await;
    let newer = shop.released("5.5.0").await;
    shop.draft("5.7.0").await;
    vec![rejected, cancelled, expired, withdrawn, superseded, newer]
}

/// One that is paused, and one that an executor acts on.
async fn under_way(shop: &Shop) -> Vec<DeploymentId> {
    let paused = shop.ready("6.0.0").await;
    let a = shop.claim_one().await;
    shop.touch(&a).await;
    shop.pause(paused).await.unwrap();
    shop.say(&a, Step::AwaitHealth, StepOutcome::Done(serde_json::Value::Null))
        .await;
    shop.service("backoffice").await;
    let release = shop.draft_of("backoffice", "7.0.0").await;
    shop.seal(&release).await;
    shop.staged(&release).await;
    let running = shop.ask(&release, "production").await.unwrap();
    shop.approve(running).await.unwrap();
    let a = shop.claim_one().await;
    shop.touch(&a).await;
    vec![paused, running]
}

/// A bundle with a Secret, whose release waits for approval in one place and for an executor in the other; and versions
/// that are not to be used any more.
async fn secret(shop: &Shop) -> Vec<DeploymentId> {
    let (eve, ana) = (shop.who("eve").await, shop.who("ana").await);
    let manifests = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: web}}\nstringData: {{password: {SECRET}, host: db.shop.svc}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata: {{host: db.shop.svc}}\n"
    );
    shop.version_of("8.0.0", &manifests).await.unwrap();
    shop.act(async |tx| releases::compose(tx, &ana, compose("storefront", "8.0.0")).await)
        .await
        .unwrap();
    shop.seal("storefront@8.0.0").await;
    shop.staged("storefront@8.0.0").await;
    for (version, recall) in [("5.0.0", false), ("5.1.0", true)] {
        shop.act(async |tx| {
            let reason = "old".to_owned();
            if recall {
                components::recall(tx, &eve, "web", version, &reason).await
            } else {
                components::deprecate(tx, &eve, "web", version, &reason).await
            }
        })
        .await
        .unwrap();
    }
    let waits = shop.ask("storefront@8.0.0", "production").await.unwrap();
    let queued = shop.ask("storefront@8.0.0", "staging").await.unwrap();
    vec![waits, queued]
}
