//! What an expression may cost, checked before it is ever evaluated: none can abort the process or stall it.
//!
//! CEL always ends, but a parser and an evaluator that recurse end a process whose stack is too small, and two loops over
//! everything take a while. So the source is short, the tree is flat and small, loops are nested twice at most, and what
//! is looped over is a fact (which has at most [`MAX_LIST`] entries), a literal, or what a loop made of one. What two loops
//! over long lists would still cost, and what compares lists, looks for something in one, or handles long texts, is counted
//! ([`MAX_LOOKS`]): while it runs, and before where CEL runs it by itself. Too much cannot be said, which refuses.

use super::tree::MACROS;
use crate::policy::facts::Extent;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, operators as op};
use std::collections::HashSet;

/// Bytes of source.
pub const MAX_SOURCE: usize = 2_000;
/// Depth of the tree.
pub const MAX_DEPTH: usize = 40;
/// Nodes of the tree, before macros are expanded.
pub const MAX_NODES: usize = 400;
/// Loops in loops.
pub const MAX_LOOPS: usize = 2;
/// Entries of one list in the facts.
pub const MAX_LIST: usize = 1_000;
/// Entries of lists that one evaluation looks at, one by one.
pub const MAX_LOOKS: usize = 50_000;
/// The stack on which a source is parsed. The parser recurses by the source, whose length is limited.
pub(super) const PARSER_STACK: usize = 64 << 20;

/// What is said of an evaluation that would look at more than [`MAX_LOOKS`].
pub(super) fn too_much() -> String {
    format!("it looks at more than {MAX_LOOKS} entries of lists, one by one")
}

/// What is too much about a parsed expression, if anything is.
pub(super) fn exceeded(expr: &IdedExpr) -> Option<String> {
    let mut seen = Seen::default();
    seen.walk(expr, 1, 0)
}

#[derive(Default)]
struct Seen {
    nodes: usize,
}

impl Seen {
    fn walk(&mut self, expr: &IdedExpr, depth: usize, loops: usize) -> Option<String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Some(format!(
                "has more than {MAX_NODES} parts; make several rules of it"
            ));
        }
        if depth > MAX_DEPTH {
            return Some(format!(
                "is nested more than {MAX_DEPTH} deep; make several rules of it"
            ));
        }
        let within = if is_loop(expr) { loops + 1 } else { loops };
        if within > MAX_LOOPS {
            return Some(format!(
                "has loops (`all`, `exists`, `map`, …) nested more than {MAX_LOOPS} deep"
            ));
        }
        if is_loop(expr)
            && let Expr::Call(call) = &expr.expr
            && let Some(range) = &call.target
            && !may_be_looped_over(range)
        {
            return Some(
                "loops over something that is neither a fact nor a list in brackets, nor what `map` or `filter` made of one"
                    .to_owned(),
            );
        }
        for child in children(expr) {
            let over = self.walk(child, depth + 1, within);
            if over.is_some() {
                return over;
            }
        }
        None
    }
}

/// How many entries a part looks at, at most, that CEL evaluates by itself: there is nobody to count them meanwhile. It goes
/// by what there is in the facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Looks {
    entries: Powers,
    /// Handling this many steps of the longest text counts, too.
    texts: Powers,
}

/// So many, and so many for each entry of the longest list, and for each of those again: loops in loops, and what looks at
/// a list in each round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Powers([usize; 4]);

/// Bytes of a text that are as much as an entry of a list.
const STEP: usize = 1_024;
/// Values in facts that are as much as one more entry of their longest list: what is in lists is compared with them.
const VALUES: usize = 1_000;

impl Powers {
    fn plus(self, other: Self) -> Self {
        let mut sum = self.0;
        for (one, other) in sum.iter_mut().zip(other.0) {
            *one = one.saturating_add(other);
        }
        Self(sum)
    }

    /// For each of so many entries, and of those of the longest list.
    fn for_each(self, entries: usize) -> Self {
        let [none, one, two, three] = self.0;
        let longer = [0, none, one, two.saturating_add(three.saturating_mul(MAX_LIST))];
        Self(self.0.map(|looks| looks.saturating_mul(entries))).plus(Self(longer))
    }

    fn at(self, length: usize) -> usize {
        let mut powers = self.0.into_iter().rev();
        let first = powers.next().unwrap_or_default();
        powers.fold(first, |looks, next| {
            looks.saturating_mul(length).saturating_add(next)
        })
    }
}

