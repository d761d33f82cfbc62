use super::*;
use proptest::prelude::*;

fn transitions() -> impl Strategy<Value = Transition> {
    let text = || "[a-z]{1,8}";
    prop_oneof![
        Just(Transition::Queue),
        Just(Transition::Hold),
        Just(Transition::Admit),
        text().prop_map(|reason| Transition::Pause { reason }),
        Just(Transition::Resume),
        text().prop_map(|reason| Transition::RollBack {
            reason,
            by: DeploymentId::new()
        }),
        Just(Transition::Succeed { remark: None }),
        Just(Transition::RolledBack),
        text().prop_map(|reason| Transition::Fail { reason }),
        text().prop_map(|reason| Transition::Error { reason }),
        text().prop_map(|reason| Transition::Cancel { reason }),
        text().prop_map(|reason| Transition::Reject { reason }),
        Just(Transition::Expire),
        Just(Transition::Supersede {
            by: DeploymentId::new()
        }),
    ]
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

proptest! {
    #[test]
    fn nothing_runs_that_was_not_queued_and_nothing_leaves_a_terminal_state(
        history in proptest::collection::vec(transitions(), 1..40)
    ) {
        let mut state = State::Pending;
        for (second, transition) in history.into_iter().enumerate() {
            let before = state.clone();
            let now = at(i64::try_from(second).unwrap());
            match before.clone().then(transition.clone(), now) {
                Ok(after) => {
                    prop_assert!(!before.name().is_terminal(), "{before:?} left by {transition:?}");
                    if matches!(after, State::Running { .. }) {
                        let admitted = matches!(before, State::Queued | State::Paused { .. });
                        prop_assert!(admitted, "runs without having been queued");
                    }
                    if before.started_at().is_some() {
                        prop_assert_eq!(before.started_at(), after.started_at(), "the start is never forgotten");
                    }
                    if after.name().is_terminal() {
                        prop_assert_eq!(after.ended().map(|e| e.finished_at), Some(now));
                        if !matches!(after, State::Succeeded(_)) {
                            prop_assert!(after.reason().is_some(), "an end other than success says why");
                        }
                    }
                    state = after;
                }
                Err(refused) => prop_assert_eq!(refused.state, before.name()),
            }
        }
    }
}

#[test]
fn a_rollback_that_fails_leaves_both_reasons() {
    let state = State::RollingBack {
        started_at: at(0),
        reason: "web is down".into(),
        by: DeploymentId::new(),
    };
    let failed = state
        .then(
            Transition::Fail {
                reason: "its rollback failed".into(),
            },
            at(1),
        )
        .unwrap();
    assert_eq!(failed.reason(), Some("web is down; and its rollback failed"));
}

#[test]
fn a_refusal_says_the_state_and_what_would_be_allowed() {
    let refused = State::Pending.then(Transition::Resume, at(0)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a deployment that is pending cannot be resumed; it can be cancelled"
    );
}
