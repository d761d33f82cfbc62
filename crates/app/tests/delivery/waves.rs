//! Waves: eu before us, soaks, how many at once, how many may fail.

use crate::shop::{Setup, Shop, wave};
use slipway_app::environments::{SettingsInput, WaveInput};
use slipway_domain::{
    deployment::{StateName, TargetState},
    plan::target::Step,
    work::StepOutcome,
};

fn names(all: &[slipway_domain::work::Assignment]) -> Vec<String> {
    let mut names: Vec<_> = all.iter().map(|a| a.connection.name.to_string()).collect();
    names.sort();
    names
}

fn waves(clusters: &'static [&'static str], waves: Vec<WaveInput>) -> Setup {
    Setup {
        clusters,
        production: SettingsInput {
            waves: Some(waves),
            ..SettingsInput::default()
        },
        ..Setup::default()
    }
}

async fn asked(shop: &Shop, version: &str) -> slipway_domain::ids::DeploymentId {
    let release = shop.release(version).await;
    shop.staged(&release).await;
    shop.ask(&release, "production").await.unwrap()
}

async fn all(shop: &Shop) -> Vec<slipway_domain::work::Assignment> {
    let mut all = shop.claim().await;
    all.extend(shop.claim().await);
    all
}

#[tokio::test]
async fn us_begins_when_eu_is_done() {
    // The order of the clusters says nothing: the waves do.
    let shop = Shop::with(waves(&["us", "eu"], vec![wave("eu"), wave("us")])).await;
    let id = asked(&shop, "1.0.0").await;
    let eu = all(&shop).await;
    assert_eq!(names(&eu), ["eu"]);
    assert_eq!(shop.target(id, "us").await, TargetState::Waiting);
    shop.succeed(&eu[0]).await;
    assert_eq!(shop.state(id).await, StateName::Running);
    assert_eq!(shop.now("eu").await.as_deref(), Some("1.0.0"));
    assert_eq!(shop.now("us").await, None);
    let us = all(&shop).await;
    assert_eq!(names(&us), ["us"]);
    shop.succeed(&us[0]).await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    assert_eq!(shop.now("us").await.as_deref(), Some("1.0.0"));
    shop.check().await;
}

#[tokio::test]
async fn a_wave_soaks_before_the_next_begins() {
    let soaking = WaveInput {
        soak: Some("PT1H".to_owned()),
        ..wave("eu")
    };
    let shop = Shop::with(waves(&["eu", "us"], vec![soaking, wave("us")])).await;
    let id = asked(&shop, "1.0.0").await;
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Running);
    assert_eq!(shop.target(id, "us").await, TargetState::Waiting);
    assert_eq!(shop.view(id).await.blockers[0].kind, "soak");
    shop.sql("UPDATE deployment_targets SET started_at = started_at - interval '59 min', finished_at = finished_at - interval '59 min'")
        .await
        .unwrap();
    shop.sql("UPDATE deployments SET look_at = now() WHERE state = 'running'")
        .await
        .unwrap();
    shop.run_all().await;
    assert_eq!(
        shop.target(id, "us").await,
        TargetState::Waiting,
        "not a minute too early"
    );
    shop.sql("UPDATE deployment_targets SET started_at = started_at - interval '1 min', finished_at = finished_at - interval '1 min'")
        .await
        .unwrap();
    assert!(shop.claim().await.is_empty(), "time has to be noticed by a look");
    shop.sql("UPDATE deployments SET look_at = look_at - interval '1 min' WHERE state = 'running'")
        .await
        .unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn no_more_targets_at_once_than_the_wave_allows() {
    let narrow = WaveInput {
        max_parallel: Some(2),
        ..wave("eu")
    };
    let shop = Shop::with(waves(&["eu-1", "eu-2", "eu-3", "eu-4", "eu-5"], vec![narrow])).await;
    let id = asked(&shop, "1.0.0").await;
    let mut seen = 0;
    loop {
        let now = all(&shop).await;
        if now.is_empty() {
            break;
        }
        assert!(now.len() <= 2, "{:?}", names(&now));
        seen += now.len();
        for a in &now {
            shop.succeed(a).await;
        }
    }
    assert_eq!((seen, shop.state(id).await), (5, StateName::Succeeded));
    shop.check().await;
}

