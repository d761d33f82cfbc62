//! Every required kind of evidence exists for the digest, passed, and is fresh enough; skipped is not passed.
//!
//! * [`finding`]: what becomes of each requirement, one subject at a time; the verdict is made of that.
//! * [`record`]: what a verdict was judged on, as it is kept, and read back.

pub mod finding;
pub mod record;

pub use finding::{Finding, each};
pub use record::{Recorded, Seen, recorded};

use super::Verdict;
use crate::{
    Digest, Name,
    evidence::{Kind, Standing, Statement, standing},
    ids::EvidenceId,
    policy::document::{EvidenceOf, RequiredEvidence},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// Most counts that a reason repeats.
const MAX_COUNTS: usize = 10;

/// What is required, and what was stated.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// All requirements, of policies and of the process.
    pub required: Vec<Required>,
    /// The release, if its digest is fixed, and each of its components.
    pub subjects: Vec<Subject>,
    /// What was stated about their digests: all of it, or at least the newest of each kind and name.
    pub statements: Vec<Statement>,
}

/// One requirement.
#[derive(Debug, Clone)]
pub struct Required {
    /// Who asks for it.
    pub source: Source,
    /// What is asked for.
    pub evidence: RequiredEvidence,
}

/// Who asks for evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A rule of a policy.
    Policy {
        /// The policy's name.
        name: Name,
        /// Which of its versions.
        version: i64,
        /// The rule's name.
        rule: Name,
    },
    /// A stage of a process.
    Process {
        /// The process's name.
        name: Name,
        /// Which of its versions.
        version: i64,
        /// The stage's name.
        stage: Name,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy { name, version, rule } => {
                write!(f, "policy {name}, version {version}, rule {rule}")
            }
            Self::Process { name, version, stage } => {
                write!(f, "process {name}, version {version}, stage {stage}")
            }
        }
    }
}

/// What evidence may be required of.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The release, or one of its components.
    pub of: Of,
    /// How to call it: `web@1.2.0`.
    pub called: String,
    /// Its digest.
    pub digest: Digest,
}

/// What a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The release as a whole.
    Release,
    /// A component of it.
    Component,
}

/// A statement that says that something is wrong, and was not followed by a better one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Which.
    pub evidence: EvidenceId,
    /// What is wrong, for people.
    pub reason: String,
    /// What would mend it.
    pub unblocked_by: String,
}

/// Everything that was stated about these and says that something is wrong, required or not. Taking it back mends nothing:
/// that takes another statement.
#[must_use]
pub fn failing(subjects: &[Subject], statements: &[Statement]) -> Vec<Failing> {
    let standing = standing(statements);
    let of_subject = |subject: &Subject| {
        standing
            .values()
            .filter(|standing| {
                let statement = standing.of();
                statement.digest == subject.digest && !statement.normal.passed
            })
            .map(|standing| {
                let statement = standing.of();
                let normal = &statement.normal;
                Failing {
                    evidence: statement.id,
                    reason: did_not_pass(*standing, &subject.called),
                    unblocked_by: add(subject, normal.kind, Some(&normal.name)),
                }
            })
            .collect::<Vec<_>>()
    };
    subjects.iter().flat_map(of_subject).collect()
}

/// `the test report `unit` of web@1.2.0 did not pass (failed: 2)`.
fn did_not_pass(standing: Standing<'_>, of: &str) -> String {
    let normal = &standing.of().normal;
    let since = match standing {
        Standing::Counts(_) => "",
        Standing::Withdrawn(..) => ", and was withdrawn without another one",
    };
    format!(
        "the {} `{}` of {of} did not pass{}{since}",
        normal.kind.words(),
        normal.name,
        counts(&normal.counts)
    )
}

