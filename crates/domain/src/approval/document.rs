//! What approvers see, as one document with one digest: what a decision names.
//!
//! It is written anew whenever something that is in it has changed, and decisions on what it was before are withdrawn. What
//! could go wrong is told as it was when the document was written: it does not change by itself.

use super::merge::Source;
use crate::{
    Digest, Name,
    gates::{GateName, evidence},
    ids::EvidenceId,
    policy::{Judgement, judge::Kept, risk::Risk},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// How documents are written; raised when that changes.
pub const FORMAT: u32 = 1;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// How it is written.
    pub format: u32,
    /// What is to be decided on.
    pub about: About,
    /// What could go wrong, when this was written.
    pub risk: Risk,
}

/// What is to be decided on: a change of any of it asks for the decision anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The release, as people call it.
    pub release: String,
    /// Its digest.
    pub release_digest: Digest,
    /// Digest over targets and renderings.
    pub plan_digest: Digest,
    /// The environment.
    pub environment: Name,
    /// What the release is made of.
    pub components: Vec<Part>,
    /// What changes where.
    pub targets: Vec<Change>,
    /// What is required to have been stated, and what was.
    pub evidence: Vec<Proof>,
    /// The policies that were asked, with the rules that were not kept.
    pub policies: Vec<Asked>,
    /// When it may start, and when it may not any more.
    pub window: Window,
    /// Whether fields that others manage are taken over.
    pub force_conflicts: bool,
    /// Gates that it goes on without, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overridden: Vec<Overridden>,
}

/// A component version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The component.
    pub name: Name,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
}

/// What changes on one target, and what would be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The target.
    pub target: String,
    /// What runs there, and is what a rollback brings back; nothing yet when absent.
    pub runs: Option<String>,
    /// Digest of the rendering that runs there.
    pub runs_rendering: Option<Digest>,
    /// Digest of the rendering that it brings.
    pub brings: Digest,
}

/// One requirement of evidence, of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What is asked for, of what, and by what.
    pub required: String,
    /// Whether it is there, passed, and fresh enough.
    pub met: bool,
    /// The statement that meets it, or because of which it is not met.
    pub statement: Option<EvidenceId>,
}

/// A version of a policy that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The policy.
    pub policy: Name,
    /// Which version.
    pub version: i64,
    /// Rules that were not kept, or could not be judged, with what happens then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_kept: Vec<(Name, String)>,
}

/// When it may start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Not before then.
    pub not_before: Option<Timestamp>,
    /// Not any more from then on.
    pub expires_at: Timestamp,
}

/// A gate that it goes on without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overridden {
    /// Which.
    pub gate: GateName,
    /// Who took that on themselves, by name.
    pub by: String,
    /// Why.
    pub justification: String,
    /// What it is about: a reference to an incident.
    pub incident: String,
}

impl Document {
    /// Writes it.
    #[must_use]
    pub const fn new(about: About, risk: Risk) -> Self {
        Self {
            format: FORMAT,
            about,
            risk,
        }
    }

    /// With its digest, SHA-256 over its canonical JSON (RFC 8785).
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn written(self) -> Result<Written, serde_json::Error> {
        Ok(Written {
            digest: Digest::of_canonical(&self)?,
            document: self,
        })
    }
}

/// A document, and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What it says.
    pub document: Document,
    /// Its digest: what decisions name.
    pub digest: Digest,
}

impl Proof {
    /// What became of a requirement.
    #[must_use]
    pub fn of(finding: &evidence::Finding) -> Self {
        let kind = finding.evidence.kind;
        let name = finding.evidence.name.as_ref();
        let called = name.map_or_else(|| kind.to_string(), |name| format!("{kind} {name}"));
        Self {
            required: format!("{called} of {} ({})", finding.about, finding.source),
            met: finding.met,
            statement: finding.statement,
        }
    }
}

impl Asked {
    /// Every policy that was asked.
    #[must_use]
    pub fn of(judgement: &Judgement) -> Vec<Self> {
        let mut all: Vec<_> = judgement
            .policies
            .iter()
            .map(|(policy, version)| Self {
                policy: policy.clone(),
                version: *version,
                not_kept: Vec::new(),
            })
            .collect();
        let not_kept = |kept| matches!(kept, Kept::NotKept | Kept::Unknown);
        for rule in judgement.rules.iter().filter(|rule| not_kept(rule.kept)) {
            let effect = match rule.kept {
                Kept::Unknown => "refuse",
                _ => rule.effect.as_str(),
            };
            let mut of = all.iter_mut();
            if let Some(asked) = of.find(|asked| asked.policy == rule.policy && asked.version == rule.version)
            {
                asked.not_kept.push((rule.rule.clone(), effect.to_owned()));
            }
        }
        all
    }
}

