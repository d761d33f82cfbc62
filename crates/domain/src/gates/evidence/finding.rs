//! What becomes of each requirement, of one subject at a time.

use super::{
    Facts, Name, Required, RequiredEvidence, Source, Stated, Statement, Subject, add, counts, did_not_pass,
    met, span, too_old_at,
};
use crate::{evidence::Standing, ids::EvidenceId, policy::document::EvidenceOf};
use jiff::Timestamp;

/// What became of one requirement, of one of the subjects that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who asks for it.
    pub source: Source,
    /// What is asked for.
    pub evidence: RequiredEvidence,
    /// Of what: `web@1.2.0`.
    pub about: String,
    /// The statement that meets it, or the one because of which it is not met. Of several, the one that was stated first: it
    /// has been so since then.
    pub statement: Option<EvidenceId>,
    /// Whether it is met.
    pub met: bool,
    /// When that statement was stated.
    pub since: Option<Timestamp>,
    /// The key that its signature was verified with.
    pub verified_by: Option<Name>,
    /// What meets it, with its counts and its age, or what is missing; for people.
    pub detail: String,
    /// What would meet it.
    pub unblocked_by: Option<String>,
}

/// Judges each requirement of each subject that it is about, in their order. One that there is nothing for it to be about is
/// told too, and is not met: the gate is satisfied exactly when each of these is met.
#[must_use]
pub fn each(facts: &Facts, now: Timestamp) -> Vec<Finding> {
    Stated::of(facts).findings(now).collect()
}

/// How a requirement stands of one subject.
struct Outcome<'f> {
    met: bool,
    statement: Option<&'f Statement>,
    detail: String,
}

impl<'f> Stated<'f> {
    pub(super) fn findings(&self, now: Timestamp) -> impl Iterator<Item = Finding> {
        let required = self.facts.required.iter();
        required.flat_map(move |required| self.of_one(required, now))
    }

    /// One requirement, of each subject: one at least.
    pub(super) fn of_one(&self, required: &Required, now: Timestamp) -> Vec<Finding> {
        let findings: Vec<_> = self
            .subjects(required.evidence.of)
            .map(|subject| self.finding(required, subject, now))
            .collect();
        if findings.is_empty() {
            // What is required of nothing is not met by nothing.
            return vec![of_nothing(required)];
        }
        findings
    }

    fn finding(&self, required: &Required, subject: &Subject, now: Timestamp) -> Finding {
        let Required { source, evidence } = required;
        let outcome = self.outcome(subject, evidence, now);
        let statement = outcome.statement;
        Finding {
            source: source.clone(),
            evidence: evidence.clone(),
            about: subject.called.clone(),
            statement: statement.map(|statement| statement.id),
            met: outcome.met,
            since: statement.map(|statement| statement.stated_at),
            verified_by: statement.and_then(Statement::verified_by).cloned(),
            detail: outcome.detail,
            unblocked_by: (!outcome.met).then(|| add(subject, evidence.kind, evidence.name.as_ref())),
        }
    }