#[tokio::test]
async fn failures_that_a_wave_tolerates_are_remarked_and_do_not_stop_it() {
    let tolerant = WaveInput {
        max_failures: 1,
        ..wave("eu")
    };
    let shop = Shop::with(waves(&["eu-1", "eu-2", "us"], vec![tolerant, wave("us")])).await;
    let id = asked(&shop, "1.0.0").await;
    let eu = all(&shop).await;
    assert_eq!(eu.len(), 2);
    let bad = eu[0].connection.name.to_string();
    shop.fail(&eu[0], "not healthy").await;
    assert_eq!(shop.state(id).await, StateName::Running);
    shop.succeed(&eu[1]).await;
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    assert_eq!(shop.reason(id).await, format!("tolerated: {bad}: not healthy"));
    assert_eq!(shop.now(&bad).await, None);
    shop.check().await;
}

#[tokio::test]
async fn a_failure_in_the_first_wave_never_starts_the_second_and_only_the_first_is_rolled_back() {
    let shop = Shop::with(waves(&["eu", "us"], vec![wave("eu"), wave("us")])).await;
    let good = asked(&shop, "1.0.0").await;
    shop.run_all().await;
    let bad = asked(&shop, "2.0.0").await;
    let eu = all(&shop).await;
    shop.fail(&eu[0], "web: 0 of 1 ready").await;
    assert_eq!(shop.state(bad).await, StateName::RollingBack);
    let undo = shop.undoing(bad).await;
    let targets = shop.view(undo).await.targets;
    assert_eq!(
        targets
            .iter()
            .map(|t| t.target.cluster_name.to_string())
            .collect::<Vec<_>>(),
        ["eu"]
    );
    let back = shop.claim_one().await;
    assert_eq!((back.deployment, back.connection.name.as_str()), (undo, "eu"));
    let was = shop
        .view(good)
        .await
        .targets
        .iter()
        .find(|t| t.target.cluster_name.as_str() == "eu")
        .unwrap()
        .target
        .rendering;
    assert_eq!(back.rendering_digest, was);
    shop.succeed(&back).await;
    assert_eq!(shop.state(bad).await, StateName::RolledBack);
    assert_eq!(shop.target(bad, "us").await, TargetState::Skipped);
    assert_eq!(shop.target(bad, "eu").await, TargetState::Failed);
    assert_eq!(shop.now("eu").await.as_deref(), Some("1.0.0"));
    assert_eq!(shop.now("us").await.as_deref(), Some("1.0.0"));
    assert_eq!(
        shop.number(
            "SELECT count(*) FROM deployment_targets WHERE deployment_id = (SELECT id FROM deployments \
        ORDER BY id DESC LIMIT 1) AND intent = 'roll_back'"
        )
        .await,
        1
    );
    shop.check().await;
}

#[tokio::test]
async fn what_is_at_work_is_let_finish_before_a_failure_counts() {
    let shop = Shop::with(waves(&["eu-1", "eu-2"], vec![wave("eu")])).await;
    let id = asked(&shop, "1.0.0").await;
    let eu = all(&shop).await;
    shop.fail(&eu[0], "bad").await;
    assert_eq!(shop.state(id).await, StateName::Running);
    shop.succeed(&eu[1]).await;
    assert_eq!(shop.state(id).await, StateName::RollingBack);
    assert_eq!(
        shop.view(shop.undoing(id).await).await.targets.len(),
        2,
        "what succeeded is undone as well"
    );
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::RolledBack);
    shop.check().await;
}

#[tokio::test]
async fn when_all_that_is_wrong_could_not_be_judged_it_is_errored_and_left_alone() {
    let shop = Shop::with(waves(&["eu", "us"], vec![wave("eu"), wave("us")])).await;
    let id = asked(&shop, "1.0.0").await;
    let eu = all(&shop).await;
    shop.touch(&eu[0]).await;
    shop.say(
        &eu[0],
        Step::Preflight,
        StepOutcome::Errored {
            reason: "401".to_owned(),
        },
    )
    .await;
    assert_eq!(shop.state(id).await, StateName::Errored);
    assert_eq!(
        shop.number("SELECT count(*) FROM deployments WHERE kind = 'roll_back'")
            .await,
        0
    );
    shop.check().await;
}
