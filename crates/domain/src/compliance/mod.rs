//! Compliance: every requirement that a release meets on its way, where it comes from, its evidence, its verdict, since when.
//!
//! An auditor reads the report a year later and checks it against the record. It says of each environment what the record
//! says, and nothing is left out: what is not met yet is there, and what nobody could judge is there, and not met.
//!
//! * `facts`: what the caller knows; `report`: what is told of it, as JSON says it.
//! * `standing`: how far the release has come in an environment, and what that makes of a gate's verdict.
//! * `gates`, `policies`, `proofs`, `people`: the requirements, by where they come from.
//! * `page`: what people are shown, in which order; `markdown`, `html`: how that is written, and what is written otherwise
//!   because it would mean something in the language.
//!
//! # What a verdict means
//! A requirement is `met`, `open` (nobody said no, and it is not met) or `refused` (a gate, a person or what runs said no). One
//! that is refused makes its environment, and the report, not compliant; else one that is open leaves them open. A report of
//! no environment is open: nothing was shown.
//!
//! What that is depends on the deployment of the release there:
//!
//! 1. **There is none.** Nothing is met, whatever was stated already: every requirement is open, "not deployed there yet", with
//!    what is there so far.
//! 2. **It waits.** Evidence is judged as of now; other gates are as they were judged last. What waits is open, what
//!    refuses is refused.
//! 3. **It ended before it began.** Nothing is met, as if there were none: what held was judged for a request that is over, and
//!    the next one is judged anew. Of one that was rejected, what refused it is refused. What expired, was cancelled or
//!    superseded was refused by nobody.
//! 4. **It was admitted.** What holds is what its gates were judged to be in the transaction that admitted it, with the
//!    evidence they were judged on: it is met since then, and getting older afterwards changes nothing. A gate that is on
//!    record as not satisfied is refused, and so is one that every deployment has, or a policy that covered it, without a
//!    verdict on record: it was admitted all the same. Evidence that is on record as required is told even when the caller
//!    does not name it any more. What the caller names and the record does not is met only by what was stated before, and
//!    else refused: nothing shows that it was admitted with it.
//!
//! What was met when it was admitted may have been contradicted since. Then the detail says that it was met, when, and what
//! changed:
//!
//! * a statement that says that something is wrong, of what was required: refused. Whether or not anybody requires it, it
//!   revokes what was shown in the stage and the environment before, and these requirements are refused too;
//! * the release was withdrawn, or something in it was recalled: refused, wherever the release is or is not;
//! * evidence was taken back, or gave way to such as does not suffice, and nothing says that something is wrong: open, until
//!   it is stated again.
//!
//! That a deployment succeeds in each environment is a requirement of the process, met by one that did. One that failed or was
//! rolled back was judged, and is refused; one that errored or was cancelled is open. Handover, where a stage asks for it, is met
//! by whoever accepted it, once the release is there.
//!
//! # How to extend
//! A requirement of another kind: what is known of it in `facts`, and its function beside those that it comes from, called in
//! [`report()`]; it says itself what it is in each of the four cases above.

mod facts;
mod gates;
mod html;
mod markdown;
mod page;
mod people;
mod policies;
mod proofs;
mod report;
mod standing;
#[cfg(test)]
mod tests;

pub use facts::{
    Acceptance, ApprovalFacts, DecisionFacts, DeploymentFacts, Facts, HandoverFacts, StageFacts,
};
pub use html::html;
pub use markdown::markdown;
pub use report::{
    DeploymentReport, EnvironmentReport, NamedVersion, Overall, ReleaseReport, Report, Requirement,
    RequirementSource, Verdict,
};

use jiff::Timestamp;
use standing::Place;

/// Judges a release by everything that is asked of it on its way.
#[must_use]
pub fn report(facts: &Facts, now: Timestamp) -> Report {
    let environments: Vec<_> = facts
        .stages
        .iter()
        .map(|stage| environment(&Place::new(facts, stage), now))
        .collect();
    let unusable = facts.unusable().map(|_| Verdict::Refused);
    let verdicts = environments.iter().map(|environment| environment.verdict);
    Report {
        at: now,
        release: ReleaseReport {
            release: facts.release.clone(),
            digest: facts.digest,
            service: facts.service.clone(),
            team: facts.team.clone(),
            criticality: facts.criticality,
            author: facts.author.clone(),
            sealed_by: facts.sealed_by.clone(),
            sealed_at: facts.sealed_at,
            withdrawn: facts.withdrawn.clone(),
            recalled: facts.recalled.clone(),
        },
        process: NamedVersion {
            name: facts.process.clone(),
            version: facts.process_version,
        },
        verdict: verdicts
            .chain(unusable.map(|verdict| Overall::of([verdict])))
            .max()
            .unwrap_or(Overall::Open),
        environments,
    }
}

fn environment(place: &Place<'_>, now: Timestamp) -> EnvironmentReport {
    let mut requirements = vec![place.release()];
    requirements.extend(place.process());
    requirements.extend(place.promotion());
    requirements.extend(place.policies());
    requirements.extend(place.evidence(now));
    requirements.extend(place.approvals());
    requirements.extend(place.of_every_deployment());
    requirements.push(place.deployment());
    requirements.extend(place.handover());
    let stage = place.stage;
    EnvironmentReport {
        stage: stage.stage.clone(),
        environment: stage.environment.clone(),
        tier: stage.tier,
        verdict: Overall::of(requirements.iter().map(|requirement| requirement.verdict)),
        deployment: stage.deployment.as_ref().map(DeploymentReport::from),
        requirements,
    }
}
