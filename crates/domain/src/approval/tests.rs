use super::*;
use crate::identity::Role;
use proptest::prelude::*;

fn request(count: u32, involved: &[PrincipalId]) -> Approval {
    Approval {
        id: ApprovalId::new(),
        deployment: DeploymentId::new(),
        rule: ApprovalRule {
            count,
            role: Role::Authority,
        },
        digest: Digest::of_bytes(b"release"),
        plan_digest: Digest::of_bytes(b"plan"),
        state: ApprovalState::Pending,
        involved: involved.iter().map(|p| (*p, Involvement::Sealer)).collect(),
        decisions: Vec::new(),
        revision: 1,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn decision(by: PrincipalId, answer: Answer) -> Decision {
    Decision {
        by,
        answer,
        digest: Digest::of_bytes(b"release"),
        plan_digest: Digest::of_bytes(b"plan"),
        comment: None,
        at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn the_one_who_sealed_it_may_not_decide_and_is_told_why() {
    let sealer = PrincipalId::new();
    let refused = request(1, &[sealer])
        .decide(decision(sealer, Answer::Approve), true)
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "you may not decide on what you sealed: separation of duties"
    );
}

#[test]
fn another_digest_is_refused_and_names_both() {
    let mut other = decision(PrincipalId::new(), Answer::Approve);
    other.digest = Digest::of_bytes(b"other");
    assert!(matches!(
        request(1, &[]).decide(other, true),
        Err(Refused::OtherDigest { .. })
    ));
}

#[test]
fn a_machine_or_an_api_token_never_approves() {
    let d = decision(PrincipalId::new(), Answer::Approve);
    assert_eq!(request(1, &[]).decide(d, false).unwrap_err(), Refused::NotAPerson);
}

proptest! {
    #[test]
    fn approved_means_enough_distinct_uninvolved_people_and_no_rejection(
        count in 1u32..4,
        steps in proptest::collection::vec((0usize..5, any::<bool>()), 0..12),
    ) {
        let people: Vec<PrincipalId> = (0..5).map(|_| PrincipalId::new()).collect();
        let mut approval = request(count, &people[..1]);
        for (who, yes) in steps {
            let answer = if yes { Answer::Approve } else { Answer::Reject };
            if let Ok(next) = approval.clone().decide(decision(people[who], answer), true) {
                prop_assert_eq!(approval.state, ApprovalState::Pending, "nothing revives an ended request");
                approval = next;
            }
        }
        let mut yes: Vec<_> = approval.decisions.iter().filter(|d| d.answer == Answer::Approve).map(|d| d.by).collect();
        prop_assert!(!yes.contains(&people[0]));
        yes.sort();
        let all = yes.len();
        yes.dedup();
        prop_assert_eq!(all, yes.len(), "nobody counts twice");
        let no = approval.decisions.iter().any(|d| d.answer == Answer::Reject);
        prop_assert_eq!(approval.state == ApprovalState::Approved, !no && yes.len() >= count as usize);
        prop_assert_eq!(approval.state == ApprovalState::Rejected, no);
    }
}
