//! Telling those concerned: whoever watches a release learns that what was shown of it does not hold any more.

use crate::{Error, Tx, record};
use serde_json::json;
use slipway_domain::{evidence::Subject, gates::evidence::failing};
use slipway_store::{evidence, releases};

/// Most releases that are told of one by one.
const MOST: i64 = 100;

/// Tells of every sealed release that carries one of these that it cannot be promoted, and why.
pub(super) async fn not_promotable(tx: &mut Tx, of: &[Subject]) -> Result<(), Error> {
    let carriers = evidence::carriers(tx, of, MOST).await?;
    for release in releases::many(tx, &carriers).await? {
        let Some(stated) = super::stated(tx, &release).await? else {
            continue;
        };
        let failing = failing(&stated.subjects, &stated.statements);
        if failing.is_empty() {
            continue;
        }
        let reasons: Vec<_> = failing.iter().map(|one| one.reason.as_str()).collect();
        let name = release.display_name();
        let message = format!("{name} cannot be promoted: {}", reasons.join("; "));
        let ids: Vec<_> = failing.iter().map(|one| one.evidence).collect();
        let change = record::Change::new("", name, message)
            .team(release.team)
            .service(release.service)
            .with(json!({"release": release.id, "evidence": ids}));
        record::activity(tx, change, "release.not_promotable").await?;
    }
    Ok(())
}
