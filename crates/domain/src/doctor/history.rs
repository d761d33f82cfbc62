//! A deployment's recorded transitions, against the state machine and against what its row says.
//!
//! Entries of one deployment are written one after the other (whoever changes a deployment locks its row), but what the
//! record sorts by is a time, and a clock may step back. So what is asked is not whether the entries are a path as they
//! come, but whether there is an order in which they are one: from `pending` to the state the row has, using each entry
//! once. An entry that is missing or one too many leaves no such order, unless it closes a circle; and removing entries
//! breaks the chain itself.

use crate::deployment::StateName;
use std::collections::BTreeMap;

/// One recorded change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Move {
    /// What it was.
    pub from: StateName,
    /// What it became.
    pub to: StateName,
}

/// Whether the state machine has a way from one state to the other in one step.
#[must_use]
pub const fn is_possible(step: Move) -> bool {
    use StateName as S;
    matches!(
        (step.from, step.to),
        (
            S::Pending,
            S::Queued | S::Cancelled | S::Rejected | S::Expired | S::Superseded
        ) | (
            S::Queued,
            S::Pending | S::Running | S::Cancelled | S::Rejected | S::Expired
        ) | (
            S::Running,
            S::Paused | S::RollingBack | S::Succeeded | S::Failed | S::Errored | S::Cancelled
        ) | (S::Paused, S::Running | S::RollingBack | S::Cancelled)
            | (S::RollingBack, S::RolledBack | S::Failed)
    )
}

/// Whether work begins with it: the admission.
#[must_use]
pub const fn is_admission(step: Move) -> bool {
    matches!(step.from, StateName::Queued) && matches!(step.to, StateName::Running)
}

/// Why recorded transitions do not tell how a deployment came to where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// The state machine has no such step.
    #[error("the record says that it went from {} to {}, which no deployment can", .0.from, .0.to)]
    Impossible(Move),
    /// Steps do not join.
    #[error("the record does not tell how it became {became}: it says {recorded}, in {entries} entries")]
    Gap {
        /// What the row says.
        became: StateName,
        /// Where the record leaves it, as far as it can be followed.
        recorded: StateName,
        /// How many changes of state are recorded.
        entries: usize,
    },
}

/// Checks that these changes of state, each used once, lead from `pending` to `now`.
///
/// # Errors
/// [`Untold`].
pub fn check(moves: &[Move], now: StateName) -> Result<(), Untold> {
    if let Some(step) = moves.iter().find(|step| !is_possible(**step)) {
        return Err(Untold::Impossible(*step));
    }
    let gap = |recorded| Untold::Gap {
        became: now,
        recorded,
        entries: moves.len(),
    };
    // Every state is entered as often as it is left, but for the first and the last.
    let mut balance: BTreeMap<StateName, i64> = BTreeMap::new();
    for step in moves {
        *balance.entry(step.from).or_default() -= 1;
        *balance.entry(step.to).or_default() += 1;
    }
    *balance.entry(StateName::Pending).or_default() += 1;
    *balance.entry(now).or_default() -= 1;
    let followed = follow(moves);
    if balance.values().any(|n| *n != 0) {
        return Err(gap(followed));
    }
    // And all of them hang together: with the balance, that is an Eulerian trail.
    let mut reached = vec![StateName::Pending];
    let mut left: Vec<Move> = moves.to_vec();
    while let Some(at) = left
        .iter()
        .position(|step| reached.contains(&step.from) || reached.contains(&step.to))
    {
        let step = left.swap_remove(at);
        reached.extend([step.from, step.to]);
    }
    if left.is_empty() {
        Ok(())
    } else {
        Err(gap(followed))
    }
}

