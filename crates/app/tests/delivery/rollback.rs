//! Undoing: from stored renderings, needing nothing that failed, and never leaving anybody waiting.

use crate::{
    claims::plain,
    shop::{Setup, Shop, code},
};
use slipway_app::{components, deployments, environments::SettingsInput, releases};
use slipway_domain::{
    deployment::StateName,
    ids::DeploymentId,
    plan::target::{Intent, Step},
    work::{Ack, StepOutcome},
};

/// Asked for, with staging done.
async fn asked(shop: &Shop, version: &str) -> DeploymentId {
    let release = shop.release(version).await;
    shop.staged(&release).await;
    shop.ask(&release, "production").await.unwrap()
}

async fn succeeded(shop: &Shop, version: &str) -> DeploymentId {
    let id = asked(shop, version).await;
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    id
}

#[tokio::test]
async fn a_target_where_nothing_ran_before_is_cleaned() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = asked(&shop, "1.0.0").await;
    let a = shop.claim_one().await;
    assert_eq!((a.intent, a.generation), (Intent::Apply, 1));
    shop.fail(&a, "bad").await;
    assert_eq!(shop.state(id).await, StateName::RollingBack);
    let undo = shop.claim_one().await;
    assert_eq!(
        (undo.intent, undo.generation, undo.rendering.objects.len()),
        (Intent::Clean, 2, 0)
    );
    shop.succeed(&undo).await;
    assert_eq!(shop.state(id).await, StateName::RolledBack);
    assert_eq!(shop.reason(id).await, "eu: bad");
    assert_eq!(shop.now("eu").await, None);
    shop.check().await;
}

#[tokio::test]
async fn every_target_goes_back_to_what_ran_there_and_says_so() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    succeeded(&shop, "1.0.0").await;
    // 2.0.0 reaches eu alone, is cancelled there and then, and stays on eu.
    let second = asked(&shop, "2.0.0").await;
    let all = [shop.claim().await, shop.claim().await].concat();
    let eu = all.iter().find(|a| a.connection.name.as_str() == "eu").unwrap();
    shop.succeed(eu).await;
    assert_eq!(shop.now("eu").await.as_deref(), Some("2.0.0"));
    shop.cancel(second).await.unwrap();
    for a in &all {
        shop.say(a, Step::Preflight, StepOutcome::Done(serde_json::Value::Null))
            .await;
    }
    let third = asked(&shop, "3.0.0").await;
    shop.run_all().await;
    assert_eq!(
        (shop.now("eu").await, shop.now("us").await),
        (Some("3.0.0".into()), Some("3.0.0".into()))
    );
    let undo = shop.roll_back(third).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(undo).await, StateName::Succeeded);
    assert_eq!(
        (shop.now("eu").await, shop.now("us").await),
        (Some("2.0.0".into()), Some("1.0.0".into()))
    );
    assert_eq!(
        shop.state(third).await,
        StateName::Succeeded,
        "it did succeed; what undid it is noted"
    );
    assert_eq!(shop.undoing(third).await, undo);
    shop.check().await;
}

#[tokio::test]
async fn a_rollback_that_fails_is_not_rolled_back_and_both_reasons_are_told() {
    let shop = Shop::with(plain(&["eu"])).await;
    succeeded(&shop, "1.0.0").await;
    let id = asked(&shop, "2.0.0").await;
    shop.fail(&shop.claim_one().await, "new one is bad").await;
    let undo = shop.undoing(id).await;
    shop.fail(&shop.claim_one().await, "old one too").await;
    assert_eq!(shop.state(undo).await, StateName::Failed);
    assert_eq!(shop.state(id).await, StateName::Failed);
    let reason = shop.reason(id).await;
    assert!(
        reason.contains("new one is bad")
            && reason.contains("old one too")
            && reason.contains(&undo.to_string()),
        "{reason}"
    );
    assert_eq!(
        shop.number("SELECT count(*) FROM deployments WHERE kind = 'roll_back'")
            .await,
        1
    );
    shop.check().await;
}

