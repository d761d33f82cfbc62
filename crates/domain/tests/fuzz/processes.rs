//! Processes: what is wrong with one, the picture of one, and the way that one is.

use crate::{
    bytes::Payload,
    choices::{Choices, made},
    documents::{PROCESS_WORDS, PROCESSES},
    json,
    runner::{Came, Checked, run},
};
use proptest::prelude::*;
use slipway_domain::{
    Name,
    process::{
        Document, Place, Where,
        document::{MAX_DESCRIPTION, MAX_STAGES},
    },
    registry::{Tier, environment::Settings},
};
use std::collections::BTreeSet;

#[derive(Debug)]
struct Written {
    payload: Payload,
    environments: Vec<Where>,
}

fn written(choices: &mut Choices<'_>) -> Written {
    const NAMES: [&str; 4] = ["staging", "production", "eu", "test"];
    const TIERS: [Tier; 4] = [Tier::Development, Tier::Test, Tier::Staging, Tier::Production];
    let environments = (0..choices.below(4)).map(|_| Where {
        name: choices.of(&NAMES).parse().unwrap(),
        tier: *choices.of(&TIERS),
    });
    let environments = environments.collect();
    let payload = json::document(choices, &PROCESSES, &PROCESS_WORDS);
    Written {
        payload,
        environments,
    }
}

#[test]
fn processes() {
    run("processes", &made(160, written), |written| {
        let Ok(document) = serde_json::from_slice::<Document>(&written.payload.0) else {
            return Ok(Came::Refused);
        };
        let kept = serde_json::to_string(&document).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Document>(&kept).unwrap(), &document);
        is_a_picture(&document)?;
        let judged = judged(&document)?;
        // Asked of none that is longer than it may be: each stage is looked for beside all others.
        if document.stages.len() <= MAX_STAGES {
            is_a_way(&document, &written.environments)?;
        }
        Ok(judged)
    });
}

/// What is wrong with it; nothing only of what keeps to the bounds that are documented.
fn judged(document: &Document) -> Checked {
    let faults = document.faults();
    prop_assert_eq!(&faults, &document.faults());
    let stages = document.stages.len();
    if !faults.is_empty() {
        for fault in faults.as_slice() {
            prop_assert!(!fault.detail.trim().is_empty(), "{fault:?}");
            let stage = fault
                .pointer
                .strip_prefix("/stages/")
                .map(|rest| rest.split('/').next().unwrap());
            let is_there = stage.is_none_or(|stage| stage.parse::<usize>().is_ok_and(|stage| stage < stages));
            let is_placed = stage.is_some() || ["/description", "/stages"].contains(&fault.pointer.as_str());
            prop_assert!(is_there && is_placed, "{fault:?}");
        }
        return Ok(Came::Refused);
    }
    prop_assert!(document.description.chars().count() <= MAX_DESCRIPTION);
    prop_assert!((1..=MAX_STAGES).contains(&stages));
    let names: BTreeSet<_> = document.stages.iter().map(|stage| &stage.name).collect();
    let places: BTreeSet<_> = document.stages.iter().map(|stage| &stage.place).collect();
    prop_assert_eq!((names.len(), places.len()), (stages, stages));
    for stage in &document.stages {
        prop_assert!((1..=100).contains(&stage.success_share));
        prop_assert!(!stage.soak.is_negative());
        let settings = stage.apply(&Settings::default());
        prop_assert!(settings.faults().is_empty(), "{:?}", settings.faults());
        let required: BTreeSet<_> = stage.required().into_iter().collect();
        prop_assert_eq!(required.len(), stage.required().len());
    }
    Ok(Came::Accepted)
}

/// Each line is one that Mermaid knows, and labels are made of what means nothing in them, whatever is written in the process.
fn is_a_picture(document: &Document) -> Result<(), TestCaseError> {
    let name: Name = "delivery".parse().unwrap();
    let picture = document.mermaid(&name, i64::MAX);
    prop_assert_eq!(&picture, &document.mermaid(&name, i64::MAX));
    let lines: Vec<_> = picture.strip_suffix('\n').unwrap().split('\n').collect();
    let (stages, edges) = (document.stages.len(), document.stages.len().saturating_sub(1));
    prop_assert_eq!(lines.len(), 2 + stages + edges, "{}", picture);
    prop_assert_eq!(lines[0], "flowchart LR");
    prop_assert_eq!(
        lines[1],
        format!("    accTitle: process delivery, version {}", i64::MAX)
    );
    for (i, line) in lines[2..2 + stages].iter().enumerate() {
        let label = line
            .strip_prefix(&format!("    s{i}[\""))
            .and_then(|rest| rest.strip_suffix("\"]"));
        prop_assert!(
            label.is_some_and(|label| label.split("<br/>").all(is_plain)),
            "{line}"
        );
    }
    for (i, line) in lines[2 + stages..].iter().enumerate() {
        let rest = line.strip_prefix(&format!("    s{i} -->|\""));
        let label = rest.and_then(|rest| rest.strip_suffix(&format!("\"| s{}", i + 1)));
        prop_assert!(label.is_some_and(is_plain), "{line}");
    }
    Ok(())
}

/// Letters, digits, spaces, a few signs, and codes of characters.
fn is_plain(label: &str) -> bool {
    let is_text = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" ,-_".contains(&b))
    };
    let mut parts = label.split('#');
    parts.next().is_some_and(is_text)
        && parts.all(|part| {
            part.split_once(';').is_some_and(|(code, after)| {
                !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()) && is_text(after)
            })
        })
}

/// Each environment is one stage at most, and what comes before a stage comes before it.
fn is_a_way(document: &Document, environments: &[Where]) -> Result<(), TestCaseError> {
    for environment in environments {
        let Some((at, stage)) = document.stage_of(environment) else {
            prop_assert!(document.stages.iter().all(|stage| stage.place != Place::Any));
            continue;
        };
        let is_it = match &stage.place {
            Place::Environment(name) => *name == environment.name,
            Place::Tier(tier) => *tier == environment.tier,
            Place::Any => true,
        };
        prop_assert!(is_it && document.stages[at] == *stage);
    }
    for at in 0..=document.stages.len() {
        let (before, after) = (
            document.before(at, environments),
            document.after(at, environments),
        );
        prop_assert!(before.is_none_or(|before| before.index < at));
        prop_assert!(after.is_none_or(|after| after.index > at && at < document.stages.len()));
    }
    Ok(())
}
