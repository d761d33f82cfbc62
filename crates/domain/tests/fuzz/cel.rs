//! Expressions by the grammar that policies use, over the facts there are: most of what is written here is accepted. What
//! compares unlike things, reads what there is not, or is no expression at all comes of changing it.

use crate::{
    bytes::{retoken, rubbish},
    choices::Choices,
    facts::{KEYS, TEXTS},
};
use slipway_domain::policy::facts::{FACTS, Shape};
use std::sync::LazyLock;

/// Words of the language, and of what is next to it.
pub(crate) const WORDS: [&str; 56] = [
    "&&",
    "||",
    "!",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "+",
    "-",
    "*",
    "/",
    "%",
    "?",
    ":",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "true",
    "false",
    "null",
    "size",
    "has",
    "int",
    "double",
    "string",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "components",
    "evidence",
    "risk.score",
    "release.notes",
    "c",
    "{",
    "}",
    "0x7f",
    "1u",
    "1e308",
    "9223372036854775807",
    "'",
    "\"",
    "r\"",
    "b'a'",
    "//",
];

/// What expressions of these shapes may read without a loop around them.
static ROOTS: LazyLock<Vec<(String, Shape)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    paths("", FACTS, &mut all);
    all
});

fn paths(at: &str, shape: Shape, all: &mut Vec<(String, Shape)>) {
    match shape {
        Shape::Object(fields) => {
            for field in fields {
                let at = if at.is_empty() {
                    field.name.to_owned()
                } else {
                    format!("{at}.{}", field.name)
                };
                paths(&at, field.shape, all);
            }
        }
        Shape::Map(of) => {
            all.push((at.to_owned(), shape));
            for key in ["region", "failed"] {
                all.push((format!("{at}.{key}"), *of));
            }
        }
        shape => all.push((at.to_owned(), shape)),
    }
}

/// An expression that comes out true or false if everything in it is there.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method by itself is of one lifetime, and not of any"
)]
pub(crate) fn condition(choices: &mut Choices<'_>) -> String {
    written(choices, |grammar, depth| grammar.condition(depth))
}

/// An expression that comes out as text.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method by itself is of one lifetime, and not of any"
)]
pub(crate) fn sentence(choices: &mut Choices<'_>) -> String {
    written(choices, |grammar, depth| grammar.text(depth))
}

fn written(choices: &mut Choices<'_>, by: impl Fn(&mut Grammar<'_, '_>, usize) -> String) -> String {
    if choices.one_in(16) {
        return String::from_utf8_lossy(&rubbish(choices, &WORDS)).into_owned();
    }
    let depth = choices.below(6);
    let mut text = by(
        &mut Grammar {
            choices,
            known: ROOTS.clone(),
            names: 0,
        },
        depth,
    );
    if choices.one_in(4) {
        for _ in 0..=choices.below(3) {
            text = retoken(choices, &text, &WORDS);
        }
    }
    text
}

struct Grammar<'c, 'n> {
    choices: &'c mut Choices<'n>,
    /// What may be read here.
    known: Vec<(String, Shape)>,
    /// How many loops there are so far.
    names: usize,
}

impl Grammar<'_, '_> {
    /// What there is of a shape; the innermost loop's entry as often as all else.
    fn path(&mut self, fits: impl Fn(Shape) -> bool) -> Option<(String, Shape)> {
        let fits = |(_, shape): &&(String, Shape)| fits(*shape);
        let own = self.known.iter().skip(ROOTS.len()).filter(fits);
        let own: Vec<_> = own.cloned().collect();
        let all: Vec<_> = if own.is_empty() || self.choices.one_in(2) {
            self.known.iter().filter(fits).cloned().collect()
        } else {
            own
        };
        (!all.is_empty()).then(|| self.choices.of(&all).clone())
    }

