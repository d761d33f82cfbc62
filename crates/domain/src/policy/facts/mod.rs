//! What policies are judged on: one documented JSON shape, the same for a deployment that is real, past or made up.
//!
//! A field is added by its line in [`FACTS`]; with it come its check, its JSON Schema and its documentation. What is there
//! is never renamed and never changes its meaning: policies that are in force read it. [`VERSION`] counts what was added.

pub mod known;
mod shape;
mod shared;
mod stated;

pub use shape::{Field, Shape};
pub use stated::evidence;

use crate::Faults;
use cel::{Context, common::value::Val};
use serde_json::{Value, json};
use shape::{field, optional};
pub(super) use shared::Extent;
use std::sync::Arc;

pub use super::expression::MAX_LIST;

/// Which fields there are: moves when one is added.
pub const VERSION: u32 = 1;

const TEXTS: Shape = Shape::List(&Shape::Text);
const LABELS: Shape = Shape::Map(&Shape::Text);

const PERSON: Shape = Shape::Object(&[
    field("subject", Shape::Text, "Who, as their issuer calls them."),
    field("issuer", Shape::Text, "Who says so."),
    field(
        "kind",
        Shape::OneOf(&["human", "machine"]),
        "A person or a machine.",
    ),
]);

const COMPONENT: Shape = Shape::Object(&[
    field("name", Shape::Text, "Its name in the library."),
    field("version", Shape::Text, "Its version (semver)."),
    field("digest", Shape::Text, "Digest of its content, `sha256:…`."),
    field("team", Shape::Text, "Who owns it."),
    field(
        "state",
        Shape::OneOf(&["available", "deprecated", "recalled"]),
        "Whether it may still be used.",
    ),
    optional(
        "source",
        Shape::Any,
        "Where it was built from, as it was registered.",
    ),
    field(
        "images",
        Shape::List(&IMAGE),
        "The container images that its objects name.",
    ),
    field(
        "kinds",
        TEXTS,
        "The kinds of its objects, each once: `apps/v1/Deployment`.",
    ),
    field("objects", Shape::Int, "How many objects it has."),
]);

const IMAGE: Shape = Shape::Object(&[
    field("reference", Shape::Text, "As it is written in the object."),
    field("registry", Shape::Text, "The registry it comes from."),
    field(
        "pinned",
        Shape::Bool,
        "Whether it is named by digest, so that it cannot change.",
    ),
]);

const EVIDENCE: Shape = Shape::Object(&[
    field(
        "kind",
        Shape::OneOf(&[
            "test_report",
            "scan",
            "sbom",
            "provenance",
            "signature",
            "configuration_baseline",
            "manual_check",
            "generic",
        ]),
        "What it is.",
    ),
    field(
        "name",
        Shape::Text,
        "What it is called among its kind: `unit`, `trivy`.",
    ),
    field("of", Shape::OneOf(&["release", "component"]), "What it is about."),
    optional("component", Shape::Text, "Which component, when it is about one."),
    field("digest", Shape::Text, "The digest it is bound to."),
    field(
        "passed",
        Shape::Bool,
        "Whether it says that all is well. Skipped is not passed.",
    ),
    field("verified", Shape::Bool, "Whether its signature was verified."),
    optional("signer", Shape::Text, "Who signed it, when that was verified."),
    field("age", Shape::Int, "How old it is, in seconds."),
    field(
        "counts",
        Shape::Map(&Shape::Int),
        "What was counted: `failed`, `skipped`, `critical`, …",
    ),
]);

const CHANGES: Shape = Shape::Object(&[
    field("created", Shape::Int, "Objects that are not there yet."),
    field("updated", Shape::Int, "Objects that change."),
    field("unchanged", Shape::Int, "Objects that stay as they are."),
    field("pruned", Shape::Int, "Objects that are taken away."),
]);

