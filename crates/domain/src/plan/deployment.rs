//! What to do next with the waves of a deployment.

use crate::deployment::TargetState;
use jiff::{SignedDuration, Timestamp};

/// One wave's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveRule {
    /// Its name, for reasons.
    pub name: String,
    /// How many targets at once.
    pub max_parallel: Option<u32>,
    /// How many may fail before the deployment stops.
    pub max_failures: u32,
    /// How long it must have been done before the next wave starts.
    pub soak: SignedDuration,
}

/// One target, as far as waves care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFacts {
    /// Index of its wave.
    pub wave: usize,
    /// Where it stands.
    pub state: TargetState,
    /// How to call it, for reasons.
    pub name: String,
    /// Why it ended.
    pub reason: Option<String>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// What a deployment comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every target is healthy, but for failures that waves tolerate.
    Succeeded {
        /// Which failures were tolerated.
        remark: Option<String>,
    },
    /// More targets failed than a wave tolerates.
    Failed {
        /// The real reasons.
        reason: String,
    },
    /// Targets could not be judged.
    Errored {
        /// The reasons.
        reason: String,
    },
}

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Start work on these targets (indices).
    Start(Vec<usize>),
    /// The next wave starts then.
    Soak {
        /// When.
        until: Timestamp,
        /// Name of the wave that soaks.
        wave: String,
    },
    /// Targets are at work; nothing to start.
    Wait,
    /// It is over.
    Finish(Outcome),
}

/// What to do next. `waves[i]` are the rules of wave `i`; a wave beyond the list has the default rules.
#[must_use]
pub fn next(waves: &[WaveRule], targets: &[TargetFacts], now: Timestamp) -> Next {
    let last = targets.iter().map(|t| t.wave).max().unwrap_or(0);
    let mut earlier_done_at: Option<(Timestamp, &WaveRule)> = None;
    for wave in 0..=last {
        let members: Vec<usize> = (0..targets.len()).filter(|&i| targets[i].wave == wave).collect();
        if members.is_empty() {
            continue;
        }
        let rule = waves.get(wave);
        let states = |state| members.iter().filter(|&&i| targets[i].state == state).count();
        let bad = states(TargetState::Failed) + states(TargetState::Errored);
        let running = states(TargetState::Running);
        let tolerated = rule.map_or(0, |r| r.max_failures) as usize;
        if bad > tolerated {
            // Targets at work are let finish: stopping them half-way helps nobody.
            return if running > 0 {
                Next::Wait
            } else {
                Next::Finish(bad_outcome(targets))
            };
        }
        let waiting: Vec<usize> = members
            .iter()
            .copied()
            .filter(|&i| targets[i].state == TargetState::Waiting)
            .collect();
        if waiting.is_empty() {
            if running > 0 {
                return Next::Wait;
            }
            let done_at = members.iter().filter_map(|&i| targets[i].finished_at).max();
            earlier_done_at = done_at.zip(rule);
            continue;
        }
        if let Some((done_at, earlier)) = earlier_done_at {
            let until = done_at.saturating_add(earlier.soak).unwrap_or(Timestamp::MAX);
            if until > now {
                return Next::Soak {
                    until,
                    wave: earlier.name.clone(),
                };
            }
        }
        let room = rule
            .and_then(|r| r.max_parallel)
            .map_or(usize::MAX, |most| (most as usize).saturating_sub(running));
        let start: Vec<usize> = waiting.into_iter().take(room).collect();
        return if start.is_empty() {
            Next::Wait
        } else {
            Next::Start(start)
        };
    }
    let failures = reasons(targets);
    Next::Finish(Outcome::Succeeded {
        remark: (!failures.is_empty()).then(|| format!("tolerated: {}", failures.join("; "))),
    })
}

fn reasons(targets: &[TargetFacts]) -> Vec<String> {
    targets
        .iter()
        .filter(|t| matches!(t.state, TargetState::Failed | TargetState::Errored))
        .map(|t| {
            format!(
                "{}: {}",
                t.name,
                t.reason.as_deref().unwrap_or("no reason was recorded")
            )
        })
        .collect()
}

