//! How an expression comes out. What it reads of facts is found by following paths; what is more than that, CEL is asked.

use super::{
    Outcome,
    explain::MAX_VALUE,
    limits::{self, Looks, MAX_LOOKS},
    tree::{Compare, Node, Part, Short, Which},
};
use crate::policy::facts::Facts;
use cel::{
    Context, ExecutionError, Value as Cel,
    common::{
        ast::{IdedExpr, operators as op},
        traits,
        types::{CelBool, CelList, CelMap, CelString},
        value::{CowVal, Val},
    },
};
use std::{cell::Cell, cmp::Ordering, sync::Arc};

/// The facts, what loops have found, and how many entries of lists may still be looked at: none once that was too few.
#[derive(Clone, Copy)]
pub(super) struct Known<'b> {
    facts: &'b Facts,
    scope: Option<&'b Scope<'b>>,
    left: &'b Cell<Option<usize>>,
}

/// The entry of a list that a loop has come to, under its name, within the loops around.
#[derive(Clone, Copy)]
struct Scope<'b> {
    name: &'b str,
    entry: &'b (dyn Val + 'static),
    outer: Option<&'b Self>,
}

/// What cannot be said because it would look at too much, and how far it came.
fn too_much(at: &str) -> String {
    format!("{}; it had come to `{at}`", limits::too_much())
}

impl<'b> Known<'b> {
    pub(super) const fn of(facts: &'b Facts, left: &'b Cell<Option<usize>>) -> Self {
        Self {
            facts,
            scope: None,
            left,
        }
    }

    /// Counts that a part, which is told if that is too much, looks at so many.
    pub(super) fn look(self, entries: usize, part: &str) -> Result<(), String> {
        let left = self.left.get().and_then(|left| left.checked_sub(entries));
        self.left.set(left);
        left.map(drop).ok_or_else(|| too_much(part))
    }

    fn looks(self, looks: Option<&Looks>, part: &str) -> Result<(), String> {
        looks.map_or(Ok(()), |looks| self.look(looks.at(self.facts.extent()), part))
    }

    /// Whether it has looked at too much: what came of it since says nothing.
    pub(super) fn is_over(self) -> bool {
        self.left.get().is_none()
    }

    /// Has something done that may look at half of what may still be looked at, and tells whether that was enough.
    pub(super) fn apart(self, done: impl for<'c> FnOnce(Known<'c>)) -> bool {
        let Some(whole) = self.left.get() else {
            return false;
        };
        let half = whole / 2;
        let left = Cell::new(Some(half));
        done(Known { left: &left, ..self });
        self.left.set(Some(whole - half + left.get().unwrap_or(0)));
        left.get().is_some()
    }

    /// Has it know the entry of a list under its name, too, while something is done.
    pub(super) fn with<R>(
        self,
        name: &str,
        entry: &(dyn Val + 'static),
        done: impl for<'c> FnOnce(Known<'c>) -> R,
    ) -> R {
        let scope = Scope {
            name,
            entry,
            outer: self.scope,
        };
        done(Known {
            facts: self.facts,
            scope: Some(&scope),
            left: self.left,
        })
    }

    /// Follows a path; nothing where there is nothing, or that cannot be told.
    fn find(self, path: &[Arc<CelString<'static>>]) -> Option<&'b (dyn Val + 'static)> {
        let (first, rest) = path.split_first()?;
        let mut scope = self.scope;
        let mut value = loop {
            match scope {
                Some(inner) if inner.name == first.inner() => break inner.entry,
                Some(inner) => scope = inner.outer,
                None => break self.facts.root(first.inner())?,
            }
        };
        for field in rest {
            let CowVal::Borrowed(next) = value.as_indexer()?.get(&**field).ok()? else {
                return None;
            };
            value = next;
        }
        Some(value)
    }

    /// What CEL says.
    fn resolve<'e>(self, expr: &'e IdedExpr) -> Result<CowVal<'e, 'static>, ExecutionError>
    where
        'b: 'e,
    {
        match self.scope {
            None => Cel::resolve_val(expr, self.facts.context()),
            Some(scope) => scope.resolve(expr, self.facts.context(), &mut Vec::new()),
        }
    }
}

