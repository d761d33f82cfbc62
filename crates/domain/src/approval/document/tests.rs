use super::*;
use crate::{
    evidence::Kind,
    policy::document::{EvidenceOf, RequiredEvidence},
};
use proptest::prelude::*;

fn digest(of: &str) -> Digest {
    Digest::of_bytes(of.as_bytes())
}

fn about() -> About {
    About {
        release: "storefront@1.1.0".to_owned(),
        release_digest: digest("release"),
        plan_digest: digest("plan"),
        environment: "production".parse().unwrap(),
        components: vec![Part {
            name: "web".parse().unwrap(),
            version: "1.1.0".to_owned(),
            digest: digest("web"),
        }],
        targets: vec![Change {
            target: "eu".to_owned(),
            runs: Some("storefront@1.0.0".to_owned()),
            runs_rendering: Some(digest("1.0.0")),
            brings: digest("1.1.0"),
        }],
        evidence: vec![Proof {
            required: "test_report of web@1.1.0 (policy guard, version 1, rule proven)".to_owned(),
            met: true,
            statement: Some(EvidenceId::new()),
        }],
        policies: vec![Asked {
            policy: "guard".parse().unwrap(),
            version: 1,
            not_kept: Vec::new(),
        }],
        window: Window {
            not_before: None,
            expires_at: Timestamp::UNIX_EPOCH,
        },
        force_conflicts: false,
        overridden: Vec::new(),
    }
}

fn written(about: About) -> Digest {
    let risk = Risk {
        score: 7,
        factors: vec!["it goes to production".to_owned()],
    };
    Document::new(about, risk).written().unwrap().digest
}

/// One way in which what people saw can change.
type Changed = fn(&mut About);

fn changes() -> Vec<(Changed, &'static str)> {
    vec![
        (|a| a.release_digest = digest("other"), "the release was"),
        (|a| a.plan_digest = digest("other"), "the plan was"),
        (
            |a| a.environment = "staging".parse().unwrap(),
            "the environment was production and is staging",
        ),
        (
            |a| a.components[0].digest = digest("other"),
            "it is written in another way",
        ),
        (|a| a.targets[0].runs = None, "on eu ran storefront@1.0.0"),
        (
            |a| a.targets[0].runs_rendering = Some(digest("by hand")),
            "on eu ran storefront@1.0.0",
        ),
        (
            |a| a.targets[0].brings = digest("other"),
            "it is written in another way",
        ),
        (
            |a| a.targets[0].target = "us".to_owned(),
            "it lands on us as well",
        ),
        (|a| a.targets.clear(), "it does not land on eu any more"),
        (|a| a.evidence[0].met = false, "evidence: no more test_report"),
        (
            |a| a.evidence[0].statement = None,
            "evidence: no more test_report",
        ),
        (|a| a.evidence.clear(), "evidence: no more test_report"),
        (
            |a| a.policies[0].version = 2,
            "policies: no more guard version 1: now guard version 2",
        ),
        (
            |a| {
                let rule = ("calm".parse().unwrap(), "warn".to_owned());
                a.policies[0].not_kept.push(rule);
            },
            "policies: no more guard version 1: now guard version 1, not kept: calm (warn)",
        ),
        (
            |a| a.window.not_before = Some(Timestamp::MAX),
            "the earliest start was at once",
        ),
        (|a| a.window.expires_at = Timestamp::MAX, "the latest start was"),
        (
            |a| a.force_conflicts = true,
            "force_conflicts was false and is true",
        ),
        (
            |a| {
                a.overridden.push(Overridden {
                    gate: GateName::Evidence,
                    by: "otto".to_owned(),
                    justification: "it burns".to_owned(),
                    incident: "INC-1".to_owned(),
                });
            },
            "overrides: now evidence by otto",
        ),
    ]
}

#[test]
fn whatever_changes_changes_the_digest_and_is_told() {
    let before = about();
    assert!(before.changes_since(&before).is_empty());
    for (change, told) in changes() {
        let mut now = before.clone();
        change(&mut now);
        assert_ne!(written(now.clone()), written(before.clone()), "{told}");
        let said = now.changes_since(&before).join("; ");
        assert!(said.contains(told), "{said:?} does not tell {told:?}");
    }
}

#[test]
fn it_is_read_back_as_it_was_written() {
    let document = Document::new(
        about(),
        Risk {
            score: 0,
            factors: Vec::new(),
        },
    );
    let text = serde_json::to_string(&document).unwrap();
    let back: Document = serde_json::from_str(&text).unwrap();
    assert_eq!(back.clone().written().unwrap(), document.written().unwrap());
    assert_eq!(back.format, FORMAT);
}

#[test]
fn a_requirement_of_evidence_is_told_with_what_asks_for_it() {
    let finding = evidence::Finding {
        source: evidence::Source::Policy {
            name: "guard".parse().unwrap(),
            version: 3,
            rule: "proven".parse().unwrap(),
        },
        evidence: RequiredEvidence {
            kind: Kind::Scan,
            name: Some("trivy".parse().unwrap()),
            of: EvidenceOf::Release,
            max_age: None,
            signed: false,
        },
        about: "web@1.1.0".to_owned(),
        statement: None,
        met: false,
        since: None,
        verified_by: None,
        detail: String::new(),
        unblocked_by: None,
    };
    let proof = Proof::of(&finding);
    assert_eq!(
        proof.required,
        "scan trivy of web@1.1.0 (policy guard, version 3, rule proven)"
    );
    assert!(!proof.met);
}

proptest! {
    #[test]
    fn changes_are_told_exactly_when_there_are_any(picked in prop::collection::vec(0_usize..18, 0..4)) {
        let before = about();
        let mut now = before.clone();
        let all = changes();
        for one in picked {
            // What is gone cannot be changed any more.
            if now.targets.is_empty() || now.evidence.is_empty() {
                break;
            }
            all[one].0(&mut now);
        }
        prop_assert_eq!(now.changes_since(&before).is_empty(), now == before);
    }
}
