//! An expression as it is judged: split along `&&`, `||`, `!`, `?:`, `all` and `exists`, so that each part can be asked by
//! itself and the one that decided be named. What is left below those is CEL's to evaluate.

use super::{check, limits, text};
use crate::policy::facts::{FACTS, Shape};
use cel::{
    Context, Env, Value as Cel,
    common::{
        ast::{Expr, IdedExpr, operators as op},
        types::CelString,
        value::{CowVal, Val},
    },
};
use std::{
    collections::{HashMap, HashSet},
    ops::Deref,
    sync::{Arc, LazyLock},
};

/// The macros of CEL that loop.
pub(super) const MACROS: [&str; 5] = ["all", "exists", "exists_one", "map", "filter"];
/// Operators that compare, and want the same on both sides.
pub(super) const ALIKE: [&str; 6] = [
    op::EQUALS,
    op::NOT_EQUALS,
    op::LESS,
    op::LESS_EQUALS,
    op::GREATER,
    op::GREATER_EQUALS,
];

fn comparisons() -> impl Iterator<Item = &'static str> {
    ALIKE.into_iter().chain([op::IN])
}

/// What the standard says CEL has, without optional values.
pub(super) static ENV: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));
/// The same without macros: `all(…)` stays the call it was written as.
static PLAIN: LazyLock<Env> = LazyLock::new(|| Env::default().with_optional_support(false).with_stdlib());

/// An operator as it is written.
pub(super) fn sign(operator: &str) -> &'static str {
    text::binary(operator).map_or("?", |(sign, _)| sign)
}

/// A part that has a value. What is only needed where that is more than following a path, or is to be told, stands apart: a
/// thousand policies are judged by what fits in a processor's cache.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// The way to its value without CEL.
    pub(super) short: Short,
    /// How many entries of lists it looks at, at most; none if it is none.
    pub(super) looks: Option<Box<limits::Looks>>,
    /// Whether it is its own value: nothing is learnt by showing it.
    pub(super) literal: bool,
    whole: Box<Whole>,
}

/// What there is of a part.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    /// As it would be written.
    pub(super) text: String,
    /// With its macros expanded.
    pub(super) expr: IdedExpr,
    /// The facts it reads, as paths; what it reads of a loop's variable, too.
    pub(super) paths: Vec<Part>,
}

impl Deref for Part {
    type Target = Whole;

    fn deref(&self) -> &Whole {
        &self.whole
    }
}

/// A way to a value that needs no evaluating.
#[derive(Debug, Clone)]
pub(super) enum Short {
    /// It is always this one.
    Constant(Arc<dyn Val>),
    /// A fact, or a part of one, by its name and the fields below it.
    Path(Box<[Arc<CelString<'static>>]>),
    /// There is none.
    No,
}

/// The names of fields that facts have: those of all paths are the same ones.
static FIELDS: LazyLock<HashMap<&'static str, Arc<CelString<'static>>>> = LazyLock::new(|| {
    let mut names = HashSet::new();
    FACTS.names(&mut names);
    let field = |name: &'static str| (name, Arc::new(name.to_owned().into()));
    names.into_iter().map(field).collect()
});

fn field(name: &str) -> Arc<CelString<'static>> {
    let known = FIELDS.get(name).cloned();
    known.unwrap_or_else(|| Arc::new(name.to_owned().into()))
}

/// Which of a list's entries must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    Any,
}

/// What comes out true or false.
#[derive(Debug, Clone)]
pub(super) enum Node {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>, String),
    If(Box<Self>, Box<Self>, Box<Self>),
    Each(Each),
    Compare(Box<Compare>),
    Other(Part),
}

/// `over.all(name, body)` or `over.exists(name, body)`.
#[derive(Debug, Clone)]
pub(super) struct Each {
    pub(super) which: Which,
    pub(super) over: Part,
    pub(super) name: String,
    pub(super) body: Box<Node>,
    pub(super) text: String,
}

