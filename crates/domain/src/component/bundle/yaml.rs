//! Text → values, bounded in every direction.
//!
//! Built on a pull parser (`granit-parser`, the one below `serde-saphyr`), because only the events tell a quoted `"no"`
//! from a plain `no`, a key that comes twice, and how much an alias would copy. Nothing here recurses, so no nesting
//! can overflow the stack, and a document that cannot be read does not hide the faults of the next one.

use super::{
    Limits, Report,
    measure::{cost, depth},
    push_token, scalar,
};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// One document of the text.
#[derive(Debug)]
pub(super) struct Document {
    /// Its number, from 0.
    pub(super) number: usize,
    /// The line it begins at, from 1.
    pub(super) line: usize,
    /// What it says.
    pub(super) value: Value,
}

/// What anchors may keep and aliases may copy in one text, in bytes of text plus
/// [`NODE`](super::measure::NODE) for every node: ample for
/// people, and nothing for a "billion laughs".
const ALIAS_BUDGET: usize = 256 * 1024;

/// Reads every document that can be read, and reports what is wrong with the others.
pub(super) fn read(text: &str, limits: &Limits, report: &mut Report) -> Vec<Document> {
    if text.len() > limits.bytes {
        report.add(
            "/manifests",
            format!("{} bytes are more than the {} allowed", text.len(), limits.bytes),
        );
        return Vec::new();
    }
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: limits.depth.saturating_add(1),
        block_nesting_limit: limits.depth.saturating_add(1),
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut documents = Vec::new();
    let mut reader = Reader::new(limits, report);
    while let Some(event) = parser.next_event() {
        let outcome = match event {
            Ok((Event::DocumentStart(..), span)) => {
                reader.start(span.start.line());
                Ok(())
            }
            Ok((Event::DocumentEnd, _)) => {
                documents.extend(reader.end());
                Ok(())
            }
            Ok((event, span)) => reader.event(event, span),
            Err(error) => Err(reader.syntax(&error)),
        };
        if outcome.is_err() && !(reader.skip() && parser.proceed_next_document().unwrap_or(false)) {
            break;
        }
    }
    documents
}

/// The document is given up; why has been reported.
struct GivenUp;

struct Reader<'a> {
    limits: &'a Limits,
    report: &'a mut Report,
    /// Documents begun.
    begun: usize,
    /// Whether a document is being read.
    inside: bool,
    line: usize,
    stack: Vec<Frame>,
    root: Option<Value>,
    anchors: HashMap<usize, Value>,
    alias_budget: usize,
}

/// A collection that is not complete yet.
struct Frame {
    anchor: usize,
    kind: FrameKind,
}

enum FrameKind {
    Sequence(Vec<Value>),
    Mapping {
        entries: Map<String, Value>,
        key: Option<Key>,
        merged: Vec<Value>,
    },
}

enum Key {
    Text(String),
    /// A plain `<<`: what follows is merged in.
    Merge,
    /// Reported already; what follows is dropped.
    Wrong,
}

impl<'a> Reader<'a> {
    fn new(limits: &'a Limits, report: &'a mut Report) -> Self {
        Self {
            limits,
            report,
            begun: 0,
            inside: false,
            line: 0,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            alias_budget: ALIAS_BUDGET,
        }
    }

    fn start(&mut self, line: usize) {
        self.begun += 1;
        self.inside = true;
        self.line = line;
        self.stack.clear();
        self.anchors.clear();
        self.root = None;
    }

    fn end(&mut self) -> Option<Document> {
        self.inside = false;
        Some(Document {
            number: self.begun.checked_sub(1)?,
            line: self.line,
            value: self.root.take()?,
        })
    }

