use super::*;
use crate::{
    Digest,
    approval::{Answer, ApprovalState, Asked},
    audit::{Checkpoint, Frontier},
    deployment::{Kind, Landing, StateName, TargetState, plan_digest},
    evidence,
    gates::{Gate, GateName, Verdict},
    identity::Role,
    ids::{ApprovalId, DeploymentId, EvidenceId, PrincipalId, ReleaseId},
    plan::target::Intent,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::LazyLock;

mod contradictions;
mod envelopes;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| key("slipway.example.com"));
static KEYS: LazyLock<Vec<VerifyingKey>> = LazyLock::new(|| vec![KEY.verifying_key()]);

fn key(name: &str) -> SigningKey {
    SigningKey::from_pkcs8(name.parse().unwrap(), &SigningKey::generate().unwrap()).unwrap()
}

fn digest(of: &str) -> Digest {
    Digest::of_bytes(of.as_bytes())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + second).unwrap()
}

fn person(name: &str) -> Person {
    Person {
        id: PrincipalId::new(),
        name: name.to_owned(),
    }
}

fn component(name: &str) -> Component {
    Component {
        name: name.parse().unwrap(),
        version: "2.0.1".parse().unwrap(),
        digest: digest(name),
    }
}

fn planned(targets: &[Target]) -> Digest {
    let landings: Vec<_> = targets
        .iter()
        .map(|target| Landing {
            cluster: target.cluster.to_string(),
            namespace: target.namespace.to_string(),
            wave: target.wave as usize,
            intent: target.intent,
            rendering: target.planned,
        })
        .collect();
    plan_digest(&"production".parse().unwrap(), &landings).unwrap()
}

fn deployment() -> Deployment {
    let targets: Vec<_> = [("eu-1", 0), ("us-1", 1)]
        .into_iter()
        .map(|(cluster, wave)| Target {
            cluster: cluster.parse().unwrap(),
            namespace: "storefront".parse().unwrap(),
            wave,
            intent: Intent::Apply,
            planned: digest(cluster),
            applied: Some(digest(cluster)),
            state: TargetState::Succeeded,
        })
        .collect();
    let decision = |name, second| Decision {
        by: person(name),
        on_behalf_of: None,
        answer: Answer::Approve,
        digest: digest("release"),
        plan_digest: planned(&targets),
        at: at(second),
        comment: Some("looks good".to_owned()),
    };
    Deployment {
        id: DeploymentId::new(),
        environment: "production".parse().unwrap(),
        kind: Kind::Deploy,
        release_digest: digest("release"),
        plan_digest: planned(&targets),
        requested_by: person("olaf"),
        requested_at: at(20),
        started_at: Some(at(40)),
        finished_at: Some(at(60)),
        state: StateName::Succeeded,
        reason: None,
        approvals: vec![Approval {
            id: ApprovalId::new(),
            asked: Asked::Before,
            rejections: 1,
            required: 2,
            role: Role::Authority,
            state: ApprovalState::Approved,
            decisions: vec![decision("abe", 30), decision("abby", 31)],
        }],
        policies: vec![Policy {
            name: "two-people".parse().unwrap(),
            version: 3,
            digest: digest("policy"),
            verdict: PolicyVerdict::Satisfied,
        }],
        gates: vec![Gate {
            name: GateName::Approval,
            verdict: Verdict::satisfied("approved by 2"),
            inputs: json!([{"approvers": 2}]),
        }],
        targets,
    }
}

/// A certificate in which everything fits together.
fn good() -> Predicate {
    let checkpoint = Checkpoint {
        origin: KEY.name().clone(),
        head: Frontier::default().head(),
    };
    let evidence = |of: &str| Evidence {
        id: EvidenceId::new(),
        kind: evidence::Kind::Scan,
        name: "trivy".parse().unwrap(),
        document: digest("document"),
        about: digest(of),
        passed: true,
        verified_by: Some("ci".parse().unwrap()),
        stated_at: at(5),
    };
    Predicate {
        release: Release {
            id: ReleaseId::new(),
            service: "storefront".parse().unwrap(),
            version: "1.2.3".parse().unwrap(),
            digest: digest("release"),
            author: person("ann"),
            editors: vec![person("ed")],
            sealed: Sealed {
                by: person("max"),
                at: at(10),
            },
            process: Some(Process {
                name: "delivery".parse().unwrap(),
                version: 1,
                digest: digest("process"),
            }),
        },
        components: vec![component("web"), component("api")],
        evidence: vec![evidence("release"), evidence("api")],
        deployments: vec![deployment()],
        outcome: Outcome::Succeeded,
        checkpoint: Some(checkpoint.sign(&KEY).to_string()),
        issued_at: at(100),
    }
}

