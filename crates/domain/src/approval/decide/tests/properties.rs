//! Whatever people try: what is approved was approved by enough of them.

use super::*;
use proptest::{collection::vec, option, prelude::*};

/// Who tries, for whom, whether yes, on the right thing, as a person.
type Try = (usize, Option<usize>, bool, bool, bool);

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let often = || proptest::bool::weighted(0.9);
    vec(
        (
            0usize..6,
            option::weighted(0.3, 0usize..6),
            often(),
            often(),
            often(),
        ),
        0..16,
    )
}

fn said(yes: bool) -> Answer {
    if yes { Answer::Approve } else { Answer::Reject }
}

proptest! {
    #[test]
    fn whatever_is_tried_only_enough_distinct_uninvolved_people_approve(
        count in 1u32..4, ceiling in 1u32..3, given in vec((0usize..6, 0usize..6), 0..8), tries in tries(),
    ) {
        // The first is involved, the second had something done by them, the last holds no role.
        let mut all: Vec<_> = (0..6).map(|i| somebody(&format!("p{i}"))).collect();
        all[5].roles.clear();
        let mut asked = request(vec![Requirement { rejections: ceiling, ..people(count) }]);
        asked.excluded = excluded(&[(all[0].id, Involvement::Sealer)], &[(all[0].id, all[1].id)]);
        let delegations: Vec<_> = given.iter().map(|(from, to)| delegated(&all[*from], &all[*to])).collect();
        let (mut ayes, mut noes) = (0u32, 0u32);
        let mut used = BTreeSet::new();
        for (by, whom, yes, right, person) in tries {
            let tried = Attempt {
                person_signed_in: person,
                on_behalf_of: whom.map(|whom| all[whom].clone()),
                subject: if right { asked.subject } else { subject(1, 9) },
                ..attempt(&all[by], said(yes))
            };
            let whom = whom.unwrap_or(by);
            let power = whom == by || given.contains(&(whom, by));
            let entitled = by > 1 && whom > 1 && whom != 5 && power;
            let fresh = !used.contains(&by) && !used.contains(&whom);
            let open = asked.state == ApprovalState::Pending;
            let outcome = decide_with(&asked, &tried, &delegations, &[], 1);
            prop_assert_eq!(outcome.is_ok(), person && right && entitled && fresh && open, "{:?}", outcome);
            if let Ok(outcome) = outcome {
                used.extend([by, whom]);
                if yes { ayes += 1 } else { noes += 1 }
                asked = after(&asked, outcome);
            }
            let state = if noes >= ceiling {
                ApprovalState::Rejected
            } else if ayes >= count {
                ApprovalState::Approved
            } else {
                ApprovalState::Pending
            };
            prop_assert_eq!(asked.state, state);
        }
    }

    #[test]
    fn a_change_of_what_is_decided_on_withdraws_everything_that_was_said(
        tries in tries(), release in any::<bool>(),
    ) {
        let all: Vec<_> = (0..6).map(|i| somebody(&format!("p{i}"))).collect();
        let mut asked = request(vec![Requirement { rejections: 6, ..people(6) }]);
        for (by, _, yes, ..) in tries {
            let tried = attempt(&all[by], said(yes));
            if let Ok(outcome) = decide(&asked, &tried) {
                asked = after(&asked, outcome);
            }
        }
        asked.subject = if release { subject(7, 2) } else { subject(1, 7) };
        let (state, quorum) = asked.judge(&[]);
        prop_assert_eq!(state, ApprovalState::Pending);
        prop_assert!(quorum.filled.is_empty() && quorum.spare.is_empty());
    }
}
