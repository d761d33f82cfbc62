//! Reads only: what is to be applied is what was approved, and the cluster can take all of it, as far as it can be asked.
//! Whatever stands in the way is told all at once, before anything has been touched.

use super::{
    Context, Stop, apply,
    standing::{Question, Standing, Verdict},
};
use crate::{
    api::{Cluster, Resource},
    concurrent::try_all,
    fault::CallError,
    object,
};
use serde_json::Value;
use slipway_domain::{
    plan::target::Intent,
    ports::ClusterFault,
    registry::ClusterGrants,
    render::{HookPhase, Rendering},
    work::Assignment,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn act(context: &Context<'_>, work: &Assignment) -> Result<Value, Stop> {
    let digest = work.rendering.digest();
    if digest != work.rendering_digest {
        return Err(Stop::Errored(format!(
            "what is stored to be applied ({digest}) is not what was approved ({}); nothing was touched",
            work.rendering_digest
        )));
    }
    let found = kinds(context.cluster, &work.rendering, &work.grants).await?;
    if !found.problems.is_empty() {
        let fault = ClusterFault::Kinds {
            cluster: work.connection.name.clone(),
            problems: found.problems,
        };
        return Err(Stop::Failed(fault.to_string()));
    }
    obstacles(context, work, &found).await?;
    // Written down before the first write, so that nothing is ever left behind that is not known.
    context.inventory(work.inventory.union(&work.rendering.object_refs()));
    Ok(Value::Null)
}

/// Asks about everything that is there already and would change. What is not there yet is asked when it is applied: it
/// can be refused then, but neither fought over nor stuck.
async fn obstacles(context: &Context<'_>, work: &Assignment, kinds: &Kinds) -> Result<(), Stop> {
    let question = Question {
        cluster: context.cluster,
        namespace: work.namespace.as_str(),
        service: work.service.as_str(),
        environment: work.environment.as_str(),
        intent: work.intent,
        force: work.force_conflicts || work.intent == Intent::Heal,
        rendering: &work.rendering,
        inventory: &work.inventory,
    };
    let standing = Standing::read(&question, kinds).await?;
    let there = work
        .rendering
        .objects
        .iter()
        .filter(|object| apply::is_asked(work, object) && standing.live(object).is_some())
        .filter_map(|object| Some((object, kinds.of(object)?)));
    let asked = there.map(|(object, resource)| {
        let standing = &standing;
        async move { Ok::<_, CallError>((object, standing.ask(resource, object).await?)) }
    });
    let mut problems = Vec::new();
    for (object, verdict) in try_all(asked).await? {
        let title = object::title(object);
        match verdict {
            Verdict::Settled | Verdict::Becomes(_) => {}
            Verdict::Refused(why, _) => problems.push(why),
            Verdict::Replaced(fields) => context.note(
                "object.to_be_replaced",
                format!(
                    "{title} will be deleted and made anew: {} cannot be changed",
                    fields.join(" and ")
                ),
                Value::Null,
            ),
            Verdict::Kept(versions) => context.note(
                "object.kept",
                format!(
                    "{title} will be kept as it is: its objects are stored in version {}",
                    versions.join(" and ")
                ),
                Value::Null,
            ),
            Verdict::Unasked(why) => context.note("object.unasked", why, Value::Null),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Stop::Failed(format!(
        "nothing was touched on cluster {}: {}",
        work.connection.name,
        problems.join("; ")
    )))
}

/// What the cluster makes of a rendering's kinds.
pub(crate) struct Kinds {
    /// Those it serves.
    pub(crate) served: BTreeMap<(String, String), Resource>,
    /// One sentence an object that it cannot take.
    pub(crate) problems: Vec<String>,
}

impl Kinds {
    /// How an object's kind is served.
    pub(crate) fn of(&self, object: &Value) -> Option<&Resource> {
        self.served.get(&key(object))
    }

    /// How a kind is served.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        self.served.get(&(api_version.to_owned(), kind.to_owned()))
    }
}

fn key(object: &Value) -> (String, String) {
    (
        object::api_version(object).to_owned(),
        object::kind(object).to_owned(),
    )
}

/// Looks up every kind of a rendering, hooks included. A kind that a definition in the same rendering brings is fine.
pub(crate) async fn kinds(
    cluster: &Cluster,
    rendering: &Rendering,
    grants: &ClusterGrants,
) -> Result<Kinds, CallError> {
    let phases = [HookPhase::Before, HookPhase::After, HookPhase::Rollback];
    let hooks = phases.into_iter().flat_map(|phase| rendering.hooks(phase));
    let all: Vec<&Value> = rendering.objects.iter().chain(hooks).collect();
    let wanted: BTreeSet<_> = all.iter().map(|object| key(object)).collect();
    let resources = try_all(
        wanted
            .iter()
            .map(|(api_version, kind)| cluster.resource(api_version, kind)),
    )
    .await?;
    let served: BTreeMap<_, _> = wanted
        .into_iter()
        .zip(resources)
        .filter_map(|(key, resource)| Some((key, resource?)))
        .collect();
    let defined = defined(&rendering.objects);
    let problems = all.iter().filter_map(|object| {
        let key = key(object);
        let namespaced = served
            .get(&key)
            .map(|resource| resource.namespaced)
            .or_else(|| defined.get(&key).copied());
        problem(object, namespaced, grants)
    });
    let problems = problems.collect();
    Ok(Kinds { served, problems })
}

/// What is wrong with an object's kind on this cluster, given its scope there.
fn problem(object: &Value, namespaced: Option<bool>, grants: &ClusterGrants) -> Option<String> {
    let (title, api_version) = (object::title(object), object::api_version(object));
    match namespaced {
        None => Some(format!(
            "{title}: it does not serve {} of {api_version}",
            object::kind(object)
        )),
        Some(false) if !granted(object, grants) => {
            let kind = granted_as(object);
            Some(format!(
                "{title}: it is cluster-scoped, and the cluster's grants do not contain `{kind}`"
            ))
        }
        _ => None,
    }
}

/// How grants call an object's kind: `ClusterRole.rbac.authorization.k8s.io`, or `Namespace` in the core group.
fn granted_as(object: &Value) -> String {
    match object::api_version(object).split_once('/') {
        Some((group, _)) => format!("{}.{group}", object::kind(object)),
        None => object::kind(object).to_owned(),
    }
}

fn granted(object: &Value, grants: &ClusterGrants) -> bool {
    let name = granted_as(object);
    grants
        .cluster_scoped_kinds
        .iter()
        .any(|grant| grant == "*" || *grant == name)
}

/// The kinds that definitions among the objects bring, and whether they are namespaced.
fn defined(objects: &[Value]) -> BTreeMap<(String, String), bool> {
    let mut defined = BTreeMap::new();
    for object in objects
        .iter()
        .filter(|o| object::kind(o) == "CustomResourceDefinition")
    {
        let spec = &object["spec"];
        let (Some(group), Some(kind)) = (spec["group"].as_str(), spec["names"]["kind"].as_str()) else {
            continue;
        };
        let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names = versions
            .iter()
            .filter(|v| v["served"] == true)
            .filter_map(|v| v["name"].as_str());
        for version in names {
            defined.insert(
                (format!("{group}/{version}"), kind.to_owned()),
                spec["scope"] != "Cluster",
            );
        }
    }
    defined
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn grants(kinds: &[&str]) -> ClusterGrants {
        ClusterGrants {
            cluster_scoped_kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
        }
    }

    #[test]
    fn a_cluster_scoped_kind_needs_its_grant() {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}});
        assert!(
            problem(&role, Some(false), &grants(&[]))
                .unwrap()
                .contains("ClusterRole.rbac.authorization.k8s.io")
        );
        assert!(problem(&role, Some(false), &grants(&["ClusterRole"])).is_some());
        assert_eq!(
            problem(
                &role,
                Some(false),
                &grants(&["ClusterRole.rbac.authorization.k8s.io"])
            ),
            None
        );
        assert_eq!(problem(&role, Some(false), &grants(&["*"])), None);
    }

    #[test]
    fn an_unknown_kind_is_named_with_its_version() {
        let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}});
        let told = problem(&widget, None, &grants(&["*"])).unwrap();
        assert_eq!(told, "Widget w: it does not serve Widget of example.com/v1");
    }

    #[test]
    fn a_definition_brings_the_versions_it_serves() {
        let definition = json!({
            "kind": "CustomResourceDefinition",
            "spec": {
                "group": "example.com", "scope": "Cluster", "names": {"kind": "Widget"},
                "versions": [{"name": "v1", "served": true}, {"name": "v0", "served": false}],
            },
        });
        let defined = defined(&[definition]);
        assert_eq!(
            defined.get(&("example.com/v1".to_owned(), "Widget".to_owned())),
            Some(&false)
        );
        assert_eq!(defined.len(), 1);
    }
}
