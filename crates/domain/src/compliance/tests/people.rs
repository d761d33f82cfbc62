//! What people are asked for.

use super::*;

fn said(by: &str, answer: Answer, hour: i64, comment: Option<&str>) -> DecisionFacts {
    DecisionFacts {
        by: by.to_owned(),
        answer,
        at: at(hour),
        comment: comment.map(str::to_owned),
    }
}

pub(super) fn approved() -> ApprovalFacts {
    ApprovalFacts {
        digest: crate::Digest::of_bytes(b"what approvers see"),
        id: ApprovalId::new(),
        state: ApprovalState::Approved,
        required: 2,
        role: Role::Authority,
        asked_by: vec![
            RequirementSource::Policy {
                name: name("careful"),
                version: 7,
                rule: Some(name("two")),
            },
            RequirementSource::Environment {
                name: name("production-eu"),
            },
        ],
        decisions: vec![
            said("eve", Answer::Approve, 9, None),
            said("dan", Answer::Approve, 8, Some("looks good")),
        ],
    }
}

pub(super) fn accepted() -> Acceptance {
    Acceptance {
        by: "olu".to_owned(),
        at: at(20),
        evidence: EvidenceId::new(),
    }
}

/// Production, admitted with these approvals on record.
fn with(approval: ApprovalFacts) -> Facts {
    let mut facts = good();
    facts.stages[1].approvals = vec![approved()];
    facts.stages[1].deployment = Some(succeeded(&gate_facts(&facts.stages[1])));
    facts.stages[1].approvals = vec![approval];
    facts
}

fn requests(report: &Report) -> Vec<&Requirement> {
    let all = report.environments[1].requirements.iter();
    all.filter(|requirement| requirement.what.starts_with("approval: by"))
        .collect()
}

#[test]
fn an_approval_is_told_for_each_who_asked_with_who_decided_and_when() {
    let approval = approved();
    let id = approval.id.to_string();
    let report = report(&with(approval), at(50));
    assert_eq!(report.verdict, Overall::Compliant, "{report:#?}");
    let gate = found(&report, 1, "approval: enough people");
    assert_eq!(gate.detail, "approved by 0 people");
    let requests = requests(&report);
    let sources: Vec<_> = requests
        .iter()
        .map(|request| request.source.to_string())
        .collect();
    assert_eq!(
        sources,
        ["policy careful, version 7, rule two", "environment production-eu"]
    );
    for request in requests {
        assert_eq!(request.what, "approval: by 2 with the role authority");
        assert_eq!(
            (request.since, &request.evidence),
            (Some(at(9)), &Some(id.clone()))
        );
        assert_eq!(
            request.detail,
            format!(
                "approved, 2 of 2 approved; dan approved at {}: \u{201c}looks good\u{201d}; eve approved at {}",
                at(8),
                at(9)
            )
        );
    }
}

#[test]
fn a_comment_tells_of_no_other_decision() {
    let mut approval = approved();
    approval.decisions[1].comment = Some("fine\u{201d}; gil approved at noon: \u{201c}me too".to_owned());
    let report = report(&with(approval), at(50));
    let detail = &requests(&report)[0].detail;
    assert!(
        detail.contains("\u{201c}fine\"; gil approved at noon: \"me too\u{201d}"),
        "{detail}"
    );
}

#[test]
fn what_too_few_approved_or_somebody_rejected_is_not_met() {
    let mut few = approved();
    few.decisions.pop();
    let mut pending = approved();
    pending.state = ApprovalState::Pending;
    let mut withdrawn = approved();
    withdrawn.state = ApprovalState::Withdrawn;
    for approval in [few, pending, withdrawn] {
        let report = report(&with(approval), at(50));
        assert!(requests(&report).iter().all(|request| {
            request.verdict == Verdict::Refused
                && request.detail.starts_with("it was admitted all the same: ")
        }));
    }
    let mut rejected = approved();
    rejected.decisions[0] = said("eve", Answer::Reject, 9, Some("no"));
    let report = report(&with(rejected), at(50));
    let request = requests(&report)[0];
    assert_eq!((request.verdict, request.since), (Verdict::Refused, Some(at(9))));
    assert!(
        request
            .detail
            .ends_with(&format!("eve rejected at {}: \u{201c}no\u{201d}", at(9)))
    );
}

#[test]
fn a_request_that_waits_is_open_and_says_how_to_decide() {
    let mut facts = good();
    let mut approval = approved();
    approval.state = ApprovalState::Pending;
    approval.asked_by.clear();
    approval.decisions.truncate(1);
    let (id, digest) = (approval.id, approval.digest);
    facts.stages[1].approvals = vec![approval];
    facts.stages[1].deployment = Some(waits(&gate_facts(&facts.stages[1]), ADMITTED));
    let report = report(&facts, at(12));
    let request = requests(&report)[0];
    assert_eq!(
        (request.verdict, &request.source),
        (Verdict::Open, &RequirementSource::Slipway)
    );
    assert!(
        request
            .detail
            .starts_with("pending, 1 of 2 approved; eve approved at ")
    );
    assert_eq!(
        request.unblocked_by,
        Some(format!("slipway approve {id} --digest {digest}")),
        "what is decided on is not the release alone"
    );
}

#[test]
fn a_handover_is_met_by_whoever_accepted_it_once_it_is_there() {
    let mut facts = good();
    facts.stages[1].handover = Some(HandoverFacts::default());
    let open = report(&facts, at(50));
    assert_eq!(open.verdict, Overall::Open);
    assert_eq!(not_met(&open, 1), [("handover", Verdict::Open)]);
    let acceptance = accepted();
    let id = acceptance.evidence.to_string();
    facts.stages[1].handover = Some(HandoverFacts {
        accepted: Some(acceptance),
    });
    let met = report(&facts, at(50));
    assert_eq!(met.verdict, Overall::Compliant);
    let handover = found(&met, 1, "handover");
    assert_eq!((handover.since, &handover.evidence), (Some(at(20)), &Some(id)));
    assert_eq!(handover.detail, format!("accepted by olu at {}", at(20)));
    facts.stages[1].deployment = Some(waits(&gate_facts(&facts.stages[1]), ADMITTED));
    let early = report(&facts, at(50));
    assert_eq!(found(&early, 1, "handover").verdict, Verdict::Open);
}
