//! Healing: what has drifted is taken back where the environment says so, through the one claim, and not for ever.

use crate::{
    drift::{Watch, all, edited},
    shop::{Setup, Shop, code},
};
use slipway_app::{environments::SettingsInput, timers};
use slipway_domain::{
    deployment::{Kind, StateName},
    drift::Drift,
    gates::GateName,
    ids::DeploymentId,
    plan::target::{Intent, Step},
    work::StepOutcome,
};

/// A shop whose production takes back what drifts, with approvals and waves as ever; and whose staging does too.
async fn healing() -> Shop {
    let mut setup = Setup::default();
    setup.production.drift = Some("heal".to_owned());
    setup.staging = SettingsInput {
        drift: Some("heal".to_owned()),
        ..SettingsInput::default()
    };
    Shop::with(setup).await
}

/// Asks for heals, and says which were asked for.
async fn asked(shop: &Shop) -> Option<DeploymentId> {
    let n = timers::heal(&shop.app).await.unwrap();
    assert!(n <= 1);
    if n == 0 {
        return None;
    }
    let id = shop
        .text("SELECT id::text FROM deployments WHERE heals ORDER BY id DESC LIMIT 1")
        .await;
    Some(DeploymentId::from_uuid(id.parse().unwrap()))
}

/// Lets time pass for what was healed before.
async fn pass(shop: &Shop, minutes: u32) {
    for sql in [
        format!("UPDATE deployments SET created_at = created_at - interval '{minutes} min' WHERE heals"),
        format!(
            "UPDATE drifts SET resolved_at = resolved_at - interval '{minutes} min' WHERE resolution = 'healed'"
        ),
    ] {
        shop.sql(&sql).await.unwrap();
    }
}

/// Somebody changes it, and the heal that follows succeeds.
async fn healed(shop: &Shop, watch: &Watch, drift: Drift) {
    watch.says("eu", Some(drift)).await;
    let id = asked(shop).await.expect("a heal");
    let work = shop.claim_one().await;
    shop.succeed(&work).await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
}

#[tokio::test]
async fn nothing_is_healed_where_the_environment_does_not_say_so() {
    let shop = Shop::open().await;
    shop.released("1.0.0").await;
    let watch = Watch::start(&shop).await;
    watch.says("eu", Some(edited("9", "kubectl-edit"))).await;
    assert_eq!(asked(&shop).await, None);
    assert_eq!(
        shop.number("SELECT count(*) FROM deployments WHERE heals").await,
        0
    );
}

#[tokio::test]
async fn a_heal_brings_back_what_drifted_on_the_targets_that_have_and_is_recorded() {
    let shop = healing().await;
    let ran = shop.released("1.0.0").await;
    let watch = Watch::start(&shop).await;
    let (target, generation) = watch.target("eu").await.unwrap();
    watch.says("eu", Some(edited("9", "kubectl-edit"))).await;
    let id = asked(&shop).await.expect("a heal");
    assert_eq!(asked(&shop).await, None, "one at a time");

    let view = shop.view(id).await;
    let d = &view.row.deployment;
    assert_eq!(
        (d.kind, view.requested_by.as_str(), view.approval),
        (Kind::Heal, "slipway", None)
    );
    assert_eq!(
        d.state.name(),
        StateName::Queued,
        "nobody is asked: nothing new is deployed"
    );
    assert_eq!(
        view.row.gates.iter().map(|g| g.name).collect::<Vec<_>>(),
        [GateName::Concurrency]
    );
    assert_eq!(
        d.release_digest,
        shop.view(ran).await.row.deployment.release_digest
    );
    assert_eq!(view.targets.len(), 1);
    // A server that does not know heals reads a deployment, and leaves its work alone.
    let stored = shop
        .text(
            "SELECT d.kind || ' ' || dt.intent || ' ' || w.kind FROM deployments d JOIN deployment_targets dt \
             ON dt.deployment_id = d.id JOIN work w ON w.deployment_id = d.id WHERE d.heals",
        )
        .await;
    assert_eq!(stored, "deploy apply heal_target");

    let work = shop.claim_one().await;
    assert_eq!(
        (work.intent, work.target, work.generation),
        (Intent::Heal, target, generation + 1)
    );
    assert_eq!(work.heals, [all(&shop).await[0].object.clone()]);
    assert!(!work.force_conflicts);
    assert_eq!(watch.target("eu").await, None, "nothing is judged meanwhile");
    shop.succeed(&work).await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    let over = all(&shop).await;
    assert_eq!(over[0].resolved.map(|(_, how)| how.as_str()), Some("healed"));
    // What ran, runs.
    let now = shop
        .text(&format!(
            "SELECT now_deployment_id::text FROM targets WHERE id = '{}'",
            target.uuid()
        ))
        .await;
    assert_eq!(now, ran.uuid().to_string());
    assert_eq!(watch.target("eu").await, Some((target, generation + 1)));

    assert_eq!(code(shop.roll_back(id).await), "nothing-to-roll-back");
    assert_eq!(code(shop.retry(id).await), "deployment-state");
    // And what it healed can still be undone.
    let undo = shop.roll_back(ran).await.unwrap();
    shop.run_all().await;
    assert_eq!(
        shop.state(undo).await,
        StateName::Succeeded,
        "{}",
        shop.reason(undo).await
    );
    shop.check().await;
}

