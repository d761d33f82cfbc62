//! The generation object: a `ConfigMap` in the target's namespace that says whose turn it is.
//!
//! The database fences its own rows; it cannot fence a cluster. So before the first write under each claim, the guard is
//! compared and swapped (by `resourceVersion`): it names target, generation and fence, and whoever finds a newer one
//! there does not write.
//!
//! # What is left
//! A process can be stopped by its machine in the microseconds between the look at its lease and the sending of a write,
//! and go on after a newer deployment has ended. Over an object that is there, the write names the `resourceVersion` it
//! was decided on, and the API server refuses it. A write that *creates* has no such version to name, and Kubernetes knows
//! no condition on another object: an object that the newer deployment has taken away can come back once, as the older
//! one had it. It carries the older generation, so it is told apart: `slipway doctor` names it as what no inventory knows,
//! and whoever applies it again takes it over. The same deployment claimed again is no danger: it creates the same.

use super::{Context, Stop};
use crate::{
    api::{Cluster, Resource},
    fault::CallError,
    object::{self, LABEL_MANAGED},
};
use serde_json::{Value, json};
use slipway_domain::{
    plan::target::Intent,
    ports::GuardSeen,
    render::{LABEL_ENVIRONMENT, LABEL_SERVICE},
    work::Assignment,
};
use std::sync::atomic::Ordering;

/// Attempts to swap before the step is given back: each failed one means that somebody else wrote.
const SWAPS: usize = 5;

/// What a guard says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Guard {
    target: String,
    generation: i64,
    fence: i64,
    deployment: String,
    environment: String,
}

/// What to do about a guard.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// It says what we want it to say.
    Held,
    /// It is free, or an older one's: write ours.
    Take,
    /// Another target's: two targets must not share a namespace for the same service.
    Foreign(Guard),
    /// A newer deployment acts here.
    NewerGeneration(Guard),
    /// Another executor has claimed this same work after us.
    NewerFence(Guard),
}

/// Pure: what to do, given what is there and what we want there.
fn decide(live: Option<Guard>, ours: &Guard) -> Decision {
    match live {
        Some(live) if live == *ours => Decision::Held,
        Some(live) if live.target != ours.target => Decision::Foreign(live),
        Some(live) if live.generation > ours.generation => Decision::NewerGeneration(live),
        Some(live) if live.generation == ours.generation && live.fence > ours.fence => {
            Decision::NewerFence(live)
        }
        None | Some(_) => Decision::Take,
    }
}

pub(super) async fn act(context: &Context<'_>, work: &Assignment) -> Result<Value, Stop> {
    take(context, work).await?;
    Ok(Value::Null)
}

/// Makes sure that the guard is ours under this claim.
pub(super) async fn hold(context: &Context<'_>, work: &Assignment) -> Result<(), Stop> {
    if context.guarded.load(Ordering::Relaxed) {
        Ok(())
    } else {
        take(context, work).await
    }
}

async fn take(context: &Context<'_>, work: &Assignment) -> Result<(), Stop> {
    let resource = resource();
    let namespace = work.namespace.as_str();
    let name = name(work.service.as_str());
    let ours = Guard {
        target: work.target.to_string(),
        generation: work.generation,
        fence: work.lease.fence,
        deployment: work.deployment.to_string(),
        environment: work.environment.to_string(),
    };
    for _ in 0..SWAPS {
        let live = context.cluster.get(&resource, namespace, &name).await?;
        match decide(live.as_ref().and_then(read), &ours) {
            Decision::Held => {}
            Decision::Take => {
                let wanted = write(&ours, &name, work, live.as_ref());
                let written = match &live {
                    Some(_) => {
                        context
                            .cluster
                            .replace(&resource, namespace, &wanted, context.lease)
                            .await
                    }
                    None => {
                        context
                            .cluster
                            .create(&resource, namespace, &wanted, context.lease)
                            .await
                    }
                };
                match written {
                    Ok(_) => {}
                    Err(error) if work.intent == Intent::Clean && nowhere(&error) => {
                        // No namespace, or one that goes away: nothing can be written into it by anybody.
                    }
                    // Somebody wrote in between, or the answer was lost: look again.
                    Err(error) if error.is_code(409) || error.is_code(404) && live.is_some() => continue,
                    Err(error) if error.is_uncertain() && context.lease.holds() => continue,
                    Err(error) => return Err(Stop::of_object(error, &wanted)),
                }
            }
            refusal => return Err(refused(refusal, &name, work)),
        }
        context.guarded.store(true, Ordering::Relaxed);
        return Ok(());
    }
    Err(Stop::Retry(format!(
        "ConfigMap {namespace}/{name} could not be written: it keeps changing"
    )))
}