impl Scope<'_> {
    /// What CEL says with the names of loops known to it, the outermost first.
    fn resolve<'e>(
        &self,
        expr: &IdedExpr,
        facts: &Context<'_, 'static>,
        inner: &mut Vec<(String, Box<dyn Val>)>,
    ) -> Result<CowVal<'e, 'static>, ExecutionError> {
        inner.push((self.name.to_owned(), self.entry.clone_as_boxed()));
        if let Some(outer) = self.outer {
            return outer.resolve(expr, facts, inner);
        }
        let mut context = facts.new_inner_scope();
        // An inner loop may use the name of an outer one again: the last counts.
        for (name, entry) in inner.drain(..).rev() {
            context.add_variable_as_val(name, entry);
        }
        Cel::resolve_val(expr, &context).map(|value| CowVal::Owned(value.into_owned()))
    }
}

/// Judges a tree, from the left to the right, no further than needed.
pub(super) fn judge(node: &Node, facts: &Facts) -> Outcome {
    match evaluate(node, Known::of(facts, &Cell::new(Some(MAX_LOOKS)))) {
        Ok(true) => Outcome::True,
        Ok(false) => Outcome::False,
        Err(why) => Outcome::Unknown(why),
    }
}

pub(super) fn evaluate(node: &Node, facts: Known<'_>) -> Result<bool, String> {
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
                facts.look(1, &each.text)?;
                let so = facts.with(&each.name, entry, |inner| evaluate(&each.body, inner))?;
                if so == (each.which == Which::Any) {
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
fn compares(compare: &Compare, facts: Known<'_>) -> Result<bool, String> {
    facts.looks(compare.looks.as_deref(), &compare.text)?;
    let (left, right) = (resolved(&compare.left, facts)?, resolved(&compare.right, facts)?);
    let (left, right) = (left.as_ref(), right.as_ref());
    let compared = match compare.operator {
        op::EQUALS | op::NOT_EQUALS => {
            let alike = size(left, MAX_LOOKS).min(size(right, MAX_LOOKS));
            facts.look(alike, &compare.text)?;
            Ok(left.equals(right) == (compare.operator == op::EQUALS))
        }
        op::IN => {
            let entries = right
                .downcast_ref::<CelList>()
                .map_or(0, |list| list.inner().len());
            let all = entries.saturating_mul(1 + size(left, MAX_LOOKS));
            facts.look(all, &compare.text)?;
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

fn truth(part: &Part, facts: Known<'_>) -> Result<bool, String> {
    let value = value(part, facts)?;
    value
        .downcast_ref::<CelBool>()
        .map(|so| *so.inner())
        .ok_or_else(|| format!("`{}` is {}, not true or false", part.text, kind(value.as_ref())))
}

pub(super) fn value<'b>(part: &'b Part, facts: Known<'b>) -> Result<CowVal<'b, 'static>, String> {
    facts.looks(part.looks.as_deref(), &part.text)?;
    resolved(part, facts)
}

/// As [`value`], where that it looks at something is counted elsewhere.
fn resolved<'b>(part: &'b Part, facts: Known<'b>) -> Result<CowVal<'b, 'static>, String> {
    match &part.short {
        Short::Constant(value) => return Ok(CowVal::Borrowed(&**value)),
        Short::Path(path) => {
            if let Some(value) = facts.find(path) {
                return Ok(CowVal::Borrowed(value));
            }
        }
        Short::No => {}
    }
    facts.resolve(&part.expr).map_err(|error| why(part, &error))
}

/// What a value is, in a word.
pub(super) fn kind(value: &dyn Val) -> &str {
    value.get_type().name()
}

/// The entries of a list, or the keys of an object.
pub(super) fn entries<'v>(
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
