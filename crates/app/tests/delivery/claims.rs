//! The queue as executors see it.

use crate::{
    leases::inventory,
    shop::{Setup, Shop, report},
};
use jiff::SignedDuration;
use serde_json::Value;
use slipway_app::{environments::SettingsInput, execution::MAX_ATTEMPTS, timers};
use slipway_domain::{
    deployment::{StateName, TargetState},
    plan::target::Step,
    ports::WorkQueue as _,
    work::{Ack, Report, StepOutcome},
};

/// Production without waves and approvals.
pub(crate) fn plain(clusters: &'static [&'static str]) -> Setup {
    Setup {
        clusters,
        production: SettingsInput::default(),
        ..Setup::default()
    }
}

pub(crate) async fn running(shop: &Shop, version: &str) -> slipway_domain::ids::DeploymentId {
    let release = shop.release(version).await;
    shop.staged(&release).await;
    shop.ask(&release, "production").await.unwrap()
}

pub(crate) fn retry(free: bool) -> StepOutcome {
    StepOutcome::Retry {
        error: "timeout".to_owned(),
        after: SignedDuration::ZERO,
        free,
    }
}

#[tokio::test]
async fn executors_that_claim_at_once_get_different_work_and_growing_fences() {
    let shop = Shop::with(plain(&["c-1", "c-2", "c-3", "c-4", "c-5", "c-6"])).await;
    running(&shop, "1.0.0").await;
    let first = shop.claim_as("a", 1).await;
    let (x, y, z) = tokio::join!(
        shop.claim_as("a", 2),
        shop.claim_as("b", 2),
        shop.claim_as("c", 2)
    );
    let mut all: Vec<_> = first.into_iter().chain(x).chain(y).chain(z).collect();
    all.extend(shop.claim_as("d", 100).await);
    let mut units: Vec<_> = all.iter().map(|a| a.lease.work).collect();
    units.sort();
    units.dedup();
    assert_eq!((units.len(), all.len()), (6, 6), "every unit once");
    let mut fences: Vec<_> = all.iter().map(|a| a.lease.fence).collect();
    fences.sort_unstable();
    fences.dedup();
    assert_eq!(fences.len(), 6);
    let a = &all[0];
    assert_eq!(
        shop.say(a, Step::AwaitHealth, StepOutcome::NotYet(SignedDuration::ZERO))
            .await,
        Ack::Released
    );
    assert!(shop.claim_one().await.lease.fence > fences[5]);
    shop.check().await;
}

#[tokio::test]
async fn a_claim_does_not_come_back_empty_because_another_holds_what_is_first_in_turn() {
    let shop = Shop::with(plain(&["c-1", "c-2"])).await;
    let id = running(&shop, "1.0.0").await;
    let first = shop.claim_as("a", 1).await;
    assert_eq!(first.len(), 1, "{id}");
    shop.say(
        &first[0],
        Step::AwaitHealth,
        StepOutcome::NotYet(SignedDuration::ZERO),
    )
    .await;
    let mut tx = shop.app.begin().await.unwrap();
    let held = slipway_store::work::due(&mut tx, 1, &std::collections::BTreeMap::new())
        .await
        .unwrap();
    let other = shop.claim_as("b", 1).await;
    assert_eq!(other.len(), 1, "the second unit is free");
    assert_ne!(other[0].lease.work, held[0].id);
}

#[tokio::test]
async fn an_unknown_kind_of_work_stays_in_the_queue() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    shop.sql("UPDATE work SET kind = 'of_tomorrow'").await.unwrap();
    assert!(shop.claim().await.is_empty());
    assert_eq!(
        shop.number("SELECT count(*) FROM work WHERE state = 'ready'")
            .await,
        1
    );
    shop.sql("UPDATE work SET kind = 'deployment_target'")
        .await
        .unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
}

#[tokio::test]
async fn clusters_take_turns_whatever_the_age_of_their_work() {
    let shop = Shop::with(plain(&["many", "few"])).await;
    for (n, service) in ["a", "b", "c", "d"].into_iter().enumerate() {
        shop.service(service).await;
        let version = format!("1.0.{n}");
        let name = shop.draft_of(service, &version).await;
        shop.seal(&name).await;
        shop.staged(&name).await;
    }
    for (n, service) in ["a", "b", "c", "d"].into_iter().enumerate() {
        shop.ask(&format!("{service}@1.0.{n}"), "production")
            .await
            .unwrap();
    }
    // Everything is admitted and given back, then the one cluster's work is the oldest of all.
    for a in shop.claim().await.into_iter().chain(shop.claim().await) {
        shop.say(&a, Step::AwaitHealth, StepOutcome::NotYet(SignedDuration::ZERO))
            .await;
    }
    shop.sql("UPDATE work SET run_at = now() - interval '1 min' WHERE cluster_id = (SELECT id FROM clusters WHERE name = 'many')")
        .await
        .unwrap();
    let clusters: Vec<_> = shop
        .claim_as("x", 4)
        .await
        .iter()
        .map(|a| a.connection.name.to_string())
        .collect();
    assert_eq!(clusters.iter().filter(|c| *c == "few").count(), 2, "{clusters:?}");
}

