use super::*;
use crate::approval::{
    Source, merge,
    requirement::tests::{name, names, person, some},
};
use proptest::{collection::vec, prelude::*, sample::subsequence};

/// Somebody with the role authority.
pub(in crate::approval) fn entitled(id: PrincipalId, subject: &str, groups: &[&str]) -> Entitled {
    Entitled {
        id,
        person: person(subject),
        roles: vec![Role::Authority],
        groups: names(groups),
    }
}

fn yes(subject: &str, groups: &[&str]) -> Yes {
    let id = PrincipalId::new();
    Yes {
        by: id,
        of: entitled(id, subject, groups),
        signed_in: SignedIn::default(),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn asked(requirements: &[Requirement]) -> Vec<Asked<'_>> {
    let each = requirements.iter();
    each.map(|requirement| Asked {
        requirement,
        stand_ins: &[],
    })
    .collect()
}

fn missing(quorum: &Quorum) -> Vec<String> {
    quorum.missing.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_missing_is_told_in_words() {
    let one = Requirement {
        all_of: names(&["security"]),
        any_of: names(&["shop", "web"]),
        named: vec![person("ana")],
        ..Requirement::new(Role::Authority, 4)
    };
    let two = Requirement::new(Role::Authority, 1);
    let single = Requirement {
        any_of: names(&["shop"]),
        ..Requirement::new(Role::Authority, 1)
    };
    let all = [one, two, single];
    assert_eq!(
        missing(&judge(&asked(&all), &[])),
        [
            "ana@example must approve",
            "1 more of group security",
            "2 more of the groups shop or web",
            "1 more with the role authority",
            "1 more of group shop",
        ]
    );
}

#[test]
fn groups_that_were_escalated_to_stand_in_for_groups_and_for_nobody_who_is_named() {
    let required = Requirement {
        all_of: names(&["security"]),
        named: vec![person("ana")],
        ..Requirement::new(Role::Authority, 2)
    };
    let stand_ins = names(&["leads"]);
    let asked = Asked {
        requirement: &required,
        stand_ins: &stand_ins,
    };
    assert_eq!(
        missing(&judge(&[asked], &[])),
        [
            "ana@example must approve",
            "1 more of group security, or of leads in their place"
        ]
    );
    let lead = yes("lea", &["leads"]);
    assert_eq!(
        missing(&judge(&[asked], &[lead.clone(), yes("lou", &["leads"])])),
        ["ana@example must approve"]
    );
    let not_yet = Asked {
        stand_ins: &[],
        ..asked
    };
    assert!(!not_yet.wants(&lead.of) && asked.wants(&lead.of));
}

#[test]
fn who_could_fill_two_places_makes_room_for_who_could_fill_only_one() {
    let required = Requirement {
        all_of: names(&["a", "b"]),
        ..Requirement::new(Role::Authority, 2)
    };
    let (both, only) = (yes("both", &["a", "b"]), yes("only", &["a"]));
    let quorum = judge(
        &asked(std::slice::from_ref(&required)),
        &[both.clone(), only.clone()],
    );
    assert!(quorum.is_met());
    let filled: Vec<_> = quorum.filled.iter().map(|f| (f.place.clone(), f.by)).collect();
    assert_eq!(
        filled,
        [
            (Place::AllOf(name("a")), only.by),
            (Place::AllOf(name("b")), both.by)
        ]
    );
}

#[test]
fn two_requirements_that_one_person_could_meet_take_two_people() {
    let all = [
        Requirement::new(Role::Authority, 1),
        Requirement {
            any_of: names(&["a"]),
            ..Requirement::new(Role::Authority, 1)
        },
    ];
    let ana = yes("ana", &["a"]);
    assert!(!judge(&asked(&all), std::slice::from_ref(&ana)).is_met());
    assert!(judge(&asked(&all), &[ana, yes("ben", &[])]).is_met());
}

#[test]
fn a_lost_role_and_a_sign_in_that_does_not_suffice_fill_nothing() {
    let mut required = [Requirement::new(Role::Authority, 1)];
    let mut ana = yes("ana", &[]);
    assert!(judge(&asked(&required), std::slice::from_ref(&ana)).is_met());
    required[0].sign_in.methods = vec!["mfa".to_owned()];
    assert!(!judge(&asked(&required), std::slice::from_ref(&ana)).is_met());
    ana.signed_in.methods = vec!["mfa".to_owned()];
    assert!(judge(&asked(&required), std::slice::from_ref(&ana)).is_met());
    ana.of.roles = vec![Role::Admin];
    let quorum = judge(&asked(&required), std::slice::from_ref(&ana));
    assert_eq!((quorum.is_met(), quorum.spare), (false, vec![ana.by]));
}

/// How many places can be filled at most: by trying everything.
fn most(asked: &[Asked<'_>], places: &[(usize, Place)], yes: &[&Yes], taken: &mut Vec<bool>) -> usize {
    let Some((first, others)) = yes.split_first() else {
        return 0;
    };
    let mut best = most(asked, places, others, taken);
    for (i, (requirement, place)) in places.iter().enumerate() {
        if !taken[i] && asked[*requirement].takes_yes(place, first) {
            taken[i] = true;
            best = best.max(1 + most(asked, places, others, taken));
            taken[i] = false;
        }
    }
    best
}

/// Who says yes, for whom, with which groups and role, and how they had signed in.
fn some_yeses(ids: Vec<PrincipalId>) -> impl Strategy<Value = Vec<Yes>> {
    let one = (
        0..ids.len(),
        0..ids.len(),
        proptest::bool::weighted(0.8),
        subsequence(names(&["a", "b", "c"]), 0..=3),
        proptest::bool::weighted(0.9),
        (
            0i64..3,
            subsequence(vec!["hwk".to_owned(), "mfa".to_owned()], 1..=2),
        ),
    );
    vec(one, 0..6).prop_map(move |all| {
        all.into_iter()
            .map(|(by, whom, own, groups, role, (minute, methods))| {
                let of = if own { by } else { whom };
                Yes {
                    by: ids[by],
                    of: Entitled {
                        id: ids[of],
                        person: person(&format!("p{of}")),
                        roles: vec![if role { Role::Authority } else { Role::Viewer }],
                        groups,
                    },
                    signed_in: SignedIn {
                        at: Some(Timestamp::UNIX_EPOCH),
                        methods,
                    },
                    at: Timestamp::from_second(minute * 60).unwrap(),
                }
            })
            .collect()
    })
}

fn five() -> Vec<PrincipalId> {
    (0..5).map(|_| PrincipalId::new()).collect()
}

proptest! {
    #[test]
    fn as_many_places_are_filled_as_trying_everything_would_fill_and_nobody_twice(
        required in vec(some(), 1..3), stand_ins in subsequence(names(&["c"]), 0..=1),
        yes in some_yeses(five()),
    ) {
        let asked: Vec<_> = required.iter().map(|requirement| Asked { requirement, stand_ins: &stand_ins }).collect();
        let quorum = judge(&asked, &yes);
        let mut places = Vec::new();
        for (i, one) in asked.iter().enumerate() {
            for (place, people) in one.places() {
                places.extend(std::iter::repeat_n((i, place), people));
            }
        }
        // The first that was said by or for somebody counts.
        let mut people = BTreeSet::new();
        let mut once: Vec<&Yes> = Vec::new();
        for yes in &yes {
            if !people.contains(&yes.by) && !people.contains(&yes.of.id) {
                people.extend([yes.by, yes.of.id]);
                once.push(yes);
            }
        }
        let best = most(&asked, &places, &once, &mut vec![false; places.len()]);
        prop_assert_eq!(quorum.filled.len(), best);
        prop_assert_eq!(quorum.is_met(), best == places.len());
        let open: usize = quorum.missing.iter().map(|m| m.people).sum();
        prop_assert_eq!(open + best, places.len());

        let mut seen = BTreeSet::new();
        for filled in &quorum.filled {
            prop_assert!(seen.insert(filled.by), "{} counts twice", filled.by);
            prop_assert!(filled.by == filled.of || seen.insert(filled.of), "{} counts twice", filled.of);
            let of = once.iter().find(|yes| yes.by == filled.by).unwrap();
            prop_assert!(asked[filled.requirement].takes_yes(&filled.place, of));
        }
        let mut left = places;
        for filled in &quorum.filled {
            let at = left.iter().position(|place| *place == (filled.requirement, filled.place.clone()));
            left.remove(at.expect("a place is filled once"));
        }
    }

    #[test]
    fn one_more_yes_takes_nothing_away(required in vec(some(), 1..3), yes in some_yeses(five())) {
        let asked = asked(&required);
        let mut before = 0;
        let mut met = false;
        for said in 0..=yes.len() {
            let quorum = judge(&asked, &yes[..said]);
            prop_assert!(quorum.filled.len() >= before && (quorum.is_met() || !met));
            (before, met) = (quorum.filled.len(), quorum.is_met());
        }
    }

    #[test]
    fn what_was_merged_is_never_weaker_than_any_of_what_went_in(
        required in vec(some(), 1..4), yes in some_yeses(five()), minutes in 0i64..8,
    ) {
        let merged = merge(required.iter().cloned().map(|one| {
            (Source::Environment { name: name("production") }, one)
        }).collect());
        // Groups that are escalated to by then, when nobody is away.
        let reached = |one: &Requirement| -> Vec<Name> {
            let mut since = 0;
            one.escalate.iter().filter_map(|step| {
                since += step.after.as_mins();
                (since <= minutes).then(|| step.to.clone())
            }).collect()
        };
        let stand_ins: Vec<_> = merged.iter().map(|one| reached(&one.requirement)).collect();
        let all: Vec<_> = merged.iter().zip(&stand_ins).map(|(one, stand_ins)| Asked {
            requirement: &one.requirement, stand_ins,
        }).collect();
        if judge(&all, &yes).is_met() {
            for one in &required {
                let stand_ins = reached(one);
                let alone = Asked { requirement: one, stand_ins: &stand_ins };
                prop_assert!(judge(&[alone], &yes).is_met(), "{one:?} is not met, but {merged:?} is");
            }
        }
    }
}