    /// Leaves a document that cannot be read; whether it is worth going on.
    fn skip(&mut self) -> bool {
        if !self.inside {
            // The fault was before the first event of a document, which is one all the same.
            self.begun += 1;
        }
        self.inside = false;
        self.stack.clear();
        self.root = None;
        !self.report.is_full()
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), GivenUp> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if plain && tag.is_none() && &*text == "<<" && self.wants_key() {
                    return self.key(Key::Merge, line);
                }
                let value = self.scalar(&text, plain, tag.as_deref(), line);
                self.complete(value, anchor, line)
            }
            Event::SequenceStart(_, anchor, tag) => self.open(
                anchor,
                tag.as_deref(),
                "seq",
                FrameKind::Sequence(Vec::new()),
                line,
            ),
            Event::MappingStart(_, anchor, tag) => {
                let kind = FrameKind::Mapping {
                    entries: Map::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.open(anchor, tag.as_deref(), "map", kind, line)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(line),
            Event::Alias(id) => self.alias(id, line),
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        anchor: usize,
        tag: Option<&Tag>,
        core: &str,
        kind: FrameKind,
        line: usize,
    ) -> Result<(), GivenUp> {
        if self.stack.len() >= self.limits.depth {
            return Err(self.too_deep(line));
        }
        if self.wants_key() {
            self.fault(line, "a key is text, a number or a boolean, not a collection");
            return Err(GivenUp);
        }
        if let Some(tag) = tag
            && tag.core_suffix() != Some(core)
        {
            self.fault(line, &format!("the tag {} has no meaning here", tag.original()));
        }
        self.stack.push(Frame { anchor, kind });
        Ok(())
    }

    fn close(&mut self, line: usize) -> Result<(), GivenUp> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let value = match frame.kind {
            FrameKind::Sequence(items) => Value::Array(items),
            FrameKind::Mapping {
                mut entries, merged, ..
            } => {
                for value in merged {
                    self.merge(&mut entries, value, line);
                }
                Value::Object(entries)
            }
        };
        self.complete(value, frame.anchor, line)
    }

    /// `<<: *other`: what the mapping says itself wins, then what was merged first.
    fn merge(&mut self, entries: &mut Map<String, Value>, value: Value, line: usize) {
        let sources = match value {
            Value::Array(sources) => sources,
            one => vec![one],
        };
        for source in sources {
            if let Value::Object(source) = source {
                for (key, value) in source {
                    entries.entry(key).or_insert(value);
                }
            } else {
                self.fault(line, "only mappings can be merged with <<");
            }
        }
    }

    fn alias(&mut self, id: usize, line: usize) -> Result<(), GivenUp> {
        let cost = self.anchors.get(&id).map(|value| cost(value, self.alias_budget));
        let depth_left = self.limits.depth.saturating_sub(self.stack.len());
        match cost {
            None => {
                self.fault(line, "an alias cannot stand for what it is part of");
                Err(GivenUp)
            }
            Some(None) => Err(self.too_many_aliases(line)),
            Some(Some(cost)) => {
                self.alias_budget -= cost;
                let value = self.anchors.get(&id).cloned().unwrap_or_default();
                if depth(&value) > depth_left {
                    return Err(self.too_deep(line));
                }
                self.complete(value, 0, line)
            }
        }
    }

    /// A node is complete: it is the document, an item, a key or a value.
    fn complete(&mut self, value: Value, anchor: usize, line: usize) -> Result<(), GivenUp> {
        if anchor != 0 {
            let Some(cost) = cost(&value, self.alias_budget) else {
                return Err(self.too_many_aliases(line));
            };
            self.alias_budget -= cost;
            self.anchors.insert(anchor, value.clone());
        }
        if self.wants_key() {
            let key = match value {
                Value::String(text) => Key::Text(text),
                Value::Bool(flag) => Key::Text(flag.to_string()),
                Value::Number(number) => Key::Text(number.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    self.fault(line, "a key is text, a number or a boolean");
                    Key::Wrong
                }
            };
            return self.key(key, line);
        }
        match self.stack.last_mut().map(|frame| &mut frame.kind) {
            None => self.root = Some(value),
            Some(FrameKind::Sequence(items)) => items.push(value),
            Some(FrameKind::Mapping { entries, key, merged }) => match key.take() {
                Some(Key::Text(key)) => {
                    entries.insert(key, value);
                }
                Some(Key::Merge) => merged.push(value),
                Some(Key::Wrong) | None => {}
            },
        }
        Ok(())
    }

    fn key(&mut self, new: Key, line: usize) -> Result<(), GivenUp> {
        let Some(Frame {
            kind: FrameKind::Mapping { entries, key, .. },
            ..
        }) = self.stack.last_mut()
        else {
            return Ok(());
        };
        if let Key::Text(text) = &new
            && entries.contains_key(text)
        {
            let detail = format!("the key {text:?} is there twice");
            *key = Some(Key::Wrong);
            self.fault(line, &detail);
        } else {
            *key = Some(new);
        }
        if self.report.is_full() {
            Err(GivenUp)
        } else {
            Ok(())
        }
    }

    fn wants_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Frame {
                kind: FrameKind::Mapping { key: None, .. },
                ..
            })
        )
    }

    fn scalar(&mut self, text: &str, plain: bool, tag: Option<&Tag>, line: usize) -> Value {
        scalar::read(text, plain, tag).unwrap_or_else(|detail| {
            self.fault(line, &detail);
            Value::Null
        })
    }

    fn syntax(&mut self, error: &ScanError) -> GivenUp {
        let line = error.marker().line();
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return self.too_deep(line);
        }
        let number = if self.inside {
            self.begun.saturating_sub(1)
        } else {
            self.begun
        };
        let detail = format!(
            "no YAML: {} (line {line}, column {})",
            error.kind(),
            error.marker().col() + 1
        );
        self.report.add(format!("/manifests/{number}"), detail);
        GivenUp
    }

    fn too_deep(&mut self, line: usize) -> GivenUp {
        let detail = format!("more than {} levels of nesting (line {line})", self.limits.depth);
        self.report
            .add(format!("/manifests/{}", self.begun.saturating_sub(1)), detail);
        GivenUp
    }

    fn too_many_aliases(&mut self, line: usize) -> GivenUp {
        let detail = format!("anchors and aliases copy more than {ALIAS_BUDGET} bytes (line {line})");
        self.report
            .add(format!("/manifests/{}", self.begun.saturating_sub(1)), detail);
        GivenUp
    }

    fn fault(&mut self, line: usize, detail: &str) {
        let mut pointer = format!("/manifests/{}", self.begun.saturating_sub(1));
        for frame in &self.stack {
            match &frame.kind {
                FrameKind::Sequence(items) => push_token(&mut pointer, &items.len().to_string()),
                FrameKind::Mapping {
                    key: Some(Key::Text(key)),
                    ..
                } => push_token(&mut pointer, key),
                FrameKind::Mapping { .. } => {}
            }
        }
        self.report.add(pointer, format!("{detail} (line {line})"));
    }
}
