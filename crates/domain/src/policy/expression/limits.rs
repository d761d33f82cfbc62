//! What an expression may cost, checked before it is ever evaluated: none can abort the process or stall it.
//!
//! CEL always ends, but a parser and an evaluator that recurse end a process whose stack is too small, and two loops over
//! everything take a while. So the source is short, the tree is flat and small, loops are nested twice at most, and what
//! is looped over is a fact (which has at most [`MAX_LIST`] entries), a literal, or what a loop made of one. What two loops
//! over long lists would still cost is counted while they run ([`MAX_LOOKS`]): then it cannot be said, which refuses.

use super::tree::MACROS;
use cel::common::ast::{EntryExpr, Expr, IdedExpr};

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

/// How many entries a part looks at, at most, that CEL evaluates by itself: there is nobody to count them meanwhile.
pub(super) fn looks(expr: &IdedExpr) -> usize {
    let inner = children(expr)
        .into_iter()
        .map(looks)
        .fold(0_usize, usize::saturating_add);
    if is_loop(expr) {
        inner.saturating_add(1).saturating_mul(MAX_LIST)
    } else {
        inner
    }
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
