//! From a draft to what runs: releases, gates, claims, waves, rollbacks and the record, on a real Postgres. No cluster is
//! ever contacted: the test is the executor.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod approvals;
mod authorisation;
mod claims;
mod create;
mod drift;
mod emergencies;
mod evidence;
mod gates;
mod heal;
mod histories;
mod horizon;
mod keys;
mod leases;
mod policies;
mod processes;
mod races;
mod record;
mod releases;
mod rollback;
mod shop;
mod status;
mod storm;
mod waves;