#[tokio::test]
async fn only_the_newest_deployment_can_be_undone() {
    let shop = Shop::with(plain(&["eu"])).await;
    let first = succeeded(&shop, "1.0.0").await;
    let second = succeeded(&shop, "2.0.0").await;
    assert_eq!(code(shop.roll_back(first).await), "newer-deployment");
    let undo = shop.roll_back(second).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.now("eu").await.as_deref(), Some("1.0.0"));
    assert_eq!(code(shop.roll_back(second).await), "newer-deployment", "once");
    // The rollback is a deployment of its own and can be undone as one.
    shop.roll_back(undo).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.now("eu").await.as_deref(), Some("2.0.0"));
    shop.check().await;
}

#[tokio::test]
async fn a_running_deployment_is_undone_by_an_operator_though_the_release_before_is_withdrawn_and_recalled() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    succeeded(&shop, "1.0.0").await;
    let id = asked(&shop, "2.0.0").await;
    let (ana, eve) = (shop.who("ana").await, shop.who("eve").await);
    let why = Some("unsound".to_owned());
    shop.act(async |tx| releases::withdraw(tx, &ana, "storefront@1.0.0", why).await)
        .await
        .unwrap();
    shop.act(async |tx| components::recall(tx, &eve, "web", "1.0.0", "unsound").await)
        .await
        .unwrap();
    let all = [shop.claim().await, shop.claim().await].concat();
    shop.touch(&all[0]).await;
    assert_eq!(
        code(
            shop.act(async |tx| deployments::rollback(tx, &eve, &id.to_string(), None).await)
                .await
        ),
        "lacking"
    );
    let undo = shop.roll_back(id).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::RollingBack);
    assert_eq!(
        shop.view(undo).await.targets.len(),
        1,
        "what was not touched is not undone"
    );
    for a in &all {
        assert_eq!(
            shop.say(a, Step::AwaitHealth, StepOutcome::Done(serde_json::Value::Null))
                .await,
            Ack::Released
        );
    }
    shop.run_all().await;
    assert_eq!(
        (shop.state(undo).await, shop.state(id).await),
        (StateName::Succeeded, StateName::RolledBack)
    );
    assert_eq!(shop.now("eu").await.as_deref(), Some("1.0.0"));
    shop.check().await;
}

#[tokio::test]
async fn what_changed_nothing_has_nothing_to_undo() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = asked(&shop, "1.0.0").await;
    let a = shop.claim_one().await;
    assert_eq!(code(shop.roll_back(id).await), "nothing-to-roll-back");
    shop.say(
        &a,
        Step::Preflight,
        StepOutcome::Failed {
            reason: "conflict".to_owned(),
        },
    )
    .await;
    assert_eq!(shop.state(id).await, StateName::Failed, "plainly");
    assert_eq!(code(shop.roll_back(id).await), "nothing-to-roll-back");
    shop.check().await;
}

#[tokio::test]
async fn whatever_ends_a_rollback_ends_what_it_undoes() {
    for how in ["cancelled", "expired", "rejected", "errored"] {
        let shop = Shop::with(plain(&["eu"])).await;
        succeeded(&shop, "1.0.0").await;
        let id = asked(&shop, "2.0.0").await;
        let a = shop.claim_one().await;
        shop.touch(&a).await;
        let undo = shop.roll_back(id).await.unwrap();
        match how {
            "cancelled" => shop.cancel(undo).await.unwrap(),
            "expired" => {
                shop.sql("UPDATE deployments SET expires_at = now(), look_at = now(), state = 'pending' WHERE kind = 'roll_back'; \
                    DELETE FROM work WHERE state = 'ready'; DELETE FROM witness_moves WHERE old = 'queued' AND new = 'pending'")
                    .await
                    .unwrap();
                shop.look().await;
            }
            "rejected" => {
                shop.say(&a, Step::AwaitHealth, StepOutcome::Done(serde_json::Value::Null))
                    .await;
                // As if another deployment had been at work there since.
                shop.sql("UPDATE targets SET generation = 9 WHERE generation = 2; UPDATE deployment_targets SET generation = 9 WHERE generation = 1")
                    .await
                    .unwrap();
                assert!(shop.claim().await.is_empty());
                shop.sql("UPDATE targets SET generation = 2 WHERE generation = 9; UPDATE deployment_targets SET generation = 1 WHERE generation = 9")
                    .await
                    .unwrap();
            }
            _ => {
                shop.say(&a, Step::AwaitHealth, StepOutcome::Done(serde_json::Value::Null))
                    .await;
                let back = shop.claim_one().await;
                shop.say(
                    &back,
                    Step::Preflight,
                    StepOutcome::Errored {
                        reason: "401".to_owned(),
                    },
                )
                .await;
            }
        }
        assert_eq!(shop.state(undo).await.as_str(), how);
        assert_eq!(shop.state(id).await, StateName::Failed, "{how}");
        let reason = shop.reason(id).await;
        assert!(reason.contains(&undo.to_string()), "{how}: {reason}");
        match how {
            // Its row was put back to `pending` by hand.
            "expired" => shop.check_but(&["deployment_untold"]).await,
            _ => shop.check().await,
        }
    }
}

