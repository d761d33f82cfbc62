//! The evidence that is asked for: as of now, or as it was when a deployment was admitted, and what became of that since.

use super::{
    Requirement, RequirementSource, Verdict,
    gates::asked,
    standing::{Place, Standing, met_at},
};
use crate::{
    evidence::Statement,
    gates::{
        self, GateName,
        evidence::{Facts, Finding, Recorded, Required, Seen, each, recorded},
    },
    ids::EvidenceId,
    policy::document::RequiredEvidence,
};
use jiff::Timestamp;

impl Place<'_> {
    /// One requirement for each that is asked for, and each that it is about.
    pub(super) fn evidence(&self, now: Timestamp) -> Vec<Requirement> {
        if let Standing::Admitted(_, at) = self.standing {
            return self.as_admitted(at);
        }
        let found = each(&self.stage.evidence, now).into_iter();
        found.map(|finding| self.as_it_stands(&finding)).collect()
    }

    /// Before anything is admitted.
    fn as_it_stands(&self, finding: &Finding) -> Requirement {
        let requirement = requirement(finding);
        match self.not_there() {
            None => requirement,
            Some(not_there) => Requirement {
                verdict: Verdict::Open,
                since: None,
                detail: format!("{not_there}; so far: {}", requirement.detail),
                unblocked_by: requirement.unblocked_by.or_else(|| Some(self.a_deployment())),
                ..requirement
            },
        }
    }

    /// As it was when it was admitted. Ages are as of then.
    fn as_admitted(&self, at: Timestamp) -> Vec<Requirement> {
        let gate = self.gate(GateName::Evidence);
        let held = gate.filter(|gate| matches!(gate.verdict, gates::Verdict::Satisfied { .. }));
        let record = held.map(|gate| recorded(&gate.inputs)).unwrap_or_default();
        let stated = &self.stage.evidence;
        let asking = |required: Vec<Required>| Facts {
            required,
            ..stated.clone()
        };
        let mut requirements = Vec::new();
        if let Some(gate) = gate.filter(|_| held.is_none()) {
            requirements.push(self.judged(
                asked(GateName::Evidence),
                RequirementSource::Slipway,
                &gate.verdict,
            ));
        }
        for unread in &record.unread {
            requirements.push(Requirement {
                evidence: self.record(),
                ..self.open(
                    asked(GateName::Evidence),
                    RequirementSource::Slipway,
                    format!("it was admitted with a requirement that this version of Slipway cannot read: {unread}"),
                )
            });
        }
        let on_record = each(&asking(record.required.clone()), at).into_iter();
        requirements.extend(on_record.map(|finding| self.since_admitted(&finding, &record, at)));
        let required = stated.required.iter();
        let beside = required.filter(|required| !record.asks_for(required)).cloned();
        let beside = each(&asking(beside.collect()), at).into_iter();
        requirements.extend(beside.map(|finding| not_on_record(&finding, at)));
        requirements
    }

    /// What was met when it was admitted, and what became of it.
    fn since_admitted(&self, finding: &Finding, record: &Recorded, at: Timestamp) -> Requirement {
        let met_by = self.met_by(finding, record);
        let known = finding.statement.and_then(|id| self.statement(id));
        let requirement = requirement(finding);
        let why = met_by.map_or_else(
            || "as the gate says".to_owned(),
            |seen| format!("by {}", seen.evidence),
        );
        if !finding.met {
            let contradicts = known.is_some_and(|statement| !statement.normal.passed);
            let withdrawn = known.and_then(|statement| statement.withdrawn.as_ref());
            let detail = format!("{}, and since then: {}", met_at(at, &why), finding.detail);
            return match finding.since {
                Some(stated_at) if contradicts => Requirement {
                    verdict: Verdict::Refused,
                    detail: format!("{detail}, as was stated at {stated_at}"),
                    ..requirement
                },
                _ => Requirement {
                    since: withdrawn.map_or(finding.since, |withdrawn| Some(withdrawn.at)),
                    detail,
                    ..requirement
                },
            };
        }
        match met_by {
            Some(seen) if Some(seen.evidence) == finding.statement => requirement,
            // Another one took its place since. What it was admitted with is what is on record.
            _ => Requirement {
                since: met_by
                    .and_then(|seen| self.statement(seen.evidence))
                    .map_or(Some(at), |statement| Some(statement.stated_at)),
                evidence: met_by.map_or(requirement.evidence, |seen| Some(seen.evidence.to_string())),
                detail: format!("{}, and is met now: {}", met_at(at, &why), finding.detail),
                ..requirement
            },
        }
    }

    fn statement(&self, id: EvidenceId) -> Option<&Statement> {
        self.stage
            .evidence
            .statements
            .iter()
            .find(|statement| statement.id == id)
    }

    /// What met it when it was admitted: what meets it now if that counted already, else the youngest that did and that could
    /// have met it.
    fn met_by<'r>(&self, finding: &Finding, record: &'r Recorded) -> Option<&'r Seen> {
        let of_subject = |seen: &&Seen| {
            self.stage
                .evidence
                .subjects
                .iter()
                .any(|subject| subject.called == finding.about && subject.digest == seen.digest)
        };
        let asked = &finding.evidence;
        let could = |seen: &&Seen| {
            seen.kind == asked.kind
                && seen.passed
                && asked.name.as_ref().is_none_or(|name| seen.name == *name)
                && (!asked.signed || seen.verified_by.is_some())
        };
        let could = || record.seen.iter().filter(of_subject).filter(could);
        could()
            .find(|seen| finding.met && Some(seen.evidence) == finding.statement)
            .or_else(|| could().max_by_key(|seen| seen.dates_from))
    }
}

/// What was to be asked for when it was admitted, and is not on record as asked for.
fn not_on_record(finding: &Finding, at: Timestamp) -> Requirement {
    let requirement = requirement(finding);
    let before = finding.since.is_some_and(|stated_at| stated_at <= at);
    let detail = &requirement.detail;
    if finding.met && before {
        let detail = format!("{detail}; that it was asked for when it was admitted is not on record");
        return Requirement {
            detail,
            ..requirement
        };
    }
    Requirement {
        verdict: Verdict::Refused,
        detail: format!("that it was met when it was admitted at {at} is not on record: {detail}"),
        ..requirement
    }
}

fn requirement(finding: &Finding) -> Requirement {
    Requirement {
        what: what(&finding.evidence),
        source: finding.source.clone().into(),
        about: finding.about.clone(),
        verdict: if finding.met { Verdict::Met } else { Verdict::Open },
        since: finding.since,
        evidence: finding.statement.map(|id| id.to_string()),
        detail: finding.detail.clone(),
        unblocked_by: finding.unblocked_by.clone(),
    }
}

/// What is asked for.
fn what(required: &RequiredEvidence) -> String {
    let mut what = format!("evidence: {}", required.kind.words());
    if let Some(name) = &required.name {
        what = format!("{what} `{name}`");
    }
    if required.signed {
        what += ", signed";
    }
    if let Some(max_age) = required.max_age {
        what = format!("{what}, at most {max_age:#} old");
    }
    what
}
