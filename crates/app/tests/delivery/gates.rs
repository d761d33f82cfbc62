//! Gates, shown when a fact changes and judged again in the claim: only that one admits.

use crate::{
    claims::plain,
    shop::{Setup, Shop, code},
};
use slipway_app::{deployments, environments::SettingsInput};
use slipway_domain::{
    deployment::StateName,
    gates::{GateName, Verdict},
    ids::DeploymentId,
    plan::target::Step,
    work::StepOutcome,
};

async fn gate(shop: &Shop, id: DeploymentId, name: GateName) -> Verdict {
    let view = shop.view(id).await;
    view.row
        .gates
        .into_iter()
        .find(|g| g.name == name)
        .expect("the gate")
        .verdict
}

/// Claims with a fact changed since it was queued: nothing is claimed, and the checker finds what was done. Says where the
/// deployment stands then.
async fn claimed_after(sql: &str, damage: &[&str]) -> (Shop, DeploymentId, StateName) {
    let shop = Shop::open().await;
    shop.released("0.9.0").await;
    let id = shop.ready("1.0.0").await;
    shop.sql(sql).await.unwrap();
    assert!(shop.claim().await.is_empty(), "admitted in spite of {sql}");
    let state = shop.state(id).await;
    assert_eq!(shop.number("SELECT count(*) FROM work").await, 0);
    shop.check_but(damage).await;
    (shop, id, state)
}

#[tokio::test]
async fn a_role_lost_after_approving_holds_the_claim_and_regained_lets_it_go() {
    let (shop, id, state) = claimed_after("DELETE FROM role_bindings WHERE role = 'authority'", &[]).await;
    assert_eq!(state, StateName::Pending);
    assert!(matches!(
        gate(&shop, id, GateName::Approval).await,
        Verdict::Waiting { .. }
    ));
    shop.person("ada", &[slipway_domain::identity::Role::Authority])
        .await;
    shop.sql("UPDATE deployments SET look_at = now() WHERE state = 'pending'")
        .await
        .unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
}

#[tokio::test]
async fn an_approval_of_another_digest_or_plan_admits_nothing() {
    let other = format!("sha256:{}", "0".repeat(64));
    for column in ["digest", "plan_digest"] {
        let sql =
            format!("UPDATE approvals SET {column} = '{other}'; UPDATE decisions SET {column} = '{other}'");
        let (_, _, state) = claimed_after(&sql, &["approval_of_another_digest"]).await;
        assert!(
            matches!(state, StateName::Pending | StateName::Rejected),
            "{column}: {state}"
        );
    }
    let (_, _, state) = claimed_after(
        &format!("UPDATE deployments SET plan_digest = '{other}' WHERE state = 'queued'"),
        &[
            "approval_of_another_digest",
            "digest_is_not_as_recorded",
            "plan_altered",
        ],
    )
    .await;
    assert!(
        matches!(state, StateName::Pending | StateName::Rejected),
        "{state}"
    );
}

#[tokio::test]
async fn a_decision_taken_back_below_the_application_admits_nothing() {
    let (_, _, state) = claimed_after(
        "DELETE FROM decisions",
        &["approval_untold", "approved_by_too_few"],
    )
    .await;
    assert_eq!(state, StateName::Pending);
}

#[tokio::test]
async fn an_environment_that_needs_approval_never_passes_for_one_that_needs_none() {
    let shop = Shop::open().await;
    let id = shop.ready("1.0.0").await;
    shop.sql("DELETE FROM decisions; DELETE FROM approvals")
        .await
        .unwrap();
    assert!(shop.claim().await.is_empty());
    // It is held, and people are asked anew.
    assert_eq!(shop.state(id).await, StateName::Pending);
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    assert_eq!(
        shop.number("SELECT count(*) FROM approvals WHERE state = 'pending'")
            .await,
        1
    );
    shop.approve(id).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
}

#[tokio::test]
async fn a_release_withdrawn_or_a_component_recalled_meanwhile_is_rejected_in_the_claim() {
    let (_, _, state) = claimed_after(
        "UPDATE releases SET state = 'withdrawn', withdrawn_at = now(), withdrawn_reason = 'x' WHERE version = '1.0.0'",
        &["release_untold"],
    )
    .await;
    assert_eq!(state, StateName::Rejected);
    let (shop, id, state) = claimed_after(
        "UPDATE component_versions SET state = 'recalled', state_reason = 'CVE' WHERE version = '1.0.0'",
        &["component_version_untold"],
    )
    .await;
    assert_eq!(state, StateName::Rejected);
    assert!(shop.reason(id).await.contains("CVE"));
}

#[tokio::test]
async fn a_rendering_that_is_not_kept_leaves_no_way_back_and_is_refused() {
    let lost = format!("sha256:{}", "0".repeat(64));
    let (shop, id, state) = claimed_after(
        &format!("UPDATE targets SET now_rendering = '{lost}'"),
        &["running_rendering_missing", "target_runs_what_was_not_deployed"],
    )
    .await;
    assert_eq!(state, StateName::Rejected);
    assert!(
        shop.reason(id).await.starts_with("rollback: "),
        "{}",
        shop.reason(id).await
    );
}

