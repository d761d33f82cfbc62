//! How an expression comes out, and which parts of it made it so.

use super::{
    limits::MAX_LOOKS,
    tree::{Compare, Each, Node, Part, Which},
};
use crate::policy::facts::{Extent, Facts};
use cel::{
    Context, ExecutionError, Value as Cel,
    common::{
        ast::operators as op,
        traits,
        types::{CelBool, CelList, CelMap},
        value::{CowVal, Val},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{cell::Cell, cmp::Ordering};

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
    extent: Extent,
    left: &'b Cell<usize>,
}

/// What cannot be said because it would look at too much.
fn too_much() -> String {
    format!("it looks at more than {MAX_LOOKS} entries of lists, one by one")
}

impl<'b> Known<'_, 'b> {
    fn look(self, entries: usize) -> Result<(), String> {
        let left = self.left.get().checked_sub(entries);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or_else(too_much)
    }

    /// With the entry of a list under its name.
    fn with(self, name: &str, entry: &(dyn Val + 'static)) -> Context<'b, 'static> {
        let mut inner = self.context.new_inner_scope();
        inner.add_variable_as_val(name, entry.clone_as_boxed());
        inner
    }

    /// The same, seen from an inner scope.
    const fn within<'c>(self, context: &'c Context<'c, 'static>) -> Known<'c, 'c>
    where
        'b: 'c,
    {
        Known {
            context,
            extent: self.extent,
            left: self.left,
        }
    }
}

/// Judges a tree, from the left to the right, no further than needed.
pub(super) fn judge(node: &Node, facts: &Facts) -> Outcome {
    let left = Cell::new(MAX_LOOKS);
    let known = Known {
        context: facts.context(),
        extent: facts.extent(),
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
            let over = value(&each.over, facts)?;
            let mut entries = entries(&each.over, &over)?;
            while let Some(entry) = entries.next() {
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

/// As CEL compares the values of both sides.
fn compares(compare: &Compare, facts: Known<'_, '_>) -> Result<bool, String> {
    facts.look(compare.looks.at(facts.extent))?;
    let (left, right) = (resolved(&compare.left, facts)?, resolved(&compare.right, facts)?);
    let (left, right) = (left.as_ref(), right.as_ref());
    let compared = match compare.operator {
        op::EQUALS | op::NOT_EQUALS => {
            let alike = size(left, MAX_LOOKS).min(size(right, MAX_LOOKS));
            facts.look(alike)?;
            Ok(left.equals(right) == (compare.operator == op::EQUALS))
        }
        op::IN => {
            let entries = right
                .downcast_ref::<CelList>()
                .map_or(0, |list| list.inner().len());
            facts.look(entries.saturating_mul(1 + size(left, MAX_LOOKS)))?;
            right
                .as_container()
                .map_or(Err(None), |list| list.contains(left).map_err(Some))
        }
        operator => ordered(left, right).map(|order| match operator {
            op::LESS => order == Ordering::Less,
            op::LESS_EQUALS => order != Ordering::Greater,
            op::GREATER => order == Ordering::Greater,
            _ => order != Ordering::Less,
        }),
    };
    compared.map_err(|error| {
        let cannot = format!(
            "`{}` and `{}` cannot be compared",
            compare.left.text, compare.right.text
        );
        let why = error.map_or_else(
            || format!("{} with {}", kind(left), kind(right)),
            |error| said(&error),
        );
        format!("{cannot}: {why}")
    })
}

fn ordered(left: &dyn Val, right: &dyn Val) -> Result<Ordering, Option<ExecutionError>> {
    left.as_comparer()
        .map_or(Err(None), |comparer| comparer.compare(right).map_err(Some))
}

/// How many entries there are in a value, and in those, up to so many: none in what is neither a list nor an object.
fn size(value: &dyn Val, most: usize) -> usize {
    let mut entries = 0;
    let mut add = |entry: &dyn Val| {
        entries += 1 + size(entry, most.saturating_sub(entries + 1));
        entries < most
    };
    if let Some(list) = value.downcast_ref::<CelList>() {
        let _ = list.inner().iter().all(|entry| add(entry.as_ref()));
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        let _ = map.inner().values().all(|entry| add(entry.as_ref()));
    }
    entries
}

fn truth(part: &Part, facts: Known<'_, '_>) -> Result<bool, String> {
    let value = value(part, facts)?;
    value
        .downcast_ref::<CelBool>()
        .map(|so| *so.inner())
        .ok_or_else(|| format!("`{}` is {}, not true or false", part.text, kind(value.as_ref())))
}

fn value<'b>(part: &'b Part, facts: Known<'_, 'b>) -> Result<CowVal<'b, 'static>, String> {
    facts.look(part.looks.at(facts.extent))?;
    resolved(part, facts)
}

/// As [`value`], where that it looks at something is counted elsewhere.
fn resolved<'b>(part: &'b Part, facts: Known<'_, 'b>) -> Result<CowVal<'b, 'static>, String> {
    Cel::resolve_val(&part.expr, facts.context).map_err(|error| why(part, &error))
}

/// What a value is, in a word.
fn kind(value: &dyn Val) -> &str {
    value.get_type().name()
}

/// The entries of a list, or the keys of an object.
fn entries<'v>(
    over: &Part,
    value: &'v CowVal<'_, 'static>,
) -> Result<Box<dyn traits::Iterator<'v, 'static> + 'v>, String> {
    let iterable = value.as_iterable();
    iterable
        .map(traits::Iterable::iter)
        .ok_or_else(|| format!("`{}` is {}, not a list", over.text, kind(value.as_ref())))
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
pub(super) fn explain(node: &Node, facts: &Facts) -> Vec<Because> {
    let mut because = Vec::new();
    // A part is evaluated by itself, and as a part of others: more often, but not without end.
    let left = Cell::new(MAX_LOOKS * 2);
    let known = Known {
        context: facts.context(),
        extent: facts.extent(),
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
    let cannot = |detail| Because {
        expression: text.to_owned(),
        is: None,
        detail: placed(at, detail),
        would_change: None,
        saw: Vec::new(),
    };
    let list = match value(over, facts) {
        Ok(list) => list,
        Err(detail) => return because.push(cannot(detail)),
    };
    let mut found = match entries(over, &list) {
        Ok(found) => found,
        Err(detail) => return because.push(cannot(detail)),
    };
    let mut total = 0;
    let mut telling = Vec::new();
    while let Some(entry) = found.next() {
        // Of `all`, those that are not so; of `exists`, those that are, or else all.
        let of_interest = facts.look(1).is_ok() && {
            let inner = facts.with(name, entry);
            match (evaluate(body, facts.within(&inner)), outcome) {
                (Ok(so), Ok(whole)) => so == *whole,
                (Err(_), _) => true,
                (Ok(_), Err(_)) => false,
            }
        };
        if of_interest && !(which == Which::All && *outcome == Ok(true)) {
            telling.push((total, entry));
        }
        total += 1;
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
                value: brief(*entry),
            })
            .collect(),
    });
    for (i, entry) in shown {
        let inner = facts.with(name, *entry);
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
        ..
    } = node;
    let shown = |part: &Part| value(part, facts).map(|value| brief(value.as_ref()));
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
                value: brief(value.as_ref()),
            })
        })
        .collect()
}

/// A value for people: as it is, or what there is of it in short.
fn brief(value: &dyn Val) -> Value {
    let json = Cel::try_from(value).ok().and_then(|value| value.json().ok());
    let Some(json) = json else {
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
