//! What clusters hold, against what the database says: 1 and 3. The database is read, then the cluster is asked while no
//! transaction is open, then the database is read again: only what was idle both times is held to everything.

use super::{Options, secrets::Connections};
use crate::{App, Error};
use futures::{StreamExt as _, stream};
use slipway_domain::{
    counted,
    deployment::TargetState,
    doctor::{
        Invariant, Report,
        cluster::{self, Expected, Idle, Judged},
    },
    ids::{ClusterId, TargetId},
    plan::target::Intent,
    ports::{ClusterFault, InspectRequest, TargetSeen},
    registry::Connection,
};
use slipway_store::{
    doctor::targets::{self, TargetRow},
    renderings,
};
use std::collections::BTreeSet;

/// Clusters asked at once.
const AT_ONCE: usize = 8;

/// What was found on one cluster.
#[derive(Default)]
struct Asked {
    judged: Judged,
    targets: u64,
    objects: u64,
    unexamined: Vec<(String, String)>,
}

/// Asks every cluster about every target that something was ever begun on.
pub(super) async fn examine(
    app: &App,
    options: &Options<'_>,
    connections: &Connections,
    report: &mut Report,
) -> Result<(), Error> {
    let mut tx = app.read().await?;
    let begun = targets::begun(&mut tx).await?;
    tx.rollback().await?;
    let mut examined = 0;
    let all = begun.iter().map(|(id, targets)| async move {
        match connections.get(id) {
            Some(connection) => of_cluster(app, connection, targets).await,
            None => Ok(no_credential(*id, targets.len())),
        }
    });
    let mut all = stream::iter(all).buffer_unordered(AT_ONCE);
    while let Some(asked) = all.next().await {
        let asked = asked?;
        examined += asked.targets;
        (options.progress)("targets on clusters", examined);
        for finding in asked.judged.findings {
            report.add(finding);
        }
        report.notes.extend(asked.judged.notes);
        for (subject, why) in asked.unexamined {
            report.not_examined(subject, why);
        }
        report.examined(Invariant::Sealed, "objects on clusters", asked.objects);
        report.examined(Invariant::OneExecutor, "targets on clusters", asked.targets);
    }
    Ok(())
}

fn no_credential(id: ClusterId, targets: usize) -> Asked {
    Asked {
        unexamined: vec![(
            format!("cluster {id}"),
            format!(
                "its credential cannot be read, and {} could not be looked at",
                counted(targets, "target", "targets")
            ),
        )],
        ..Asked::default()
    }
}

/// Whether a fault is the cluster's, so that its other targets need not be tried.
const fn is_of_cluster(fault: &ClusterFault) -> bool {
    matches!(
        fault,
        ClusterFault::Unreachable { .. }
            | ClusterFault::Unauthorized { .. }
            | ClusterFault::Certificate { .. }
            | ClusterFault::Misconfigured { .. }
    )
}

async fn of_cluster(app: &App, connection: &Connection, ids: &[TargetId]) -> Result<Asked, Error> {
    let mut asked = Asked::default();
    for (done, id) in ids.iter().enumerate() {
        let Some(before) = read(app, *id).await? else {
            continue;
        };
        let request = InspectRequest {
            connection: connection.clone(),
            namespace: before.namespace.clone(),
            service: before.service.clone(),
            environment: before.environment.clone(),
            inventory: before.inventory.clone(),
        };
        match app.probe().inspect(&request).await {
            Ok(seen) => {
                asked.targets += 1;
                asked.objects += seen.objects.len() as u64;
                for why in &seen.unasked {
                    asked.unexamined.push((name(&before), why.clone()));
                }
                let Some(expected) = expected(app, &before, &seen).await? else {
                    continue;
                };
                let judged = cluster::judge(&expected, &seen);
                asked.judged.findings.extend(judged.findings);
                asked.judged.notes.extend(judged.notes);
            }
            Err(fault) if is_of_cluster(&fault) => {
                let left = ids.len() - done;
                asked.unexamined.push((
                    format!("cluster {}", connection.name),
                    format!(
                        "{fault}; {} there could not be looked at",
                        counted(left, "target", "targets")
                    ),
                ));
                break;
            }
            Err(fault) => asked.unexamined.push((name(&before), fault.to_string())),
        }
    }
    Ok(asked)
}

fn name(target: &TargetRow) -> String {
    format!(
        "{} in {} on {}",
        target.service, target.environment, target.cluster_name
    )
}

async fn read(app: &App, id: TargetId) -> Result<Option<TargetRow>, Error> {
    let mut tx = app.read().await?;
    let row = targets::get(&mut tx, id).await?;
    tx.rollback().await?;
    Ok(row)
}

/// What the database says after the cluster was asked.
async fn expected(app: &App, before: &TargetRow, seen: &TargetSeen) -> Result<Option<Expected>, Error> {
    let mut tx = app.read().await?;
    let Some(after) = targets::get(&mut tx, before.id).await? else {
        return Ok(None);
    };
    let mut generations: Vec<i64> = seen.objects.iter().filter_map(|o| o.generation).collect();
    generations.extend(seen.guard.as_ref().map(|guard| guard.generation));
    generations.sort_unstable();
    generations.dedup();
    let was_idle = before.idle
        && after.idle
        && (before.generation, &before.last, &before.inventory)
            == (after.generation, &after.last, &after.inventory);
    let mut idle = None;
    if was_idle {
        let mut certain = Idle {
            applied: BTreeSet::new(),
            guarded: false,
        };
        if let Some(last) = after
            .last
            .as_ref()
            .filter(|last| last.state == TargetState::Succeeded && last.intent != Intent::Clean)
        {
            certain.guarded = true;
            // A rendering that is gone or altered is a finding of its own.
            if last.intent == Intent::Heal {
                certain.applied.extend(last.heals.iter().cloned());
            } else if let Ok(Some(rendering)) = renderings::get(&mut tx, last.rendering).await {
                certain.applied.extend(rendering.object_refs());
            }
        }
        idle = Some(certain);
    }
    let inventories = targets::inventories(&mut tx, after.id).await?;
    let expected = Expected {
        target: after.id,
        name: name(&after),
        generation: after.generation,
        fence: targets::newest_fence(&mut tx).await?,
        generations: targets::ran(&mut tx, after.id, &generations).await?,
        inventory: inventories
            .into_iter()
            .flat_map(|inventory| inventory.0)
            .map(|item| item.object)
            .collect(),
        idle,
    };
    tx.rollback().await?;
    Ok(Some(expected))
}