/// Judges it. All that is missing, and why, is in one reason.
#[must_use]
pub fn judge(facts: &Facts, now: Timestamp) -> (Verdict, Value) {
    let stated = Stated::of(facts);
    let mut faults: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let mut order = Vec::new();
    for finding in stated.findings(now).filter(|finding| !finding.met) {
        // Several may ask for the same: it is told once, with all who ask.
        let (_, sources) = faults.entry(finding.detail.clone()).or_insert_with(|| {
            order.push(finding.detail);
            (finding.unblocked_by.unwrap_or_default(), Vec::new())
        });
        let source = finding.source.to_string();
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    if order.is_empty() {
        let asked = facts.required.len();
        let verdict = Verdict::satisfied(match asked {
            0 => "no evidence is required".to_owned(),
            _ => format!("all evidence that is required is there: {asked} of {asked}"),
        });
        return (verdict, stated.inputs(now));
    }
    let mut reasons = Vec::new();
    let mut unblocked_by: Vec<&str> = Vec::new();
    for reason in &order {
        let Some((by, sources)) = faults.get(reason) else {
            continue;
        };
        reasons.push(format!("{reason} (asked for by {})", sources.join("; ")));
        if !unblocked_by.contains(&by.as_str()) {
            unblocked_by.push(by);
        }
    }
    let verdict = Verdict::waiting(reasons.join("; "), None, unblocked_by.join("; "));
    (verdict, stated.inputs(now))
}

/// Until when evidence that satisfies now goes on doing so by itself: the moment at which the first of it gets too old.
/// None when nothing that is required does, and when the gate is not satisfied.
#[must_use]
pub fn satisfied_until(facts: &Facts, now: Timestamp) -> Option<Timestamp> {
    let stated = Stated::of(facts);
    let mut first = None;
    for required in &facts.required {
        if stated.of_one(required, now).iter().any(|finding| !finding.met) {
            return None;
        }
        let evidence = &required.evidence;
        let Some(max_age) = evidence.max_age else {
            continue;
        };
        for subject in stated.subjects(evidence.of) {
            // As long as any of those that meet it.
            let last = stated
                .candidates(subject, evidence)
                .filter(|statement| met(statement, evidence, now))
                .map(|statement| too_old_at(statement, max_age))
                .max();
            first = [first, last].into_iter().flatten().min();
        }
    }
    first
}

/// The facts, with what counts of what was stated.
struct Stated<'f> {
    facts: &'f Facts,
    standing: BTreeMap<(Digest, Kind), Vec<Standing<'f>>>,
}

impl<'f> Stated<'f> {
    fn of(facts: &'f Facts) -> Self {
        let mut stated = BTreeMap::<_, Vec<_>>::new();
        for ((digest, kind, _), standing) in standing(&facts.statements) {
            stated.entry((digest, kind)).or_default().push(standing);
        }
        Self {
            facts,
            standing: stated,
        }
    }

    fn subjects(&self, of: EvidenceOf) -> impl Iterator<Item = &'f Subject> {
        let of = match of {
            EvidenceOf::Release => Of::Release,
            EvidenceOf::EveryComponent => Of::Component,
        };
        self.facts.subjects.iter().filter(move |subject| subject.of == of)
    }

    /// What there is of the kind for a subject, under the name if one is required.
    fn standings(
        &self,
        subject: &Subject,
        required: &RequiredEvidence,
    ) -> impl Iterator<Item = Standing<'f>> {
        let name = required.name.as_ref();
        self.standing
            .get(&(subject.digest, required.kind))
            .into_iter()
            .flatten()
            .copied()
            .filter(move |standing| name.is_none_or(|name| standing.of().normal.name == *name))
    }

    fn candidates(
        &self,
        subject: &Subject,
        required: &RequiredEvidence,
    ) -> impl Iterator<Item = &'f Statement> {
        self.standings(subject, required).filter_map(Standing::counts)
    }
}

fn met(statement: &Statement, required: &RequiredEvidence, now: Timestamp) -> bool {
    statement.normal.passed
        && (!required.signed || statement.verified_by().is_some())
        && required
            .max_age
            .is_none_or(|age| now < too_old_at(statement, age))
}

/// From then on it is too old.
fn too_old_at(statement: &Statement, max_age: SignedDuration) -> Timestamp {
    statement
        .dates_from()
        .saturating_add(max_age)
        .unwrap_or(Timestamp::MAX)
}

/// What to do about it, exactly.
fn add(subject: &Subject, kind: Kind, name: Option<&Name>) -> String {
    let release = match subject.of {
        Of::Release => "--release ",
        Of::Component => "",
    };
    let name = name.map(|name| format!(" --name {name}"));
    format!(
        "slipway evidence add {release}{} --kind {kind}{} --file FILE",
        subject.called,
        name.unwrap_or_default()
    )
}

/// The counts, for a sentence: ` (failed: 2, passed: 40)`; nothing of nothing.
fn counts(counts: &BTreeMap<String, i64>) -> String {
    let counts: Vec<_> = counts
        .iter()
        .take(MAX_COUNTS)
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
    if counts.is_empty() {
        return String::new();
    }
    format!(" ({})", counts.join(", "))
}

/// A duration as people read it: `36h`, in whole seconds.
fn span(duration: SignedDuration) -> String {
    format!("{:#}", SignedDuration::from_secs(duration.as_secs()))
}

#[cfg(test)]
mod tests;
