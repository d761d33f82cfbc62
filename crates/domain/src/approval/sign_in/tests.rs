use super::*;
use proptest::prelude::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn asks(max_age: Option<i64>, methods: &[&str]) -> SignIn {
    SignIn {
        max_age: max_age.map(mins),
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
    }
}

fn signed_in(minute: Option<i64>, methods: &[&str]) -> SignedIn {
    SignedIn {
        at: minute.map(at),
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
    }
}

#[test]
fn a_refusal_says_how_to_sign_in_and_what_the_last_one_lacked() {
    let refused = asks(Some(15), &["hwk", "mfa"])
        .check(&signed_in(Some(0), &["pwd", "mfa"]), at(16))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "sign in again with `hwk` and `mfa`, and decide within PT15M of it; you signed in at 1970-01-01T00:00:00Z, and \
         your sign-in does not say that it used `hwk` (`amr`)"
    );
}

#[test]
fn a_sign_in_is_fresh_up_to_the_very_age_and_neither_later_nor_unknown_nor_of_the_future() {
    let asked = asks(Some(15), &[]);
    for (signed, now, fresh) in [
        (Some(0), 15, true),
        (Some(0), 16, false),
        (Some(1), 0, true),
        (Some(2), 0, false),
        (None, 0, false),
    ] {
        let given = asked.check(&signed_in(signed, &[]), at(now));
        assert_eq!(given.is_ok(), fresh, "{signed:?} at {now}: {given:?}");
    }
    assert_eq!(asks(None, &[]).check(&SignedIn::default(), at(0)), Ok(()));
}

#[test]
fn all_faults_are_told_at_once() {
    let asked = asks(Some(0), &["hwk", "hwk", "", "a b", &"x".repeat(65)]);
    let faults = asked.faults();
    let pointers: Vec<_> = faults.as_slice().iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/max_age", "/methods/1", "/methods/2", "/methods/3", "/methods/4"]
    );
    let many: Vec<String> = (0..=MAX_METHODS).map(|i| i.to_string()).collect();
    let many = SignIn {
        max_age: Some(MOST_MAX_AGE + mins(1)),
        methods: many,
    };
    assert_eq!(many.faults().as_slice().len(), 2);
    assert!(asks(Some(1), &["hwk", "urn:own:method"]).faults().is_empty());
}

fn some_sign_in() -> impl Strategy<Value = SignIn> {
    (
        proptest::option::of(0i64..4),
        proptest::collection::vec("[a-c]", 0..3),
    )
        .prop_map(|(age, methods)| SignIn {
            max_age: age.map(mins),
            methods,
        })
}

proptest! {
    #[test]
    fn what_meets_both_is_what_meets_one_and_the_other(
        one in some_sign_in(), other in some_sign_in(),
        when in proptest::option::of(-4i64..5), methods in proptest::collection::vec("[a-c]", 0..4),
    ) {
        let signed_in = SignedIn { at: when.map(at), methods };
        let both = one.check(&signed_in, at(0)).is_ok() && other.check(&signed_in, at(0)).is_ok();
        prop_assert_eq!(one.and(&other).check(&signed_in, at(0)).is_ok(), both);
    }
}
