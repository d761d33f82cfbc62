use super::*;
use crate::{
    Name,
    approval::Requirement,
    evidence::Kind,
    identity::Role,
    policy::document::{EvidenceOf, RequiredEvidence},
    registry::Tier,
};
use jiff::SignedDuration;

mod faults;
mod pictures;
mod routes;
mod stages;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn environment(text: &str) -> Place {
    Place::Environment(name(text))
}

fn document(places: Vec<Place>) -> Document {
    let stages = places.into_iter().enumerate();
    Document {
        description: String::new(),
        stages: stages
            .map(|(i, place)| Stage::new(name(&format!("stage-{i}")), place))
            .collect(),
    }
}

/// From tier to tier.
fn tiers() -> Document {
    let all = [Tier::Development, Tier::Test, Tier::Staging, Tier::Production];
    Document {
        description: String::new(),
        stages: all
            .map(|tier| Stage::new(name(tier.as_str()), Place::Tier(tier)))
            .into(),
    }
}

fn check(called: &str, what: &str) -> Check {
    Check {
        name: name(called),
        what: what.to_owned(),
        role: Role::Operator,
    }
}

fn evidence(kind: Kind) -> RequiredEvidence {
    RequiredEvidence {
        kind,
        name: None,
        of: EvidenceOf::EveryComponent,
        max_age: None,
        signed: false,
    }
}

fn people(count: u32) -> Requirement {
    Requirement::new(Role::Authority, count)
}

/// A stage that says something of everything.
fn full() -> Stage {
    let hours = SignedDuration::from_hours;
    Stage {
        promotion: Promotion::Automatic,
        soak: hours(36),
        success_share: 90,
        evidence: vec![
            RequiredEvidence {
                name: Some(name("unit")),
                max_age: Some(hours(24)),
                signed: true,
                ..evidence(Kind::TestReport)
            },
            evidence(Kind::Scan),
        ],
        approvals: Some(people(2)),
        checklist: vec![check("looked-at", "it looks as it should")],
        strategy: Strategy {
            waves: Some(Vec::new()),
            progress_deadline: Some(hours(1)),
            automatic_rollback: Some(false),
        },
        handover: true,
        ..Stage::new(name("production"), Place::Tier(Tier::Production))
    }
}