impl Looks {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            entries: self.entries.plus(other.entries),
            texts: self.texts.plus(other.texts),
        }
    }

    const fn of_entries(entries: usize) -> Self {
        Self {
            entries: Powers([entries, 0, 0, 0]),
            texts: Powers([0; 4]),
        }
    }

    /// Handles so many texts.
    pub(super) const fn of_texts(texts: usize) -> Self {
        Self {
            entries: Powers([0; 4]),
            texts: Powers([texts, 0, 0, 0]),
        }
    }

    fn for_each(self, entries: usize) -> Self {
        Self {
            entries: self.entries.for_each(entries),
            texts: self.texts.for_each(entries),
        }
    }

    /// How many that is in these facts.
    pub(super) fn at(self, extent: Extent) -> usize {
        let length = extent.longest.max(extent.values / VALUES);
        let of_texts = self.texts.at(length).saturating_mul(extent.text / STEP);
        self.entries.at(length).saturating_add(of_texts)
    }
}

/// How many entries a part looks at. `deep` are the comparisons of what may be lists and objects on both sides.
pub(super) fn looks(expr: &IdedExpr, deep: &HashSet<u64>) -> Looks {
    let of_children = |children: Vec<&IdedExpr>| {
        let all = children.into_iter().map(|child| looks(child, deep));
        all.fold(Looks::default(), Looks::plus)
    };
    let Expr::Call(call) = &expr.expr else {
        return of_children(children(expr));
    };
    if is_loop(expr)
        && let Some(range) = &call.target
    {
        let body = of_children(call.args.iter().collect()).plus(Looks::of_entries(1));
        return looks(range, deep).plus(body.for_each(written(range)));
    }
    of_children(children(expr)).plus(of_call(expr.id, call, deep))
}

/// What a call looks at by itself.
fn of_call(id: u64, call: &CallExpr, deep: &HashSet<u64>) -> Looks {
    let one = Looks::of_entries(1);
    let compares = |name: &str| name == op::EQUALS || name == op::NOT_EQUALS;
    let literal = |arg: &IdedExpr| matches!(arg.expr, Expr::Literal(_));
    match call.func_name.as_str() {
        op::IN => {
            let list = one.for_each(call.args.last().map_or(0, written));
            if deep.contains(&id) {
                list.for_each(0)
            } else {
                list
            }
        }
        name if compares(name) && deep.contains(&id) => one.for_each(0),
        // What comes of it is as long as all of it, each time that something is added.
        op::ADD => {
            let all: usize = call.args.iter().map(nodes).sum();
            let lists = if deep.contains(&id) {
                one.for_each(all)
            } else {
                one
            };
            lists.plus(Looks::of_texts(all))
        }
        _ if call.args.iter().chain(call.target.as_deref()).any(literal) && call.args.len() == 2 => {
            Looks::default()
        }
        _ => Looks::of_texts(1),
    }
}

/// How many entries a list has at most that is written here, or made of such.
fn written(expr: &IdedExpr) -> usize {
    if matches!(expr.expr, Expr::Ident(_) | Expr::Select(_)) {
        0
    } else {
        nodes(expr)
    }
}

fn nodes(expr: &IdedExpr) -> usize {
    1 + children(expr).into_iter().map(nodes).sum::<usize>()
}

/// Whether this is one of the macros that loop.
fn is_loop(expr: &IdedExpr) -> bool {
    matches!(&expr.expr, Expr::Call(call) if call.target.is_some() && MACROS.contains(&call.func_name.as_str()))
}

/// A fact or a part of one, a literal, or a loop over such.
fn may_be_looped_over(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Ident(_) | Expr::List(_) | Expr::Map(_) => true,
        Expr::Select(select) => may_be_looped_over(&select.operand),
        Expr::Call(call) if call.func_name == cel::common::ast::operators::INDEX => {
            call.args.first().is_some_and(may_be_looped_over)
        }
        Expr::Call(_) if is_loop(expr) => true,
        _ => false,
    }
}

/// What an expression is made of, directly.
pub(super) fn children(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => entries(map.entries.iter().map(|entry| &entry.expr)),
        Expr::Struct(s) => entries(s.entries.iter().map(|entry| &entry.expr)),
        Expr::Select(select) => vec![&select.operand],
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entries<'a>(entries: impl Iterator<Item = &'a EntryExpr>) -> Vec<&'a IdedExpr> {
    entries
        .flat_map(|entry| match entry {
            EntryExpr::StructField(field) => vec![&field.value],
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        })
        .collect()
}
