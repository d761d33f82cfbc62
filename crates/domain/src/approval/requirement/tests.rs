use super::*;
use proptest::{collection::vec, option, prelude::*, sample::subsequence};

pub(in crate::approval) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(in crate::approval) fn names(all: &[&str]) -> Vec<Name> {
    all.iter().map(|one| name(one)).collect()
}

pub(in crate::approval) fn person(subject: &str) -> Person {
    Person {
        issuer: "https://id.example".to_owned(),
        subject: format!("{subject}@example"),
    }
}

pub(in crate::approval) fn step(after: i64, to: &str) -> Step {
    Step {
        after: SignedDuration::from_mins(after),
        to: name(to),
    }
}

fn sign_in() -> impl Strategy<Value = SignIn> {
    let methods = subsequence(vec!["hwk".to_owned(), "mfa".to_owned()], 0..=2);
    (option::weighted(0.3, 1i64..4), methods).prop_map(|(age, methods)| SignIn {
        max_age: age.map(SignedDuration::from_mins),
        methods,
    })
}

/// Requirements that pass, of few groups and people, so that they often ask the same.
pub(in crate::approval) fn some() -> impl Strategy<Value = Requirement> {
    let groups = || subsequence(names(&["a", "b"]), 0..=2);
    let named = subsequence(vec![person("p0"), person("p1"), person("p2")], 0..=2);
    let durations = (option::of(1i64..5), option::of(5i64..8));
    let escalate = vec((1i64..4, 0usize..3), 0..3);
    (
        1u32..4,
        groups(),
        groups(),
        named,
        1u32..4,
        sign_in(),
        durations,
        escalate,
    )
        .prop_map(
            |(count, any_of, all_of, named, rejections, sign_in, (expires, remind), escalate)| {
                let mut escalate: Vec<_> = escalate
                    .into_iter()
                    .map(|(after, to)| step(after, ["c", "d", "e"][to]))
                    .collect();
                escalate.sort_by_key(|step| step.to.clone());
                escalate.dedup_by_key(|step| step.to.clone());
                Requirement {
                    any_of,
                    all_of,
                    named,
                    rejections,
                    expires_after: expires.map(SignedDuration::from_mins),
                    sign_in,
                    remind_every: remind.map(SignedDuration::from_mins),
                    escalate,
                    ..Requirement::new(Role::Authority, count)
                }
            },
        )
        .prop_filter("what nobody would be asked of", |one| one.faults().is_empty())
}

#[test]
fn a_requirement_of_before_reads_as_it_did_and_is_written_as_it_was() {
    let before = serde_json::json!({"role": "authority", "count": 2});
    let read: Requirement = serde_json::from_value(before.clone()).unwrap();
    assert_eq!(read, Requirement::new(Role::Authority, 2));
    assert_eq!((read.rejections, read.sign_in.is_empty()), (1, true));
    assert_eq!(serde_json::to_value(&read).unwrap(), before);
}

#[test]
fn all_faults_are_told_at_once_by_where_they_are() {
    let wrong = Requirement {
        any_of: names(&["a", "a"]),
        all_of: names(&["b", "c", "b"]),
        named: vec![
            person("ana"),
            person("ana"),
            Person {
                issuer: " ".to_owned(),
                subject: "x".repeat(MAX_SUBJECT + 1),
            },
        ],
        rejections: 0,
        expires_after: Some(SignedDuration::from_millis(999)),
        sign_in: SignIn {
            max_age: Some(SignedDuration::ZERO),
            methods: Vec::new(),
        },
        remind_every: Some(SignedDuration::from_mins(4)),
        escalate: vec![step(0, "d"), step(1, "d")],
        ..Requirement::new(Role::Admin, 0)
    };
    let faults = wrong.faults();
    let pointers: Vec<_> = faults.as_slice().iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/count",
            "/role",
            "/any_of/1",
            "/all_of/2",
            "/named/1",
            "/named/2/issuer",
            "/named/2/subject",
            "/rejections",
            "/expires_after",
            "/sign_in/max_age",
            "/remind_every",
            "/escalate/0/after",
            "/escalate/1/to",
        ]
    );
}

#[test]
fn nothing_is_longer_than_its_bound() {
    let groups: Vec<Name> = (0..=MAX_GROUPS).map(|i| name(&format!("g{i}"))).collect();
    let wrong = Requirement {
        any_of: groups.clone(),
        all_of: groups,
        named: (0..=MAX_PEOPLE).map(|i| person(&i.to_string())).collect(),
        rejections: MAX_PEOPLE + 1,
        expires_after: Some(LONGEST_WAIT + SHORTEST),
        remind_every: Some(LONGEST_DELAY + SHORTEST),
        escalate: (0..=MAX_STEPS)
            .map(|i| step(60 * 24 * 31, &format!("s{i}")))
            .collect(),
        ..Requirement::new(Role::Authority, MAX_PEOPLE + 1)
    };
    let faults = wrong.faults();
    let mut pointers: Vec<_> = faults.as_slice().iter().map(|f| f.pointer.as_str()).collect();
    pointers.retain(|pointer| !pointer.starts_with("/escalate/"));
    assert_eq!(
        pointers,
        [
            "/count",
            "/any_of",
            "/all_of",
            "/named",
            "/rejections",
            "/expires_after",
            "/remind_every",
            "/escalate"
        ]
    );
    assert_eq!(faults.as_slice().len(), pointers.len() + MAX_STEPS + 1);
}

#[test]
fn groups_that_nobody_would_be_asked_of_are_told() {
    let wrong = Requirement {
        any_of: names(&["a"]),
        all_of: names(&["b"]),
        named: vec![person("ana")],
        ..Requirement::new(Role::Authority, 2)
    };
    let told = wrong.faults().to_string();
    assert!(
        told.starts_with("/count: is at least 3: 1 named, 1 for `all_of`"),
        "{told}"
    );
    assert!(Requirement { count: 3, ..wrong }.faults().is_empty());
}