/// `left <operator> right`.
#[derive(Debug, Clone)]
pub(super) struct Compare {
    pub(super) operator: &'static str,
    pub(super) left: Part,
    pub(super) right: Part,
    /// How many entries of lists it looks at, at most, but for those that are compared; none if it is none.
    pub(super) looks: Option<Box<limits::Looks>>,
    pub(super) text: String,
}

/// The tree of a source that is to come out true or false, checked; or everything that is wrong with it.
pub(super) fn condition(source: &str, roots: &'static Shape) -> Result<Node, Vec<String>> {
    checked(source, roots, Shape::Bool, node)
}

/// A source that is to come out as text, which CEL evaluates as a whole, checked; or everything that is wrong with it.
pub(super) fn whole(source: &str, roots: &'static Shape) -> Result<Part, Vec<String>> {
    checked(source, roots, Shape::Text, part)
}

/// Comparisons of what may be lists and objects on both sides.
type Deep = HashSet<u64>;

fn checked<T: Send>(
    source: &str,
    roots: &'static Shape,
    wanted: Shape,
    made: impl FnOnce(&IdedExpr, &Deep) -> Result<T, Vec<String>> + Send,
) -> Result<T, Vec<String>> {
    if source.len() > limits::MAX_SOURCE {
        return Err(vec![format!(
            "has {} bytes, {} are allowed; make several rules of it",
            source.len(),
            limits::MAX_SOURCE
        )]);
    }
    if source.trim().is_empty() {
        return Err(vec!["is empty".to_owned()]);
    }
    on_a_large_stack(|| {
        let parsed = parsed(&PLAIN, source)?;
        if let Some(over) = limits::exceeded(&parsed) {
            return Err(vec![over]);
        }
        let deep = check::checked(&parsed, roots, wanted)?;
        made(&parsed, &deep)
    })
}

/// The tree of a parsed expression that is to come out true or false.
fn node(expr: &IdedExpr, deep: &Deep) -> Result<Node, Vec<String>> {
    let text = || text::of(expr);
    let Expr::Call(call) = &expr.expr else {
        return Ok(Node::Other(part(expr, deep)?));
    };
    let inner = |i: usize| node(&call.args[i], deep).map(Box::new);
    Ok(match (call.func_name.as_str(), call.args.len(), &call.target) {
        (op::LOGICAL_AND, 2, None) => Node::And(inner(0)?, inner(1)?),
        (op::LOGICAL_OR, 2, None) => Node::Or(inner(0)?, inner(1)?),
        (op::LOGICAL_NOT, 1, None) => Node::Not(inner(0)?, text()),
        (op::CONDITIONAL, 3, None) => Node::If(inner(0)?, inner(1)?, inner(2)?),
        (name @ (op::ALL | op::EXISTS), 2, Some(over)) => {
            let Expr::Ident(variable) = &call.args[0].expr else {
                return Ok(Node::Other(part(expr, deep)?));
            };
            Node::Each(Each {
                which: if name == op::ALL { Which::All } else { Which::Any },
                over: part(over, deep)?,
                name: variable.clone(),
                body: inner(1)?,
                text: text(),
            })
        }
        (name, 2, None) => match comparisons().find(|known| *known == name) {
            Some(operator) => {
                let (left, right) = (part(&call.args[0], deep)?, part(&call.args[1], deep)?);
                let of = |part: &Part| part.looks.as_deref().copied().unwrap_or_default();
                let texts = limits::Looks::of_texts(usize::from(!left.literal && !right.literal));
                Node::Compare(Box::new(Compare {
                    operator,
                    looks: some(of(&left).plus(of(&right)).plus(texts)),
                    left,
                    right,
                    text: text(),
                }))
            }
            None => Node::Other(part(expr, deep)?),
        },
        _ => Node::Other(part(expr, deep)?),
    })
}

