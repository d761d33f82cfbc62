//! What a cluster was found to hold, against what the database says of the target.
//!
//! A cluster is looked at while others work, so what is asked of it depends on what is certain: what the database has
//! never given (a generation, a digest) must be nowhere at any time; what exactly is there is asked of an idle target
//! alone, which was idle before and after the look. A field that somebody changed is no matter of this: see drift.

use super::{Finding, Invariant};
use crate::{
    Digest,
    component::bundle::ObjectRef,
    ids::{DeploymentId, TargetId},
    ports::{ObjectSeen, TargetSeen},
};
use std::collections::{BTreeMap, BTreeSet};

/// What the database says of one target.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Which target.
    pub target: TargetId,
    /// As people call it: `storefront in production on eu`.
    pub name: String,
    /// Its generation, read after the cluster was asked.
    pub generation: i64,
    /// Newest fence that was ever given, read after the cluster was asked.
    pub fence: i64,
    /// What ran under the generations that were seen: the deployment, and the digest of its release on this target.
    pub generations: BTreeMap<i64, Ran>,
    /// What Slipway may have put there: of this service and environment, on this cluster, on any target.
    pub inventory: BTreeSet<ObjectRef>,
    /// Nothing was under way there, before and after the cluster was asked.
    pub idle: Option<Idle>,
}

/// What ran under a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Digest of the release that it put there; none where it took everything away.
    pub release: Option<Digest>,
}

/// What is certain of an idle target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    /// What its last deployment applied, when that succeeded: each object carries the target's generation. Empty when it
    /// did not: then anything may be older.
    pub applied: BTreeSet<ObjectRef>,
    /// Whether its last deployment took the guard and succeeded, other than by taking everything away.
    pub guarded: bool,
}

const TOUCHED_BY_HAND: &str = "somebody, or another installation with the same names, wrote it: find out who, then deploy the \
     release again (or roll back), which writes every object anew";
const GUARD_BY_HAND: &str =
    "no executor writes this: find out who changed the guard ConfigMap, delete it, and deploy again";
const ANOTHER_TARGET: &str =
    "two targets, or two installations, act on one namespace for the same service: move one of them";
const RESTORED: &str = "the database is older than the cluster: was it restored from a backup? then the releases that the \
     cluster runs must be deployed again, so that the record tells the truth";
const STRAY: &str = "nothing in the database put it there: delete it, or take the labels `slipway.dev/service` and \
     `slipway.dev/environment` off it when it belongs to somebody else";

/// What does not hold, and what is worth a note.
#[derive(Debug, Default)]
pub struct Judged {
    /// Findings.
    pub findings: Vec<Finding>,
    /// Notes.
    pub notes: Vec<String>,
}

/// Judges one target.
#[must_use]
pub fn judge(expected: &Expected, seen: &TargetSeen) -> Judged {
    let mut judged = Judged::default();
    guard(expected, seen, &mut judged);
    for object in &seen.objects {
        one(expected, object, &mut judged);
    }
    for missing in &seen.missing {
        if expected
            .idle
            .as_ref()
            .is_some_and(|idle| idle.applied.iter().any(|applied| same(applied, missing)))
        {
            judged
                .notes
                .push(format!("{missing} of {} is not there any more", expected.name));
        }
    }
    judged
}

fn same(one: &ObjectRef, other: &ObjectRef) -> bool {
    // What is cluster-scoped has no namespace where it was read, whatever its manifest said.
    let places = [one.namespace.as_deref(), other.namespace.as_deref()];
    one.group() == other.group()
        && one.kind == other.kind
        && one.name == other.name
        && (places[0] == places[1] || places.contains(&None))
}

