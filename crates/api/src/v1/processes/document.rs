//! A process's document, from the wire to the domain and back.

use crate::v1::{
    policies::document::{entries, evidence, wire_evidence},
    requirement,
};
use jiff::SignedDuration;
use slipway_api_types::process::{
    ProcessCheck, ProcessDocument, ProcessPlace, ProcessStage, ProcessStrategy, ProcessWave,
};
use slipway_domain::{
    Faults, Name, duration,
    process::{Check, Document, Place, Promotion, Stage, Strategy, stage::ALL_TARGETS},
    registry::Wave,
};

/// Reads a document; what cannot be read is a fault below `/document`, and left out.
pub(super) fn read(given: ProcessDocument, faults: &mut Faults) -> Document {
    let mut inner = Faults::new();
    let document = Document {
        description: given.description,
        stages: entries(given.stages, "/stages", &mut inner, stage),
    };
    faults.nest("/document", inner);
    document
}

/// A duration that may be absent.
fn span(given: Option<String>, pointer: &str, faults: &mut Faults) -> Option<SignedDuration> {
    given.and_then(|text| faults.take(pointer, duration::parse(&text)))
}

fn stage(given: ProcessStage, faults: &mut Faults) -> Option<Stage> {
    let name = faults.take("/name", given.name.parse::<Name>());
    let place = place(given.place, faults);
    let promotion = match given.promotion.as_deref() {
        None | Some("manual") => Promotion::Manual,
        Some("automatic") => Promotion::Automatic,
        Some(_) => {
            faults.add("/promotion", "is `manual` or `automatic`");
            Promotion::Manual
        }
    };
    let approvals = given.approvals;
    let approvals = approvals.and_then(|required| requirement::read(required, "/approvals", faults));
    Some(Stage {
        promotion,
        soak: span(given.soak, "/soak", faults).unwrap_or_default(),
        success_share: given.success_share.unwrap_or(ALL_TARGETS),
        evidence: entries(given.evidence, "/evidence", faults, evidence),
        approvals,
        checklist: entries(given.checklist, "/checklist", faults, check),
        strategy: strategy(given.strategy.unwrap_or_default(), faults),
        handover: given.handover,
        ..Stage::new(name?, place?)
    })
}

fn place(given: ProcessPlace, faults: &mut Faults) -> Option<Place> {
    match given {
        ProcessPlace::Environment(name) => {
            let name = faults.take("/place/environment", name.parse())?;
            Some(Place::Environment(name))
        }
        ProcessPlace::Tier(tier) => Some(Place::Tier(faults.take("/place/tier", tier.parse())?)),
        ProcessPlace::Any => Some(Place::Any),
    }
}

fn check(given: ProcessCheck, faults: &mut Faults) -> Option<Check> {
    let name = faults.take("/name", given.name.parse());
    let role = faults.take("/role", given.role.parse());
    Some(Check {
        name: name?,
        what: given.what,
        role: role?,
    })
}

fn strategy(given: ProcessStrategy, faults: &mut Faults) -> Strategy {
    Strategy {
        waves: given
            .waves
            .map(|waves| entries(waves, "/strategy/waves", faults, wave)),
        progress_deadline: span(given.progress_deadline, "/strategy/progress_deadline", faults),
        automatic_rollback: given.automatic_rollback,
    }
}

fn wave(given: ProcessWave, faults: &mut Faults) -> Option<Wave> {
    let name = faults.take("/name", given.name.parse());
    slipway_app::check_labels(faults, "/match_labels", &given.match_labels);
    Some(Wave {
        soak: span(given.soak, "/soak", faults).unwrap_or_default(),
        name: name?,
        match_labels: given.match_labels,
        max_parallel: given.max_parallel,
        max_failures: given.max_failures,
    })
}

/// A document as it is sent.
pub(super) fn wire(document: &Document) -> ProcessDocument {
    ProcessDocument {
        description: document.description.clone(),
        stages: document.stages.iter().map(wire_stage).collect(),
    }
}

fn wire_stage(stage: &Stage) -> ProcessStage {
    let strategy = &stage.strategy;
    let is_as_elsewhere = *strategy == Strategy::default();
    ProcessStage {
        name: stage.name.to_string(),
        place: match &stage.place {
            Place::Environment(name) => ProcessPlace::Environment(name.to_string()),
            Place::Tier(tier) => ProcessPlace::Tier(tier.to_string()),
            Place::Any => ProcessPlace::Any,
        },
        promotion: Some(stage.promotion.to_string()),
        soak: Some(stage.soak.to_string()),
        success_share: Some(stage.success_share),
        evidence: stage.evidence.iter().map(wire_evidence).collect(),
        approvals: stage.approvals.as_ref().map(requirement::wire),
        checklist: stage.checklist.iter().map(wire_check).collect(),
        strategy: (!is_as_elsewhere).then(|| ProcessStrategy {
            waves: strategy
                .waves
                .as_ref()
                .map(|waves| waves.iter().map(wire_wave).collect()),
            progress_deadline: strategy.progress_deadline.map(|span| span.to_string()),
            automatic_rollback: strategy.automatic_rollback,
        }),
        handover: stage.handover,
    }
}

fn wire_check(check: &Check) -> ProcessCheck {
    ProcessCheck {
        name: check.name.to_string(),
        what: check.what.clone(),
        role: check.role.to_string(),
    }
}

fn wire_wave(wave: &Wave) -> ProcessWave {
    ProcessWave {
        name: wave.name.to_string(),
        match_labels: wave.match_labels.clone(),
        max_parallel: wave.max_parallel,
        max_failures: wave.max_failures,
        soak: Some(wave.soak.to_string()),
    }
}
