//! How deployments and what belongs to them are shown.

use super::diff;
use crate::client::{
    exit::Failure,
    http::{Listing, Reply},
    output::{Out, Show, clean, some_time, time},
};
use serde_json::value::RawValue;
use slipway_api_types::{
    deployment::{Blocker, Deployment, DeploymentTarget, Explanation, Gate, Manifests, Preview},
    event::Event,
};
use std::fmt::Write as _;

/// Prints several things of one resource, which come as a page or as a bare list.
pub(super) fn several<T: Show>(out: &Out, reply: &Reply) -> Result<(), Failure> {
    if out.json_wanted() {
        return out.json(&reply.body);
    }
    let listing = if reply.body.trim_start().starts_with('[') {
        Listing {
            items: reply.read::<Vec<Box<RawValue>>>()?,
            next: None,
        }
    } else {
        reply.read()?
    };
    out.list::<T>(&listing)
}

/// Prints what a deployment would change.
pub(super) fn preview(out: &Out, reply: &Reply) -> Result<(), Failure> {
    if out.json_wanted() {
        return out.json(&reply.body);
    }
    let preview: Preview = reply.read()?;
    let mut text = String::new();
    for target in &preview.targets {
        let new = if target.creates_namespace {
            " (new namespace)"
        } else {
            ""
        };
        // Hooks are run, and counted apart: below they are among the objects.
        let hooks = match target.objects.iter().filter(|object| object.hook).count() {
            0 => String::new(),
            1 => "; 1 hook is run".to_owned(),
            more => format!("; {more} hooks are run"),
        };
        text.push_str(&diff::line(&format!(
            "{}/{}{new}: {} created, {} updated, {} unchanged, {} pruned{}{hooks}",
            target.cluster,
            target.namespace,
            target.created,
            target.updated,
            target.unchanged,
            target.pruned,
            if target.replaced > 0 {
                format!(", {} replaced", target.replaced)
            } else {
                String::new()
            }
        )));
        let objects = target
            .objects
            .iter()
            .map(|object| (&object.diff, object.problem.as_deref()));
        text.push_str(&diff::objects(objects, out.colour));
        for note in &target.notes {
            text.push_str(&diff::line(&format!("  note: {note}")));
        }
        for hook in target.objects.iter().filter(|object| object.hook) {
            text.push_str(&diff::line(&format!(
                "  hook: {} {}",
                hook.diff.object.kind, hook.diff.object.name
            )));
        }
    }
    out.print(&text)
}

/// Prints the objects of a deployment as one YAML text.
pub(super) fn manifests(out: &Out, reply: &Reply, cluster: Option<&str>) -> Result<(), Failure> {
    if out.json_wanted() {
        return out.json(&reply.body);
    }
    let manifests: Manifests = reply.read()?;
    let mut text = String::new();
    let mut wanted = manifests
        .targets
        .iter()
        .filter(|t| cluster.is_none_or(|name| name == t.cluster))
        .peekable();
    if let (None, Some(name)) = (wanted.peek(), cluster) {
        let clusters: Vec<_> = manifests
            .targets
            .iter()
            .map(|target| target.cluster.as_str())
            .collect();
        return Err(Failure::Usage(format!(
            "no target on `{name}`; there are {}",
            clusters.join(", ")
        )));
    }
    for target in wanted {
        text.push_str(&diff::line(&format!(
            "# {}/{} {}",
            target.cluster, target.namespace, target.rendering
        )));
        for (what, objects) in [("", &target.objects), ("# hook\n", &target.hooks)] {
            for object in objects {
                let yaml = serde_saphyr::to_string(object).map_err(|error| {
                    Failure::unavailable(format!("an object cannot be written as YAML: {error}"))
                })?;
                let _ = write!(text, "---\n{what}{}\n", yaml.trim_end());
            }
        }
    }
    let safe: Vec<_> = text.split('\n').map(clean).collect();
    out.print(&safe.join("\n"))
}

/// A blocker in one line.
pub(crate) fn blocker(blocker: &Blocker) -> String {
    let mut text = format!("{}: {}", blocker.kind, blocker.reason);
    if let Some(who) = &blocker.unblocked_by {
        let _ = write!(text, " (moved by: {who})");
    }
    if let Some(until) = blocker.until {
        let _ = write!(text, " (until {})", time(until));
    }
    text
}

fn blockers(all: &[Blocker]) -> String {
    all.iter().map(blocker).collect::<Vec<_>>().join("\n")
}