/// Where the record leads as it is written, passing over what does not join.
#[must_use]
pub fn follow(moves: &[Move]) -> StateName {
    moves.iter().fold(
        StateName::Pending,
        |at, step| if step.from == at { step.to } else { at },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        deployment::{State, Transition},
        ids::DeploymentId,
    };
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn transition(n: usize) -> Transition {
        let reason = || "because".to_owned();
        match n {
            0 => Transition::Queue,
            1 => Transition::Hold,
            2 => Transition::Admit,
            3 => Transition::Pause { reason: reason() },
            4 => Transition::Resume,
            5 => Transition::RollBack {
                reason: reason(),
                by: DeploymentId::new(),
            },
            6 => Transition::Succeed { remark: None },
            7 => Transition::RolledBack,
            8 => Transition::Fail { reason: reason() },
            9 => Transition::Error { reason: reason() },
            10 => Transition::Cancel { reason: reason() },
            11 => Transition::Reject { reason: reason() },
            12 => Transition::Expire,
            _ => Transition::Supersede {
                by: DeploymentId::new(),
            },
        }
    }

    /// What the state machine makes of these, and every move it made.
    fn play(choices: &[usize]) -> (Vec<Move>, StateName) {
        let mut state = State::Pending;
        let mut moves = Vec::new();
        for choice in choices {
            let from = state.name();
            if let Ok(next) = state.clone().then(transition(*choice), Timestamp::UNIX_EPOCH) {
                moves.push(Move {
                    from,
                    to: next.name(),
                });
                state = next;
            }
        }
        (moves, state.name())
    }

    #[test]
    fn what_is_possible_is_what_the_state_machine_does() {
        let states = |name: StateName| -> State {
            let find = (0..14_usize.pow(4)).find_map(|code| {
                let choices = [code % 14, code / 14 % 14, code / 196 % 14, code / 2744];
                let mut state = State::Pending;
                for choice in choices {
                    if state.name() == name {
                        break;
                    }
                    if let Ok(next) = state.clone().then(transition(choice), Timestamp::UNIX_EPOCH) {
                        state = next;
                    }
                }
                (state.name() == name).then_some(state)
            });
            find.expect("every state is reached within four transitions")
        };
        for from in StateName::ALL {
            let state = states(from);
            for to in StateName::ALL {
                let does = (0..14).any(|n| {
                    state
                        .clone()
                        .then(transition(n), Timestamp::UNIX_EPOCH)
                        .is_ok_and(|next| next.name() == to)
                });
                assert_eq!(is_possible(Move { from, to }), does, "{from} to {to}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_happened_is_told_in_whatever_order_it_is_read(
            choices in proptest::collection::vec(0..14_usize, 0..60), seed in any::<u64>()
        ) {
            let (mut moves, now) = play(&choices);
            prop_assert_eq!(check(&moves, now), Ok(()));
            prop_assert_eq!(follow(&moves), now);
            let n = moves.len();
            for i in 0..n {
                let j = usize::try_from(seed.rotate_left(u32::try_from(i % 64).unwrap()) % n as u64).unwrap();
                moves.swap(i, j);
            }
            prop_assert_eq!(check(&moves, now), Ok(()));
        }

        #[test]
        fn a_state_that_the_record_does_not_lead_to_is_found(
            choices in proptest::collection::vec(0..14_usize, 0..60), other in 0..13_usize
        ) {
            let (moves, now) = play(&choices);
            let other = StateName::ALL[other];
            prop_assume!(other != now);
            prop_assert!(check(&moves, other).is_err());
        }

        #[test]
        fn a_missing_and_a_doubled_entry_are_found(
            choices in proptest::collection::vec(0..14_usize, 1..60), at in any::<prop::sample::Index>()
        ) {
            let (moves, now) = play(&choices);
            prop_assume!(!moves.is_empty());
            let i = at.index(moves.len());
            let mut fewer = moves.clone();
            let gone = fewer.remove(i);
            prop_assert!(check(&fewer, now).is_err(), "without {gone:?}");
            let mut more = moves.clone();
            more.push(moves[i]);
            prop_assert!(check(&more, now).is_err(), "with {gone:?} twice");
        }
    }

    #[test]
    fn a_circle_that_hangs_on_nothing_is_found() {
        use StateName as S;
        let moves = [
            Move {
                from: S::Running,
                to: S::Paused,
            },
            Move {
                from: S::Paused,
                to: S::Running,
            },
        ];
        assert!(check(&moves, S::Pending).is_err());
    }
}