#[tokio::test]
async fn no_claim_takes_so_much_that_its_leases_run_out_while_it_is_put_together() {
    let names: Vec<&'static str> = (0..40).map(|i| &*format!("c-{i}").leak()).collect();
    let shop = Shop::with(plain(names.leak())).await;
    running(&shop, "1.0.0").await;
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.push(shop.claim_as("x", 256).await.len());
    }
    // The first claim admits the deployment, with the one unit that there is by then.
    assert_eq!(claimed, [1, 32, 7]);
    assert_eq!(shop.claim_as("x", 256).await.len(), 0);
}

#[tokio::test]
async fn an_executor_for_some_clusters_gets_no_other_work() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    running(&shop, "1.0.0").await;
    let mut request = slipway_domain::ports::ClaimRequest {
        holder: "x".to_owned(),
        max: 10,
        lease: SignedDuration::from_secs(30),
        cluster_labels: [("region".to_owned(), "us".to_owned())].into(),
    };
    // The first claim of a deployment takes its first target, which is in eu.
    assert!(shop.queue.claim(&request).await.unwrap().is_empty());
    request.cluster_labels = [("region".to_owned(), "eu".to_owned())].into();
    assert_eq!(shop.queue.claim(&request).await.unwrap().len(), 1);
    request.cluster_labels = [("region".to_owned(), "us".to_owned())].into();
    let us = shop.queue.claim(&request).await.unwrap();
    assert_eq!(
        us.iter().map(|a| a.connection.name.as_str()).collect::<Vec<_>>(),
        ["us"]
    );
}

#[tokio::test]
async fn a_target_is_leased_once_whatever_deployments_there_are() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    let a = shop.claim_one().await;
    shop.touch(&a).await;
    let undo = shop.roll_back(id).await.unwrap();
    assert_eq!(shop.state(undo).await, StateName::Queued);
    assert!(
        shop.claim().await.is_empty(),
        "the step under way is finished first"
    );
    assert_eq!(
        shop.say(&a, Step::AwaitHealth, StepOutcome::Done(Value::Null))
            .await,
        Ack::Released
    );
    assert_eq!(shop.claim_one().await.deployment, undo);
    let again = shop
        .sql("UPDATE work SET state = 'leased', holder = 'x', lease_until = now()")
        .await;
    assert!(again.is_ok());
    shop.run_all().await;
    shop.check().await;
}

#[tokio::test]
async fn poison_is_given_up_after_so_many_attempts_and_free_retries_cost_none() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    for _ in 0..2 * MAX_ATTEMPTS {
        let a = shop.claim_one().await;
        assert_eq!(a.attempts, 0);
        shop.say(&a, Step::Preflight, retry(true)).await;
    }
    for n in 0..MAX_ATTEMPTS {
        assert_eq!(shop.state(id).await, StateName::Running);
        let a = shop.claim_one().await;
        assert_eq!(a.attempts, n);
        assert_eq!(shop.say(&a, Step::Preflight, retry(false)).await, Ack::Released);
    }
    assert_eq!(shop.state(id).await, StateName::Errored);
    assert_eq!(
        shop.reason(id).await,
        format!("eu: given up after {MAX_ATTEMPTS} attempts: timeout")
    );
    assert_eq!(shop.target(id, "eu").await, TargetState::Errored);
    shop.check().await;
}

#[tokio::test]
async fn a_step_that_succeeds_forgives_the_attempts_before_it_also_within_one_lease() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    for _ in 1..MAX_ATTEMPTS {
        let a = shop.claim_one().await;
        shop.say(&a, Step::Preflight, retry(false)).await;
    }
    let a = shop.claim_one().await;
    assert_eq!(a.attempts, MAX_ATTEMPTS - 1);
    assert_eq!(
        shop.say(&a, Step::Preflight, StepOutcome::Done(Value::Null))
            .await,
        Ack::Continue
    );
    assert_eq!(shop.say(&a, Step::Namespace, retry(false)).await, Ack::Released);
    assert_eq!(shop.state(id).await, StateName::Running);
    assert_eq!(shop.claim_one().await.attempts, 1);
}