impl About {
    /// What has changed since, a sentence each; nothing when nothing has.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut differs = |what: &str, was: &dyn std::fmt::Display, is: &dyn std::fmt::Display| {
            let (was, is) = (was.to_string(), is.to_string());
            if was != is {
                changes.push(format!("{what} was {was} and is {is}"));
            }
        };
        differs("the release", &before.release_digest, &self.release_digest);
        differs("the plan", &before.plan_digest, &self.plan_digest);
        differs("the environment", &before.environment, &self.environment);
        differs("force_conflicts", &before.force_conflicts, &self.force_conflicts);
        differs(
            "the latest start",
            &before.window.expires_at,
            &self.window.expires_at,
        );
        let when = |at: Option<Timestamp>| at.map_or_else(|| "at once".to_owned(), |at| at.to_string());
        differs(
            "the earliest start",
            &when(before.window.not_before),
            &when(self.window.not_before),
        );
        for target in &self.targets {
            let Some(was) = before.targets.iter().find(|other| other.target == target.target) else {
                changes.push(format!("it lands on {} as well", target.target));
                continue;
            };
            let runs = |change: &Change| {
                let digest = change
                    .runs_rendering
                    .map_or_else(String::new, |digest| format!(" ({digest})"));
                change
                    .runs
                    .as_ref()
                    .map_or_else(|| "nothing".to_owned(), |runs| format!("{runs}{digest}"))
            };
            let (was, is) = (runs(was), runs(target));
            if was != is {
                changes.push(format!("on {} ran {was}, and {is} does now", target.target));
            }
        }
        for gone in &before.targets {
            if !self.targets.iter().any(|target| target.target == gone.target) {
                changes.push(format!("it does not land on {} any more", gone.target));
            }
        }
        lists(
            "evidence",
            &before.evidence,
            &self.evidence,
            Proof::said,
            &mut changes,
        );
        lists(
            "policies",
            &before.policies,
            &self.policies,
            Asked::said,
            &mut changes,
        );
        lists(
            "overrides",
            &before.overridden,
            &self.overridden,
            Overridden::said,
            &mut changes,
        );
        if changes.is_empty() && self != before {
            changes.push("it is written in another way".to_owned());
        }
        changes
    }
}

/// What is in one list and not in the other.
fn lists<T: PartialEq>(
    what: &str,
    before: &[T],
    now: &[T],
    said: impl Fn(&T) -> String,
    changes: &mut Vec<String>,
) {
    let only = |of: &[T], not_in: &[T]| {
        let only = of.iter().filter(|one| !not_in.contains(one));
        only.map(&said).collect::<Vec<_>>().join(", ")
    };
    let (gone, new) = (only(before, now), only(now, before));
    if gone.is_empty() && new.is_empty() {
        return;
    }
    let mut change = what.to_owned();
    if !gone.is_empty() {
        let _ = write!(change, ": no more {gone}");
    }
    if !new.is_empty() {
        let _ = write!(change, ": now {new}");
    }
    changes.push(change);
}

impl Proof {
    fn said(&self) -> String {
        let met = if self.met { "met" } else { "not met" };
        match self.statement {
            Some(statement) => format!("{} {met} by {statement}", self.required),
            None => format!("{} {met}", self.required),
        }
    }
}

impl Asked {
    fn said(&self) -> String {
        let rules: Vec<_> = self
            .not_kept
            .iter()
            .map(|(rule, effect)| format!("{rule} ({effect})"))
            .collect();
        match rules.as_slice() {
            [] => format!("{} version {}", self.policy, self.version),
            _ => format!(
                "{} version {}, not kept: {}",
                self.policy,
                self.version,
                rules.join(" and ")
            ),
        }
    }
}

impl Overridden {
    fn said(&self) -> String {
        format!("{} by {}", self.gate, self.by)
    }
}

/// What asks for approval, in a sentence.
#[must_use]
pub fn asked_by<'a>(sources: impl IntoIterator<Item = &'a Source>) -> String {
    let said: Vec<_> = sources.into_iter().map(ToString::to_string).collect();
    said.join("; ")
}

#[cfg(test)]
mod tests;
