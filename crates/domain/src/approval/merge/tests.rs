use super::*;
use crate::approval::requirement::tests::{name, names, person, some, step};
use proptest::{collection::vec, prelude::*};

fn source(number: usize) -> Source {
    match number % 3 {
        0 => Source::Environment {
            name: name("production"),
        },
        1 => Source::Process {
            name: name("delivery"),
            version: 2,
            stage: name("live"),
        },
        _ => Source::Policy {
            name: name("critical"),
            version: 7,
            rule: name("two-people"),
        },
    }
}

fn of(requirement: Requirement, number: usize) -> (Source, Requirement) {
    (source(number), requirement)
}

#[test]
fn what_asks_the_same_people_becomes_one_that_is_the_stricter_of_everything() {
    let policy = Requirement {
        named: vec![person("ana")],
        rejections: 3,
        expires_after: Some(SignedDuration::from_hours(8)),
        remind_every: Some(SignedDuration::from_mins(30)),
        escalate: vec![step(60, "leads"), step(60, "heads")],
        sign_in: crate::approval::SignIn {
            max_age: Some(SignedDuration::from_mins(15)),
            methods: vec!["mfa".to_owned()],
        },
        ..Requirement::new(Role::Authority, 1)
    };
    let process = Requirement {
        named: vec![person("ben")],
        rejections: 2,
        expires_after: Some(SignedDuration::from_hours(4)),
        remind_every: Some(SignedDuration::from_mins(60)),
        escalate: vec![step(30, "heads"), step(100, "board")],
        sign_in: crate::approval::SignIn {
            max_age: Some(SignedDuration::from_mins(5)),
            methods: vec!["hwk".to_owned()],
        },
        ..Requirement::new(Role::Authority, 3)
    };
    let merged = merge(vec![
        of(Requirement::new(Role::Authority, 2), 0),
        of(process, 1),
        of(policy, 2),
    ]);
    let wanted = Requirement {
        named: vec![person("ana"), person("ben")],
        rejections: 1,
        expires_after: Some(SignedDuration::from_hours(4)),
        remind_every: Some(SignedDuration::from_mins(30)),
        escalate: vec![step(30, "heads"), step(30, "leads"), step(70, "board")],
        sign_in: crate::approval::SignIn {
            max_age: Some(SignedDuration::from_mins(5)),
            methods: vec!["hwk".to_owned(), "mfa".to_owned()],
        },
        ..Requirement::new(Role::Authority, 3)
    };
    assert_eq!(
        merged,
        [Merged {
            requirement: wanted,
            sources: (0..3).map(source).collect()
        }]
    );
}

#[test]
fn different_people_stay_apart() {
    let of_groups = |any: &[&str], all: &[&str], escalate: Vec<Step>| Requirement {
        any_of: names(any),
        all_of: names(all),
        escalate,
        ..Requirement::new(Role::Authority, 2)
    };
    let apart = [
        of_groups(&[], &[], vec![]),
        of_groups(&["a"], &[], vec![]),
        of_groups(&["a", "b"], &[], vec![]),
        of_groups(&[], &["a"], vec![]),
        // One policy does not lend its escalation to another one.
        of_groups(&[], &["a"], vec![step(60, "leads")]),
        of_groups(&[], &["a"], vec![step(90, "leads")]),
    ];
    let merged = merge(apart.iter().cloned().map(|one| of(one, 0)).collect());
    assert_eq!(merged.len(), apart.len());
    let order = of_groups(&["b", "a"], &[], vec![]);
    let both = merge(vec![of(order, 1), of(apart[2].clone(), 2)]);
    assert_eq!(both.len(), 1, "in whichever order they are written");
}

#[test]
fn where_the_others_are_of_a_group_as_many_are_asked_for_beside_all_who_are_named() {
    let named = |who: &str| Requirement {
        any_of: names(&["a"]),
        named: vec![person(who)],
        ..Requirement::new(Role::Authority, 2)
    };
    let merged = merge(vec![of(named("ana"), 0), of(named("ben"), 1)]);
    // With 2, ana and ben would do, and nobody of the group had been asked.
    assert_eq!(merged[0].requirement.count, 3);
}

#[test]
fn a_source_is_told_as_people_call_it() {
    let told: Vec<_> = (0..3).map(|i| source(i).to_string()).collect();
    assert_eq!(
        told,
        [
            "environment production",
            "process delivery, version 2, stage live",
            "policy critical, version 7, rule two-people"
        ]
    );
}

proptest! {
    #[test]
    fn merging_is_idempotent_commutative_and_associative(
        all in vec((0usize..3, some()), 0..6), cut in 0usize..6, turn in 0usize..6,
    ) {
        let all: Vec<_> = all.into_iter().map(|(i, one)| of(one, i)).collect();
        let merged = merge(all.clone());
        prop_assert_eq!(again(merged.clone()), merged.clone(), "merging again");
        prop_assert_eq!(again(merged.iter().chain(&merged).cloned()), merged.clone(), "with itself");
        let mut turned = all.clone();
        turned.rotate_left(turn.min(all.len()));
        prop_assert_eq!(merge(turned), merged.clone(), "in another order");
        let mut reversed = all.clone();
        reversed.reverse();
        prop_assert_eq!(merge(reversed), merged.clone(), "backwards");
        let (left, right) = all.split_at(cut.min(all.len()));
        let parts = merge(left.to_vec()).into_iter().chain(merge(right.to_vec()));
        prop_assert_eq!(again(parts), merged.clone(), "in parts");
        let parts = merge(left.to_vec()).into_iter().chain(right.iter().flat_map(|one| merge(vec![one.clone()])));
        prop_assert_eq!(again(parts), merged, "one after the other");
    }

    #[test]
    fn nothing_is_lost_of_what_asks_and_nobody_is_asked_later(all in vec((0usize..3, some()), 1..6)) {
        let all: Vec<_> = all.into_iter().map(|(i, one)| of(one, i)).collect();
        let merged = merge(all.clone());
        for (source, one) in &all {
            let into = merged.iter().find(|m| m.requirement.asks() == one.asks()
                || (one.any_of.is_empty() && one.all_of.is_empty()
                    && m.requirement.any_of.is_empty() && m.requirement.all_of.is_empty()));
            let into = into.expect("it went into one of them");
            prop_assert!(into.sources.contains(source));
            let then = &into.requirement;
            prop_assert!(then.count >= one.count && then.rejections <= one.rejections);
            prop_assert!(one.named.iter().all(|p| then.named.contains(p)));
            prop_assert!(one.expires_after.is_none_or(|d| then.expires_after.is_some_and(|t| t <= d)));
            prop_assert!(one.remind_every.is_none_or(|d| then.remind_every.is_some_and(|t| t <= d)));
            let line = then.timeline();
            prop_assert!(one.timeline().iter().all(|(group, at)| line.get(group).is_some_and(|t| t <= at)));
        }
    }
}
