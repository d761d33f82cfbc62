//! How an expression comes out, and which parts of it made it so.

use super::{
    limits::MAX_LOOKS,
    tree::{Compare, Each, Node, Part, Which},
};
use cel::{Context, ExecutionError, Value as Cel};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::Cell;

/// How many entries of a list are shown.
const SHOWN: usize = 3;
/// How long a value is shown, in characters.
const MAX_VALUE: usize = 200;

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    True,
    /// It is not.
    False,
    /// That cannot be said: why.
    Unknown(String),
}

/// One part that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// The part, as it would be written.
    pub expression: String,
    /// What it came out as; none when it could not be said.
    pub is: Option<bool>,
    /// What it saw, for people.
    pub detail: String,
    /// What would have made it come out the other way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_change: Option<String>,
    /// The facts it read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saw: Vec<Saw>,
}

/// A fact, as a part saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saw {
    /// Its path.
    pub fact: String,
    /// Its value; cut off where it is long.
    pub value: Value,
}

/// The facts, and what may still be looked at of them.
#[derive(Clone, Copy)]
struct Known<'a, 'b> {
    context: &'b Context<'a, 'static>,
    left: &'b Cell<usize>,
}

impl<'b> Known<'_, 'b> {
    fn look(self, entries: usize) -> Result<(), String> {
        match self.left.get().checked_sub(entries) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(format!(
                "it looks at more than {MAX_LOOKS} entries of lists, one by one"
            )),
        }
    }

    /// With the entry of a list under its name.
    fn with(self, name: &str, entry: Cel) -> Context<'b, 'static> {
        let mut inner = self.context.new_inner_scope();
        inner.add_variable_from_value(name, entry);
        inner
    }

    /// The same, seen from an inner scope.
    const fn within<'c>(self, context: &'c Context<'c, 'static>) -> Known<'c, 'c>
    where
        'b: 'c,
    {
        Known {
            context,
            left: self.left,
        }
    }
}

/// Judges a tree, from the left to the right, no further than needed.
pub(super) fn judge(node: &Node, facts: &Context<'_, 'static>) -> Outcome {
    let left = Cell::new(MAX_LOOKS);
    let known = Known {
        context: facts,
        left: &left,
    };
    match evaluate(node, known) {
        Ok(true) => Outcome::True,
        Ok(false) => Outcome::False,
        Err(why) => Outcome::Unknown(why),
    }
}

fn evaluate(node: &Node, facts: Known<'_, '_>) -> Result<bool, String> {
    match node {
        Node::And(left, right) => Ok(evaluate(left, facts)? && evaluate(right, facts)?),
        Node::Or(left, right) => Ok(evaluate(left, facts)? || evaluate(right, facts)?),
        Node::Not(inner, _) => Ok(!evaluate(inner, facts)?),
        Node::If(when, then, otherwise) => {
            let branch = if evaluate(when, facts)? { then } else { otherwise };
            evaluate(branch, facts)
        }
        Node::Each(each) => {
            for entry in entries(&each.over, facts)? {
                facts.look(1)?;
                let inner = facts.with(&each.name, entry);
                if evaluate(&each.body, facts.within(&inner))? == (each.which == Which::Any) {
                    return Ok(each.which == Which::Any);
                }
            }
            Ok(each.which == Which::All)
        }
        Node::Compare(compare) => compares(compare, facts),
        Node::Other(part) => truth(part, facts),
    }
}

/// One call for both sides, so that CEL says what is alike.
fn compares(compare: &Compare, facts: Known<'_, '_>) -> Result<bool, String> {
    let Compare {
        operator,
        left,
        right,
        ..
    } = compare;
    let (left_value, right_value) = (value(left, facts)?, value(right, facts)?);
    let mut sides = facts.context.new_inner_scope();
    sides.add_variable_from_value("left", left_value);
    sides.add_variable_from_value("right", right_value);
    let cannot = || format!("`{}` and `{}` cannot be compared", left.text, right.text);
    let whole = super::tree::comparison(operator).ok_or_else(cannot)?;
    match Cel::resolve(whole, &sides) {
        Ok(Cel::Bool(so)) => Ok(so),
        Ok(_) => Err(cannot()),
        Err(error) => Err(format!("{}: {}", cannot(), said(&error))),
    }
}

fn truth(part: &Part, facts: Known<'_, '_>) -> Result<bool, String> {
    match value(part, facts)? {
        Cel::Bool(so) => Ok(so),
        other => Err(format!(
            "`{}` is {}, not true or false",
            part.text,
            other.type_of()
        )),
    }
}

fn value(part: &Part, facts: Known<'_, '_>) -> Result<Cel, String> {
    facts.look(part.looks)?;
    Cel::resolve(&part.expr, facts.context).map_err(|error| why(part, &error))
}