#[tokio::test]
async fn a_promotion_undone_meanwhile_holds() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    let staging = shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    shop.approve(id).await.unwrap();
    let undo = shop.roll_back(staging).await.unwrap();
    shop.look().await;
    let claimed = shop.claim().await;
    assert!(claimed.iter().all(|a| a.deployment == undo));
    assert_eq!(shop.state(id).await, StateName::Pending);
    assert!(!matches!(
        gate(&shop, id, GateName::Promotion).await,
        Verdict::Satisfied { .. }
    ));
    for a in &claimed {
        shop.succeed(a).await;
    }
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    assert_eq!(code(shop.ask(&release, "production").await), "not-promoted");
    shop.staged(&release).await;
    shop.run_all().await;
    assert_eq!(
        shop.state(id).await,
        StateName::Succeeded,
        "tried again there, it goes on here"
    );
    shop.check().await;
}

#[tokio::test]
async fn a_promotion_soaks_before_it_counts() {
    let production = SettingsInput {
        promotion_soak: Some("PT1H".to_owned()),
        ..SettingsInput::default()
    };
    let shop = Shop::with(Setup {
        clusters: &["eu"],
        production,
        ..Setup::default()
    })
    .await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert!(matches!(
        gate(&shop, id, GateName::Promotion).await,
        Verdict::Waiting { until: Some(_), .. }
    ));
    shop.sql("UPDATE deployments SET finished_at = finished_at - interval '1 h', look_at = look_at - interval '1 h'").await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
}

#[tokio::test]
async fn nothing_begins_before_its_time_and_a_look_finds_when_it_has_come() {
    let shop = Shop::with(plain(&["eu"])).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let otto = shop.who("otto").await;
    let at = shop
        .app
        .begin()
        .await
        .unwrap()
        .now
        .checked_add(jiff::SignedDuration::from_hours(2))
        .unwrap();
    let input = deployments::Create {
        release: release.clone(),
        environment: "production".to_owned(),
        not_before: Some(at),
        ..Default::default()
    };
    let view = shop
        .act(async |tx| deployments::create(&shop.app, tx, &otto, input).await)
        .await
        .unwrap();
    let id = view.row.deployment.id;
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    assert_eq!(shop.view(id).await.blockers[0].until, Some(at));
    assert_eq!(
        shop.number("SELECT count(*) FROM deployments WHERE look_at = not_before")
            .await,
        1
    );
    shop.sql("UPDATE deployments SET not_before = now(), look_at = now() WHERE state = 'pending'")
        .await
        .unwrap();
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Queued);
    shop.sql("UPDATE deployments SET not_before = now() + interval '1 h' WHERE state = 'queued'")
        .await
        .unwrap();
    assert!(shop.claim().await.is_empty());
    assert_eq!(shop.state(id).await, StateName::Pending, "held by the claim");
    shop.check().await;
}

#[tokio::test]
async fn what_waits_too_long_expires_whether_pending_or_queued_and_is_never_revived() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let pending = shop.ask(&release, "production").await.unwrap();
    shop.sql("UPDATE deployments SET expires_at = now(), look_at = now() WHERE state = 'pending'")
        .await
        .unwrap();
    shop.look().await;
    assert_eq!(shop.state(pending).await, StateName::Expired);
    assert_eq!(code(shop.approve(pending).await), "approval-state");
    assert_eq!(shop.state(pending).await, StateName::Expired);
    for noticed_by_claim in [true, false] {
        let queued = shop.ask(&release, "production").await.unwrap();
        shop.approve(queued).await.unwrap();
        shop.sql("UPDATE deployments SET expires_at = now(), look_at = LEAST(look_at, now()) WHERE state = 'queued'").await.unwrap();
        if noticed_by_claim {
            assert!(shop.claim().await.is_empty());
        }
        shop.look().await;
        shop.look().await;
        assert_eq!(shop.state(queued).await, StateName::Expired);
    }
    shop.check().await;
}

#[tokio::test]
async fn of_two_at_once_one_is_admitted_and_the_other_waits_and_comes_after() {
    let shop = Shop::with(plain(&["eu"])).await;
    for version in ["1.0.0", "2.0.0"] {
        let release = shop.release(version).await;
        shop.staged(&release).await;
    }
    let first = shop.ask("storefront@1.0.0", "production").await.unwrap();
    let second = shop.ask("storefront@2.0.0", "production").await.unwrap();
    assert_eq!(
        (shop.state(first).await, shop.state(second).await),
        (StateName::Queued, StateName::Queued)
    );
    let a = shop.claim_one().await;
    assert_eq!(a.deployment, first);
    assert!(shop.claim().await.is_empty());
    shop.look().await;
    assert_eq!(
        (shop.state(first).await, shop.state(second).await),
        (StateName::Running, StateName::Pending)
    );
    assert!(matches!(
        gate(&shop, second, GateName::Concurrency).await,
        Verdict::Waiting { .. }
    ));
    shop.succeed(&a).await;
    shop.look().await;
    assert_eq!(shop.state(second).await, StateName::Queued);
    shop.run_all().await;
    assert_eq!(shop.now("eu").await.as_deref(), Some("2.0.0"));
    shop.check().await;
}

