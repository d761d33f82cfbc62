//! The one checker of the eight invariants, for tests: the same as `slipway doctor`.
//!
//! A test that runs the binary calls that instead: `slipway doctor --config server.toml --output json` ends with 0 when
//! nothing was found, with 1 when something was, and with 6 when something could not be examined.

use slipway_app::{
    App,
    doctor::{self, Options},
    timers,
};
use slipway_domain::doctor::Report;

/// Examines the database, and the clusters too where the application's probe answers for real ones.
pub async fn examine(app: &App, clusters: bool) -> Report {
    let options = Options {
        clusters,
        ..Options::default()
    };
    doctor::examine(app, &options)
        .await
        .expect("the database is examined")
}

/// Asserts that every invariant holds in the database, right after chaining what was recorded.
///
/// # Panics
/// With every finding, and with what could not be examined.
pub async fn assert_healthy(app: &App) {
    while timers::chain(app).await.expect("chained entries") > 0 {}
    assert_clean(&examine(app, false).await);
}

/// Asserts that nothing was found, and that everything could be examined.
///
/// # Panics
/// With every finding, and with what could not be examined.
#[track_caller]
pub fn assert_clean(report: &Report) {
    assert!(
        report.is_healthy() && report.is_complete(),
        "an invariant does not hold: {:#?}\nnot examined: {:#?}",
        report.findings,
        report.unexamined
    );
}