/// One target that was judged bad makes the whole failed; only faults, and it could not be judged.
fn bad_outcome(targets: &[TargetFacts]) -> Outcome {
    let reason = reasons(targets).join("; ");
    if targets.iter().any(|t| t.state == TargetState::Failed) {
        Outcome::Failed { reason }
    } else {
        Outcome::Errored { reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn rule(max_parallel: Option<u32>, max_failures: u32, soak: i64) -> WaveRule {
        WaveRule {
            name: "w".into(),
            max_parallel,
            max_failures,
            soak: SignedDuration::from_secs(soak),
        }
    }

    /// Runs a whole deployment: each round starts what is asked for and ends one running target.
    fn play(waves: &[WaveRule], sizes: &[usize], verdicts: &[TargetState]) -> (Vec<TargetFacts>, Outcome) {
        let mut targets: Vec<TargetFacts> = sizes
            .iter()
            .enumerate()
            .flat_map(|(wave, n)| std::iter::repeat_n(wave, *n))
            .enumerate()
            .map(|(i, wave)| TargetFacts {
                wave,
                state: TargetState::Waiting,
                name: format!("t{i}"),
                reason: None,
                finished_at: None,
            })
            .collect();
        let mut now = 0;
        for _ in 0..1000 {
            match next(waves, &targets, at(now)) {
                Next::Start(which) => {
                    for i in which {
                        assert_eq!(targets[i].state, TargetState::Waiting);
                        let unfinished_before = targets
                            .iter()
                            .any(|t| t.wave < targets[i].wave && !t.state.is_terminal());
                        assert!(!unfinished_before, "a wave starts when the one before is over");
                        targets[i].state = TargetState::Running;
                    }
                    for (wave, rule) in waves.iter().enumerate() {
                        let running = targets
                            .iter()
                            .filter(|t| t.wave == wave && t.state == TargetState::Running)
                            .count();
                        assert!(rule.max_parallel.is_none_or(|most| running <= most as usize));
                    }
                }
                Next::Wait => {
                    let i = targets
                        .iter()
                        .position(|t| t.state == TargetState::Running)
                        .expect("waits for one");
                    targets[i].state = verdicts[i % verdicts.len()];
                    targets[i].finished_at = Some(at(now));
                    now += 1;
                }
                Next::Soak { until, .. } => {
                    assert!(until > at(now));
                    now = until.as_second();
                }
                Next::Finish(outcome) => return (targets, outcome),
            }
        }
        panic!("never ended");
    }

    proptest! {
        #[test]
        fn every_deployment_ends_and_never_starts_a_wave_after_too_many_failures(
            sizes in proptest::collection::vec(1usize..5, 1..4),
            parallel in proptest::option::of(1u32..3),
            failures in 0u32..2,
            soak in 0i64..5,
            verdicts in proptest::collection::vec(
                prop_oneof![3 => Just(TargetState::Succeeded), 1 => Just(TargetState::Failed), 1 => Just(TargetState::Errored)],
                1..12),
        ) {
            let waves: Vec<_> = sizes.iter().map(|_| rule(parallel, failures, soak)).collect();
            let (targets, outcome) = play(&waves, &sizes, &verdicts);
            let bad = |wave| targets.iter().filter(|t| t.wave == wave
                && matches!(t.state, TargetState::Failed | TargetState::Errored)).count();
            let stopped_at = (0..sizes.len()).find(|&w| bad(w) > failures as usize);
            match (stopped_at, &outcome) {
                (None, Outcome::Succeeded { .. }) => {
                    prop_assert!(targets.iter().all(|t| t.state.is_terminal()));
                }
                (Some(wave), Outcome::Failed { reason } | Outcome::Errored { reason }) => {
                    prop_assert!(!reason.is_empty());
                    prop_assert!(targets.iter().filter(|t| t.wave > wave).all(|t| t.state == TargetState::Waiting));
                    let judged = targets.iter().any(|t| t.state == TargetState::Failed);
                    prop_assert_eq!(judged, matches!(outcome, Outcome::Failed { .. }));
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn the_next_wave_waits_for_the_soak_of_the_one_before() {
        let waves = [rule(None, 0, 60), rule(None, 0, 0)];
        let target = |wave, state, finished_at| TargetFacts {
            wave,
            state,
            name: String::new(),
            reason: None,
            finished_at,
        };
        let targets = [
            target(0, TargetState::Succeeded, Some(at(100))),
            target(1, TargetState::Waiting, None),
        ];
        assert_eq!(
            next(&waves, &targets, at(159)),
            Next::Soak {
                until: at(160),
                wave: "w".into()
            }
        );
        assert_eq!(next(&waves, &targets, at(160)), Next::Start(vec![1]));
    }
}