/// A part as CEL evaluates it: written out and parsed again, now with its macros.
fn part(expr: &IdedExpr, deep: &Deep) -> Result<Part, Vec<String>> {
    let mut paths = Vec::new();
    collect(expr, deep, &mut paths)?;
    Ok(Part {
        literal: matches!(expr.expr, Expr::Literal(_)),
        ..bare(expr, deep, paths)?
    })
}

/// It was parsed before, and is written as it was: only a fault of ours makes this fail, and then it is not kept.
fn bare(expr: &IdedExpr, deep: &Deep, paths: Vec<Part>) -> Result<Part, Vec<String>> {
    let (text, looks) = (text::of(expr), limits::looks(expr, deep));
    let expr = parsed(&ENV, &text)?;
    Ok(Part {
        short: short(&expr),
        looks: some(looks),
        literal: false,
        whole: Box::new(Whole { text, expr, paths }),
    })
}

fn some(looks: limits::Looks) -> Option<Box<limits::Looks>> {
    (looks != limits::Looks::default()).then(|| Box::new(looks))
}

fn short(expr: &IdedExpr) -> Short {
    if let Some(path) = path(expr) {
        return Short::Path(path.into());
    }
    let constant = match &expr.expr {
        Expr::Literal(_) => true,
        Expr::List(list) => list
            .elements
            .iter()
            .all(|entry| matches!(entry.expr, Expr::Literal(_))),
        _ => false,
    };
    let value = constant.then(|| {
        Cel::resolve_val(expr, &Context::with_env(Arc::clone(&ENV)))
            .map(CowVal::into_owned)
            .ok()
    });
    value
        .flatten()
        .map_or(Short::No, |value| Short::Constant(value.into()))
}

fn path(expr: &IdedExpr) -> Option<Vec<Arc<CelString<'static>>>> {
    match &expr.expr {
        Expr::Ident(name) => Some(vec![field(name)]),
        Expr::Select(select) if !select.test => {
            let mut path = path(&select.operand)?;
            path.push(field(&select.field));
            Some(path)
        }
        _ => None,
    }
}

/// The facts that are read outside of loops: what a loop reads has no one value.
fn collect(expr: &IdedExpr, deep: &Deep, paths: &mut Vec<Part>) -> Result<(), Vec<String>> {
    match &expr.expr {
        Expr::Ident(_) | Expr::Select(_) if is_path(expr) => {
            let path = bare(expr, deep, Vec::new())?;
            if !paths.iter().any(|known| known.text == path.text) {
                paths.push(path);
            }
            Ok(())
        }
        Expr::Call(call) if call.func_name == op::HAS => Ok(()),
        Expr::Call(call) if call.target.is_some() && MACROS.contains(&call.func_name.as_str()) => {
            call.target.iter().try_for_each(|over| collect(over, deep, paths))
        }
        _ => limits::children(expr)
            .into_iter()
            .try_for_each(|child| collect(child, deep, paths)),
    }
}

fn is_path(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Ident(_) => true,
        Expr::Select(select) => is_path(&select.operand),
        _ => false,
    }
}

/// Parses without any check (tests).
#[cfg(test)]
pub(super) fn plain(source: &str) -> Result<IdedExpr, Vec<String>> {
    parsed(&PLAIN, source)
}

fn parsed(env: &Env, source: &str) -> Result<IdedExpr, Vec<String>> {
    env.parser().parse(source).map_err(|errors| {
        errors
            .errors
            .iter()
            .map(|error| {
                let (line, column) = error.pos;
                format!("line {line}, column {column}: {}", error.msg)
            })
            .collect()
    })
}

/// The parser recurses by what it reads: on a stack that what is read cannot exhaust.
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> Result<T, Vec<String>> + Send) -> Result<T, Vec<String>> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(limits::PARSER_STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| vec![format!("cannot be read just now: {error}")])?;
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
