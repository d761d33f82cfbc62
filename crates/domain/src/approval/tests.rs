use super::*;
use crate::identity::Role;
use quorum::tests::entitled;

fn approval(requirements: Vec<Merged>) -> Approval {
    Approval {
        id: ApprovalId::new(),
        deployment: DeploymentId::new(),
        asked: Asked::Before,
        requirements,
        digest: Digest::of_bytes(b"release"),
        plan_digest: Digest::of_bytes(b"plan"),
        document: None,
        state: ApprovalState::Pending,
        involved: Vec::new(),
        decisions: Vec::new(),
        told: Told::default(),
        revision: 1,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn people_of(count: u32) -> Vec<Merged> {
    let name = "production".parse().unwrap();
    merge(vec![(Source::Environment { name }, Requirement::new(Role::Authority, count))])
}

fn yes(by: PrincipalId, on: Subject) -> Decision {
    Decision {
        id: DecisionId::new(),
        by,
        of: by,
        delegation: None,
        signed_in: SignedIn::default(),
        claimed_roles: Vec::new(),
        answer: Answer::Approve,
        subject: on,
        comment: None,
        at: Timestamp::UNIX_EPOCH,
        withdrawn: None,
    }
}

/// What decisions come to by what people are entitled to.
fn judged(approval: &Approval, entitled: &[Entitled]) -> ApprovalState {
    let entitled = entitled.iter().map(|one| (one.id, one.clone())).collect();
    approval.request(&entitled).judge(&[]).0
}

#[test]
fn a_decision_counts_while_it_stands_and_whoever_took_it_is_entitled() {
    let ada = entitled(PrincipalId::new(), "ada", &[]);
    let mut asked = approval(people_of(1));
    asked.decisions.push(yes(ada.id, asked.subject()));
    assert_eq!(judged(&asked, &[ada.clone()]), ApprovalState::Approved);
    assert_eq!(judged(&asked, &[]), ApprovalState::Pending, "nobody knows them any more");
    let lost = Entitled {
        roles: Vec::new(),
        ..ada.clone()
    };
    assert_eq!(judged(&asked, &[lost.clone()]), ApprovalState::Pending);
    asked.decisions[0].claimed_roles = vec![Role::Authority];
    assert_eq!(judged(&asked, &[lost]), ApprovalState::Approved, "their issuer said so");
    asked.decisions[0].withdrawn = Some((Timestamp::UNIX_EPOCH, "it has changed".to_owned()));
    assert_eq!(judged(&asked, &[ada]), ApprovalState::Pending);
    assert_eq!(asked.standing().count(), 0);
}

#[test]
fn what_is_to_be_answered_afterwards_never_ends_by_itself() {
    let mut requirements = people_of(1);
    requirements[0].requirement.expires_after = Some(jiff::SignedDuration::from_hours(1));
    let mut asked = approval(requirements);
    assert!(asked.request(&BTreeMap::new()).expires_at().is_some());
    asked.asked = Asked::Afterwards;
    let request = asked.request(&BTreeMap::new());
    assert_eq!(request.expires_at(), None);
    assert!(request.due_at().is_some());
}
