//! What is there already of what is to be applied, and what stands in its way: read, and asked by server-side dry run.
//! Changes nothing; preflight and preview both look through this.
//!
//! Of an object that is there just as it is to be, nothing is asked: applying it can neither conflict nor be refused.

use super::{preflight::Kinds, refusal, replace};
use crate::{
    api::{Applied, ApplyMode, Cluster, FIELD_MANAGER, Resource, as_kept},
    concurrent::try_all,
    fault::{CallError, scrub},
    object,
};
use serde_json::Value;
use slipway_domain::{
    plan::target::Intent,
    ports::ClusterFault,
    registry::Inventory,
    render::{self, Rendering},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Up to so many objects of a kind are read one by one instead of listed.
const ONE_BY_ONE: usize = 3;

/// What is to be applied, and where.
pub(crate) struct Question<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) namespace: &'a str,
    pub(crate) service: &'a str,
    pub(crate) environment: &'a str,
    pub(crate) intent: Intent,
    pub(crate) force: bool,
    pub(crate) rendering: &'a Rendering,
    pub(crate) inventory: &'a Inventory,
}

/// What applying an object would come to.
pub(crate) enum Verdict {
    /// It is there as it is to be.
    Settled,
    /// It would become this.
    Becomes(Value),
    /// It would be deleted and made anew, because these fields cannot be changed and it says that it may.
    Replaced(Vec<String>),
    /// A definition would stay as it is, in a rollback, because objects are stored in these versions of it.
    Kept(Vec<String>),
    /// It could not be asked about, and why.
    Unasked(String),
    /// It cannot be applied: why, and what to do; and what would become of it if that was not in the way.
    Refused(String, Option<Value>),
}

/// `apiVersion`, kind and name: one object among those of one target.
type Key = (String, String, String);

fn key(object: &Value) -> Key {
    let text = |part: fn(&Value) -> &str| part(object).to_owned();
    (text(object::api_version), text(object::kind), text(object::name))
}

/// What is there.
pub(crate) struct Standing<'a> {
    question: &'a Question<'a>,
    live: HashMap<Key, Value>,
    /// Group and kind of what definitions bring that will not stay as they are.
    redefined: HashSet<(String, String)>,
}

impl<'a> Standing<'a> {
    /// Reads what is there of the rendering's objects.
    pub(crate) async fn read(question: &'a Question<'a>, kinds: &Kinds) -> Result<Self, CallError> {
        let mut names: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for object in &question.rendering.objects {
            let names = names.entry((object::api_version(object), object::kind(object)));
            names.or_default().insert(object::name(object));
        }
        let known: HashSet<_> = question
            .inventory
            .0
            .iter()
            .filter(|item| item.uid.is_some())
            .map(|item| {
                (
                    item.object.group(),
                    item.object.kind.as_str(),
                    item.object.name.as_str(),
                )
            })
            .collect();
        let looks = names.iter().filter_map(|((api_version, kind), names)| {
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            let any_known = names.iter().any(|name| known.contains(&(group, *kind, *name)));
            let resource = kinds.of_kind(api_version, kind)?;
            Some(of_kind(question, resource, names, any_known))
        });
        let live: HashMap<Key, Value> = try_all(looks)
            .await?
            .into_iter()
            .flatten()
            .map(|object| (key(&object), object))
            .collect();
        let redefined = question
            .rendering
            .objects
            .iter()
            .filter(|o| object::kind(o) == "CustomResourceDefinition")
            .filter(|o| {
                !live
                    .get(&key(o))
                    .is_some_and(|live| render::settled(live, o, FIELD_MANAGER))
            })
            .filter_map(|o| {
                let spec = &o["spec"];
                let group = spec["group"].as_str()?.to_owned();
                Some((group, spec["names"]["kind"].as_str()?.to_owned()))
            })
            .collect();
        Ok(Self {
            question,
            live,
            redefined,
        })
    }

    /// An object as it is there now.
    pub(crate) fn live(&self, wanted: &Value) -> Option<&Value> {
        self.live.get(&key(wanted))
    }