fn entries(over: &Part, facts: Known<'_, '_>) -> Result<Vec<Cel>, String> {
    match value(over, facts)? {
        Cel::List(entries) => Ok(entries.to_vec()),
        Cel::Map(map) => Ok(map
            .map
            .keys()
            .map(|key| Cel::String(std::sync::Arc::new(key.to_string())))
            .collect()),
        other => Err(format!("`{}` is {}, not a list", over.text, other.type_of())),
    }
}

/// Why a part has no value.
pub(super) fn why(part: &Part, error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!(
            "`{}` cannot be said: there is no `{}`. Say `has(…)` first where it may be missing",
            part.text,
            key.chars().take(MAX_VALUE).collect::<String>()
        ),
        error => format!("`{}` cannot be said: {}", part.text, said(error)),
    }
}

/// What CEL says is wrong, in few words that are the same each time: of values it is told what they are, not what is in
/// them, which may be a lot, and in an order that is another one each time.
fn said(error: &ExecutionError) -> String {
    use ExecutionError as E;
    match error {
        E::InvalidArgumentCount { .. }
        | E::UnexpectedType { .. }
        | E::NoSuchKey(_)
        | E::NoSuchOverload(_)
        | E::UndeclaredReference(_)
        | E::MissingArgumentOrTarget
        | E::FunctionError { .. } => error.to_string().chars().take(MAX_VALUE).collect(),
        E::UnsupportedTargetType { target } => format!("there is no such function of {}", target.type_of()),
        E::NotSupportedAsMethod { method, target } => {
            format!("there is no `{method}` of {}", target.type_of())
        }
        E::UnsupportedKeyType(key) => format!("{} is no key", key.type_of()),
        E::ValuesNotComparable(left, right) => {
            format!("{} is not compared with {}", left.type_of(), right.type_of())
        }
        E::UnsupportedBinaryOperator(operator, left, right) => {
            format!("there is no {} {operator} {}", left.type_of(), right.type_of())
        }
        E::UnsupportedIndex(index, of) => format!("{} is no index of {}", index.type_of(), of.type_of()),
        E::DivisionByZero(_) | E::RemainderByZero(_) => "it is divided by zero".to_owned(),
        E::Overflow(operator, ..) => format!("what comes out of `{operator}` is too large"),
        E::IndexOutOfBounds(Cel::Int(index)) => format!("there is no entry {index}"),
        _ => "it cannot be evaluated".to_owned(),
    }
}

/// The parts that decided, the first of them first.
pub(super) fn explain(node: &Node, facts: &Context<'_, 'static>) -> Vec<Because> {
    let mut because = Vec::new();
    // A part is evaluated by itself, and as a part of others: more often, but not without end.
    let left = Cell::new(MAX_LOOKS * 2);
    let known = Known {
        context: facts,
        left: &left,
    };
    gather(node, known, "", &mut because);
    because
}

/// `at` names the entry of a list that is being looked at.
fn gather(node: &Node, facts: Known<'_, '_>, at: &str, because: &mut Vec<Because>) {
    let outcome = evaluate(node, facts);
    match (node, &outcome) {
        // What failed, or is false, decided; when all is true, all of it did.
        (Node::And(left, right), Ok(true)) | (Node::Or(left, right), Ok(false)) => {
            gather(left, facts, at, because);
            gather(right, facts, at, because);
        }
        (Node::And(left, right), _) => {
            let decided = |side: &Node| evaluate(side, facts) != Ok(true);
            // Both, when both stand in the way: whoever mends one would only meet the other.
            if decided(left) {
                gather(left, facts, at, because);
            }
            if decided(right) && evaluate(left, facts).is_ok() {
                gather(right, facts, at, because);
            }
        }
        (Node::Or(left, right), _) => {
            let side = if evaluate(left, facts) == Ok(false) {
                right
            } else {
                left
            };
            gather(side, facts, at, because);
        }
        (Node::Not(inner, text), Ok(_)) if matches!(**inner, Node::Other(_)) => {
            let Node::Other(part) = &**inner else { return };
            because.push(plain(text, part, &outcome, facts, at));
        }
        (Node::Not(inner, _), _) => gather(inner, facts, at, because),
        (Node::If(when, then, otherwise), _) => match evaluate(when, facts) {
            Ok(so) => gather(if so { then } else { otherwise }, facts, at, because),
            Err(_) => gather(when, facts, at, because),
        },
        (Node::Each(node), _) => each(node, &outcome, facts, at, because),
        (Node::Compare(node), _) => because.push(compared(node, &outcome, facts, at)),
        (Node::Other(part), _) => because.push(plain(&part.text, part, &outcome, facts, at)),
    }
}

