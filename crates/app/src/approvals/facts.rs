//! What the approval gate is judged on.

use super::{document, standing};
use crate::{Error, Tx, deployments::place};
use slipway_domain::{
    approval::Answer,
    gates::{Facts, approval},
    release::Release,
};
use slipway_store::{approvals, deployments::Row, principals};
use std::collections::BTreeSet;

/// Every request of a deployment, with what the decisions on it come to now.
pub(crate) async fn facts(
    tx: &mut Tx,
    row: &Row,
    facts: &Facts,
    release: Option<&Release>,
) -> Result<Vec<approval::Facts>, Error> {
    let d = &row.deployment;
    let place = place(d);
    let mut all = Vec::new();
    for request in approvals::of(tx, &[d.id]).await? {
        let standings = standing::standings(tx, d, &request).await?;
        let behind = standing::behind(tx, &place, &request).await?;
        let of_request = request.request(&behind);
        let (judged, quorum) = of_request.judge(&standing::stand_ins(&standings));
        let people: BTreeSet<_> = request
            .decisions
            .iter()
            .flat_map(|decision| [decision.by, decision.of])
            .collect();
        let names = principals::names(tx, &people.into_iter().collect::<Vec<_>>()).await?;
        let no = request
            .standing()
            .find(|decision| decision.answer == Answer::Reject);
        let changes = match (&request.document, release) {
            (Some(shown), Some(release)) => {
                document::about(row, facts, release, tx.now).changes_since(&shown.document.about)
            }
            _ => Vec::new(),
        };
        all.push(approval::Facts {
            id: request.id,
            asked: request.asked,
            state: request.state,
            judged,
            quorum,
            expires_at: of_request.expires_at(),
            digest: request.to_decide_on(),
            unchanged: Some(request.digest) == d.release_digest && request.plan_digest == d.plan_digest,
            changes,
            rejected_by: no.and_then(|decision| names.get(&decision.by).cloned()),
            names,
            requirements: request.requirements,
        });
    }
    Ok(all)
}
