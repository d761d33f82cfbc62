use super::{text, tree, *};
use crate::policy::facts::tests::some_facts;
use proptest::prelude::*;
use serde_json::json;

fn judged(source: &str) -> Outcome {
    Condition::new(source)
        .unwrap_or_else(|faults| panic!("{source}: {faults:?}"))
        .judge(&some_facts())
}

fn refused(source: &str) -> String {
    Condition::new(source).expect_err(source).join("\n")
}

#[test]
fn facts_are_read_and_compared() {
    for so in [
        r#"environment.tier == "production""#,
        r#"service.criticality in ["high", "critical"]"#,
        r#"components.all(c, c.state == "available" && c.images.all(i, i.pinned))"#,
        r#"evidence.exists(e, e.kind == "test_report" && e.passed && e.age < 86400)"#,
        "plan.targets.size() == 2 && size(components) == 1",
        r#"plan.targets.filter(t, t.cluster.startsWith("eu")).size() == 1"#,
        r#"components.map(c, c.name).exists(n, n == "web")"#,
        r#"!has(deployment.reason) || deployment.reason != """#,
        "risk.score * 2 + 1 == 85",
        r#"plan.targets[0].labels.region == "eu""#,
        r#"has(history.last) ? history.last == "succeeded" : true"#,
        "evidence.exists_one(e, e.counts.failed == 0)",
    ] {
        assert_eq!(judged(so), Outcome::True, "{so}");
    }
    assert_eq!(judged("risk.score < 42"), Outcome::False);
}

/// Facts with these labels on a target, made anew: the keys of their objects come in another order each time.
fn labelled(labels: &[&str]) -> Facts {
    let mut facts = some_facts().json().clone();
    facts["plan"]["targets"][0]["labels"] = labels
        .iter()
        .map(|label| ((*label).to_owned(), json!("x")))
        .collect();
    Facts::new(facts).unwrap()
}

