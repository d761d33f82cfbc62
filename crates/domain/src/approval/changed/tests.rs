use super::*;
use crate::{
    approval::{Answer, SignedIn},
    ids::DecisionId,
};
use jiff::Timestamp;
use proptest::{collection::vec, prelude::*};

fn digest(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

fn subject(digest_: u8, plan: u8) -> Subject {
    Subject {
        digest: digest(digest_),
        plan_digest: digest(plan),
        document: None,
    }
}

fn decision(on: Subject) -> Decision {
    Decision {
        id: DecisionId::new(),
        by: PrincipalId::new(),
        of: PrincipalId::new(),
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

#[test]
fn a_withdrawal_says_what_has_changed_from_what_to_what() {
    let decisions = [decision(subject(1, 2)), decision(subject(1, 2))];
    let plan = withdraw(&decisions, subject(1, 3)).unwrap();
    assert_eq!(
        plan.to_string(),
        format!(
            "2 decisions are withdrawn, because the plan was {} and is {}; look at it again before you decide",
            digest(2),
            digest(3)
        )
    );
    let both = withdraw(&decisions[..1], subject(4, 3)).unwrap().to_string();
    assert!(
        both.starts_with(&format!(
            "1 decision is withdrawn, because the release was {} and is {}, and the plan was",
            digest(1),
            digest(4)
        )),
        "{both}"
    );
}

proptest! {
    #[test]
    fn exactly_those_on_anything_else_are_withdrawn(on in vec((0u8..2, 0u8..2), 0..6), now in (0u8..2, 0u8..2)) {
        let decisions: Vec<_> = on.iter().map(|(d, p)| decision(subject(*d, *p))).collect();
        let others: Vec<_> = decisions.iter().zip(&on).filter(|(_, on)| **on != now).map(|(d, _)| d.by).collect();
        let withdrawal = withdraw(&decisions, subject(now.0, now.1));
        prop_assert_eq!(withdrawal.map(|w| w.of).unwrap_or_default(), others);
    }
}
