//! The only crate with SQL: one file an aggregate, the queue, the audit chain, the events.
//!
//! Concrete functions over a [`Tx`], no repository traits: what is missing is `Ok(None)` and the caller names the error;
//! a row that cannot be is an error that names table, column and row; a guarded update states the old state (and for
//! work the fence) in its `WHERE` and says how many rows it touched. Time is the database's: [`Tx::now`].
//!
//! To extend: a migration in `migrations/` (forward only, and the binary before must survive it), a file here, tests on
//! a real Postgres.

pub mod absences;
mod answers;
pub mod approvals;
pub mod audit;
pub mod audit_tree;
pub mod changes;
pub mod clusters;
pub mod components;
pub mod delegations;
pub mod deployment_facts;
pub mod deployment_targets;
pub mod deployments;
pub mod doctor;
pub mod drift_heals;
pub mod drift_targets;
pub mod drift_watches;
pub mod drifts;
pub mod environments;
pub mod events;
pub mod evidence;
pub mod evidence_keys;
pub mod evidence_schemas;
pub mod groups;
pub mod idempotency;
mod listing;
mod migrate;
pub mod overrides;
pub mod places;
pub mod policies;
mod pool;
pub mod principals;
pub mod processes;
pub mod reference;
pub mod releases;
pub mod renderings;
pub mod reviews;
pub mod role_bindings;
pub mod row;
pub mod secret_keys;
pub mod servers;
pub mod services;
mod session;
pub mod signing_keys;
pub mod status;
pub mod steps;
pub mod targets;
pub mod teams;
pub mod tokens;
mod tx;
mod versioned;
pub mod work;

pub use changes::Changes;
pub use pool::Connections;
pub use reference::Ref;
pub use row::{Cols, Error};
pub use sqlx::PgPool;
pub use tx::{Database, Listener, Tx};

/// Position in a list that is read newest first: everything older than this id.
pub type Before = Option<uuid::Uuid>;
