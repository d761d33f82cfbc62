//! What approvers see: written when they are asked, and anew when anything in it has changed.

use crate::{Error, Tx, policies, record};
use serde_json::json;
use slipway_domain::{
    approval::{
        Approval, ApprovalState, Asked as When, Document, Written,
        document::{About, Asked, Change, Overridden, Part, Proof, Window},
    },
    deployment::Deployment,
    gates::{Facts, evidence},
    release::Release,
};
use slipway_store::{approvals, deployments::Row};

/// What is to be decided on, by the facts that gates are judged on.
pub(crate) fn about(row: &Row, facts: &Facts, release: &Release, now: jiff::Timestamp) -> About {
    let d = &row.deployment;
    About {
        release: d.release_name(),
        release_digest: d.release_digest.unwrap_or(d.plan_digest),
        plan_digest: d.plan_digest,
        environment: d.environment_name.clone(),
        components: release
            .components
            .iter()
            .map(|part| Part {
                name: part.name.clone(),
                version: part.version.to_string(),
                digest: part.digest,
            })
            .collect(),
        targets: facts
            .rollback
            .targets
            .iter()
            .map(|target| Change {
                target: target.target.clone(),
                runs: target.previous.clone(),
                runs_rendering: target.runs,
                brings: target.brings,
            })
            .collect(),
        evidence: evidence::each(&facts.evidence, now)
            .iter()
            .map(Proof::of)
            .collect(),
        policies: Asked::of(&facts.policies),
        window: Window {
            not_before: d.not_before,
            expires_at: d.expires_at,
        },
        force_conflicts: d.force_conflicts,
        overridden: facts
            .overrides
            .iter()
            .map(|one| Overridden {
                gate: one.gate,
                by: one.by.clone(),
                justification: one.justification.clone(),
                incident: one.incident.clone(),
            })
            .collect(),
    }
}

/// The document as it is now.
pub(crate) async fn written(
    tx: &mut Tx,
    row: &Row,
    facts: &Facts,
    release: &Release,
) -> Result<Written, Error> {
    let risk = policies::risk(tx, row).await?;
    let about = about(row, facts, release, tx.now);
    Ok(Document::new(about, risk).written()?)
}

/// Shows approvers what there is to be decided on by now, and withdraws decisions on what it was.
pub(crate) async fn refresh(
    tx: &mut Tx,
    row: &Row,
    facts: &Facts,
    release: Option<&Release>,
) -> Result<(), Error> {
    let Some(release) = release else { return Ok(()) };
    let d = &row.deployment;
    for approval in approvals::of(tx, &[d.id]).await? {
        let open = matches!(approval.state, ApprovalState::Pending | ApprovalState::Approved);
        if !open || approval.asked != When::Before {
            continue;
        }
        let Some(shown) = &approval.document else {
            // Asked by a server from before there were documents: what was decided on release and plan stands.
            let written = written(tx, row, facts, release).await?;
            approvals::show_first(tx, &approval, &written).await?;
            continue;
        };
        let changes = about(row, facts, release, tx.now).changes_since(&shown.document.about);
        if !changes.is_empty() {
            let written = written(tx, row, facts, release).await?;
            change(tx, d, &approval, &written, &changes).await?;
        }
    }
    Ok(())
}

async fn change(
    tx: &mut Tx,
    d: &Deployment,
    approval: &Approval,
    written: &Written,
    changes: &[String],
) -> Result<(), Error> {
    let because = changes.join("; ");
    approvals::show(tx, approval, written).await?;
    let withdrawn = approvals::withdraw_decisions(tx, approval.id, &because).await?;
    let what = format!(
        "what is to be decided on for {} to {} has changed",
        d.release_name(),
        d.environment_name
    );
    let message = match withdrawn {
        0 => format!("{what}: {because}"),
        1 => format!("{what}, and the decision on it is withdrawn: {because}"),
        many => format!("{what}, and the {many} decisions on it are withdrawn: {because}"),
    };
    let change = record::Change::of(d, "approval.change", message).with(json!({
        "approval": approval.id, "state": ApprovalState::Pending.as_str(), "withdrawn": withdrawn, "changes": changes,
        "document_digest": written.digest, "before": approval.document.as_ref().map(|shown| shown.digest),
    }));
    record::by_system(tx, change).await
}