    fn condition(&mut self, depth: usize) -> String {
        let simple = if depth == 0 { 8 } else { 18 };
        let inner = depth.saturating_sub(1);
        match self.choices.below(simple) {
            0 => (*self.choices.of(&["true", "false"])).to_owned(),
            1 => self
                .path(|shape| shape == Shape::Bool)
                .map_or_else(|| "true".to_owned(), |(path, _)| path),
            2 => {
                let sign = *self.choices.of(&["==", "!=", "<", "<=", ">", ">="]);
                format!("{} {sign} {}", self.whole(inner), self.whole(inner))
            }
            3 | 4 => self.one_of(),
            5 => {
                let sign = *self.choices.of(&["==", "!=", "<", ">="]);
                format!("{} {sign} {}", self.text(inner), self.text(inner))
            }
            6 => {
                let path = self
                    .path(|_| true)
                    .map_or_else(|| "release.notes".to_owned(), |(path, _)| path);
                format!("has({path})")
            }
            7 => {
                let function = *self.choices.of(&["contains", "startsWith", "endsWith"]);
                format!("{}.{function}({})", self.operand(inner), self.text(inner))
            }
            8 | 9 => format!("({}) && ({})", self.condition(inner), self.condition(inner)),
            10 => format!("{} || {}", self.condition(inner), self.condition(inner)),
            11 => format!("!({})", self.condition(inner)),
            12 => {
                let when = self.condition(inner);
                format!(
                    "({when}) ? ({}) : ({})",
                    self.condition(inner),
                    self.condition(inner)
                )
            }
            13..=15 => self.looped(inner),
            16 => {
                let sign = *self.choices.of(&["==", "!=", "in", "<"]);
                format!("({}) {sign} ({})", self.anything(inner), self.anything(inner))
            }
            _ => self.of_lists(inner),
        }
    }

    /// Of what is one of a few texts, one of them.
    fn one_of(&mut self) -> String {
        let Some((path, Shape::OneOf(texts))) = self.path(|shape| matches!(shape, Shape::OneOf(_))) else {
            return "true".to_owned();
        };
        let sign = *self.choices.of(&["==", "!="]);
        if self.choices.one_in(3) {
            let all: Vec<_> = texts.iter().map(|text| format!("\"{text}\"")).collect();
            return format!("{path} in [{}]", all.join(", "));
        }
        format!("{path} {sign} \"{}\"", self.choices.of(texts))
    }

    fn list(&mut self) -> (String, Shape) {
        let found = self.path(|shape| matches!(shape, Shape::List(_) | Shape::Map(_)));
        found.unwrap_or_else(|| ("components".to_owned(), Shape::List(&Shape::Any)))
    }

    /// With an entry of a list under a name of its own, or one that is taken now and then.
    fn within<T>(&mut self, shape: Shape, make: impl FnOnce(&mut Self, &str) -> T) -> T {
        let entry = match shape {
            Shape::List(entry) => *entry,
            _ => Shape::Text,
        };
        self.names += 1;
        let name = if self.choices.one_in(12) {
            "x".to_owned()
        } else {
            format!("e{}", self.names)
        };
        let before = self.known.len();
        paths(&name, entry, &mut self.known);
        let written = make(self, &name);
        self.known.truncate(before);
        written
    }

    fn looped(&mut self, inner: usize) -> String {
        let (list, shape) = self.list();
        let which = *self.choices.of(&["all", "exists", "exists", "all", "exists_one"]);
        let list = if self.choices.one_in(6) {
            self.filtered(&list, shape, inner)
        } else {
            list
        };
        self.within(shape, |grammar, name| {
            let body = grammar.condition(inner);
            format!("{list}.{which}({name}, {body})")
        })
    }

    fn filtered(&mut self, list: &str, shape: Shape, inner: usize) -> String {
        self.within(shape, |grammar, name| match grammar.choices.below(3) {
            0 => format!("{list}.filter({name}, {})", grammar.condition(inner)),
            1 => format!("{list}.map({name}, {})", grammar.anything(inner)),
            _ => format!(
                "{list}.map({name}, {}, {})",
                grammar.condition(inner),
                grammar.text(inner)
            ),
        })
    }

    /// What looks at lists as a whole.
    fn of_lists(&mut self, inner: usize) -> String {
        let ((one, shape), (other, _)) = (self.list(), self.list());
        match self.choices.below(4) {
            0 => format!("{one} == {other}"),
            1 => self.within(shape, |_, name| format!("{one}.all({name}, {name} in {other})")),
            2 => format!(
                "{} == {}",
                self.filtered(&one, shape, inner),
                self.filtered(&one, shape, inner)
            ),
            _ => format!("{} in {one}", self.anything(inner)),
        }
    }

