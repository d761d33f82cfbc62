//! Test reports in `JUnit`'s XML: `testsuites` of `testsuite` of `testcase`, as test runners write it.
//!
//! What the test cases say is what counts. Where a suite declares more failures or errors than its cases show, as many as
//! it declares. There is no DTD and no entity: a document with a DOCTYPE is refused before anything is made of it.

use super::{
    MAX_DEPTH, MAX_ENTRIES, MAX_TEXT,
    json::shortened,
    normal::{Content, counts, older},
};
use crate::Faults;
use jiff::Timestamp;
use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};

/// Most attributes of one element.
const MAX_ATTRIBUTES: usize = 64;

/// Reads a report.
///
/// # Errors
/// What is wrong first, with its line.
pub(super) fn read(text: &str) -> Result<Content, Faults> {
    let mut reader = Reader::from_str(text);
    let mut report = Tree::default();
    loop {
        let before = reader.buffer_position();
        let event = reader
            .read_event()
            .map_err(|error| no_xml(text, reader.error_position(), &error.to_string()))?;
        match report.event(&event) {
            Ok(true) => {}
            Ok(false) => return Ok(report.content()),
            Err(detail) => return Err(fault(text, before, &detail)),
        }
    }
}

/// The parser repeats names of elements, which may be of any length.
fn no_xml(text: &str, position: u64, error: &str) -> Faults {
    fault(text, position, &format!("no XML: {}", shortened(error)))
}

fn fault(text: &str, position: u64, detail: &str) -> Faults {
    let position = usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
    let line = line(&text.as_bytes()[..position]);
    Faults::one("", format!("{detail} (line {line})"))
}

/// The line that follows these bytes, from 1.
pub(super) fn line(before: &[u8]) -> usize {
    before.split(|byte| *byte == b'\n').count()
}

/// How many of what.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    tests: usize,
    failed: usize,
    errors: usize,
    skipped: usize,
}

/// How a test case came out; the worst of what is said of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    #[default]
    Passed,
    Skipped,
    Failed,
    Error,
}

/// An element that is not closed yet.
#[derive(Debug)]
enum Open {
    Suite { declared: (usize, usize), tally: Tally },
    Case(Outcome),
    Other,
}

#[derive(Debug, Default)]
struct Tree {
    open: Vec<Open>,
    root_seen: bool,
    elements: usize,
    total: Tally,
    produced_at: Option<Timestamp>,
}

