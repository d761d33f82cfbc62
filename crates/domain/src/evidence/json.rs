//! JSON, bounded in every direction: bytes → a value, and a place in it that knows its pointer.

use super::{MAX_DEPTH, MAX_ENTRIES, MAX_TEXT};
use crate::{
    Digest, Faults,
    component::bundle::{Report, push_token},
};
use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{
    cell::{Cell, RefCell},
    fmt,
};

/// Reads one value and nothing after it.
///
/// # Errors
/// With the line and column of what is wrong: no JSON, too deep, too much of it, or a key that is there twice (which
/// parsers read differently, so that one would show what another does not judge).
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Faults> {
    let left = Cell::new(MAX_ENTRIES);
    let node = Node {
        depth: MAX_DEPTH,
        left: &left,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    node.deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| {
            let what = if error.is_data() { "" } else { "no JSON: " };
            Faults::one("", format!("{what}{error}"))
        })
}

/// A value that is being read.
#[derive(Clone, Copy)]
struct Node<'a> {
    /// Levels that are still allowed.
    depth: usize,
    /// Values that are still allowed, in the whole document.
    left: &'a Cell<usize>,
}

impl Node<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        depth
            .map(|depth| Self { depth, ..self })
            .ok_or_else(|| E::custom(format_args!("more than {MAX_DEPTH} levels of nesting")))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        self.left
            .set(left.ok_or_else(|| D::Error::custom(format_args!("more than {MAX_ENTRIES} values")))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut read = Vec::new();
        while let Some(entry) = entries.next_element_seed(inner)? {
            read.push(entry);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut read = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if read.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key {:?} is there twice",
                    shortened(&key)
                )));
            }
            let value = entries.next_value_seed(inner)?;
            read.insert(key, value);
        }
        Ok(Value::Object(read))
    }
}

/// A value in a document, and where it is. Faults are collected as places are asked.
#[derive(Clone, Copy)]
pub(super) struct At<'v, 'p> {
    value: &'v Value,
    place: Place<'p>,
    report: &'p RefCell<Report>,
}

/// Where a value is: written out only when there is a fault to tell.
#[derive(Clone, Copy)]
struct Place<'p> {
    above: Option<&'p Self>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root(&'p str),
    Key(&'p str),
    Index(usize),
}

impl Place<'_> {
    fn write(&self, pointer: &mut String) {
        if let Some(above) = self.above {
            above.write(pointer);
        }
        match self.step {
            Step::Root(prefix) => pointer.push_str(prefix),
            Step::Key(key) => push_token(pointer, shortened(key)),
            Step::Index(index) => push_token(pointer, &index.to_string()),
        }
    }
}

impl<'v, 'p> At<'v, 'p> {
    /// The whole of a document, itself found at `prefix`.
    pub(super) const fn root(value: &'v Value, prefix: &'p str, report: &'p RefCell<Report>) -> Self {
        Self {
            value,
            place: Place {
                above: None,
                step: Step::Root(prefix),
            },
            report,
        }
    }

    /// As it was read.
    pub(super) const fn value(&self) -> &'v Value {
        self.value
    }

    /// Its JSON pointer.
    pub(super) fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.place.write(&mut pointer);
        pointer
    }

    /// Something is wrong here.
    pub(super) fn fault(&self, detail: impl Into<String>) {
        self.report.borrow_mut().add(self.pointer(), detail);
    }

    /// Something is wrong in it, at a pointer of its own.
    pub(super) fn fault_below(&self, pointer: &str, detail: impl Into<String>) {
        let pointer = self.pointer() + pointer;
        self.report.borrow_mut().add(pointer, detail);
    }

    /// Whether so much is wrong that looking further is of no use.
    pub(super) fn is_full(&self) -> bool {
        self.report.borrow().is_full()
    }

    /// What is meant here though it stands elsewhere.
    pub(super) const fn moved(self, value: &'v Value) -> Self {
        Self { value, ..self }
    }

    fn step<'q>(&'q self, value: &'v Value, step: Step<'q>) -> At<'v, 'q> {
        At {
            value,
            place: Place {
                above: Some(&self.place),
                step,
            },
            report: self.report,
        }
    }

    /// A field; one that is `null` is absent.
    pub(super) fn key<'q>(&'q self, key: &'q str) -> Option<At<'v, 'q>> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(self.step(value, Step::Key(key)))
    }

    /// A field that must be there.
    pub(super) fn need<'q>(&'q self, key: &'q str) -> Option<At<'v, 'q>> {
        let found = self.key(key);
        if found.is_none() {
            self.step(&Value::Null, Step::Key(key)).fault("is missing");
        }
        found
    }

    /// A text that may be kept: not long, and with no control characters in it.
    pub(super) fn text(&self) -> Option<&'v str> {
        match self.value {
            Value::String(text) if text.chars().count() > MAX_TEXT => {
                self.fault(format!("has more than {MAX_TEXT} characters"));
                None
            }
            Value::String(text) if text.contains(char::is_control) => {
                self.fault("has a control character in it");
                None
            }
            Value::String(text) => Some(text),
            _ => {
                self.fault("is text");
                None
            }
        }
    }

    /// A field that is text, if it is there.
    pub(super) fn text_of(&self, key: &str) -> Option<&'v str> {
        self.key(key)?.text()
    }

    /// A field that is text, and must be there.
    pub(super) fn need_text(&self, key: &str) -> Option<&'v str> {
        self.need(key)?.text()
    }

    /// A moment, RFC 3339.
    pub(super) fn time(&self) -> Option<Timestamp> {
        let time = self.text()?.parse();
        if time.is_err() {
            self.fault("is a time with a time zone (RFC 3339)");
        }
        time.ok()
    }

    /// True or false.
    pub(super) fn flag(&self) -> Option<bool> {
        if !self.value.is_boolean() {
            self.fault("is true or false");
        }
        self.value.as_bool()
    }

    /// Each entry of a field that is a list; how many there are, if it is there.
    pub(super) fn each(&self, key: &str, mut with: impl FnMut(At<'v, '_>)) -> Option<usize> {
        self.key(key)?.entries(&mut with)
    }

    /// Each entry of a list; how many there are.
    pub(super) fn entries(&self, mut with: impl FnMut(At<'v, '_>)) -> Option<usize> {
        let Value::Array(entries) = self.value else {
            self.fault("is a list");
            return None;
        };
        for (index, entry) in entries.iter().enumerate() {
            with(self.step(entry, Step::Index(index)));
        }
        Some(entries.len())
    }

    /// Each field of an object; how many there are.
    pub(super) fn fields(&self, mut with: impl FnMut(&'v str, At<'v, '_>)) -> Option<usize> {
        let Value::Object(fields) = self.value else {
            self.fault("is an object");
            return None;
        };
        for (key, value) in fields {
            with(key, self.step(value, Step::Key(key)));
        }
        Some(fields.len())
    }

    /// A digest, `sha256:…`, if it is one.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.value.as_str()?.parse().ok()
    }
}

/// As much of a text as a fault repeats of it.
pub(super) fn shortened(text: &str) -> &str {
    text.char_indices().nth(200).map_or(text, |(end, _)| &text[..end])
}
