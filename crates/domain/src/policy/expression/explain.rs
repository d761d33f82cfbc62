//! Which parts of an expression made it come out as it did.

use super::{
    evaluate::{Known, entries, evaluate, value},
    limits::MAX_LOOKS,
    tree::{Compare, Each, Node, Part, Which},
};
use crate::policy::facts::Facts;
use cel::{Value as Cel, common::value::Val};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::Cell;

/// How many entries of a list are shown.
const SHOWN: usize = 3;
/// How long a value is shown, in characters.
pub(super) const MAX_VALUE: usize = 200;

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

/// The parts that decided, the first of them first; or the whole, where there is too much to look at to say which.
pub(super) fn explain(source: &str, node: &Node, facts: &Facts) -> Vec<Because> {
    let left = Cell::new(Some(MAX_LOOKS));
    let outcome = evaluate(node, Known::of(facts, &left));
    if left.get().is_some() {
        // A part is evaluated by itself, and as a part of others: more often, but not without end.
        let left = Cell::new(Some(MAX_LOOKS * 2));
        let mut because = Vec::new();
        gather(node, &outcome, Known::of(facts, &left), "", &mut because);
        if left.get().is_some() {
            return because;
        }
    }
    vec![Because {
        expression: source.to_owned(),
        is: outcome.as_ref().ok().copied(),
        detail: outcome.map_or_else(
            |why| why,
            |so| format!("it is {so}; there are too many entries of lists to say which of its parts decided"),
        ),
        would_change: None,
        saw: Vec::new(),
    }]
}

/// How a part came out, or why that cannot be said.
type Came = Result<bool, String>;

/// `at` names the entry of a list that is being looked at. What is gathered when too much was looked at says nothing.
fn gather(node: &Node, outcome: &Came, facts: Known<'_>, at: &str, because: &mut Vec<Because>) {
    match (node, outcome) {
        // What failed, or is false, decided; when all is true, all of it did.
        (Node::And(left, right), Ok(true)) | (Node::Or(left, right), Ok(false)) => {
            gather(left, outcome, facts, at, because);
            gather(right, outcome, facts, at, because);
        }
        (Node::And(left, right), _) => {
            if evaluate(left, facts) == Ok(true) {
                return gather(right, outcome, facts, at, because);
            }
            gather(left, outcome, facts, at, because);
            if outcome.is_ok() {
                // Both, when both stand in the way: whoever mends one would only meet the other. Nobody needed this one
                // yet, and it may be too much.
                let mut other = Vec::new();
                let is_known = facts.apart(|facts| {
                    let outcome = evaluate(right, facts);
                    if outcome != Ok(true) {
                        gather(right, &outcome, facts, at, &mut other);
                    }
                });
                if is_known {
                    because.append(&mut other);
                }
            }
        }
        (Node::Or(left, right), _) => {
            let side = if evaluate(left, facts) == Ok(false) {
                right
            } else {
                left
            };
            gather(side, outcome, facts, at, because);
        }
        (Node::Not(inner, text), Ok(_)) if matches!(**inner, Node::Other(_)) => {
            let Node::Other(part) = &**inner else { return };
            because.push(plain(text, part, outcome, facts, at));
        }
        (Node::Not(inner, _), _) => {
            let opposite = outcome.clone().map(|so| !so);
            gather(inner, &opposite, facts, at, because);
        }
        (Node::If(when, then, otherwise), _) => {
            let decided = match evaluate(when, facts) {
                Ok(true) => then,
                Ok(false) => otherwise,
                Err(_) => when,
            };
            gather(decided, outcome, facts, at, because);
        }
        (Node::Each(node), _) => each(node, outcome, facts, at, because),
        (Node::Compare(node), _) => because.push(compared(node, outcome, facts, at)),
        (Node::Other(part), _) => because.push(plain(&part.text, part, outcome, facts, at)),
    }
}

fn each(node: &Each, outcome: &Came, facts: Known<'_>, at: &str, because: &mut Vec<Because>) {
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
    // What comes after the entry that decided was not needed yet, and may be too much.
    let all_known = facts.apart(|facts| {
        while let Some(entry) = found.next() {
            let came = facts
                .look(1, text)
                .and_then(|()| facts.with(name, entry, |inner| evaluate(body, inner)));
            // Of `all`, those that are not so; of `exists`, those that are, or else all.
            let of_interest = match (&came, outcome) {
                (Ok(so), Ok(whole)) => so == whole && !(which == Which::All && *so),
                (Err(_), _) => true,
                (Ok(_), Err(_)) => false,
            };
            if of_interest && !facts.is_over() {
                telling.push((total, entry, came));
            }
            total += 1;
        }
    });
    let so_many = match telling.len() {
        many if all_known => many.to_string(),
        0 => "some".to_owned(),
        many => format!("at least {many}"),
    };
    let list = &over.text;
    let summary = match (which, outcome) {
        (Which::All, Ok(true)) => format!("it is so for all {total} of `{list}`"),
        (Which::All, Ok(false)) => format!("it is not so for {so_many} of the {total} of `{list}`"),
        (Which::Any, Ok(true)) => format!("it is so for {so_many} of the {total} of `{list}`"),
        (Which::Any, Ok(false)) => format!("it is so for none of the {total} of `{list}`"),
        (_, Err(why)) => why.clone(),
    };
    telling.truncate(SHOWN);
    because.push(Because {
        expression: text.to_owned(),
        is: outcome.as_ref().ok().copied(),
        detail: placed(at, summary),
        would_change: (*outcome == Ok(false)).then(|| match which {
            Which::All => format!("every entry of `{list}` for which it is so"),
            Which::Any => format!("an entry of `{list}` for which it is so"),
        }),
        saw: telling
            .iter()
            .map(|(i, entry, _)| Saw {
                fact: format!("{list}[{i}]"),
                value: brief(*entry),
            })
            .collect(),
    });
    for (i, entry, came) in &telling {
        let at = format!("{list}[{i}]");
        facts.with(name, *entry, |inner| gather(body, came, inner, &at, because));
    }
}

fn compared(node: &Compare, outcome: &Came, facts: Known<'_>, at: &str) -> Because {
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

fn plain(text: &str, part: &Part, outcome: &Came, facts: Known<'_>, at: &str) -> Because {
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

fn seen<'p>(paths: impl Iterator<Item = &'p Part>, facts: Known<'_>) -> Vec<Saw> {
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

#[cfg(test)]
mod tests;