fn bytes(predicate: &Predicate) -> Vec<u8> {
    serde_json::to_vec(&issue(predicate.clone(), &KEY).unwrap()).unwrap()
}

fn verified(predicate: &Predicate) -> Result<Verified, Faults> {
    read(&bytes(predicate), &KEYS)
}

#[test]
fn what_fits_together_is_read_back_as_it_was_said() {
    let good = good();
    let verified = verified(&good).unwrap();
    assert_eq!(verified.statement.predicate, good);
    assert_eq!(verified.signed_by, [KEY.name().clone()]);
    let subjects: Vec<_> = verified
        .statement
        .subject
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(subjects, ["storefront@1.2.3", "web@2.0.1", "api@2.0.1"]);
    assert_eq!(
        verified.statement.subject[0].digest.sha256,
        digest("release").hex()
    );
}

#[test]
fn it_is_an_in_toto_statement_in_canonical_json() {
    let envelope = issue(good(), &KEY).unwrap();
    let payload = envelope.unverified().unwrap();
    let value: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(canonical(&value).unwrap(), payload);
    assert_eq!(value["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(
        value["predicateType"],
        "https://slipway.dev/release-certificate/v1"
    );
    assert_eq!(envelope.payload_type, "application/vnd.in-toto+json");
    assert_eq!(envelope.signatures[0].keyid, KEYS[0].fingerprint());
}

#[test]
fn a_release_that_did_not_succeed_is_certified_as_that() {
    let mut failed = good();
    let target = &mut failed.deployments[0].targets[1];
    (target.applied, target.state) = (None, TargetState::Failed);
    failed.deployments[0].state = StateName::Failed;
    failed.deployments[0].reason = Some("web is not ready".to_owned());
    let wrong = verified(&failed).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "/payload/predicate/outcome: is not what follows from the deployments, `not_succeeded`"
    );
    failed.outcome = Outcome::NotSucceeded;
    assert_eq!(
        verified(&failed).unwrap().statement.predicate.outcome,
        Outcome::NotSucceeded
    );

    let mut none = good();
    none.deployments.clear();
    none.outcome = Outcome::NotDeployed;
    assert!(verified(&none).is_ok());
}

#[test]
fn the_last_try_in_each_environment_is_what_became_of_it() {
    let with = |kind: Kind, environment: &str, state: StateName| Deployment {
        kind,
        state,
        environment: environment.parse().unwrap(),
        ..deployment()
    };
    let (ok, no) = (StateName::Succeeded, StateName::Errored);
    let outcome = |all: &[(Kind, &str, StateName)]| {
        let all: Vec<_> = all
            .iter()
            .map(|(kind, to, state)| with(*kind, to, *state))
            .collect();
        Outcome::of(&all)
    };
    let (deploy, heal) = (Kind::Deploy, Kind::Heal);
    assert_eq!(
        outcome(&[(deploy, "a", no), (deploy, "a", ok)]),
        Outcome::Succeeded
    );
    assert_eq!(
        outcome(&[(deploy, "a", ok), (deploy, "a", no)]),
        Outcome::NotSucceeded
    );
    assert_eq!(
        outcome(&[(deploy, "a", ok), (deploy, "b", no)]),
        Outcome::NotSucceeded
    );
    assert_eq!(outcome(&[(deploy, "a", ok), (heal, "a", no)]), Outcome::Succeeded);
    assert_eq!(
        outcome(&[(deploy, "a", ok), (deploy, "b", StateName::Running)]),
        Outcome::UnderWay
    );
    assert_eq!(outcome(&[(heal, "a", ok)]), Outcome::NotDeployed);
    for one in [
        Outcome::NotDeployed,
        Outcome::UnderWay,
        Outcome::Succeeded,
        Outcome::NotSucceeded,
    ] {
        assert_eq!(json!(one), one.as_str());
    }
}
