//! A target for each format of what nobody signed. Statements and envelopes are in `signed`.

use crate::{
    bytes::{Payload, retoken, rubbish},
    choices::{Choices, made},
    documents::{
        BASELINE, BASELINE_WORDS, CHECK, CHECK_WORDS, CYCLONEDX, CYCLONEDX_WORDS, JUNIT, JUNIT_WORDS, SARIF,
        SARIF_WORDS, SPDX, SPDX_WORDS, TRIVY, TRIVY_WORDS,
    },
    json,
    normal::Case,
    runner::run,
};
use slipway_domain::evidence::Kind;

fn json_of(
    target: &'static str,
    kind: Kind,
    documents: &'static [&'static str],
    words: &'static [&'static str],
) {
    let inputs = made(120, |choices| {
        let payload = json::document(choices, documents, words);
        Case::of(choices, kind, payload)
    });
    run(target, &inputs, |case| case.check(None));
}

#[test]
fn sarif() {
    json_of("sarif", Kind::Scan, &SARIF, &SARIF_WORDS);
}

#[test]
fn trivy() {
    json_of("trivy", Kind::Scan, &TRIVY, &TRIVY_WORDS);
}

#[test]
fn cyclonedx() {
    json_of("cyclonedx", Kind::Sbom, &CYCLONEDX, &CYCLONEDX_WORDS);
}

#[test]
fn spdx() {
    json_of("spdx", Kind::Sbom, &SPDX, &SPDX_WORDS);
}

#[test]
fn configuration_baselines() {
    json_of(
        "configuration_baselines",
        Kind::ConfigurationBaseline,
        &BASELINE,
        &BASELINE_WORDS,
    );
}

#[test]
fn manual_checks() {
    json_of("manual_checks", Kind::ManualCheck, &CHECK, &CHECK_WORDS);
}

#[test]
fn junit() {
    let inputs = made(120, |choices| {
        let payload = xml(choices);
        Case::of(choices, Kind::TestReport, payload)
    });
    run("junit", &inputs, |case| case.check(None));
}

fn xml(choices: &mut Choices<'_>) -> Payload {
    if choices.one_in(12) {
        return Payload(rubbish(choices, &JUNIT_WORDS));
    }
    let mut text = (*choices.of(&JUNIT)).to_owned();
    for _ in 0..choices.below(6) {
        text = retoken(choices, &text, &JUNIT_WORDS);
    }
    Payload(json::spoilt(choices, text, &JUNIT_WORDS))
}
