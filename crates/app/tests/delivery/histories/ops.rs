//! The operations. Numbers choose among what there is at that time, so that a part of a history is a history too.

use crate::record::Dice;

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// Asks for a release in an environment.
    Ask(usize, usize),
    /// Somebody decides on a deployment.
    Decide(usize, usize, bool),
    Pause(usize),
    Resume(usize),
    Cancel(usize),
    RollBack(usize),
    Retry(usize),
    Withdraw(usize),
    /// A worker claims at most this much.
    Claim(usize, u32),
    /// A worker reports on something that it holds.
    Report(usize, usize, Says),
    /// A worker finishes everything that it holds.
    Finish(usize),
    /// The same report again: its answer was lost.
    Again(usize),
    /// A report under a lease that is long gone.
    Stale(usize, Says),
    /// A worker extends what it holds, and what it does not hold any more.
    Heartbeat(usize),
    /// A worker dies: what it holds is forgotten.
    Kill(usize),
    /// A lease ends.
    EndLease(usize),
    Rescue,
    /// The scheduler looks.
    Look,
    /// What was put off is due now.
    Later,
    /// A request's time has passed.
    Expire(usize),
    /// The sequencers number what is committed.
    Chain,
    /// Something was seen on a cluster.
    Wake(usize),
}

/// What a worker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Begun,
    Done,
    NotYet,
    Retry,
    AskedToWait,
    Failed,
    Errored,
    Succeeded,
}

/// The history of a seed.
pub(super) fn history(seed: u64, length: usize) -> Vec<Op> {
    let mut dice = Dice::new(seed);
    (0..length).map(|_| one(&mut dice)).collect()
}

fn one(dice: &mut Dice) -> Op {
    let mut n = || dice.roll(1000);
    let (what, a, b, c) = (n() % 60, n(), n(), n());
    let says = match c % 12 {
        0 => Says::Begun,
        1..4 => Says::Done,
        4 => Says::NotYet,
        5 => Says::Retry,
        6 => Says::AskedToWait,
        7 => Says::Failed,
        8 => Says::Errored,
        _ => Says::Succeeded,
    };
    match what {
        0..7 => Op::Ask(a, b),
        7..11 => Op::Decide(a, b, c % 6 > 0),
        11 | 12 => Op::Pause(a),
        13..16 => Op::Resume(a),
        16 => Op::Cancel(a),
        17 | 18 => Op::RollBack(a),
        19 | 20 => Op::Retry(a),
        21 if a % 3 == 0 => Op::Withdraw(b),
        21..29 => Op::Claim(a, 1 + u32::try_from(b % 3).unwrap_or(0)),
        29..40 => Op::Report(a, b, says),
        40..44 => Op::Finish(a),
        44 => Op::Again(a),
        45..48 => Op::Stale(a, says),
        48 => Op::Heartbeat(a),
        49 => Op::Kill(a),
        50 | 51 => Op::EndLease(a),
        52 | 53 => Op::Rescue,
        54 | 55 => Op::Look,
        56 => Op::Later,
        57 => Op::Expire(a),
        58 => Op::Chain,
        _ => Op::Wake(a),
    }
}
