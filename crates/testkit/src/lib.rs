//! For tests only: a database of their own, the whole application over it without a network, and people who use it.
//!
//! ```no_run
//! # async fn test() {
//! use slipway_testkit::{TestApp, json};
//! let app = TestApp::start().await;
//! let admin = app.person("root", &["admin"]).await;
//! admin.post("/v1/teams", json!({"name": "shop"})).await.expect(201);
//! # }
//! ```
//!
//! Postgres is real (`SLIPWAY_TEST_DATABASE_URL` names one where databases may be made); clusters are not: the port that
//! asks them is a double here ([`Clusters`]), the executor's own tests use a real Kubernetes API.
//!
//! To extend: what several tests set up goes into [`World`]; what one test needs stays with it.

#![expect(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::missing_panics_doc,
    reason = "in a test, asserting is use enough, and whatever cannot be had is a panic"
)]

mod app;
mod client;
mod clusters;
mod database;
pub mod doctor;
mod issuer;
pub mod live;
mod planted;
mod publisher;
pub mod signer;
mod world;

pub use app::TestApp;
pub use client::{Person, Reply, Request};
pub use clusters::Clusters;
pub use database::TestDb;
pub use issuer::{AUDIENCE, ISSUER, Issuer};
pub use planted::Planted;
pub use publisher::Publisher;
pub use serde_json::{Value, json};
pub use world::World;