/// What the guard of a service in a namespace says; none when there is none, or it cannot be read. Changes nothing.
pub(crate) async fn look(
    cluster: &Cluster,
    namespace: &str,
    service: &str,
) -> Result<Option<GuardSeen>, CallError> {
    let live = cluster.get(&resource(), namespace, &name(service)).await?;
    Ok(live.as_ref().and_then(read).map(|guard| GuardSeen {
        target: guard.target,
        generation: guard.generation,
        fence: guard.fence,
        deployment: guard.deployment,
    }))
}

/// How guards are served.
fn resource() -> Resource {
    Resource::built_in("v1", "ConfigMap", "configmaps", true)
}

/// What the guard of a service is called.
fn name(service: &str) -> String {
    format!("slipway-{service}")
}

fn refused(decision: Decision, name: &str, work: &Assignment) -> Stop {
    let at = format!(
        "ConfigMap {}/{name} on cluster {}",
        work.namespace, work.connection.name
    );
    match decision {
        Decision::NewerGeneration(live) => Stop::Errored(format!(
            "a newer deployment ({}, generation {}) acts on this target; this one is generation {} and wrote nothing \
             over it ({at})",
            live.deployment, live.generation, work.generation
        )),
        Decision::Foreign(live) => Stop::Errored(format!(
            "namespace {} holds {} for environment {} already, put there by target {}; if that target is gone for \
             good, delete {at}",
            work.namespace, work.service, live.environment, live.target
        )),
        Decision::NewerFence(live) => Stop::Retry(format!(
            "another executor has taken over this work (fence {} after {}; {at})",
            live.fence, work.lease.fence
        )),
        Decision::Held | Decision::Take => Stop::Over,
    }
}

/// The namespace is not there, or goes away.
fn nowhere(error: &CallError) -> bool {
    matches!(error, CallError::Answer(answer) if answer.code == 404 || answer.is_namespace_terminating())
}

fn read(live: &Value) -> Option<Guard> {
    let data = &live["data"];
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    Some(Guard {
        target: data["target"].as_str()?.to_owned(),
        generation: data["generation"].as_str()?.parse().ok()?,
        fence: data["fence"].as_str()?.parse().ok()?,
        deployment: text("deployment"),
        environment: text("environment"),
    })
}

fn write(ours: &Guard, name: &str, work: &Assignment, live: Option<&Value>) -> Value {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": work.namespace.as_str(),
            "labels": {
                LABEL_MANAGED: "true",
                LABEL_SERVICE: work.service.as_str(),
                LABEL_ENVIRONMENT: work.environment.as_str(),
            },
        },
        "data": {
            "target": ours.target,
            "generation": ours.generation.to_string(),
            "fence": ours.fence.to_string(),
            "deployment": ours.deployment,
            "environment": ours.environment,
        },
    });
    if let Some(live) = live {
        object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        object["metadata"]["uid"] = object::uid(live).into();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(target: &str, generation: i64, fence: i64) -> Guard {
        Guard {
            target: target.to_owned(),
            generation,
            fence,
            deployment: "dep_x".to_owned(),
            environment: "production".to_owned(),
        }
    }

    #[test]
    fn only_a_newer_one_or_another_target_refuses() {
        let ours = guard("tgt_a", 5, 50);
        assert_eq!(decide(None, &ours), Decision::Take);
        assert_eq!(decide(Some(guard("tgt_a", 5, 50)), &ours), Decision::Held);
        assert_eq!(decide(Some(guard("tgt_a", 5, 49)), &ours), Decision::Take);
        assert_eq!(decide(Some(guard("tgt_a", 4, 99)), &ours), Decision::Take);
        let newer = guard("tgt_a", 6, 1);
        assert_eq!(
            decide(Some(newer.clone()), &ours),
            Decision::NewerGeneration(newer)
        );
        let taken = guard("tgt_a", 5, 51);
        assert_eq!(decide(Some(taken.clone()), &ours), Decision::NewerFence(taken));
        let foreign = guard("tgt_b", 1, 1);
        assert_eq!(decide(Some(foreign.clone()), &ours), Decision::Foreign(foreign));
    }

    #[test]
    fn of_any_two_exactly_one_may_write_over_the_other() {
        let all = [
            guard("tgt_a", 1, 9),
            guard("tgt_a", 2, 3),
            guard("tgt_a", 2, 4),
            guard("tgt_a", 3, 1),
        ];
        for one in &all {
            for other in all.iter().filter(|other| *other != one) {
                let takes = decide(Some(one.clone()), other) == Decision::Take;
                let loses = decide(Some(other.clone()), one) == Decision::Take;
                assert!(takes != loses, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_guard_reads_back_as_written_and_an_unreadable_one_is_taken() {
        let live = json!({"data": {"target": "tgt_a", "generation": "5", "fence": "50", "deployment": "dep_x",
            "environment": "production"}});
        assert_eq!(read(&live), Some(guard("tgt_a", 5, 50)));
        assert_eq!(read(&json!({"data": {"generation": "five"}})), None);
    }
}