const ROOTS: &[Field] = &[
    field(
        "release",
        Shape::Object(&[
            field("name", Shape::Text, "`service@version`."),
            field("version", Shape::Text, "Its version (semver)."),
            field("digest", Shape::Text, "Digest of all it contains, `sha256:…`."),
            field("author", PERSON, "Who composed it."),
            field("sealed_by", PERSON, "Who sealed it."),
            field("age", Shape::Int, "Seconds since it was sealed."),
            field("notes", Shape::Text, "Its notes."),
        ]),
        "The release.",
    ),
    field("components", Shape::List(&COMPONENT), "What it is made of."),
    field(
        "evidence",
        Shape::List(&EVIDENCE),
        "What is stated about it and its components, and still counts.",
    ),
    field(
        "environment",
        Shape::Object(&[
            field("name", Shape::Text, "Its name."),
            field(
                "tier",
                Shape::OneOf(&["development", "test", "staging", "production"]),
                "What kind it is.",
            ),
            optional("promotes_from", Shape::Text, "The stage before."),
            field("clusters", TEXTS, "Its clusters."),
        ]),
        "Where it is to go.",
    ),
    field(
        "service",
        Shape::Object(&[
            field("name", Shape::Text, "Its name."),
            field("team", Shape::Text, "Who owns it."),
            field(
                "criticality",
                Shape::OneOf(&["low", "medium", "high", "critical"]),
                "How much depends on it.",
            ),
        ]),
        "The service it is a release of.",
    ),
    field("requester", PERSON, "Who asked for the deployment."),
    field(
        "deployment",
        Shape::Object(&[
            field(
                "kind",
                Shape::OneOf(&["deploy", "roll_back", "heal"]),
                "What it does.",
            ),
            optional("reason", Shape::Text, "Why, as its requester said."),
            field(
                "first",
                Shape::Bool,
                "Whether the service runs nowhere in the environment yet.",
            ),
        ]),
        "The deployment.",
    ),
    field(
        "plan",
        Shape::Object(&[
            field(
                "targets",
                Shape::List(&Shape::Object(&[
                    field("cluster", Shape::Text, "Name of the cluster."),
                    field("namespace", Shape::Text, "Its namespace there."),
                    field("labels", LABELS, "Labels of the cluster and the target."),
                    optional("replaces", Shape::Text, "The release that runs there."),
                    field("changes", CHANGES, "What it changes there, in objects."),
                ])),
                "Where it lands, and what it changes there.",
            ),
            field("waves", Shape::Int, "In how many waves."),
            field(
                "can_roll_back",
                Shape::Bool,
                "Whether what runs now can be brought back everywhere.",
            ),
        ]),
        "What it would do.",
    ),
    field(
        "risk",
        Shape::Object(&[
            field("score", Shape::Int, "0 (none) to 100."),
            field("factors", TEXTS, "What raised it."),
        ]),
        "What could go wrong.",
    ),
    field(
        "calendar",
        Shape::Object(&[
            field("now", Shape::Text, "The database's time, RFC 3339, UTC."),
            field(
                "weekday",
                Shape::OneOf(&[
                    "monday",
                    "tuesday",
                    "wednesday",
                    "thursday",
                    "friday",
                    "saturday",
                    "sunday",
                ]),
                "In UTC.",
            ),
            field("hour", Shape::Int, "0 to 23, in UTC."),
            field("date", Shape::Text, "`2026-11-23`, in UTC."),
        ]),
        "When it is.",
    ),
    field(
        "history",
        Shape::Object(&[
            field(
                "deployments",
                Shape::Int,
                "Of the service to this environment, in the last 30 days.",
            ),
            field(
                "failures",
                Shape::Int,
                "How many of those failed, erred or were rolled back.",
            ),
            optional("last", Shape::Text, "How the last one ended."),
            optional(
                "last_success",
                Shape::Int,
                "Seconds since the last one that succeeded.",
            ),
        ]),
        "What happened before.",
    ),
];

/// The shape of the facts.
pub const FACTS: Shape = Shape::Object(ROOTS);

/// The facts of one deployment, ready to be asked.
pub struct Facts {
    json: Value,
    context: Context<'static, 'static>,
    /// What the context has, to be found without it.
    roots: Vec<(String, Box<dyn Val>)>,
    extent: Extent,
}

impl Facts {
    /// Facts that are as they must be. Whole numbers are CEL's `int`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(json: Value) -> Result<Self, Faults> {
        FACTS.check(&json)?;
        let mut context = Context::with_env(Arc::clone(super::expression::env()));
        let mut extent = Extent::default();
        let mut roots = Vec::new();
        for (name, value) in json.as_object().into_iter().flatten() {
            let value = shared::shared(value, &mut extent);
            context.add_variable_as_val(name.clone(), value.clone_as_boxed());
            roots.push((name.clone(), value));
        }
        Ok(Self {
            json,
            context,
            roots,
            extent,
        })
    }

    /// As they were given.
    #[must_use]
    pub const fn json(&self) -> &Value {
        &self.json
    }

    pub(super) const fn context(&self) -> &Context<'static, 'static> {
        &self.context
    }

    /// What stands under a name.
    pub(super) fn root(&self, name: &str) -> Option<&(dyn Val + 'static)> {
        let root = self.roots.iter().find(|(known, _)| known == name);
        root.map(|(_, value)| &**value)
    }

    pub(super) const fn extent(&self) -> Extent {
        self.extent
    }

    /// The JSON Schema of the facts (2020-12).
    #[must_use]
    pub fn schema() -> Value {
        let mut schema = FACTS.schema();
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        schema["title"] = json!(format!("Facts that policies are judged on, version {VERSION}"));
        schema
    }
}

#[cfg(test)]
pub(crate) mod tests;
