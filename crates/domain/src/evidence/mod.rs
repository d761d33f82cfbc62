//! Evidence: what documents say of a component version or a release, each bound to a digest.
//!
//! [`read`] takes a document as a tool wrote it, says who signed it, and makes of it the [`Normal`] form that policies and
//! gates judge; the document itself is kept beside, by the digest of its bytes. What somebody states is a [`Statement`];
//! which of several counts, [`counting`] says. Whatever is wrong with a document refuses it: nothing is cut, and nothing
//! that cannot be verified is taken for what came without a signature.
//!
//! * `json`: bytes → a value, bounded; `schema`: registered schemas, bounded too.
//! * `junit`, `scan`, `sbom`, `in_toto`, `own`: one format or two each, a function from the document to its content.
//! * `dsse`, `cosign`, `keys`: who signed.
//!
//! To add a format: a variant of [`Format`], its place in [`Kind::formats`], its function, and its line in `content`, and
//! in `detected` where its documents can be told from others.

mod cosign;
mod dsse;
pub(crate) mod in_toto;
pub(crate) mod json;
mod junit;
mod keys;
mod kind;
mod normal;
mod own;
mod registered;
mod sbom;
mod scan;
mod schema;
mod statement;
#[cfg(test)]
mod tests;

pub use keys::{Keys, MAX_KEYS};
pub use kind::{Format, Kind};
pub use normal::{About, Normal, Signature, Tool};
pub use registered::{RegisteredKey, RegisteredSchema, Revocation};
pub use schema::{MAX_PARTS, MAX_SCHEMA, Schema};
pub use statement::{Standing, Statement, Subject, Withdrawal, counting, standing};

use crate::{Digest, Faults, Name, component::bundle::Report};
use json::At;
use normal::Content;
use serde_json::Value;
use std::cell::RefCell;

/// Most bytes of a document.
pub const MAX_PAYLOAD: usize = 8 * 1024 * 1024;
/// Most levels of nesting of a document, JSON or XML.
pub const MAX_DEPTH: usize = 64;
/// Most values of a JSON document, or elements of an XML document.
pub const MAX_ENTRIES: usize = 500_000;
/// Most characters of a text that is kept.
pub const MAX_TEXT: usize = 1_000;
/// Most subjects of one document.
pub const MAX_SUBJECTS: usize = 1_000;

/// What a document is to be read as.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// What kind of evidence it is to be.
    pub kind: Kind,
    /// What it is to be called; when absent, after its tool or its format.
    pub name: Option<&'a Name>,
    /// How it is written; when absent, that is told from its content.
    pub format: Option<Format>,
    /// The keys that signatures are verified with.
    pub keys: &'a Keys,
    /// The digests of what it is stated for: the component version's or release's own, and those of images that it pins. A
    /// document that must name its subject must name one of these.
    pub bound_to: &'a [Digest],
    /// What a generic document must conform to.
    pub schema: Option<&'a Schema>,
}

/// Reads a document.
///
/// # Errors
/// Everything that is wrong with it, by pointers into it (into the payload of an envelope below `/payload`), or by lines.
/// Among that: that it is about something else, and that it comes with signatures of which none can be verified.
pub fn read(payload: &[u8], reading: &Reading<'_>) -> Result<Normal, Faults> {
    if payload.len() > MAX_PAYLOAD {
        let detail = format!("{} bytes are more than the {MAX_PAYLOAD} allowed", payload.len());
        return Err(Faults::one("", detail));
    }
    let formats = reading.kind.formats();
    if reading.format.is_some_and(|format| !formats.contains(&format)) {
        return Err(Faults::one("", reading.formats()));
    }
    // Some tools begin with a mark of the byte order, which is no part of either language.
    let text = payload.strip_prefix("\u{feff}".as_bytes()).unwrap_or(payload);
    if text.trim_ascii_start().starts_with(b"<") {
        return reading.xml(text);
    }
    let value = json::read(text)?;
    let report = RefCell::new(Report::new());
    let document = At::root(&value, "", &report);
    let normal = reading.json(&document);
    report.into_inner().check()?;
    normal
}

/// A document that has a format, with what is said of it around.
struct Carried {
    format: Format,
    signature: Signature,
    content: Content,
}