    /// Without a name, none of the kind may say that something is wrong, and one must meet the rest: otherwise a report
    /// that failed could be passed over for another. Taking it back makes it no better.
    fn outcome(&self, subject: &Subject, required: &RequiredEvidence, now: Timestamp) -> Outcome<'f> {
        let failed: Vec<_> = self
            .standings(subject, required)
            .filter(|standing| !standing.of().normal.passed)
            .collect();
        if !failed.is_empty() {
            let said = failed
                .iter()
                .map(|standing| did_not_pass(*standing, &subject.called));
            return Outcome {
                met: false,
                detail: said.collect::<Vec<_>>().join(", "),
                statement: first(failed.into_iter().map(Standing::of)),
            };
        }
        let candidates = || self.candidates(subject, required);
        let meets = |statement: &&Statement| met(statement, required, now);
        if let Some(statement) = first(candidates().filter(meets)) {
            return Outcome {
                met: true,
                statement: Some(statement),
                detail: passed(statement, subject, required, now),
            };
        }
        let short: Vec<_> = candidates()
            .map(|statement| falls_short(statement, subject, required, now))
            .collect();
        if short.is_empty() {
            return self.missing(subject, required);
        }
        Outcome {
            met: false,
            statement: first(candidates()),
            detail: short.join(", "),
        }
    }

    /// Where nothing counts.
    fn missing(&self, subject: &Subject, required: &RequiredEvidence) -> Outcome<'f> {
        let (of, kind) = (&subject.called, required.kind.words());
        let withdrawn = self
            .standings(subject, required)
            .find_map(|standing| match standing {
                Standing::Withdrawn(statement, withdrawal) => Some((statement, withdrawal)),
                Standing::Counts(_) => None,
            });
        let detail = match (withdrawn, &required.name) {
            (Some((statement, withdrawal)), _) => format!(
                "{} was withdrawn ({}) and not stated again",
                called(statement, subject),
                withdrawal.reason
            ),
            (None, Some(name)) => format!("the {kind} `{name}` of {of} is missing"),
            (None, None) => format!("a {kind} of {of} is missing"),
        };
        Outcome {
            met: false,
            statement: withdrawn.map(|(statement, _)| statement),
            detail,
        }
    }
}

fn of_nothing(required: &Required) -> Finding {
    let Required { source, evidence } = required;
    let (about, nobody) = match evidence.of {
        EvidenceOf::Release => ("the release", "a release that is sealed"),
        EvidenceOf::EveryComponent => ("every component", "a release with components"),
    };
    Finding {
        source: source.clone(),
        evidence: evidence.clone(),
        about: about.to_owned(),
        statement: None,
        met: false,
        since: None,
        verified_by: None,
        detail: format!("there is nothing that a {} could be about", evidence.kind.words()),
        unblocked_by: Some(nobody.to_owned()),
    }
}

/// The one that was stated first.
fn first<'f>(statements: impl Iterator<Item = &'f Statement>) -> Option<&'f Statement> {
    statements.min_by_key(|statement| (statement.stated_at, statement.id.uuid()))
}

/// `the test report `unit` of web@1.2.0`.
fn called(statement: &Statement, subject: &Subject) -> String {
    let normal = &statement.normal;
    format!(
        "the {} `{}` of {}",
        normal.kind.words(),
        normal.name,
        subject.called
    )
}

/// `the test report `unit` of web@1.2.0 passed (failed: 0, passed: 7), signed with the key `ci`, 2h old of 24h at most`.
fn passed(statement: &Statement, subject: &Subject, required: &RequiredEvidence, now: Timestamp) -> String {
    let mut said = format!(
        "{} passed{}",
        called(statement, subject),
        counts(&statement.normal.counts)
    );
    if let Some(key) = statement.verified_by() {
        said = format!("{said}, signed with the key `{key}`");
    }
    let age = now.duration_since(statement.dates_from());
    // Whoever asks how it was at an earlier time hears no age of what was stated since.
    if !age.is_negative() {
        said = format!("{said}, {} old", span(age));
        if let Some(max_age) = required.max_age {
            said = format!("{said} of {} at most", span(max_age));
        }
    }
    said
}

/// What keeps one that passed from meeting it.
fn falls_short(
    statement: &Statement,
    subject: &Subject,
    required: &RequiredEvidence,
    now: Timestamp,
) -> String {
    let mut what = Vec::new();
    if required.signed && statement.verified_by().is_none() {
        what.push("is not signed with a key that was verified".to_owned());
    }
    if let Some(max_age) = required.max_age.filter(|age| too_old_at(statement, *age) <= now) {
        let age = now.duration_since(statement.dates_from());
        what.push(format!(
            "is {} old, and at most {} is allowed",
            span(age),
            span(max_age)
        ));
    }
    format!("{} {}", called(statement, subject), what.join(", and "))
}