/// A target in one line.
pub(crate) fn target(target: &DeploymentTarget) -> String {
    let mut text = format!("{}/{}: {}", target.cluster, target.namespace, target.state);
    if let Some(step) = target.step.as_ref().filter(|_| target.state == "running") {
        let _ = write!(text, " {step}");
    }
    if target.total > 0 {
        let _ = write!(text, " {}/{} ready", target.ready, target.total);
    }
    if let Some(reason) = &target.reason {
        let _ = write!(text, " - {reason}");
    }
    text
}

impl Show for Deployment {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "KIND",
        "RELEASE",
        "SERVICE",
        "ENVIRONMENT",
        "STATE",
        "SINCE",
        "REASON",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.kind.clone(),
            self.release.clone().unwrap_or_else(|| "(clean)".to_owned()),
            self.service.clone(),
            self.environment.clone(),
            self.state.clone(),
            time(self.since),
            self.reason.clone().unwrap_or_default(),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let expires = if self.started_at.is_none() && self.finished_at.is_none() {
            time(self.expires_at)
        } else {
            String::new()
        };
        let mut fields: Vec<_> = Self::COLUMNS.iter().copied().zip(self.cells()).collect();
        fields.extend([
            ("WAITING FOR", blockers(&self.blockers)),
            (
                "TARGETS",
                self.targets.iter().map(target).collect::<Vec<_>>().join("\n"),
            ),
            (
                "FORMER",
                self.former_targets
                    .iter()
                    .map(|former| former.message.clone())
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            ("DIGEST", text(&self.release_digest)),
            ("PLAN", self.plan_digest.clone()),
            ("APPROVAL", text(&self.approval)),
            (
                "REQUESTED",
                format!("{} by {}", time(self.created_at), self.requested_by),
            ),
            ("BECAUSE", text(&self.request_reason)),
            ("NOT BEFORE", some_time(self.not_before)),
            ("EXPIRES", expires),
            ("STARTED", some_time(self.started_at)),
            ("FINISHED", some_time(self.finished_at)),
            ("ROLLS BACK", text(&self.rolls_back)),
            ("ROLLED BACK BY", text(&self.rolled_back_by)),
            ("RETRIES", text(&self.retries)),
        ]);
        fields
    }
}

impl Show for Gate {
    const COLUMNS: &'static [&'static str] = &["GATE", "VERDICT", "REASON", "UNTIL", "MOVED BY"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.verdict.clone(),
            self.reason.clone(),
            some_time(self.until),
            self.unblocked_by.clone().unwrap_or_default(),
        ]
    }

    fn key(&self) -> String {
        format!("{} {}", self.name, self.verdict)
    }
}

/// What has changed on a target since, in a few words.
fn drift(objects: u32) -> String {
    match objects {
        0 => String::new(),
        1 => "1 object has drifted since".to_owned(),
        many => format!("{many} objects have drifted since"),
    }
}

impl Show for DeploymentTarget {
    const COLUMNS: &'static [&'static str] = &[
        "CLUSTER",
        "NAMESPACE",
        "WAVE",
        "INTENT",
        "STATE",
        "STEP",
        "READY",
        "REASON",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.cluster.clone(),
            self.namespace.clone(),
            self.wave.clone(),
            self.intent.clone(),
            self.state.clone(),
            self.step.clone().unwrap_or_default(),
            format!("{}/{}", self.ready, self.total),
            self.reason.clone().unwrap_or_else(|| drift(self.drift)),
        ]
    }

    fn key(&self) -> String {
        format!("{}/{}", self.cluster, self.namespace)
    }
}

impl Show for Explanation {
    const COLUMNS: &'static [&'static str] = &["STATE", "SUMMARY", "WAITING FOR", "ALLOWED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.state.clone(),
            self.summary.clone(),
            blockers(&self.blockers),
            self.allowed.join(", "),
        ]
    }

    fn key(&self) -> String {
        self.summary.clone()
    }
}

impl Show for Event {
    const COLUMNS: &'static [&'static str] = &["AT", "WHO", "KIND", "WHERE", "MESSAGE"];

    fn cells(&self) -> Vec<String> {
        vec![
            time(self.at),
            self.actor.clone(),
            self.kind.clone(),
            self.cluster.clone().unwrap_or_default(),
            self.message.clone(),
        ]
    }

    fn key(&self) -> String {
        self.seq.to_string()
    }
}
