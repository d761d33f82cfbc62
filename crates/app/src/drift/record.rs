//! Writing down what was found and what became of it: opening and resolving are changes of a state, each with its audit
//! entry and its event in the same transaction.

use crate::{
    Error, Tx,
    record::{self, Change},
};
use serde_json::json;
use slipway_domain::{
    component::bundle::ObjectRef,
    drift::{Judged, Resolution},
    ids::{DriftId, Fresh as _, TargetId},
};
use slipway_store::{
    deployments,
    drift_targets::Settled,
    drifts::{self, New, Row},
};

fn change(row: &Row, action: &'static str, message: String) -> Change {
    Change {
        action,
        subject: row.id.to_string(),
        message,
        data: json!({
            "object": row.object,
            "kind": row.drift.kind,
            "fields": row.drift.fields,
            "omitted": row.drift.omitted,
            "hand": row.drift.hand,
            "problem": row.drift.problem,
            "target": row.target,
            "generation": row.generation,
        }),
        team: Some(row.team),
        service: Some(row.service_id),
        environment: Some(row.environment_id),
        deployment: Some(row.deployment),
        cluster: Some(row.cluster.to_string()),
    }
}

/// `Deployment shop/web on eu`.
fn place(row: &Row) -> String {
    format!("{} on {}", row.object, row.cluster)
}

/// Writes down what was seen on a target that is held in this transaction. Says whether anything changed.
///
/// # Errors
/// When it cannot be written; then none of it is.
pub(super) async fn seen(tx: &mut Tx, target: &Settled, judged: &[Judged]) -> Result<bool, Error> {
    let mut open = open_on(tx, target.target).await?;
    let mut changed = false;
    for one in judged {
        let key = drifts::key(&one.object);
        let known = open.iter().position(|row| drifts::key(&row.object) == key);
        let new = |drift| New {
            target: target.target,
            deployment: target.deployment,
            generation: target.generation,
            object: &one.object,
            drift,
        };
        match (known, &one.drift) {
            (None, None) => continue,
            (None, Some(drift)) => {
                let row = Row {
                    id: drifts::open(tx, new(drift)).await?,
                    ..row_of(tx, target, one)
                };
                let message = format!("{} has drifted: {drift}", place(&row));
                record::by_system(tx, change(&row, "drift.found", message)).await?;
                // An object may be named twice in one report; it has one drift.
                open.push(row);
            }
            (Some(at), Some(drift)) if open[at].drift.is_same_as(drift) => continue,
            (Some(at), Some(drift)) => {
                drifts::change(tx, &open[at], new(drift)).await?;
                let row = &mut open[at];
                row.drift = drift.clone();
                row.revision += 1;
                let message = format!("{} has drifted on: {drift}", place(row));
                record::activity(tx, change(row, "", message), "drift.changed").await?;
            }
            (Some(at), None) => resolve(tx, &open.remove(at), Resolution::Reverted).await?,
        }
        changed = true;
    }
    if changed {
        deployments::touch(tx, target.deployment).await?;
    }
    Ok(changed)
}

/// Ends everything that is open on a target. Says how much that was.
///
/// # Errors
/// When it cannot be written.
pub(crate) async fn resolve_all(tx: &mut Tx, target: TargetId, how: Resolution) -> Result<usize, Error> {
    let open = open_on(tx, target).await?;
    for row in &open {
        resolve(tx, row, how).await?;
    }
    Ok(open.len())
}

/// A heal has brought these objects of a target back.
///
/// # Errors
/// When it cannot be written.
pub(crate) async fn healed(tx: &mut Tx, target: TargetId, objects: &[ObjectRef]) -> Result<(), Error> {
    for row in open_on(tx, target).await? {
        if objects
            .iter()
            .any(|object| object.identity() == row.object.identity())
        {
            resolve(tx, &row, Resolution::Healed).await?;
        }
    }
    Ok(())
}

async fn open_on(tx: &mut Tx, target: TargetId) -> Result<Vec<Row>, Error> {
    Ok(drifts::open_on(tx, &[target])
        .await?
        .remove(&target)
        .unwrap_or_default())
}

async fn resolve(tx: &mut Tx, row: &Row, how: Resolution) -> Result<(), Error> {
    drifts::resolve(tx, row, how).await?;
    let message = match how {
        Resolution::Reverted => format!("{} is as it was applied again", place(row)),
        Resolution::Healed => format!("{} was healed", place(row)),
        Resolution::Redeployed => format!("{} was deployed anew", place(row)),
        Resolution::Retired => format!(
            "{} is not watched any more: the target was taken back",
            place(row)
        ),
    };
    let mut change = change(row, "drift.resolved", message);
    change.data["resolution"] = how.as_str().into();
    record::by_system(tx, change).await
}

/// An environment that heals leaves an object alone, because; or may heal it again.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn left_alone(tx: &mut Tx, row: &Row, why: Option<&str>) -> Result<(), Error> {
    drifts::leave_alone(tx, row, why).await?;
    let (action, message) = match why {
        Some(why) => ("drift.left_alone", format!("on {}: {why}", row.cluster)),
        None => ("drift.heal_again", format!("{} may be healed again", place(row))),
    };
    record::by_system(tx, change(row, action, message)).await
}

/// A row as it is in this transaction, but for its id.
fn row_of(tx: &Tx, target: &Settled, one: &Judged) -> Row {
    Row {
        id: DriftId::fresh(),
        target: target.target,
        deployment: target.deployment,
        generation: target.generation,
        object: one.object.clone(),
        drift: one
            .drift
            .clone()
            .unwrap_or_else(slipway_domain::drift::Drift::missing),
        seen_at: tx.now,
        updated_at: tx.now,
        left_alone: None,
        resolved: None,
        revision: 1,
        team: target.team,
        service_id: target.service_id,
        service: target.service.clone(),
        environment_id: target.environment_id,
        environment: target.environment.clone(),
        cluster: target.cluster.clone(),
        namespace: target.namespace.clone(),
    }
}