#[test]
fn the_keys_of_an_object_are_gone_through_in_one_order() {
    const LABELS: [&str; 6] = ["f", "b", "e", "a", "d", "c"];
    let in_order = r#"["a", "b", "c", "d", "e", "f"]"#;
    for so in [
        format!("plan.targets[0].labels.map(l, l) == {in_order}"),
        format!("plan.targets[0].labels.filter(l, l != \"g\") == {in_order}"),
        format!("plan.targets.exists(t, t.labels.map(l, l) == {in_order})"),
    ] {
        let condition = Condition::new(&so).unwrap();
        // By chance alone six keys come in order once in 720 times.
        for _ in 0..5 {
            assert_eq!(condition.judge(&labelled(&LABELS)), Outcome::True, "{so}");
        }
    }
    let shown = Condition::new(r#"plan.targets[0].labels.all(l, l == "z")"#).unwrap();
    let first = shown.explain(&labelled(&LABELS));
    assert!(first[0].saw[0].value == json!("a"), "{first:?}");
    for _ in 0..5 {
        assert_eq!(shown.explain(&labelled(&LABELS)), first);
    }
    let said = Sentence::new("plan.targets[0].labels.map(l, l)[0]").unwrap();
    for _ in 0..5 {
        assert_eq!(said.say(&labelled(&LABELS)), Ok("a".to_owned()));
    }
}

#[test]
fn a_missing_fact_is_never_taken_for_anything() {
    for source in [
        r#"deployment.reason == "urgent""#,
        r#"deployment.reason != "urgent""#,
        r#"!(deployment.reason == "urgent")"#,
        // CEL itself forgives what stands beside a true one.
        r#"deployment.reason == "urgent" || true"#,
        r#"components.exists(c, c.source.commit == "abc")"#,
        r#"plan.targets[7].cluster == "eu""#,
        r#"plan.targets.exists(t, t.labels.zone == "a") || true"#,
    ] {
        let Outcome::Unknown(why) = judged(source) else {
            panic!("{source} is {:?}", judged(source))
        };
        assert!(why.contains("cannot be said"), "{why}");
    }
    assert_eq!(
        judged(r#"true || deployment.reason == "urgent""#),
        Outcome::True,
        "it was not asked for"
    );
}

#[test]
fn what_an_expression_cannot_mean_is_said_before_it_is_kept() {
    for (source, says) in [
        ("", "is empty"),
        (
            "environment.teir == 'x'",
            "`environment` has no `teir`; it has name, tier",
        ),
        (
            "enviroment.tier == 'x'",
            "there is no fact `enviroment`; there are release, components",
        ),
        (
            "environment.tier == 'prod'",
            "is one of development, test, staging, production",
        ),
        ("risk.score == '7'", "compares a whole number with text"),
        (
            "components.name == 'x'",
            "is a list, which has no `name`: say `components.all(x, …)`",
        ),
        ("release.version.matches('^1')", "there is no function `matches`"),
        ("now() == 1", "there is no function `now`"),
        (
            "release.notes && true",
            "`release.notes` is text, not true or false",
        ),
        (
            "components.all(release, true)",
            "is a fact: an entry of a list needs another name",
        ),
        ("components.all(c, c.name)", "`c.name` is text, not true or false"),
        ("components.exists(true)", "wants a name"),
        ("release.name.all(c, true)", "is text, not a list"),
        ("has(release)", "asks for a field"),
        ("risk.score > 7u", "without `u`"),
        ("{'a': 1}.a == 1", "objects cannot be made here"),
        ("risk.score >", "line 1"),
        ("a b", "line 1"),
        ("release.?notes == ''", "line 1"),
    ] {
        let faults = refused(source);
        assert!(faults.contains(says), "{source}: {faults}");
    }
    let all = refused("a == b && release.c == 1 && d(1)");
    assert_eq!(all.lines().count(), 4, "all of it at once: {all}");
    assert!(Sentence::new("'no ' + relase.name").is_err());
}

#[test]
fn nothing_that_is_written_ends_the_process_or_keeps_it_busy() {
    // As small a stack as any thread here has.
    let small = std::thread::Builder::new().stack_size(2 << 20);
    let tried = small.spawn(|| {
        let long = [
            "1+".repeat(999) + "1 == 1",
            "!(".repeat(600) + "true" + &")".repeat(600),
            "-(".repeat(600) + "1" + &")".repeat(600) + " == 1",
            "(".repeat(900) + "1" + &")".repeat(900) + " == 1",
            "[".repeat(900) + &"]".repeat(900) + " == []",
            "a.".repeat(900) + "a == 1",
            "true ? ".repeat(200) + "true" + &" : true".repeat(200),
            "true && ".repeat(240) + "true",
            "{".repeat(1900),
            "size(".repeat(300) + "'a'" + &")".repeat(300) + " == 1",
            "'".to_owned() + &"\\".repeat(1900),
            "x".repeat(3_000),
            "components.all(a, ".repeat(3) + "true" + &")".repeat(3),
        ];
        for source in long {
            let faults = refused(&source);
            assert!(faults.len() < 60_000, "{} bytes of faults", faults.len());
        }
        // Signs in a row are one to the parser.
        assert_eq!(judged(&("!".repeat(1_900) + "true")), Outcome::True);
        // What is just small enough is judged, and let go of.
        let wide = "risk.score == 42 && ".repeat(49) + "true";
        assert_eq!(judged(&wide), Outcome::True);
        let deep = "(1 + ".repeat(35) + "1" + &")".repeat(35) + " == 36";
        assert_eq!(judged(&deep), Outcome::True);
    });
    tried.unwrap().join().unwrap();
    assert!(refused("(components + components).all(c, true)").contains("loops over something"));
}

/// Facts with lists as long as they may be.
fn long() -> serde_json::Value {
    let mut many = crate::policy::facts::tests::some();
    for list in ["/components", "/evidence", "/plan/targets"] {
        let list = many.pointer_mut(list).unwrap();
        let one = list[0].clone();
        *list = std::iter::repeat_n(one, MAX_LIST).collect();
    }
    many
}

/// That each of these cannot be said, and that this is soon known: in much less than a minute, but whoever runs this may have
/// other things to do.
fn looks_at_too_much(facts: serde_json::Value, sources: &[&str]) {
    let facts = Facts::new(facts).unwrap();
    for source in sources {
        let began = std::time::Instant::now();
        let condition = Condition::new(source).unwrap();
        let Outcome::Unknown(why) = condition.judge(&facts) else {
            panic!("{source} is judged")
        };
        assert!(why.contains("looks at more than 50000"), "{why}");
        let because = condition.explain(&facts);
        assert!(because.iter().any(|part| part.is.is_none()), "{because:?}");
        assert!(
            began.elapsed() < std::time::Duration::from_secs(20),
            "{source}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn what_would_look_at_too_much_cannot_be_judged_and_is_soon_over() {
    let facts = Facts::new(long()).unwrap();
    for so in [
        r#"components.all(c, c.state == "available") && evidence.all(e, e.passed)"#,
        "components.all(c, c.images.all(i, i.pinned)) && components.exists(c, evidence.all(e, e.passed))",
        r#"plan.targets.all(t, t.cluster in ["eu-1", "us-1"] && t.cluster in environment.clusters)"#,
        r#"components.filter(c, c.team == service.team).size() == 1000 && components.map(c, c.name)[0] in ["web"]"#,
        "components == components && components[0] in components",
    ] {
        assert_eq!(Condition::new(so).unwrap().judge(&facts), Outcome::True, "{so}");
    }
    looks_at_too_much(
        long(),
        &[
            "components.all(c, evidence.exists(e, e.component == 'none') || true)",
            "components.all(c, evidence.filter(e, e.component == c.name).size() > 0)",
            "components.map(c, evidence.map(e, e.component == c.name)).size() > 0",
        ],
    );
    let sentence = Sentence::new("string(components.map(c, evidence.map(e, e.name)).size())").unwrap();
    assert!(sentence.say(&facts).unwrap_err().contains("looks at more than"));
}

#[test]
fn to_compare_lists_or_to_look_for_something_in_one_is_to_look_at_its_entries() {
    looks_at_too_much(
        long(),
        &[
            "components.all(c, c in components)",
            "components.all(c, components == components)",
            "components.all(c, [components] == [components])",
            "evidence.all(b, evidence.map(x, x) == evidence.map(x, x))",
            "components.all(c, components.filter(d, d == c).size() > 0)",
            "evidence.all(b, plan.targets.all(t, !(b.name in environment.clusters + ['a'])))",
            "components.filter(c, c in components).size() > 0",
            "components.map(c, components + components).size() > 0",
        ],
    );
}

#[test]
fn long_texts_are_looked_at_step_by_step() {
    let mut facts = long();
    facts["release"]["notes"] = json!("é".repeat(500_000));
    looks_at_too_much(
        facts,
        &[
            "components.all(c, !release.notes.contains('zz'))",
            "components.map(c, release.notes + release.notes).size() > 0",
            "components.exists(c, release.notes + c.name + release.notes == c.name)",
            "components.exists_one(c, size(release.notes) == 7)",
        ],
    );
}

#[test]
fn what_is_seldom_much_is_judged_where_it_is_little() {
    for so in [
        "components.filter(c, evidence.exists(e, e.component == c.name && e.digest in [c.digest, c.name])).size() == 1",
        "plan.targets.map(t, plan.targets.filter(o, o.cluster in environment.clusters).size()) == [2, 2]",
    ] {
        assert_eq!(judged(so), Outcome::True, "{so}");
    }
}

#[test]
fn what_is_wrong_is_said_in_few_words_that_are_the_same_each_time() {
    let mut facts = long();
    facts["release"]["notes"] = json!("x".repeat(100_000));
    let [facts, same] = [facts.clone(), facts].map(|facts| Facts::new(facts).unwrap());
    for source in [
        "components[1.5].name == ''",
        "components[release.notes].name == ''",
        "evidence[0].counts[components] == 1",
        "plan.targets[0].labels[release.notes] == ''",
        "int(release.notes) == 7",
        "evidence[0].counts + components == []",
        "evidence[0].counts < evidence[0].counts",
        "components < components",
        "components in 7",
        "size(7) == 1",
        "string(components) == ''",
        "components[7777].name == ''",
        "risk.score / 0 == 1 || risk.score % 0 == 1",
        "risk.score * 9223372036854775807 == 1",
    ] {
        let condition = Condition::new(source).unwrap();
        let Outcome::Unknown(why) = condition.judge(&facts) else {
            panic!("{source} is judged")
        };
        assert_eq!(Outcome::Unknown(why.clone()), condition.judge(&same));
        assert!(why.chars().count() < 500, "{why}");
    }
    assert!(
        matches!(judged("components[1.5].name == ''"), Outcome::Unknown(why) if why.ends_with("float is no index of list"))
    );
}

#[test]
fn of_an_object_a_filter_leaves_keys() {
    assert_eq!(
        judged(r#"plan.targets[0].labels.filter(l, l.startsWith("r"))[0] == "region""#),
        Outcome::True
    );
    assert!(refused("plan.targets[0].labels.filter(l, true).region == ''").contains("is a list"));
}

#[test]
fn every_part_of_an_expression_has_an_id_of_its_own() {
    let parsed = tree::plain(
        "components.all(c, c == d && [c, d] == e || !(c in f)) ? a == b && c == d && e == f : a + b == c",
    )
    .unwrap();
    let mut ids = Vec::new();
    let mut left = vec![&parsed];
    while let Some(expr) = left.pop() {
        ids.push(expr.id);
        left.extend(super::limits::children(expr));
    }
    let distinct: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}

#[test]
fn a_message_is_text_or_says_why_not() {
    let say = |source| Sentence::new(source).unwrap().say(&some_facts());
    assert_eq!(
        say("'the risk is ' + string(risk.score)"),
        Ok("the risk is 42".to_owned())
    );
    let number = Sentence::new("risk.score").unwrap_err();
    assert_eq!(number, ["`risk.score` is a whole number, not text"]);
    assert!(say("deployment.reason").unwrap_err().contains("no `reason`"));
}

/// Sources that mean something, of every kind of part.
fn sources() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("risk.score".to_owned()),
        Just("true".to_owned()),
        Just("release.notes".to_owned()),
        Just("components".to_owned()),
        (-9_i64..9).prop_map(|n| n.to_string()),
        "[ -~é]{0,6}".prop_map(|text| text::quoted(&text)),
        Just("1.5".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let signs = prop::sample::select(vec![
            "&&", "||", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "in",
        ]);
        prop_oneof![
            (two.clone(), signs).prop_map(|((a, b), sign)| format!("({a}) {sign} ({b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            (two.clone(), inner.clone()).prop_map(|((a, b), c)| format!("({a}) ? ({b}) : ({c})")),
            two.clone().prop_map(|(a, b)| format!("({a})[{b}]")),
            two.clone().prop_map(|(a, b)| format!("[{a}, {b}]")),
            inner.clone().prop_map(|a| format!("components.all(c, {a})")),
            inner.clone().prop_map(|a| format!("size({a})")),
            two.prop_map(|(a, b)| format!("({a}).contains({b})")),
        ]
    })
}

/// What an expression is, but for how `&&` and `||` are grouped: the parser balances them, and it is no matter.
fn meaning(expr: &cel::IdedExpr) -> String {
    use cel::common::ast::Expr;
    let children = || {
        let children = super::limits::children(expr).into_iter().map(meaning);
        children.collect::<Vec<_>>().join(", ")
    };
    match &expr.expr {
        Expr::Call(call) if ["_&&_", "_||_"].contains(&call.func_name.as_str()) => {
            let mut sides: Vec<_> = call.args.iter().collect();
            let mut flat = Vec::new();
            while let Some(side) = sides.pop() {
                match &side.expr {
                    Expr::Call(inner) if inner.func_name == call.func_name => sides.extend(&inner.args),
                    _ => flat.push(meaning(side)),
                }
            }
            flat.reverse();
            format!("{}({})", call.func_name, flat.join(", "))
        }
        Expr::Call(call) => format!("{}[{}]({})", call.func_name, call.target.is_some(), children()),
        Expr::Select(select) => format!("{}.{}({})", select.test, select.field, children()),
        Expr::Ident(name) => name.clone(),
        Expr::Literal(value) => format!("{value:?}"),
        Expr::List(_) => format!("list({})", children()),
        other => format!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_written_out_means_the_same(source in sources()) {
        let Ok(parsed) = tree::plain(&source) else { return Ok(()) };
        let again = tree::plain(&text::of(&parsed)).unwrap();
        prop_assert_eq!(meaning(&parsed), meaning(&again), "{}", source);
    }

    #[test]
    fn whatever_is_kept_is_judged(source in sources()) {
        if let Ok(condition) = Condition::new(&source) {
            let facts = some_facts();
            let outcome = condition.judge(&facts);
            let because = condition.explain(&facts);
            prop_assert!(!because.is_empty(), "{source}");
            if let Outcome::Unknown(_) = outcome {
                prop_assert!(because.iter().any(|part| part.is.is_none()), "{source}: {because:?}");
            }
        }
    }

    #[test]
    fn whatever_is_sent_is_kept_or_refused(source in "\\PC{0,200}") {
        let _ = Condition::new(&source);
        let _ = Sentence::new(&source);
    }
}