    /// What applying an object would come to.
    pub(crate) async fn ask(&self, resource: &Resource, object: &Value) -> Result<Verdict, CallError> {
        let question = self.question;
        let live = self.live(object);
        if let Some(live) = live {
            if let Some(why) = refusal::foreign(live, question.service, question.environment) {
                return Ok(Verdict::Refused(why, None));
            }
            if object::is_terminating(live) {
                return Ok(Verdict::Unasked(format!(
                    "{} is being deleted{}, and is waited for",
                    object::title(live),
                    refusal::held(live)
                )));
            }
        }
        let wanted = prepared(resource, object, live);
        if live.is_some_and(|live| render::settled(live, &wanted, FIELD_MANAGER)) {
            return Ok(Verdict::Settled);
        }
        if self.is_redefined(object) {
            return Ok(Verdict::Unasked(format!(
                "{} could not be asked about: this release changes the definition of its kind",
                object::title(object)
            )));
        }
        let mode = ApplyMode {
            force: question.force,
            dry_run: true,
            lease: None,
        };
        match question
            .cluster
            .apply(resource, question.namespace, &wanted, mode)
            .await
        {
            Ok(Applied { object: after, .. }) => Ok(Verdict::Becomes(after)),
            Err(CallError::Answer(answer)) => {
                if let Some(why) = unasked(&answer) {
                    let title = object::title(object);
                    return Ok(Verdict::Unasked(format!(
                        "{title} could not be asked about: {why}"
                    )));
                }
                if let Some(live) = live {
                    let fields = refusal::unchangeable(&answer, Some(live), &wanted);
                    if !fields.is_empty()
                        && replace::allowed(
                            live,
                            &wanted,
                            question.intent,
                            question.service,
                            question.environment,
                        )
                    {
                        let refused = replace::would_be_refused(
                            question.cluster,
                            resource,
                            question.namespace,
                            &wanted,
                        )
                        .await?;
                        return Ok(
                            refused.map_or(Verdict::Replaced(fields), |why| Verdict::Refused(why, None))
                        );
                    }
                    let stored = refusal::stored_versions(&answer, &wanted);
                    if !stored.is_empty() && question.intent == Intent::RollBack {
                        return Ok(match unserved(live, &wanted).as_slice() {
                            [] => Verdict::Kept(stored),
                            gone => Verdict::Refused(
                                format!(
                                    "{} cannot go back: its objects are stored in version {}, and what runs does not \
                                     serve version {} any more; serve it again first",
                                    object::title(object),
                                    stored.join(" and "),
                                    gone.join(" and ")
                                ),
                                None,
                            ),
                        });
                    }
                }
                let why = refusal::told(&answer, live, &wanted).unwrap_or_else(|| {
                    format!(
                        "{} was refused: {}",
                        object::title(object),
                        scrub(&answer.message, object)
                    )
                });
                let after = self.without_conflicts(resource, &wanted, &answer).await?;
                Ok(Verdict::Refused(why, after))
            }
            Err(error) => Err(error),
        }
    }

    /// What would become of an object if the fields of others were taken over.
    async fn without_conflicts(
        &self,
        resource: &Resource,
        wanted: &Value,
        answer: &crate::fault::Answer,
    ) -> Result<Option<Value>, CallError> {
        if answer.field_conflicts().next().is_none() {
            return Ok(None);
        }
        let mode = ApplyMode {
            force: true,
            dry_run: true,
            lease: None,
        };
        let question = self.question;
        match question
            .cluster
            .apply(resource, question.namespace, wanted, mode)
            .await
        {
            Ok(Applied { object: after, .. }) => Ok(Some(after)),
            Err(CallError::Answer(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_redefined(&self, object: &Value) -> bool {
        let api_version = object::api_version(object);
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.redefined
            .contains(&(group.to_owned(), object::kind(object).to_owned()))
    }
}

/// Versions that a definition is to serve and that the one there does not.
fn unserved(live: &Value, wanted: &Value) -> Vec<String> {
    let served = |definition: &Value| -> BTreeSet<String> {
        let versions = definition["spec"]["versions"].as_array();
        let versions = versions.into_iter().flatten().filter(|v| v["served"] == true);
        versions
            .filter_map(|v| v["name"].as_str())
            .map(str::to_owned)
            .collect()
    };
    served(wanted).difference(&served(live)).cloned().collect()
}

/// The object as it is sent: what depends on the kind's scope, on old servers, and on what is there.
pub(crate) fn prepared(resource: &Resource, object: &Value, live: Option<&Value>) -> Value {
    let mut wanted = as_kept(object);
    if !resource.namespaced {
        wanted["metadata"]
            .as_object_mut()
            .map(|metadata| metadata.remove("namespace"));
    }
    if let Some(live) = live {
        render::keep_scale(live, &mut wanted, FIELD_MANAGER);
    }
    wanted
}

/// Why an answer is none about the object.
fn unasked(answer: &crate::fault::Answer) -> Option<&'static str> {
    if answer.message.contains("does not support dry run") {
        return Some("a webhook of the cluster answers no dry runs");
    }
    if answer.is_namespace_terminating() {
        return Some("its namespace is being deleted");
    }
    match answer.code {
        404 => Some("its namespace is not there yet"),
        409 if answer.field_conflicts().next().is_none() => Some("it was changed at that moment"),
        _ => None,
    }
}

/// Objects of one kind with these names, as they are there.
async fn of_kind(
    question: &Question<'_>,
    resource: &Resource,
    names: &BTreeSet<&str>,
    any_known: bool,
) -> Result<Vec<Value>, CallError> {
    let (cluster, namespace) = (question.cluster, question.namespace);
    let mut found = Vec::new();
    if any_known && names.len() > ONE_BY_ONE {
        let selector = object::selector(question.service, question.environment);
        let ours = cluster.list(resource, namespace, &selector).await?;
        found.extend(ours.into_iter().filter(|o| names.contains(object::name(o))));
    }
    let seen: BTreeSet<String> = found.iter().map(|o| object::name(o).to_owned()).collect();
    let mut rest: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !seen.contains(*name))
        .collect();
    if resource.namespaced && rest.len() > ONE_BY_ONE {
        match cluster.names(resource, namespace).await {
            Ok(there) => rest.retain(|name| there.contains(*name)),
            // May be read one by one and not listed.
            Err(CallError::Fault(ClusterFault::Forbidden { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    let rest = rest
        .into_iter()
        .map(|name| cluster.get(resource, namespace, name));
    found.extend(try_all(rest).await?.into_iter().flatten().map(|mut object| {
        object["apiVersion"] = resource.api_version.as_str().into();
        object["kind"] = resource.kind.as_str().into();
        object
    }));
    Ok(found)
}
