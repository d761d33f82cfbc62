//! Generated histories of a whole delivery, run by the pure rules alone: releases, requests, gates, approvals, the
//! planners, the state machines. What is not pure is simulated as the design describes it: a queue with fences, leases and
//! a clock, clusters with a guard and with versions of objects, executors that die, stall and lose answers.
//!
//! The properties are the invariants of the design, by number, checked after every action. `properties` runs them over
//! generated histories (proptest shrinks what fails); `mutants` breaks one rule after the other and proves that the
//! invariant that this rule keeps notices.
//!
//! * `history`: the actions, and how histories are generated
//! * `world`, `people`, `judging`, `waves`, `undo`, `queue`: what the server does, over rows kept in memory
//! * `cluster`, `executor`: what happens outside of the database
//! * `oracle`: what must hold, told without the rules under test
//!
//! To extend: a new action is a variant of `history::Action` and an arm in `history::act`; a new rule to be guarded is a
//! variant of `world::Broken`, the line it breaks, and its row in `mutants`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cluster;
mod executor;
mod history;
mod judging;
mod mutants;
mod oracle;
mod people;
mod properties;
mod queue;
mod undo;
mod waves;
mod world;
