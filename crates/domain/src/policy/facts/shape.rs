//! The shape of a JSON document: one description for checking what reads it, for checking what is given, and for its JSON
//! Schema.

use crate::Faults;
use serde_json::{Value, json};

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
    /// An object with any fields, all of this shape: labels.
    Map(&'static Self),
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// Whatever JSON there is.
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

    /// Everything that is wrong with a value.
    #[must_use]
    pub fn faults(&self, value: &Value) -> Faults {
        let mut faults = Faults::new();
        self.check(value, "", &mut faults);
        faults
    }

    fn check(&self, value: &Value, pointer: &str, faults: &mut Faults) {
        let fits = match (self, value) {
            (Self::Any, _) | (Self::Bool, Value::Bool(_)) | (Self::Text, Value::String(_)) => true,
            (Self::Int, Value::Number(number)) => number.as_i64().is_some(),
            (Self::OneOf(texts), Value::String(text)) => {
                if !texts.contains(&text.as_str()) {
                    faults.add(pointer, format!("`{text}` is none of {}", texts.join(", ")));
                }
                true
            }
            (Self::List(shape), Value::Array(entries)) => {
                if entries.len() > super::MAX_LIST {
                    faults.add(pointer, format!("has more than {} entries", super::MAX_LIST));
                }
                for (i, entry) in entries.iter().enumerate() {
                    shape.check(entry, &format!("{pointer}/{i}"), faults);
                }
                true
            }
            (Self::Map(shape), Value::Object(entries)) => {
                for (key, entry) in entries {
                    shape.check(entry, &format!("{pointer}/{}", escaped(key)), faults);
                }
                true
            }
            (Self::Object(fields), Value::Object(entries)) => {
                for field in *fields {
                    match entries.get(field.name) {
                        Some(entry) => field
                            .shape
                            .check(entry, &format!("{pointer}/{}", field.name), faults),
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
            Self::Map(shape) => json!({"type": "object", "additionalProperties": shape.schema()}),
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

/// A key as part of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