#[tokio::test]
async fn a_deployment_decides_and_a_heal_that_waits_makes_way() {
    let shop = healing().await;
    shop.released("1.0.0").await;
    let release = shop.release("2.0.0").await;
    shop.staged(&release).await;
    let watch = Watch::start(&shop).await;
    watch.says("eu", Some(edited("9", "kubectl-edit"))).await;
    let heal = asked(&shop).await.expect("a heal");
    let next = shop.ask(&release, "production").await.unwrap();
    shop.approve(next).await.unwrap();
    // The deployment is claimed first, and what waited earlier does not come after it.
    let work = shop.claim().await;
    assert!(work.iter().any(|a| a.deployment == next) && work.iter().all(|a| a.deployment != heal));
    assert_eq!(shop.state(heal).await, StateName::Superseded);
    assert_eq!(asked(&shop).await, None, "the deployment at work decides");
    for a in work {
        shop.succeed(&a).await;
    }
    shop.run_all().await;
    assert_eq!(shop.state(next).await, StateName::Succeeded);
    assert_eq!(
        all(&shop).await[0].resolved.map(|(_, how)| how.as_str()),
        Some("redeployed")
    );
    assert_eq!(asked(&shop).await, None);
    shop.check().await;
}

#[tokio::test]
async fn a_heal_that_fails_undoes_nothing_and_what_drifted_stays_open() {
    let shop = healing().await;
    let ran = shop.released("1.0.0").await;
    let watch = Watch::start(&shop).await;
    watch.says("eu", Some(edited("9", "kubectl-edit"))).await;
    let id = asked(&shop).await.expect("a heal");
    let work = shop.claim_one().await;
    shop.touch(&work).await;
    let failed = StepOutcome::Failed {
        reason: "refused by the API server".to_owned(),
    };
    shop.say(&work, Step::AwaitHealth, failed).await;
    assert_eq!(shop.state(id).await, StateName::Failed);
    assert_eq!(shop.view(id).await.row.rolled_back_by, None);
    assert!(all(&shop).await[0].resolved.is_none());
    assert_eq!(
        shop.view(ran).await.row.deployment.state.name(),
        StateName::Succeeded
    );
    assert!(
        watch.target("eu").await.is_some(),
        "the same runs there; it is watched on"
    );
    assert_eq!(asked(&shop).await, None, "not again at once");
    pass(&shop, 3).await;
    assert!(asked(&shop).await.is_some());
    shop.check().await;
}

#[tokio::test]
async fn two_who_fight_over_an_object_are_noticed_and_it_is_left_alone() {
    let shop = healing().await;
    shop.released("1.0.0").await;
    let watch = Watch::start(&shop).await;
    for round in 0..3 {
        healed(&shop, &watch, edited("9", "rival")).await;
        if round < 2 {
            watch.says("eu", Some(edited("9", "rival"))).await;
            assert_eq!(asked(&shop).await, None, "not before some minutes have passed");
            watch.says("eu", None).await;
        }
        pass(&shop, 12).await;
    }
    watch.says("eu", Some(edited("9", "rival"))).await;
    assert_eq!(asked(&shop).await, None);
    let open = all(&shop)
        .await
        .into_iter()
        .find(|drift| drift.resolved.is_none())
        .unwrap();
    let why = open.left_alone.clone().expect("a reason");
    assert!(why.contains("`rival`") && why.contains("3 times"), "{why}");
    assert_eq!(
        shop.number("SELECT count(*) FROM audit_entries WHERE action = 'drift.left_alone'")
            .await,
        1
    );
    assert_eq!(
        shop.number("SELECT count(*) FROM events WHERE kind = 'drift.left_alone'")
            .await,
        1
    );
    assert_eq!(asked(&shop).await, None, "and is said once");
    assert_eq!(
        shop.number("SELECT count(*) FROM events WHERE kind = 'drift.left_alone'")
            .await,
        1
    );
    // Not for ever: an hour later it is tried again.
    pass(&shop, 60).await;
    assert!(asked(&shop).await.is_some());
    let open = all(&shop)
        .await
        .into_iter()
        .find(|drift| drift.resolved.is_none())
        .unwrap();
    assert_eq!(open.left_alone, None);
    shop.check().await;
}

#[tokio::test]
async fn a_heal_is_no_success_of_the_release_for_the_next_stage() {
    let shop = healing().await;
    let release = shop.release("1.0.0").await;
    let staged = shop.staged(&release).await;
    let watch = Watch::start(&shop).await;
    watch.says("stage", Some(edited("9", "kubectl-edit"))).await;
    let heal = asked(&shop).await.expect("a heal");
    shop.run_all().await;
    assert_eq!(shop.state(heal).await, StateName::Succeeded);
    shop.roll_back(staged).await.unwrap();
    shop.run_all().await;
    assert_eq!(code(shop.ask(&release, "production").await), "not-promoted");
}
