//! Rescue races completion, many times over: whichever comes first, what was completed stays completed, and what was taken
//! back is done by another.

use crate::{claims::plain, shop::Shop};
use slipway_app::timers;
use slipway_domain::{
    deployment::StateName,
    plan::target::Step,
    work::{Ack, StepOutcome},
};
use std::time::Duration;

const ROUNDS: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whichever_of_rescue_and_completion_comes_first_nothing_completed_is_undone() {
    let shop = Shop::with(plain(&["eu"])).await;
    let (mut completed, mut taken_back) = (0, 0);
    for round in 0..ROUNDS {
        let release = shop.release(&format!("{round}.0.0")).await;
        let id = shop.ask(&release, "staging").await.unwrap();
        shop.look().await;
        let a = shop.claim_one().await;
        shop.touch(&a).await;
        shop.sql("UPDATE work SET lease_until = now() - interval '1 s'")
            .await
            .unwrap();
        let report = async || shop.say(&a, Step::Prune, StepOutcome::Succeeded).await;
        let rescue = async || timers::rescue(&shop.app).await.unwrap();
        let (ack, rescued) = match round {
            // Each wins once at least.
            0 => (report().await, rescue().await),
            1 => {
                let rescued = rescue().await;
                (report().await, rescued)
            }
            // Both at once, with a head start that differs.
            round => {
                let late = async |by: u64| tokio::time::sleep(Duration::from_micros(by * 400)).await;
                let report = async || {
                    late(round % 8).await;
                    report().await
                };
                let rescue = async || {
                    late(7 - round % 8).await;
                    rescue().await
                };
                let (ack, one, other) = tokio::join!(report(), rescue(), rescue());
                (ack, one + other)
            }
        };
        match ack {
            Ack::Released => {
                completed += 1;
                assert_eq!(
                    rescued, 0,
                    "round {round}: completed, and taken back all the same"
                );
                assert_eq!(shop.state(id).await, StateName::Succeeded);
            }
            Ack::Lost => {
                taken_back += 1;
                assert_eq!(rescued, 1, "round {round}");
                assert_eq!(shop.state(id).await, StateName::Running);
            }
            Ack::Continue => panic!("it goes on after the end"),
        }
        // What was completed is not there to be taken; the rest is, once.
        shop.run_all().await;
        assert_eq!(shop.state(id).await, StateName::Succeeded);
        let late = timers::rescue(&shop.app).await.unwrap();
        assert_eq!((late, shop.number("SELECT count(*) FROM work").await), (0, 0));
        let again = shop.say(&a, Step::Prune, StepOutcome::Succeeded).await;
        assert_eq!(again, Ack::Lost, "a report that comes again");
    }
    println!("completion came first {completed} times, rescue {taken_back} times");
    assert!(
        completed > 0 && taken_back > 0,
        "{completed} against {taken_back}"
    );
    shop.check().await;
}