#[tokio::test]
async fn executors_lost_in_a_row_end_the_deployment_as_errored() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    let lose = async || {
        let claimed = shop.claim_one().await;
        // The executor did begin: that is no success, or work that ends whoever takes it would go round for ever.
        shop.say(&claimed, Step::Preflight, StepOutcome::Begun).await;
        shop.sql("UPDATE work SET lease_until = now() - interval '1 s'")
            .await
            .unwrap();
        timers::rescue(&shop.app).await.unwrap();
        let wait = shop
            .number(
                "SELECT COALESCE(max(extract(epoch FROM run_at - clock_timestamp())), 0)::bigint FROM work",
            )
            .await;
        shop.sql("UPDATE work SET run_at = now()").await.unwrap();
        wait
    };
    let mut waits = Vec::new();
    for _ in 1..MAX_ATTEMPTS {
        waits.push(lose().await);
    }
    assert!(
        waits[0] <= 0 && waits[1] <= 0,
        "another takes over at once: {waits:?}"
    );
    assert!(
        waits[6] >= 10,
        "work that costs one after the other waits: {waits:?}"
    );
    // One that was heard of: those before it were lost for reasons of their own.
    let claimed = shop.claim_one().await;
    let waits = StepOutcome::NotYet(SignedDuration::ZERO);
    shop.say(&claimed, Step::AwaitHealth, waits).await;
    for _ in 1..MAX_ATTEMPTS {
        lose().await;
    }
    assert_eq!(shop.state(id).await, StateName::Running);
    lose().await;
    assert_eq!(shop.state(id).await, StateName::Errored);
    shop.check().await;
}

#[tokio::test]
async fn work_that_cannot_be_put_together_is_given_up_too_and_keeps_no_other_from_being_claimed() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    shop.service("other").await;
    let name = shop.draft_of("other", "2.0.0").await;
    shop.seal(&name).await;
    shop.staged(&name).await;
    let id = running(&shop, "1.0.0").await;
    let other = shop.ask(&name, "production").await.unwrap();
    shop.sql(&format!(
        "UPDATE renderings SET content = '{{\"objects\": [], \"hooks\": []}}' WHERE digest IN (SELECT rendering FROM deployment_targets \
         WHERE deployment_id = '{}')",
        id.uuid()
    ))
    .await
    .unwrap();
    for _ in 0..MAX_ATTEMPTS {
        for a in shop.claim().await {
            assert_eq!(a.deployment, other, "what was altered is never applied");
            shop.succeed(&a).await;
        }
        shop.sql("UPDATE work SET run_at = now()").await.unwrap();
    }
    shop.run_all().await;
    assert_eq!(shop.state(other).await, StateName::Succeeded);
    assert_eq!(shop.state(id).await, StateName::Errored);
    assert!(
        shop.reason(id).await.contains("altered"),
        "{}",
        shop.reason(id).await
    );
    shop.check_but(&["rendering_altered"]).await;
}

#[tokio::test]
async fn a_deployment_that_cannot_be_judged_keeps_no_other_from_being_claimed() {
    let shop = Shop::open().await;
    let bad = shop.ready("1.0.0").await;
    shop.sql("UPDATE work SET priority = 5").await.unwrap();
    shop.sql("UPDATE approvals SET requirements = '\"nobody can read this\"'")
        .await
        .unwrap();
    shop.service("other").await;
    let name = shop.draft_of("other", "2.0.0").await;
    shop.seal(&name).await;
    let other = shop.ask(&name, "staging").await.unwrap();
    // It never fails for others because of the one, not even the first time round.
    for _ in 0..3 {
        for a in shop.claim().await {
            assert_eq!(a.deployment, other);
            shop.succeed(&a).await;
        }
    }
    assert_eq!(shop.state(other).await, StateName::Succeeded);
    let state = shop
        .text("SELECT d.state FROM deployments d JOIN approvals a ON a.deployment_id = d.id")
        .await;
    assert_eq!(state, "queued", "{bad} stays where it is");
}