fn guard(expected: &Expected, seen: &TargetSeen, judged: &mut Judged) {
    let newest = seen
        .objects
        .iter()
        .filter(|object| object.ours)
        .filter_map(|object| object.generation)
        .max();
    let mut found = |check, found: String, remedy| {
        judged.findings.push(Finding {
            invariant: Invariant::OneExecutor,
            check,
            subject: format!("target {}", expected.target),
            found: format!("{}: {found}", expected.name),
            remedy,
        });
    };
    let Some(guard) = &seen.guard else {
        if let Some(newest) = newest {
            found(
                "guard_missing",
                format!("objects of generation {newest} are there, but no guard says whose turn it is"),
                "the next deployment to the target writes it anew; until then nothing fences a stale executor there",
            );
        }
        return;
    };
    if guard.target != expected.target.to_string() {
        found(
            "guard_of_another_target",
            format!("the guard in its namespace names target {}", guard.target),
            ANOTHER_TARGET,
        );
        return;
    }
    if guard.generation > expected.generation || guard.fence > expected.fence {
        found(
            "guard_ahead",
            format!(
                "the guard says generation {} under fence {}, and the database has given {} and {} at most",
                guard.generation, guard.fence, expected.generation, expected.fence
            ),
            RESTORED,
        );
        return;
    }
    if newest.is_some_and(|newest| newest > guard.generation && newest <= expected.generation) {
        let newest = newest.unwrap_or_default();
        found(
            "guard_behind",
            format!(
                "the guard says generation {}, and objects of generation {newest} are there",
                guard.generation
            ),
            GUARD_BY_HAND,
        );
    }
    if expected.idle.as_ref().is_some_and(|idle| idle.guarded) && guard.generation < expected.generation {
        found(
            "guard_behind",
            format!(
                "the guard says generation {}, and generation {} has ended there",
                guard.generation, expected.generation
            ),
            GUARD_BY_HAND,
        );
    }
    if let Some(ran) = expected.generations.get(&guard.generation)
        && guard.deployment != ran.deployment.to_string()
    {
        found(
            "guard_of_another_deployment",
            format!(
                "the guard names {} for generation {}, which was {}",
                guard.deployment, guard.generation, ran.deployment
            ),
            GUARD_BY_HAND,
        );
    }
}

fn one(expected: &Expected, seen: &ObjectSeen, judged: &mut Judged) {
    let known = expected.inventory.iter().any(|item| same(item, &seen.object));
    if !seen.ours {
        // In the inventory from before the first write, or somebody took the labels off: not ours to judge.
        return;
    }
    let mut found = |invariant, check, found: String, remedy| {
        judged.findings.push(Finding {
            invariant,
            check,
            subject: format!("{} on target {}", seen.object, expected.target),
            found: format!("{}: {found}", expected.name),
            remedy,
        });
    };
    if !known && !seen.passing && expected.idle.is_some() {
        found(
            Invariant::OneExecutor,
            "object_in_no_inventory",
            "it carries the labels of this service and environment, and no inventory has it".to_owned(),
            STRAY,
        );
        return;
    }
    let Some(generation) = seen.generation else {
        let applied = expected.idle.as_ref().map(|idle| &idle.applied);
        if applied.is_some_and(|applied| applied.iter().any(|item| same(item, &seen.object))) {
            found(
                Invariant::Sealed,
                "object_without_generation",
                "it does not say which generation it is of".to_owned(),
                TOUCHED_BY_HAND,
            );
        }
        return;
    };
    let Some(ran) = expected.generations.get(&generation) else {
        let remedy = if generation > expected.generation {
            RESTORED
        } else {
            TOUCHED_BY_HAND
        };
        found(
            Invariant::OneExecutor,
            "object_of_unknown_generation",
            format!("it says generation {generation}, which the database has never given"),
            remedy,
        );
        return;
    };
    if seen.deployment.as_deref() != Some(ran.deployment.to_string().as_str()) {
        found(
            Invariant::OneExecutor,
            "object_of_another_deployment",
            format!(
                "it says {} for generation {generation}, which was {}",
                seen.deployment.as_deref().unwrap_or("no deployment"),
                ran.deployment
            ),
            TOUCHED_BY_HAND,
        );
    }
    if let Some(release) = ran.release
        && seen.release_digest.as_deref() != Some(release.to_string().as_str())
    {
        found(
            Invariant::Sealed,
            "object_of_another_digest",
            format!(
                "it says digest {}, and generation {generation} was {release}",
                seen.release_digest.as_deref().unwrap_or("none")
            ),
            TOUCHED_BY_HAND,
        );
    }
    let applied = expected.idle.as_ref().map(|idle| &idle.applied);
    if generation < expected.generation
        && !seen.passing
        && applied.is_some_and(|applied| applied.iter().any(|item| same(item, &seen.object)))
    {
        found(
            Invariant::OneExecutor,
            "object_of_an_older_generation",
            format!(
                "it says generation {generation}, and generation {} was applied since",
                expected.generation
            ),
            TOUCHED_BY_HAND,
        );
    }
}

#[cfg(test)]
mod tests;
