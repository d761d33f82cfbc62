//! Asking people for approval: when the environment wants it, and when policies do.

use crate::{Error, Tx, record};
use serde_json::json;
use slipway_domain::{
    approval::{Approval, ApprovalState, Involvement},
    deployment::Deployment,
    identity::{Actor, Role},
    ids::{ApprovalId, Fresh as _},
    policy::Judgement,
    registry::ApprovalRule,
    release::{Release, Seal},
};
use slipway_store::{approvals, deployments::Row, releases};

/// Asks; `by` is nobody when a policy does.
pub(super) async fn ask(
    tx: &mut Tx,
    by: Option<&Actor>,
    deployment: &Deployment,
    rule: &ApprovalRule,
    release: &Release,
    seal: &Seal,
) -> Result<(), Error> {
    let mut involved = vec![(release.author, Involvement::Author)];
    involved.extend(release.editors.iter().map(|id| (*id, Involvement::Editor)));
    involved.push((seal.by, Involvement::Sealer));
    involved.push((deployment.requested_by, Involvement::Requester));
    let approval = Approval {
        id: ApprovalId::fresh(),
        deployment: deployment.id,
        rule: rule.clone(),
        digest: seal.digest,
        plan_digest: deployment.plan_digest,
        state: ApprovalState::Pending,
        involved,
        decisions: Vec::new(),
        revision: 1,
        created_at: tx.now,
    };
    approvals::insert(tx, &approval).await?;
    let message = format!(
        "{} to {} needs approval by {} with the role {}",
        deployment.release_name(),
        deployment.environment_name,
        rule.count,
        rule.role
    );
    let change = record::Change::of(deployment, "approval.request", message).with(
        json!({ "approval": approval.id, "digest": approval.digest, "plan_digest": approval.plan_digest }),
    );
    match by {
        Some(actor) => record::change(tx, actor, change).await,
        None => record::by_system(tx, change).await,
    }
}

/// Has as many people asked as policies want by now: asks, or asks for more. What was asked for once stays asked for, also
/// when a policy wants less later: whoever wants to be judged by that asks for the deployment again.
pub(super) async fn as_policies_want(tx: &mut Tx, row: &Row, policies: &Judgement) -> Result<(), Error> {
    let wanted = policies.people();
    if wanted == 0 {
        return Ok(());
    }
    let d = &row.deployment;
    let asked = approvals::of(tx, &[d.id]).await?;
    if asked.is_empty() {
        let release = match d.release {
            Some(id) => releases::get(tx, id).await?,
            None => None,
        };
        let release = release.ok_or_else(|| Error::internal("a deployment's release is gone"))?;
        let Some(seal) = release.state.seal().cloned() else {
            return Err(Error::internal("a deployment's release has no seal"));
        };
        let rule = ApprovalRule {
            count: wanted,
            role: Role::Authority,
        };
        return ask(tx, None, d, &rule, &release, &seal).await;
    }
    for approval in asked {
        let open = matches!(approval.state, ApprovalState::Pending | ApprovalState::Approved);
        if !open || approval.rule.count >= wanted {
            continue;
        }
        approvals::raise(tx, &approval, wanted).await?;
        let message = format!(
            "{} to {} needs approval by {wanted} instead of {}, as policies say",
            d.release_name(),
            d.environment_name,
            approval.rule.count
        );
        let change = record::Change::of(d, "approval.raise", message)
            .with(json!({"approval": approval.id, "required": wanted, "before": approval.rule.count}));
        record::by_system(tx, change).await?;
    }
    Ok(())
}