#[tokio::test]
async fn a_pause_parks_at_the_next_report_and_a_resume_goes_on() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    let id = running(&shop, "1.0.0").await;
    let eu = shop.claim_one().await;
    shop.pause(id).await.unwrap();
    assert!(
        shop.claim().await.is_empty(),
        "nothing is claimed while it is paused"
    );
    assert_eq!(
        shop.say(&eu, Step::Guard, StepOutcome::Begun).await,
        Ack::Continue,
        "what has begun is finished"
    );
    assert_eq!(
        shop.say(&eu, Step::Guard, StepOutcome::Done(Value::Null)).await,
        Ack::Released
    );
    assert_eq!(
        shop.number("SELECT count(*) FROM work WHERE state = 'parked'")
            .await,
        2
    );
    shop.look().await;
    timers::rescue(&shop.app).await.unwrap();
    assert!(shop.claim().await.is_empty());
    shop.resume(id).await.unwrap();
    let all = shop.claim().await;
    assert_eq!(all.len(), 2);
    for a in &all {
        shop.succeed(a).await;
    }
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn a_lease_that_ends_while_paused_is_parked_and_goes_on_after_the_resume() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    shop.claim_one().await;
    shop.pause(id).await.unwrap();
    shop.sql("UPDATE work SET lease_until = now() - interval '1 s'")
        .await
        .unwrap();
    timers::rescue(&shop.app).await.unwrap();
    assert!(shop.claim().await.is_empty());
    assert_eq!(
        shop.text("SELECT state FROM work").await,
        "parked",
        "it takes no room among what is due"
    );
    shop.resume(id).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn a_cancel_stops_at_the_next_report_and_what_was_written_until_then_is_known() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    let id = running(&shop, "1.0.0").await;
    let eu = shop.claim_one().await;
    shop.touch(&eu).await;
    shop.cancel(id).await.unwrap();
    assert_eq!(shop.target(id, "eu").await, TargetState::Cancelled);
    assert_eq!(shop.target(id, "us").await, TargetState::Skipped);
    let mut last: Report = report(Step::Apply(3), StepOutcome::Done(Value::Null));
    last.inventory = Some(inventory());
    assert_eq!(shop.queue.report(&eu, last).await.unwrap(), Ack::Released);
    assert_eq!(
        shop.number("SELECT count(*) FROM targets WHERE inventory <> '[]'")
            .await,
        1
    );
    assert_eq!(shop.number("SELECT count(*) FROM work").await, 0);
    shop.check().await;
}

#[tokio::test]
async fn a_cancelled_deployment_holds_its_environment_until_its_executor_stopped_or_is_lost() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    let a = shop.claim_one().await;
    shop.cancel(id).await.unwrap();
    let next = running_next(&shop).await;
    shop.look().await;
    assert_eq!(shop.state(next).await, StateName::Pending);
    shop.sql(&format!(
        "UPDATE work SET lease_until = now() - interval '1 s' WHERE id = '{}'",
        a.lease.work.uuid()
    ))
    .await
    .unwrap();
    timers::rescue(&shop.app).await.unwrap();
    shop.look().await;
    assert_eq!(shop.state(next).await, StateName::Queued);
    shop.check().await;
}

async fn running_next(shop: &Shop) -> slipway_domain::ids::DeploymentId {
    running(shop, "9.0.0").await
}

#[tokio::test]
async fn waking_makes_waiting_work_due_at_once_also_when_it_was_leased_at_that_moment() {
    let shop = Shop::with(plain(&["eu"])).await;
    running(&shop, "1.0.0").await;
    let hour = || StepOutcome::NotYet(SignedDuration::from_hours(1));
    let a = shop.claim_one().await;
    shop.say(&a, Step::AwaitHealth, hour()).await;
    assert!(shop.claim().await.is_empty());
    shop.queue.wake(&[a.deployment_target]).await.unwrap();
    let a = shop.claim_one().await;
    shop.queue.wake(&[a.deployment_target]).await.unwrap();
    shop.say(&a, Step::AwaitHealth, hour()).await;
    let a = shop.claim_one().await;
    shop.say(&a, Step::AwaitHealth, hour()).await;
    assert!(shop.claim().await.is_empty(), "a wake counts once");
    shop.queue.wake(&[a.deployment_target]).await.unwrap();
    let a = shop.claim_one().await;
    let after = StepOutcome::Retry {
        error: "x".to_owned(),
        after: SignedDuration::from_hours(1),
        free: false,
    };
    shop.say(&a, Step::AwaitHealth, after).await;
    shop.queue.wake(&[a.deployment_target]).await.unwrap();
    assert!(
        shop.claim().await.is_empty(),
        "waking does not shorten a back-off"
    );
}
