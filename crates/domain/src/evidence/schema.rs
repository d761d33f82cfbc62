//! Registered JSON Schemas (2020-12), bounded so that whoever writes one cannot make judging a document run away.
//!
//! Nothing is fetched: a reference stays inside of the schema. Patterns are matched in linear time. And a schema is
//! finite: with every reference followed it has at most [`MAX_PARTS`] parts, so that one that refers to itself is refused.

use super::{
    MAX_DEPTH,
    json::{At, shortened},
};
use crate::{Faults, component::bundle::Report};
use jsonschema::{Draft, PatternOptions, Retrieve, Uri, Validator};
use serde_json::Value;
use std::{cell::RefCell, error::Error};

/// Most bytes of a schema.
pub const MAX_SCHEMA: usize = 64 * 1024;
/// Most parts of a schema, with every reference followed.
pub const MAX_PARTS: usize = 5_000;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Keywords by which a reference could mean another place than the pointer that it is.
const MOVING: [&str; 6] = [
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$vocabulary",
];
/// Most bytes of one compiled pattern.
const MAX_PATTERN: usize = 1024 * 1024;

/// A schema, ready to judge documents.
#[derive(Debug)]
pub struct Schema(Validator);

/// Answers every question for another document with no.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        Err(format!("{uri} is not part of the schema").into())
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// Everything that is wrong with it, by pointers into it.
    pub fn read(text: &[u8]) -> Result<Self, Faults> {
        if text.len() > MAX_SCHEMA {
            return Err(Faults::one(
                "",
                format!("{} bytes are more than the {MAX_SCHEMA} allowed", text.len()),
            ));
        }
        let schema = super::json::read(text)?;
        let report = RefCell::new(Report::new());
        let mut parts = MAX_PARTS;
        Walk {
            root: &schema,
            parts: &mut parts,
        }
        .walk(&At::root(&schema, "", &report), MAX_DEPTH);
        report.into_inner().check()?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_retriever(Nowhere)
            .with_pattern_options(
                PatternOptions::regex()
                    .size_limit(MAX_PATTERN)
                    .dfa_size_limit(MAX_PATTERN),
            )
            .build(&schema);
        validator.map(Self).map_err(|error| {
            let pointer = error.instance_path().as_str();
            Faults::one(
                pointer,
                format!("no JSON Schema: {}", shortened(&error.to_string())),
            )
        })
    }

    /// Adds everything that is wrong with a document.
    pub(super) fn check(&self, document: &At<'_, '_>) {
        for error in self.0.iter_errors(document.value()) {
            if document.is_full() {
                break;
            }
            let detail = error.masked_with("it").to_string();
            document.fault_below(error.instance_path().as_str(), shortened(&detail));
        }
    }
}

struct Walk<'v, 'w> {
    root: &'v Value,
    parts: &'w mut usize,
}

impl<'v> Walk<'v, '_> {
    /// Whether it is worth going on.
    fn walk(&mut self, at: &At<'v, '_>, levels: usize) -> bool {
        if levels == 0 || *self.parts == 0 {
            at.fault(format!(
                "with every reference followed, a schema has at most {MAX_DEPTH} levels and {MAX_PARTS} parts, so it \
                 cannot refer to itself"
            ));
            return false;
        }
        *self.parts -= 1;
        let mut going = true;
        if at.value().is_array() {
            at.entries(|entry| going = going && self.walk(&entry, levels - 1));
        } else if at.value().is_object() {
            at.fields(|key, value| going = going && self.field(key, &value, levels));
        }
        going
    }

    fn field(&mut self, key: &str, at: &At<'v, '_>, levels: usize) -> bool {
        let Some(text) = at.value().as_str() else {
            return self.walk(at, levels - 1);
        };
        if MOVING.contains(&key) {
            at.fault(format!("`{key}` is not supported"));
        } else if key == "$schema" && text.trim_end_matches('#') != DIALECT {
            at.fault(format!("is `{DIALECT}`"));
        } else if key == "$ref" {
            // Without escapes there is one way to read a pointer.
            let target = text.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
            let target = target.and_then(|pointer| self.root.pointer(pointer));
            let Some(target) = target else {
                at.fault("is a JSON pointer into this schema, `#/…`, to what is there, without `%`");
                return true;
            };
            return self.walk(&at.moved(target), levels - 1);
        }
        true
    }
}