    fn whole(&mut self, depth: usize) -> String {
        let inner = depth.saturating_sub(1);
        match self.choices.below(if depth == 0 { 3 } else { 12 }) {
            0 | 1 => self
                .path(|shape| shape == Shape::Int)
                .map_or_else(|| "7".to_owned(), |(path, _)| path),
            2 => match self.choices.whole() {
                // The sign is none of the number's: there is no such number without it.
                i64::MIN => "(-9223372036854775807 - 1)".to_owned(),
                number => number.to_string(),
            },
            3..=6 => {
                let sign = *self.choices.of(&["+", "-", "*", "/", "%"]);
                format!("({} {sign} {})", self.whole(inner), self.whole(inner))
            }
            7 => format!("-({})", self.whole(inner)),
            8 => {
                let (list, shape) = self.list();
                let list = if self.choices.one_in(2) {
                    self.filtered(&list, shape, inner)
                } else {
                    list
                };
                format!("{list}.size()")
            }
            9 => format!("size({})", self.text(inner)),
            10 => {
                let of = *self.choices.of(&[
                    "1.5",
                    "1e300",
                    "'12'",
                    "-0.0",
                    "'-9223372036854775809'",
                    "9223372036854775807.0",
                ]);
                format!("int({of})")
            }
            _ => format!(
                "({} ? {} : {})",
                self.condition(inner),
                self.whole(inner),
                self.whole(inner)
            ),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let inner = depth.saturating_sub(1);
        match self.choices.below(if depth == 0 { 3 } else { 8 }) {
            0 | 1 => {
                let path = self.path(|shape| matches!(shape, Shape::Text | Shape::OneOf(_)));
                path.map_or_else(|| "release.notes".to_owned(), |(path, _)| path)
            }
            2 => self.literal(),
            3 | 4 => format!("{} + {}", self.text(inner), self.text(inner)),
            5 => format!("string({})", self.whole(inner)),
            6 => format!("string({})", self.anything(inner)),
            _ => format!(
                "({} ? {} : {})",
                self.condition(inner),
                self.text(inner),
                self.text(inner)
            ),
        }
    }

    fn literal(&mut self) -> String {
        let text = if self.choices.one_in(3) {
            self.choices.text()
        } else {
            (*self.choices.of(&TEXTS)).to_owned()
        };
        let text = text
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        format!("\"{text}\"")
    }

    /// What has functions of its own.
    fn operand(&mut self, inner: usize) -> String {
        if self.choices.one_in(4) {
            format!("({})", self.anything(inner))
        } else {
            format!("({})", self.text(inner))
        }
    }

    fn anything(&mut self, depth: usize) -> String {
        let inner = depth.saturating_sub(1);
        match self.choices.below(if depth == 0 { 4 } else { 11 }) {
            0 => self
                .path(|_| true)
                .map_or_else(|| "components".to_owned(), |(path, _)| path),
            1 => (*self
                .choices
                .of(&["null", "1.5", "[]", "-1", "1e308 * 10.0", "0.0 / 0.0"]))
            .to_owned(),
            2 => self.literal(),
            3 => self.whole(inner),
            4 => self.text(inner),
            5 => self.condition(inner),
            6 => format!("[{}, {}]", self.anything(inner), self.anything(inner)),
            7 => {
                let (list, _) = self.list();
                let key = *self.choices.of(&KEYS);
                let index = match self.choices.below(4) {
                    0 => "0".to_owned(),
                    1 => format!("\"{key}\""),
                    2 => self.whole(inner),
                    _ => self.anything(inner),
                };
                format!("{list}[{index}]")
            }
            8 => {
                let (list, shape) = self.list();
                self.filtered(&list, shape, inner)
            }
            9 => {
                let sign = *self.choices.of(&["+", "-", "*", "/", "%"]);
                format!("({}) {sign} ({})", self.anything(inner), self.anything(inner))
            }
            _ => format!("double({})", self.anything(inner)),
        }
    }
}