impl Tree {
    /// Whether there is more to come.
    fn event(&mut self, event: &Event<'_>) -> Result<bool, String> {
        match event {
            Event::Start(element) => self.start(element)?,
            Event::Empty(element) => {
                self.start(element)?;
                self.end();
            }
            Event::End(_) => self.end(),
            Event::Text(content) if self.open.is_empty() && !content.trim().is_empty() => {
                return Err("there is text outside of the root element".to_owned());
            }
            Event::CData(_) if self.open.is_empty() => {
                return Err("there is text outside of the root element".to_owned());
            }
            Event::GeneralRef(reference) => known(reference)?,
            Event::Decl(declaration) => encoding(declaration)?,
            Event::DocType(_) => return Err("a DOCTYPE is not allowed".to_owned()),
            Event::Eof if !self.open.is_empty() => {
                return Err(format!("it ends with {} elements open", self.open.len()));
            }
            Event::Eof if !self.root_seen => return Err("there is no element in it".to_owned()),
            Event::Eof => return Ok(false),
            Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) => {}
        }
        Ok(true)
    }

    fn start(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name = element.local_name();
        let name = name.as_ref();
        self.elements += 1;
        if self.elements > MAX_ENTRIES {
            return Err(format!("more than {MAX_ENTRIES} elements"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels of nesting"));
        }
        if self.open.is_empty() {
            if self.root_seen {
                return Err("there is more than one root element".to_owned());
            }
            if !matches!(name, "testsuites" | "testsuite") {
                return Err(format!(
                    "the root of a test report is `testsuites` or `testsuite`, not `{}`",
                    shortened(name)
                ));
            }
            self.root_seen = true;
        }
        let attributes = attributes(element)?;
        let get = |wanted: &str| {
            let found = attributes.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let number = |wanted: &str| match get(wanted).map(str::trim) {
            None | Some("") => Ok(0),
            Some(text) => text.parse::<usize>().map_err(|_| {
                format!(
                    "`{wanted}` is a whole number that is not negative, not `{}`",
                    shortened(text)
                )
            }),
        };
        let within_case = self.open.iter().any(|open| matches!(open, Open::Case(_)));
        let opened = match name {
            "testsuites" | "testsuite" if !within_case => {
                // A time without its zone is no moment: most runners do not say where they ran.
                let time = get("timestamp").and_then(|time| time.parse::<Timestamp>().ok());
                self.produced_at = older(self.produced_at, time);
                Open::Suite {
                    declared: (number("failures")?, number("errors")?),
                    tally: Tally::default(),
                }
            }
            "testcase" if !within_case => {
                let ran = |value: &str| {
                    !matches!(
                        value,
                        "notrun" | "disabled" | "skipped" | "suppressed" | "ignored"
                    )
                };
                let all_ran = ["status", "result"].into_iter().filter_map(get).all(ran);
                Open::Case(if all_ran {
                    Outcome::Passed
                } else {
                    Outcome::Skipped
                })
            }
            "failure" | "error" | "skipped" => {
                self.say(name);
                Open::Other
            }
            _ => Open::Other,
        };
        self.open.push(opened);
        Ok(())
    }

    /// What an element says of what it is directly in.
    fn say(&mut self, name: &str) {
        match (self.open.last_mut(), name) {
            (Some(Open::Case(outcome)), "failure") => *outcome = (*outcome).max(Outcome::Failed),
            (Some(Open::Case(outcome)), "error") => *outcome = (*outcome).max(Outcome::Error),
            (Some(Open::Case(outcome)), _) => *outcome = (*outcome).max(Outcome::Skipped),
            // Of a suite as a whole: what could not be set up has no cases.
            (Some(Open::Suite { tally, .. }), "failure" | "error") => tally.errors += 1,
            _ => {}
        }
    }

    fn end(&mut self) {
        let closed = match self.open.pop() {
            None | Some(Open::Other) => return,
            Some(Open::Case(outcome)) => Tally {
                tests: 1,
                failed: usize::from(outcome == Outcome::Failed),
                errors: usize::from(outcome == Outcome::Error),
                skipped: usize::from(outcome == Outcome::Skipped),
            },
            Some(Open::Suite { declared, mut tally }) => {
                tally.failed = tally.failed.max(declared.0);
                tally.errors = tally.errors.max(declared.1);
                tally
            }
        };
        let above = self.open.iter_mut().rev().find_map(|open| match open {
            Open::Suite { tally, .. } => Some(tally),
            _ => None,
        });
        above.unwrap_or(&mut self.total).add(closed);
    }

    fn content(self) -> Content {
        let Tally {
            tests,
            failed,
            errors,
            skipped,
        } = self.total;
        let passed = tests
            .saturating_sub(failed)
            .saturating_sub(errors)
            .saturating_sub(skipped);
        Content {
            passed: passed > 0 && failed == 0 && errors == 0,
            counts: counts([
                ("tests", tests),
                ("passed", passed),
                ("failed", failed),
                ("errors", errors),
                ("skipped", skipped),
            ]),
            produced_at: self.produced_at,
            ..Content::default()
        }
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.tests = self.tests.saturating_add(other.tests);
        self.failed = self.failed.saturating_add(other.failed);
        self.errors = self.errors.saturating_add(other.errors);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }
}

/// All attributes: each must be right, though few are read.
fn attributes(element: &BytesStart<'_>) -> Result<Vec<(String, String)>, String> {
    let mut all = Vec::new();
    for attribute in element.attributes() {
        // First, because looking for those that are there twice compares each with each.
        if all.len() == MAX_ATTRIBUTES {
            return Err(format!("an element has more than {MAX_ATTRIBUTES} attributes"));
        }
        let attribute = attribute.map_err(|error| format!("no XML: {error}"))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| format!("no XML: {error}"))?;
        let kept = value.chars().take(MAX_TEXT).collect();
        all.push((attribute.key.as_ref().to_owned(), kept));
    }
    Ok(all)
}

/// Refuses a reference that only a DTD could define.
fn known(reference: &BytesRef<'_>) -> Result<(), String> {
    let resolved = if reference.is_char_ref() {
        reference.resolve_char_ref().ok().flatten().is_some()
    } else {
        resolve_predefined_entity(reference).is_some()
    };
    if resolved {
        return Ok(());
    }
    Err(format!("there is no entity `&{};`", shortened(reference)))
}

fn encoding(declaration: &BytesDecl<'_>) -> Result<(), String> {
    let Some(encoding) = declaration.encoding() else {
        return Ok(());
    };
    let encoding = encoding.map_err(|error| format!("no XML: {error}"))?;
    if ["utf-8", "utf8", "us-ascii"].contains(&encoding.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(format!("it is UTF-8, not `{}`", shortened(&encoding)))
}