impl Reading<'_> {
    fn xml(&self, text: &[u8]) -> Result<Normal, Faults> {
        if !self.kind.formats().contains(&Format::Junit) {
            return Err(Faults::one("", self.formats()));
        }
        let text = std::str::from_utf8(text).map_err(|error| {
            let line = junit::line(&text[..error.valid_up_to()]);
            Faults::one("", format!("no UTF-8 (line {line})"))
        })?;
        self.normal(Carried {
            format: Format::Junit,
            signature: Signature::NotSigned,
            content: junit::read(text)?,
        })
    }

    /// Faults are collected in the report of the document, or are those of the payload that it carries.
    fn json(&self, document: &At<'_, '_>) -> Result<Normal, Faults> {
        let carried = if let Some(envelope) = dsse::find(document) {
            let Some(verified) = dsse::open(&envelope, in_toto::PAYLOAD_TYPE, self.keys) else {
                return Err(Faults::new());
            };
            let by = Signature::Verified { by: verified.by };
            let at = envelope.pointer() + "/payload";
            self.payload(&verified.payload, &at, by)?
        } else if cosign::is_one(document.value()) {
            self.cosign(document)?
        } else if in_toto::is_one(document.value()) {
            self.statement(document, Signature::NotSigned)
        } else {
            self.document(document, Signature::NotSigned)
        };
        self.normal(carried)
    }

    /// What an envelope carries.
    fn payload(&self, payload: &[u8], at: &str, signature: Signature) -> Result<Carried, Faults> {
        let nested = |faults| {
            let mut all = Faults::new();
            all.nest(at, faults);
            all
        };
        let value = json::read(payload).map_err(nested)?;
        let report = RefCell::new(Report::new());
        let carried = self.statement(&At::root(&value, at, &report), signature);
        report.into_inner().check()?;
        Ok(carried)
    }

    fn cosign(&self, document: &At<'_, '_>) -> Result<Carried, Faults> {
        if !self.kind.formats().contains(&Format::Cosign) {
            document.fault(self.formats());
            return Err(Faults::new());
        }
        self.must_be(Format::Cosign, document);
        let Some((payload, by)) = cosign::open(document, self.keys) else {
            return Err(Faults::new());
        };
        let subject = cosign::subject(&payload, self.bound_to).map_err(|faults| {
            let mut all = Faults::new();
            all.nest("/Payload", faults);
            all
        })?;
        Ok(Carried {
            format: Format::Cosign,
            signature: Signature::Verified { by },
            content: Content {
                passed: true,
                subjects: vec![subject],
                ..Content::default()
            },
        })
    }

    /// An in-toto statement: provenance, a signature, or any other document about its subjects.
    fn statement(&self, statement: &At<'_, '_>, signature: Signature) -> Carried {
        let subjects = in_toto::subjects(statement, self.bound_to);
        let predicate = in_toto::predicate(statement);
        let carried = match (self.kind, predicate) {
            (Kind::Provenance, _) => Carried {
                format: Format::InToto,
                signature,
                content: in_toto::provenance(statement),
            },
            (Kind::Signature, _) => {
                self.must_be(Format::InToto, statement);
                if signature == Signature::NotSigned {
                    statement.fault("nobody signed it");
                }
                Carried {
                    format: Format::InToto,
                    signature,
                    content: Content {
                        passed: true,
                        ..Content::default()
                    },
                }
            }
            (_, None) => Carried {
                format: Format::InToto,
                signature,
                content: Content::default(),
            },
            (_, Some(predicate)) => {
                // `cosign attest --type vuln` puts what the scanner wrote into a record of the scan.
                let scanner = predicate.key("scanner").filter(|_| self.kind == Kind::Scan);
                let result = scanner.as_ref().and_then(|scanner| scanner.key("result"));
                self.document(&result.unwrap_or(predicate), signature)
            }
        };
        // What the statement says beats what the document in it says: that is what was signed.
        Carried {
            content: Content {
                subjects,
                ..carried.content
            },
            ..carried
        }
    }

    /// A document by itself.
    fn document(&self, document: &At<'_, '_>, signature: Signature) -> Carried {
        let format = self.format.or_else(|| detected(self.kind, document.value()));
        let content = match format {
            Some(Format::Sarif) => scan::sarif(document),
            Some(Format::Trivy) => scan::trivy(document),
            Some(Format::CycloneDx) => sbom::cyclonedx(document),
            Some(Format::Spdx) => sbom::spdx(document),
            Some(Format::Json) => match self.kind {
                Kind::ConfigurationBaseline => own::baseline(document),
                Kind::ManualCheck => own::manual_check(document),
                _ => own::generic(document, self.schema),
            },
            Some(Format::Junit | Format::InToto | Format::Cosign) | None => {
                document.fault(self.formats());
                Content::default()
            }
        };
        Carried {
            format: format.unwrap_or(Format::Json),
            signature,
            content,
        }
    }

    fn normal(&self, carried: Carried) -> Result<Normal, Faults> {
        let Carried {
            format,
            signature,
            content,
        } = carried;
        if content.subjects.len() > MAX_SUBJECTS {
            return Err(Faults::one(
                "",
                format!("it has more than {MAX_SUBJECTS} subjects"),
            ));
        }
        let tool = content.tool.as_ref().map(|tool| tool.name.as_str());
        let name = self.name.cloned().or_else(|| named_after(tool?));
        let name = name.or_else(|| named_after(format.as_str()));
        Ok(Normal {
            kind: self.kind,
            name: name.ok_or_else(|| Faults::one("", "it does not say what it is called: give it a name"))?,
            format,
            passed: content.passed,
            counts: content.counts,
            subjects: content.subjects,
            signature,
            builder: content.builder,
            tool: content.tool,
            produced_at: content.produced_at,
        })
    }

    /// A document that tells its format by itself must be what is asked for.
    fn must_be(&self, format: Format, document: &At<'_, '_>) {
        if let Some(asked) = self.format
            && asked != format
        {
            document.fault(format!("is {format}, not {asked}"));
        }
    }

    /// What to say of a document that is none of its kind.
    fn formats(&self) -> String {
        let formats: Vec<_> = self.kind.formats().iter().map(|format| format.as_str()).collect();
        format!(
            "a document of the kind `{}` is {}",
            self.kind,
            formats.join(" or ")
        )
    }
}

/// The format of a document, as it tells itself.
fn detected(kind: Kind, document: &Value) -> Option<Format> {
    let has = |key: &str| document.get(key).is_some();
    kind.formats().iter().copied().find(|format| match format {
        Format::Sarif => has("runs"),
        Format::Trivy => has("SchemaVersion"),
        Format::CycloneDx => has("bomFormat"),
        Format::Spdx => has("spdxVersion"),
        Format::Json => true,
        Format::Junit | Format::InToto | Format::Cosign => false,
    })
}

/// A name made of what a tool calls itself.
fn named_after(tool: &str) -> Option<Name> {
    let mut name = String::new();
    for c in tool.chars().take(63) {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_matches('-').parse().ok()
}
