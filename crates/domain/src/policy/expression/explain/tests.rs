use crate::policy::{
    expression::{Because, Condition, Outcome, Saw},
    facts::{
        Facts,
        tests::{some, some_facts},
    },
};
use serde_json::json;

fn because(source: &str) -> Vec<Because> {
    Condition::new(source).unwrap().explain(&some_facts())
}

#[test]
fn what_decided_is_named_with_what_it_saw_and_what_would_change_it() {
    let because = because(r#"environment.tier == "production" && risk.score < 40 && size(components) == 1"#);
    assert_eq!(because.len(), 1, "{because:#?}");
    assert_eq!(because[0].expression, "risk.score < 40");
    assert_eq!(because[0].detail, "`risk.score` is 42");
    assert_eq!(because[0].would_change.as_deref(), Some("`risk.score` < 40"));
    assert_eq!(
        because[0].saw,
        [Saw {
            fact: "risk.score".to_owned(),
            value: json!(42)
        }]
    );
}

#[test]
fn everything_in_the_way_is_named_at_once() {
    let both = because(r#"risk.score < 40 && environment.tier == "staging""#);
    assert_eq!(both.len(), 2);
    let either = because(r#"risk.score < 40 || environment.tier == "staging""#);
    assert_eq!(either.len(), 2);
    let not = because(r#"!(environment.tier == "production")"#);
    assert_eq!(not[0].is, Some(true), "{not:#?}");
}

#[test]
fn of_a_list_the_entries_that_decided_are_shown() {
    let of = because(r#"plan.targets.all(t, t.labels.region == "eu")"#);
    assert_eq!(of[0].detail, "it is not so for 1 of the 2 of `plan.targets`");
    assert_eq!(of[0].saw[0].fact, "plan.targets[1]");
    assert_eq!(of[1].expression, r#"t.labels.region == "eu""#);
    assert_eq!(of[1].detail, r#"plan.targets[1]: `t.labels.region` is "us""#);
    let none = because(r#"evidence.exists(e, e.kind == "sbom")"#);
    assert_eq!(none[0].detail, "it is so for none of the 1 of `evidence`");
    assert_eq!(none[1].detail, r#"evidence[0]: `e.kind` is "test_report""#);
    let missing = because("evidence.all(e, e.counts.critical == 0)");
    assert_eq!(missing[0].is, None);
    assert!(
        missing[0].detail.contains("there is no `critical`"),
        "{missing:#?}"
    );
}

/// Facts of so many components, each with its name.
fn of_components(count: usize) -> Facts {
    let mut many = some();
    let one = many["components"][0].clone();
    let named = |i| {
        let mut component = one.clone();
        component["name"] = format!("c{i}").into();
        component
    };
    many["components"] = (0..count).map(named).collect();
    Facts::new(many).unwrap()
}

#[test]
fn no_part_is_told_to_be_what_the_whole_cannot_be_judged_by() {
    let facts = of_components(250);
    // One part, which alone is between what a judgement may look at and what an explanation may.
    for source in [
        "components.exists_one(a, components.exists(b, b.name == a.name))",
        "!components.exists_one(a, components.exists(b, b.name == a.name))",
        "components.all(a, components.exists(b, b.name == a.name) && components.exists(b, b.name == a.name))",
    ] {
        let condition = Condition::new(source).unwrap();
        let Outcome::Unknown(why) = condition.judge(&facts) else {
            panic!("{source} is judged")
        };
        assert!(why.contains("it had come to `"), "{why}");
        let because = condition.explain(&facts);
        let [whole] = because.as_slice() else {
            panic!("{because:#?}")
        };
        assert_eq!((whole.expression.as_str(), whole.is), (source, None));
        assert_eq!(whole.detail, why);
    }
}

#[test]
fn what_is_too_much_to_be_told_in_parts_is_told_as_a_whole() {
    let facts = of_components(200);
    // Some 20,000 entries, again at each step down.
    let mut source = "components.all(a, components.exists(b, b.name == a.name))".to_owned();
    for _ in 0..6 {
        source = format!("({source} || components.size() == 0) && components.size() == 200");
    }
    let condition = Condition::new(&source).unwrap();
    assert_eq!(condition.judge(&facts), Outcome::True);
    let because = condition.explain(&facts);
    let [whole] = because.as_slice() else {
        panic!("{because:#?}")
    };
    assert_eq!((&whole.expression, whole.is), (&source, Some(true)));
    assert!(whole.detail.contains("too many entries"), "{}", whole.detail);
}

#[test]
fn what_nobody_needed_and_is_too_much_takes_nothing_from_what_decided() {
    let facts = of_components(1_000);
    let too_much = "components.all(a, components.exists(b, b.name == a.name))";
    let because = Condition::new(&format!("components.size() == 1 && {too_much}"))
        .unwrap()
        .explain(&facts);
    assert_eq!(because.len(), 1, "{because:#?}");
    assert_eq!(because[0].expression, "components.size() == 1");
    assert_eq!(because[0].is, Some(false));

    // The second entry decides; what the later ones are would take too long to say.
    let because = Condition::new("components.all(a, a.name == 'c0' || components.all(b, b.name == a.name || b.name != a.name && a.name != 'c1'))")
        .unwrap()
        .explain(&facts);
    assert_eq!(because[0].is, Some(false), "{because:#?}");
    assert_eq!(
        because[0].detail,
        "it is not so for at least 1 of the 1000 of `components`"
    );
    assert_eq!(because[0].saw[0].fact, "components[1]");
    assert!(because[1].detail.starts_with("components[1]: "), "{because:#?}");
}
