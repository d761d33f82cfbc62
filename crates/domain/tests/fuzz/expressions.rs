//! The compiler of expressions: what it accepts is judged on any facts, explained, and says what CEL says by itself.

use crate::{
    cel::{condition, sentence},
    choices::{Choices, made},
    facts::facts,
    runner::{Came, Checked, run},
};
use cel::{Context, Env, Value as Cel, objects::Key};
use proptest::prelude::*;
use serde_json::Value;
use slipway_domain::policy::{
    Facts,
    expression::{Because, Condition, MAX_SOURCE, Outcome, Sentence},
};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

/// Most bytes of all that is said to be wrong with an expression.
const MAX_SAID: usize = 200_000;
/// Most characters of what one part is said to have seen.
const MAX_DETAIL: usize = 10_000;
/// How often CEL is asked before it is taken to say something else.
const MOST_ORDERS: usize = 1_000;

/// An expression and the facts that it is judged on.
#[derive(Debug)]
struct Asked {
    source: String,
    facts: Value,
}

fn asked(choices: &mut Choices<'_>, source: impl Fn(&mut Choices<'_>) -> String) -> Asked {
    let source = source(choices);
    Asked {
        source,
        facts: facts(choices),
    }
}

#[test]
fn conditions() {
    run(
        "conditions",
        &made(400, |choices| asked(choices, condition)),
        |asked| {
            let condition = match Condition::new(&asked.source) {
                Ok(condition) => condition,
                Err(faults) => return refused(&faults),
            };
            prop_assert!(asked.source.len() <= MAX_SOURCE);
            prop_assert_eq!(condition.source(), &asked.source);
            let [facts, same] = [(); 2].map(|()| Facts::new(asked.facts.clone()).unwrap());
            let outcome = condition.judge(&facts);
            prop_assert_eq!(
                &outcome,
                &condition.judge(&same),
                "the same facts are judged in two ways"
            );
            prop_assert_eq!(condition.explain(&facts), condition.explain(&same));
            if let Outcome::Unknown(why) = &outcome {
                prop_assert!(!why.trim().is_empty() && why.chars().count() <= MAX_DETAIL);
            }
            explains(&condition.explain(&facts), &outcome, &facts)?;
            as_cel_says(asked, &outcome)?;
            // The other way round is the other way round.
            if let Ok(negated) = Condition::new(&format!("!({})", asked.source)) {
                let other = negated.judge(&facts);
                let opposite = match outcome {
                    Outcome::True => other == Outcome::False,
                    Outcome::False => other == Outcome::True,
                    Outcome::Unknown(_) => matches!(other, Outcome::Unknown(_)),
                };
                prop_assert!(opposite, "it is {outcome:?}, and its opposite {other:?}");
            }
            Ok(Came::Accepted)
        },
    );
}

fn refused(faults: &[String]) -> Checked {
    prop_assert!(!faults.is_empty(), "it is refused, and nothing is wrong with it");
    prop_assert!(faults.iter().all(|fault| !fault.trim().is_empty()), "{faults:?}");
    let said: usize = faults.iter().map(String::len).sum();
    prop_assert!(said <= MAX_SAID, "{said} bytes of what is wrong");
    Ok(Came::Refused)
}

fn explains(because: &[Because], outcome: &Outcome, facts: &Facts) -> Result<(), TestCaseError> {
    prop_assert!(!because.is_empty(), "nothing decided");
    if let Outcome::Unknown(_) = outcome {
        prop_assert!(because.iter().any(|part| part.is.is_none()), "{because:?}");
    }
    for part in because {
        prop_assert!(!part.expression.trim().is_empty(), "{part:?}");
        prop_assert!(part.detail.chars().count() <= MAX_DETAIL, "{part:?}");
        prop_assert!(
            part.saw
                .iter()
                .all(|saw| !saw.fact.is_empty() && saw.value.to_string().len() <= MAX_DETAIL)
        );
        // What is told of a part is what comes out of it by itself, where it has nothing of a loop.
        if let Ok(alone) = Condition::new(&part.expression) {
            let is = match alone.judge(facts) {
                Outcome::True => Some(true),
                Outcome::False => Some(false),
                Outcome::Unknown(_) => None,
            };
            prop_assert_eq!(part.is, is, "{:?}", part);
        }
    }
    Ok(())
}

/// What can be said is what CEL says of the whole: it is only stricter.
fn as_cel_says(asked: &Asked, outcome: &Outcome) -> Result<(), TestCaseError> {
    let ours = match outcome {
        Outcome::True => true,
        Outcome::False => false,
        Outcome::Unknown(_) => return Ok(()),
    };
    // Its parser recurses by what it reads.
    let by_cel = std::thread::scope(|scope| {
        let large = std::thread::Builder::new().stack_size(64 << 20);
        large
            .spawn_scoped(scope, || in_some_order(asked, ours))
            .unwrap()
            .join()
            .unwrap()
    });
    prop_assert_eq!(Ok(ours), by_cel);
    Ok(())
}

/// CEL goes through the keys of an object in an order of its own each time, and we in the one order there is: of what it says in
/// many orders, what we say if it ever says that.
fn in_some_order(asked: &Asked, ours: bool) -> Result<bool, String> {
    let said = std::iter::repeat_with(|| by_cel(asked)).take(MOST_ORDERS);
    let mut last = Err("it was not asked".to_owned());
    for said in said {
        last = said;
        if last == Ok(ours) {
            break;
        }
    }
    last
}

fn by_cel(asked: &Asked) -> Result<bool, String> {
    static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));
    let parsed = ENV
        .parser()
        .parse(&asked.source)
        .map_err(|error| format!("{error:?}"))?;
    let mut context = Context::with_env(Arc::clone(&ENV));
    for (name, value) in asked.facts.as_object().unwrap() {
        context.add_variable_from_value(name.clone(), of_json(value));
    }
    match Cel::resolve(&parsed, &context) {
        Ok(Cel::Bool(so)) => Ok(so),
        other => Err(format!("{other:?}")),
    }
}

fn of_json(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(so) => Cel::Bool(*so),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap()),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(entries) => Cel::List(Arc::new(entries.iter().map(of_json).collect())),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: HashMap<Key, Cel> = fields
                .map(|(name, value)| (Key::String(Arc::new(name.clone())), of_json(value)))
                .collect();
            Cel::Map(fields.into())
        }
    }
}

#[test]
fn messages() {
    run(
        "messages",
        &made(400, |choices| asked(choices, sentence)),
        |asked| {
            let sentence = match Sentence::new(&asked.source) {
                Ok(sentence) => sentence,
                Err(faults) => return refused(&faults),
            };
            prop_assert!(asked.source.len() <= MAX_SOURCE);
            let [facts, same] = [(); 2].map(|()| Facts::new(asked.facts.clone()).unwrap());
            let said = sentence.say(&facts);
            prop_assert_eq!(
                &said,
                &sentence.say(&same),
                "two things are said of the same facts"
            );
            match said {
                Ok(said) => prop_assert!(said.chars().count() <= Sentence::MAX),
                Err(why) => prop_assert!(!why.trim().is_empty() && why.chars().count() <= MAX_DETAIL),
            }
            Ok(Came::Accepted)
        },
    );
}