#[tokio::test]
async fn a_rollback_under_way_is_not_rolled_back_but_can_be_cancelled_and_undone() {
    let shop = Shop::with(plain(&["eu"])).await;
    succeeded(&shop, "1.0.0").await;
    let id = succeeded(&shop, "2.0.0").await;
    let undo = shop.roll_back(id).await.unwrap();
    let a = shop.claim_one().await;
    shop.touch(&a).await;
    assert_eq!(code(shop.roll_back(undo).await), "deployment-state");
    shop.cancel(undo).await.unwrap();
    shop.say(&a, Step::Prune, StepOutcome::Succeeded).await;
    shop.roll_back(undo).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.now("eu").await.as_deref(), Some("2.0.0"));
    shop.check().await;
}

#[tokio::test]
async fn a_rollback_that_waited_too_long_does_not_undo_what_came_after() {
    let shop = Shop::with(plain(&["eu"])).await;
    succeeded(&shop, "1.0.0").await;
    let second = succeeded(&shop, "2.0.0").await;
    let third = asked(&shop, "3.0.0").await;
    let a = shop.claim().await;
    assert_eq!(a.len(), 1);
    // Nothing of the third is on the target as far as anybody knows, so the second can still be undone; it has to wait.
    shop.sql("UPDATE targets SET generation = generation - 1 WHERE now_deployment_id IS NOT NULL AND environment_id = \
        (SELECT id FROM environments WHERE name = 'production')").await.unwrap();
    let undo = shop.roll_back(second).await.unwrap();
    assert_eq!(shop.state(undo).await, StateName::Pending);
    shop.sql("UPDATE targets SET generation = generation + 1 WHERE now_deployment_id IS NOT NULL AND environment_id = \
        (SELECT id FROM environments WHERE name = 'production')").await.unwrap();
    shop.succeed(&a[0]).await;
    shop.run_all().await;
    assert_eq!(shop.state(third).await, StateName::Succeeded);
    assert_eq!(shop.state(undo).await, StateName::Rejected);
    assert_eq!(shop.now("eu").await.as_deref(), Some("3.0.0"));
    shop.check().await;
}

#[tokio::test]
async fn nothing_rolls_back_by_itself_where_the_environment_says_so() {
    let production = SettingsInput {
        automatic_rollback: Some(false),
        ..SettingsInput::default()
    };
    let shop = Shop::with(Setup {
        clusters: &["eu"],
        production,
        ..Setup::default()
    })
    .await;
    let id = asked(&shop, "1.0.0").await;
    shop.fail(&shop.claim_one().await, "bad").await;
    assert_eq!(shop.state(id).await, StateName::Failed);
    let undo = shop.roll_back(id).await.unwrap();
    shop.run_all().await;
    assert_eq!(
        (shop.state(undo).await, shop.state(id).await),
        (StateName::Succeeded, StateName::Failed)
    );
    shop.check().await;
}
