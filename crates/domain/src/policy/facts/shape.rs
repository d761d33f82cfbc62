//! The shape of a JSON document: one description for checking what reads it, for checking what is given, and for its JSON
//! Schema.

use crate::{Faults, component::bundle::Report, fault::excerpt};
use serde_json::{Value, json};
use std::collections::HashSet;

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// Text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of at most [`super::MAX_LIST`] entries.
    List(&'static Self),
    /// An object with any fields, at most [`super::MAX_LIST`], all of this shape: labels.
    Map(&'static Self),
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// Whatever JSON there is, each list and object in it of at most [`super::MAX_LIST`] entries.
    Any,
}

/// A field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// Whether it may be missing: an expression asks with `has(…)` before it reads it.
    pub optional: bool,
    /// What it says.
    pub doc: &'static str,
}

/// A field that is always there.
pub(super) const fn field(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field {
        name,
        shape,
        optional: false,
        doc,
    }
}

/// A field that may be missing.
pub(super) const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field {
        name,
        shape,
        optional: true,
        doc,
    }
}

impl Shape {
    /// What it is called in a sentence.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Text | Self::OneOf(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Object(_) => "an object",
            Self::Any => "anything",
        }
    }

    /// The field of an object.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        match self {
            Self::Object(fields) => fields.iter().find(|field| field.name == name),
            _ => None,
        }
    }

    /// The names of all fields in it.
    pub(crate) fn names(&self, names: &mut HashSet<&'static str>) {
        match self {
            Self::List(of) | Self::Map(of) => of.names(names),
            Self::Object(fields) => {
                for field in *fields {
                    names.insert(field.name);
                    field.shape.names(names);
                }
            }
            Self::Bool | Self::Int | Self::Text | Self::OneOf(_) | Self::Any => {}
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it, as far as anybody wants to read it.
    pub fn check(&self, value: &Value) -> Result<(), Faults> {
        let mut report = Report::new();
        self.faults(value, "", &mut report);
        report.check()
    }

    fn faults(&self, value: &Value, pointer: &str, faults: &mut Report) {
        if faults.is_full() {
            return;
        }
        let fits = match (self, value) {
            (Self::Any, Value::Array(entries)) => {
                for (i, entry) in few(entries.len(), pointer, faults).zip(entries) {
                    self.faults(entry, &format!("{pointer}/{i}"), faults);
                }
                true
            }
            (Self::Any, Value::Object(entries)) => {
                for (_, (key, entry)) in few(entries.len(), pointer, faults).zip(entries) {
                    self.faults(entry, &format!("{pointer}/{}", escaped(key)), faults);
                }
                true
            }
            (Self::Any, _) | (Self::Bool, Value::Bool(_)) | (Self::Text, Value::String(_)) => true,
            (Self::Int, Value::Number(number)) => number.as_i64().is_some(),
            (Self::OneOf(texts), Value::String(text)) => {
                if !texts.contains(&text.as_str()) {
                    faults.add(
                        pointer,
                        format!("`{}` is none of {}", excerpt(text), texts.join(", ")),
                    );
                }
                true
            }
            (Self::List(shape), Value::Array(entries)) => {
                for (i, entry) in few(entries.len(), pointer, faults).zip(entries) {
                    shape.faults(entry, &format!("{pointer}/{i}"), faults);
                }
                true
            }
            (Self::Map(shape), Value::Object(entries)) => {
                for (_, (key, entry)) in few(entries.len(), pointer, faults).zip(entries) {
                    shape.faults(entry, &format!("{pointer}/{}", escaped(key)), faults);
                }
                true
            }
            (Self::Object(fields), Value::Object(entries)) => {
                for field in *fields {
                    match entries.get(field.name) {
                        Some(entry) => {
                            let pointer = format!("{pointer}/{}", field.name);
                            field.shape.faults(entry, &pointer, faults);
                        }
                        None if field.optional => {}
                        None => faults.add(format!("{pointer}/{}", field.name), "is missing"),
                    }
                }
                for key in entries.keys().filter(|key| self.field(key).is_none()) {
                    faults.add(format!("{pointer}/{}", escaped(key)), "is no field that there is");
                }
                true
            }
            _ => false,
        };
        if !fits {
            faults.add(pointer, format!("is {}", self.name()));
        }
    }

    /// Its JSON Schema.
    #[must_use]
    pub fn schema(&self) -> Value {
        match self {
            Self::Bool => json!({"type": "boolean"}),
            Self::Int => json!({"type": "integer"}),
            Self::Text => json!({"type": "string"}),
            Self::OneOf(texts) => json!({"type": "string", "enum": texts}),
            Self::List(shape) => {
                json!({"type": "array", "items": shape.schema(), "maxItems": super::MAX_LIST})
            }
            Self::Map(shape) => json!({
                "type": "object", "additionalProperties": shape.schema(), "maxProperties": super::MAX_LIST,
            }),
            Self::Object(fields) => {
                let required: Vec<_> = fields.iter().filter(|f| !f.optional).map(|f| f.name).collect();
                let properties: serde_json::Map<_, _> = fields
                    .iter()
                    .map(|field| {
                        let mut schema = field.shape.schema();
                        schema["description"] = field.doc.into();
                        (field.name.to_owned(), schema)
                    })
                    .collect();
                json!({
                    "type": "object", "additionalProperties": false, "properties": properties, "required": required,
                })
            }
            Self::Any => json!({}),
        }
    }
}

/// The entries that are looked at of so many: of too many only the first.
fn few(entries: usize, pointer: &str, faults: &mut Report) -> std::ops::Range<usize> {
    const FIRST: usize = 10;
    if entries <= super::MAX_LIST {
        return 0..entries;
    }
    faults.add(pointer, format!("has more than {} entries", super::MAX_LIST));
    0..FIRST
}

/// A key as part of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
