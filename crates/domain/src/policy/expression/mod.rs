//! Expressions of policies: CEL over [`Facts`], with limits and an explanation.
//!
//! The language is the Common Expression Language, without regular expressions, optional values and time; what is read, called
//! and compared is checked against the shape of the facts before an expression is kept. One thing is stricter than in CEL:
//! a fact that is asked for and missing makes the whole expression fail, also beside an `||` whose other side is true. Whoever
//! may miss one says `has(…)` first.

mod check;
mod evaluate;
mod explain;
mod limits;
mod text;
mod tree;

pub use explain::{Because, Outcome, Saw};
pub use limits::{MAX_DEPTH, MAX_LIST, MAX_LOOKS, MAX_LOOPS, MAX_NODES, MAX_SOURCE};

use super::facts::{FACTS, Facts};
use cel::{Env, Value as Cel};
use std::{fmt, sync::Arc};
use tree::{Node, Part};

pub(super) fn env() -> &'static Arc<Env> {
    &tree::ENV
}

/// Comes out true or false.
#[derive(Clone)]
pub struct Condition {
    source: String,
    root: Node,
}

impl Condition {
    /// Parses and checks it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(source: &str) -> Result<Self, Vec<String>> {
        Ok(Self {
            source: source.to_owned(),
            root: tree::condition(source, &FACTS)?,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Judges it.
    #[must_use]
    pub fn judge(&self, facts: &Facts) -> Outcome {
        evaluate::judge(&self.root, facts)
    }

    /// Why it came out as it did: the parts that decided, with what they saw.
    #[must_use]
    pub fn explain(&self, facts: &Facts) -> Vec<Because> {
        explain::explain(&self.source, &self.root, facts)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

/// Comes out as text.
#[derive(Clone)]
pub struct Sentence {
    source: String,
    whole: Part,
}

impl Sentence {
    /// Most characters that it comes out as; the rest is cut off.
    pub const MAX: usize = 500;

    /// Parses and checks it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(source: &str) -> Result<Self, Vec<String>> {
        Ok(Self {
            source: source.to_owned(),
            whole: tree::whole(source, &FACTS)?,
        })
    }

    /// What it says of these facts.
    ///
    /// # Errors
    /// Why it says nothing: a fact is missing, or it is no text.
    pub fn say(&self, facts: &Facts) -> Result<String, String> {
        let looks = self.whole.looks.as_deref();
        if looks.is_some_and(|looks| looks.at(facts.extent()) > MAX_LOOKS) {
            return Err(limits::too_much());
        }
        match Cel::resolve(&self.whole.expr, facts.context()) {
            Ok(Cel::String(said)) => Ok(said.chars().take(Self::MAX).collect()),
            Ok(other) => Err(format!("`{}` is {}, not text", self.source, other.type_of())),
            Err(error) => Err(evaluate::why(&self.whole, &error)),
        }
    }
}

impl fmt::Debug for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sentence").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests;