fn each(
    node: &Each,
    outcome: &Result<bool, String>,
    facts: Known<'_, '_>,
    at: &str,
    because: &mut Vec<Because>,
) {
    let Each {
        which,
        over,
        name,
        body,
        text,
    } = node;
    let which = *which;
    let found = match entries(over, facts) {
        Ok(found) => found,
        Err(detail) => {
            because.push(Because {
                expression: text.to_owned(),
                is: None,
                detail: placed(at, detail),
                would_change: None,
                saw: Vec::new(),
            });
            return;
        }
    };
    let total = found.len();
    let mut telling = Vec::new();
    for (i, entry) in found.into_iter().enumerate() {
        let inner = facts.with(name, entry.clone());
        // Of `all`, those that are not so; of `exists`, those that are, or else all.
        let of_interest = match (evaluate(body, facts.within(&inner)), outcome) {
            (Ok(so), Ok(whole)) => so == *whole,
            (Err(_), _) => true,
            (Ok(_), Err(_)) => false,
        };
        if of_interest && !(which == Which::All && *outcome == Ok(true)) {
            telling.push((i, entry));
        }
    }
    let shown: Vec<_> = telling.iter().take(SHOWN).collect();
    let summary = match (which, outcome) {
        (Which::All, Ok(true)) => format!("it is so for all {total} of `{}`", over.text),
        (Which::All, Ok(false)) => {
            format!(
                "it is not so for {} of the {total} of `{}`",
                telling.len(),
                over.text
            )
        }
        (Which::Any, Ok(true)) => format!("it is so for {} of the {total} of `{}`", telling.len(), over.text),
        (Which::Any, Ok(false)) => format!("it is so for none of the {total} of `{}`", over.text),
        (_, Err(why)) => why.clone(),
    };
    because.push(Because {
        expression: text.to_owned(),
        is: outcome.as_ref().ok().copied(),
        detail: placed(at, summary),
        would_change: (*outcome == Ok(false)).then(|| match which {
            Which::All => format!("every entry of `{}` for which it is so", over.text),
            Which::Any => format!("an entry of `{}` for which it is so", over.text),
        }),
        saw: shown
            .iter()
            .map(|(i, entry)| Saw {
                fact: format!("{}[{i}]", over.text),
                value: brief(entry),
            })
            .collect(),
    });
    for (i, entry) in shown {
        let inner = facts.with(name, entry.clone());
        gather(
            body,
            facts.within(&inner),
            &format!("{}[{i}]", over.text),
            because,
        );
    }
}

fn compared(node: &Compare, outcome: &Result<bool, String>, facts: Known<'_, '_>, at: &str) -> Because {
    let Compare {
        operator,
        left,
        right,
        text,
    } = node;
    let shown = |part: &Part| value(part, facts).map(|value| brief(&value));
    let mut detail = Vec::new();
    for side in [left, right].into_iter().filter(|side| !side.literal) {
        if let Ok(value) = shown(side) {
            detail.push(format!("`{}` is {value}", side.text));
        }
    }
    let detail = match outcome {
        Ok(_) => detail.join(", "),
        Err(why) => why.clone(),
    };
    let sign = super::tree::sign(operator);
    let would_change = (*outcome == Ok(false)).then(|| match shown(right) {
        Ok(value) if !left.literal => format!("`{}` {sign} {value}", left.text),
        _ => format!("`{text}`"),
    });
    Because {
        expression: text.to_owned(),
        is: outcome.as_ref().ok().copied(),
        detail: placed(at, detail),
        would_change,
        saw: seen(left.paths.iter().chain(&right.paths), facts),
    }
}

fn plain(text: &str, part: &Part, outcome: &Result<bool, String>, facts: Known<'_, '_>, at: &str) -> Because {
    let detail = match outcome {
        Ok(so) => format!("it is {so}"),
        Err(why) => why.clone(),
    };
    Because {
        expression: text.to_owned(),
        is: outcome.as_ref().ok().copied(),
        detail: placed(at, detail),
        would_change: (*outcome == Ok(false)).then(|| format!("`{text}`")),
        saw: seen(part.paths.iter(), facts),
    }
}

fn placed(at: &str, detail: String) -> String {
    if at.is_empty() {
        detail
    } else {
        format!("{at}: {detail}")
    }
}

fn seen<'p>(paths: impl Iterator<Item = &'p Part>, facts: Known<'_, '_>) -> Vec<Saw> {
    paths
        .filter_map(|path| {
            let value = value(path, facts).ok()?;
            Some(Saw {
                fact: path.text.clone(),
                value: brief(&value),
            })
        })
        .collect()
}

/// A value for people: as it is, or what there is of it in short.
fn brief(value: &Cel) -> Value {
    let Ok(json) = value.json() else {
        return Value::Null;
    };
    let text = json.to_string();
    if text.chars().count() <= MAX_VALUE {
        return json;
    }
    match &json {
        Value::Array(entries) => format!("a list of {} entries", entries.len()).into(),
        _ => format!("{}…", text.chars().take(MAX_VALUE).collect::<String>()).into(),
    }
}
