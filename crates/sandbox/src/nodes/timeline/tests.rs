use super::*;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn runs(started: u64, ready: Option<u64>, exit: Option<Exit>) -> Life {
    Life::Runs {
        started: ms(started),
        ready: ready.map(ms),
        exit,
    }
}

fn exit(after: u64, code: i32, restarts: bool) -> Exit {
    Exit {
        after: ms(after),
        code,
        restarts,
    }
}

fn pod(init: Vec<Life>, containers: Vec<Life>) -> PodPlan {
    PodPlan { init, containers }
}

/// Every look of the plan in order, with its time, for at most `count` changes.
fn looks(plan: &PodPlan, count: usize) -> Vec<(u64, Snapshot)> {
    let (mut looks, mut at) = (Vec::new(), Duration::ZERO);
    for _ in 0..count {
        let look = snapshot(plan, at);
        let next = look.next;
        looks.push((u64::try_from(at.as_millis()).unwrap(), look));
        match next {
            Some(next) => {
                assert!(next > at, "time goes on");
                at = next;
            }
            None => break,
        }
    }
    looks
}

fn phases(plan: &PodPlan) -> Vec<(u64, Phase)> {
    looks(plan, 10)
        .into_iter()
        .map(|(at, look)| (at, look.phase))
        .collect()
}

#[test]
fn a_server_is_pending_then_running_then_ready() {
    let slow = pod(vec![], vec![runs(300, Some(8000), None)]);
    let looks = looks(&slow, 10);
    let summary: Vec<_> = looks
        .iter()
        .map(|(at, it)| (*at, it.phase, it.containers[0].is_ready()))
        .collect();
    assert_eq!(
        summary,
        [
            (0, Phase::Pending, false),
            (300, Phase::Running, false),
            (8000, Phase::Running, true)
        ]
    );
}

#[test]
fn a_server_that_is_never_ready_runs_and_changes_no_more() {
    let look = snapshot(&pod(vec![], vec![runs(300, None, None)]), ms(300));
    assert_eq!(
        (look.phase, look.containers[0].is_ready(), look.next),
        (Phase::Running, false, None)
    );
}

#[test]
fn a_failed_pull_is_tried_then_put_off_and_keeps_the_pod_pending() {
    let looks = looks(
        &pod(vec![], vec![runs(300, Some(300), None), Life::PullFails]),
        10,
    );
    let waits: Vec<_> = looks
        .iter()
        .map(|(at, it)| (*at, it.phase, it.containers[1].now))
        .collect();
    let wait = |wait| Now::Waiting(wait);
    assert_eq!(
        waits,
        [
            (0, Phase::Pending, wait(Wait::Creating)),
            (300, Phase::Pending, wait(Wait::PullFailed)),
            (1300, Phase::Pending, wait(Wait::PullBackOff)),
        ]
    );
    assert!(looks[2].1.containers[0].is_ready(), "the neighbour runs");
}

#[test]
fn a_crash_loop_counts_restarts_and_waits_longer_each_time() {
    let looks = looks(&pod(vec![], vec![runs(100, None, Some(exit(200, 1, true)))]), 7);
    let seen: Vec<_> = looks
        .iter()
        .map(|(at, it)| (*at, it.containers[0].restarts, it.phase))
        .collect();
    assert_eq!(
        seen,
        [
            (0, 0, Phase::Pending),
            (100, 0, Phase::Running),
            (200, 0, Phase::Running),
            (1200, 1, Phase::Running),
            (1400, 1, Phase::Running),
            (3400, 2, Phase::Running),
            (3600, 2, Phase::Running),
        ]
    );
    let waiting = looks[4].1.containers[0];
    assert_eq!(waiting.now, Now::Waiting(Wait::CrashBackOff(ms(2000))));
    assert_eq!(
        waiting.last,
        Some(Ended {
            code: 1,
            started: ms(1200),
            finished: ms(1400)
        })
    );
}

#[test]
fn the_wait_of_a_crash_loop_has_an_end_after_a_day() {
    let look = snapshot(
        &pod(vec![], vec![runs(100, None, Some(exit(200, 1, true)))]),
        ms(86_400_000),
    );
    assert!(look.containers[0].restarts > 2000);
    assert!(look.next.unwrap() <= ms(86_400_000) + LONGEST_BACK_OFF);
}

#[test]
fn tasks_succeed_or_fail_once_all_have_ended() {
    let (good, bad) = (
        runs(100, None, Some(exit(300, 0, false))),
        runs(100, None, Some(exit(500, 3, false))),
    );
    let expected = [
        (0, Phase::Pending),
        (100, Phase::Running),
        (300, Phase::Succeeded),
    ];
    assert_eq!(phases(&pod(vec![], vec![good])), expected);
    let expected = [
        (0, Phase::Pending),
        (100, Phase::Running),
        (300, Phase::Running),
        (500, Phase::Failed),
    ];
    assert_eq!(phases(&pod(vec![], vec![good, bad])), expected);
}

#[test]
fn init_containers_come_one_after_the_other_and_before_the_rest() {
    let init = runs(0, None, Some(exit(100, 0, false)));
    let looks = looks(&pod(vec![init, init], vec![runs(300, Some(300), None)]), 10);
    let times: Vec<_> = looks.iter().map(|(at, it)| (*at, it.phase)).collect();
    let expected = [
        (0, Phase::Pending),
        (100, Phase::Pending),
        (200, Phase::Pending),
        (500, Phase::Running),
    ];
    assert_eq!(times, expected);
    assert_eq!(looks[0].1.init[1].now, Now::Waiting(Wait::Initializing));
    assert_eq!(looks[1].1.containers[0].now, Now::Waiting(Wait::Initializing));
}

#[test]
fn a_failing_init_container_keeps_the_rest_from_beginning() {
    let restarted = pod(
        vec![runs(0, None, Some(exit(100, 1, true)))],
        vec![runs(300, Some(300), None)],
    );
    assert_eq!(snapshot(&restarted, ms(60_000)).phase, Phase::Pending);
    let not = pod(
        vec![runs(0, None, Some(exit(100, 1, false)))],
        vec![runs(300, Some(300), None)],
    );
    let look = snapshot(&not, ms(60_000));
    assert_eq!((look.phase, look.next), (Phase::Failed, None));
}