#[tokio::test]
async fn many_at_once_by_many_executors_never_run_together() {
    let shop = Shop::with(plain(&["eu"])).await;
    for n in 0..4 {
        let release = shop.release(&format!("1.0.{n}")).await;
        shop.staged(&release).await;
    }
    for n in 0..4 {
        shop.ask(&format!("storefront@1.0.{n}"), "production")
            .await
            .unwrap();
    }
    for _ in 0..12 {
        let (a, b, c) = tokio::join!(
            shop.claim_as("a", 2),
            shop.claim_as("b", 2),
            shop.claim_as("c", 2)
        );
        let all: Vec<_> = [a, b, c].concat();
        assert!(all.len() <= 1, "{}", all.len());
        let holding = shop
            .number("SELECT count(*) FROM deployments WHERE state = 'running'")
            .await;
        assert!(holding <= 1);
        for a in &all {
            shop.succeed(a).await;
        }
        shop.look().await;
    }
    assert_eq!(
        shop.number("SELECT count(*) FROM deployments WHERE finished_at IS NULL")
            .await,
        0
    );
    assert_eq!(shop.now("eu").await.as_deref(), Some("1.0.3"), "the newest wins");
    shop.check().await;
}

#[tokio::test]
async fn admitting_supersedes_what_was_asked_for_earlier_and_still_waits() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let old = shop.ask(&release, "production").await.unwrap();
    let new = shop.ready("2.0.0").await;
    shop.run_all().await;
    assert_eq!(shop.state(new).await, StateName::Succeeded);
    assert_eq!(shop.state(old).await, StateName::Superseded);
    assert!(shop.reason(old).await.contains(&new.to_string()));
    assert_eq!(code(shop.approve(old).await), "approval-state");
    assert_eq!(code(shop.retry(old).await), "deployment-state");
    shop.check().await;
}

#[tokio::test]
async fn an_older_request_that_is_queued_never_comes_after_a_newer_one() {
    let shop = Shop::with(plain(&["eu"])).await;
    for version in ["1.0.0", "2.0.0"] {
        let release = shop.release(version).await;
        shop.staged(&release).await;
    }
    let old = shop.ask("storefront@1.0.0", "production").await.unwrap();
    let new = shop.ask("storefront@2.0.0", "production").await.unwrap();
    shop.sql(&format!(
        "UPDATE work SET priority = 1 WHERE deployment_id = '{}'",
        new.uuid()
    ))
    .await
    .unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(old).await, StateName::Superseded);
    assert_eq!(shop.now("eu").await.as_deref(), Some("2.0.0"));
    shop.check().await;
}

#[tokio::test]
async fn a_retry_passes_through_every_gate_again() {
    let shop = Shop::open().await;
    let id = shop.ready("1.0.0").await;
    let a = shop.claim_one().await;
    shop.say(
        &a,
        Step::Preflight,
        StepOutcome::Errored {
            reason: "401".to_owned(),
        },
    )
    .await;
    assert_eq!(shop.state(id).await, StateName::Errored);
    let again = shop.retry(id).await.unwrap();
    assert_eq!(
        shop.state(again).await,
        StateName::Pending,
        "the approval of the first does not count for it"
    );
    assert_eq!(shop.view(again).await.row.deployment.retries, Some(id));
    assert!(shop.claim().await.is_empty());
    shop.approve(again).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(again).await, StateName::Succeeded);
    assert_eq!(code(shop.retry(again).await), "deployment-state");
    let never = shop.ask("storefront@1.0.0", "production").await.unwrap();
    shop.cancel(never).await.unwrap();
    let rerun = shop.retry(never).await.unwrap();
    assert_eq!(
        shop.state(rerun).await,
        StateName::Pending,
        "cancel and rerun is no way round an approval"
    );
    shop.check().await;
}

#[tokio::test]
async fn a_missed_hint_of_an_end_costs_seconds_and_not_the_deployment() {
    let shop = Shop::with(plain(&["eu"])).await;
    for version in ["1.0.0", "2.0.0"] {
        let release = shop.release(version).await;
        shop.staged(&release).await;
    }
    shop.ask("storefront@1.0.0", "production").await.unwrap();
    let a = shop.claim_one().await;
    let next = shop.ask("storefront@2.0.0", "production").await.unwrap();
    let soon =
        "SELECT count(*) FROM deployments WHERE state = 'pending' AND look_at <= now() + interval '5 s'";
    assert_eq!(shop.number(soon).await, 1);
    // Its judge holds it at the moment when the other ends.
    let mut tx = shop.app.begin().await.unwrap();
    slipway_store::deployments::lock(&mut tx, next).await.unwrap();
    shop.succeed(&a).await;
    tx.rollback().await.unwrap();
    shop.sql("UPDATE deployments SET look_at = look_at - interval '5 s' WHERE state = 'pending'")
        .await
        .unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(next).await, StateName::Succeeded);
}
