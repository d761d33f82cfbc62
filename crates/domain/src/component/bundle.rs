//! A bundle: the Kubernetes objects of a component version of kind `manifests`.
//!
//! [`Bundle::parse`] takes what a user sends (a multi-document YAML text; JSON is YAML) and gives back objects that
//! every later step may rely on: each has `apiVersion`, `kind` and a valid `metadata.name`, none appears twice, none
//! carries what only an API server or Slipway itself may write, and none is larger or deeper than the [`Limits`].
//! What is wrong is reported all at once, with the number of the document it is in.
//!
//! * `yaml`: text → values, bounded in every direction; `scalar`: plain text → value, as kubectl reads YAML 1.1;
//!   `measure`: how large and deep a value is.
//! * `object`: the rules that one object must keep.
//! * `hook`, `replace`: the `slipway.dev/hook` and `slipway.dev/on-immutable` annotations.
//! * `warn`: what is allowed and hardly meant.

mod hook;
mod measure;
pub(crate) mod object;
mod object_ref;
mod replace;
mod scalar;
#[cfg(test)]
mod tests;
mod warn;
mod yaml;

use crate::{Digest, Faults};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use super::image_pin::ImageName;
pub use super::image_pin::{ImagePin, NoImagePin};
pub use hook::{HOOK_ANNOTATION, HookPhase, NoHook, hook_phases};
pub(crate) use measure::depth as levels;
pub use object_ref::ObjectRef;
pub(crate) use object_ref::group_of;
pub use replace::{NoReplacing, ON_IMMUTABLE_ANNOTATION, holds_data, may_be_replaced};
pub use warn::{Warning, warnings};

/// The domain of every label and annotation that is Slipway's own.
pub const OUR_DOMAIN: &str = "slipway.dev/";

/// How much a bundle, or a rendering, may be. Whatever exceeds a limit is refused, never cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of text (and of JSON, once rendered).
    pub bytes: usize,
    /// Objects, after lists have been taken apart.
    pub objects: usize,
    /// Levels of nesting of one document, the document itself being level 1.
    pub depth: usize,
}

impl Limits {
    /// What a rendering may be by default: several bundles, written as JSON and with our marks on every object.
    pub const RENDERING: Self = Self {
        bytes: 16 * 1024 * 1024,
        objects: 5_000,
        depth: 110,
    };
}

impl Default for Limits {
    /// What a bundle may be by default: 4 MiB, 1,000 objects, 100 levels.
    fn default() -> Self {
        Self {
            bytes: 4 * 1024 * 1024,
            objects: 1_000,
            depth: 100,
        }
    }
}

/// Kubernetes objects in the order they were written, each of them checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Bundle {
    /// The objects; every one is a mapping with `apiVersion`, `kind` and `metadata.name`.
    pub objects: Vec<Value>,
}

impl Bundle {
    /// Reads a multi-document YAML (or JSON) text.
    ///
    /// Empty documents are skipped, lists (`kind: List`, `DeploymentList`, … with `items`) are taken apart, and fields
    /// that only an API server writes (`status`, `metadata.uid`, …) are dropped.
    ///
    /// # Errors
    /// With every fault found (at most [`MAX_FAULTS`], and then it says so), each at `/manifests/<document>/…`, where
    /// documents are numbered from 0, empty ones included.
    pub fn parse(yaml: &str, limits: &Limits) -> Result<Self, Faults> {
        let mut faults = Report::new();
        let documents = yaml::read(yaml, limits, &mut faults);
        let objects = object::collect(documents, limits, &mut faults);
        faults.check()?;
        Ok(Self { objects })
    }

    /// What each object is, in order.
    #[must_use]
    pub fn refs(&self) -> Vec<ObjectRef> {
        self.objects.iter().filter_map(ObjectRef::of).collect()
    }

    /// Digest over the canonical JSON of the objects, in their order.
    #[must_use]
    pub fn digest(&self) -> Digest {
        crate::render::digest_of(&self.objects)
    }
}

/// So many faults are listed; the rest is only said to exist, so that a hostile text cannot ask for a huge answer.
pub const MAX_FAULTS: usize = 100;

/// Faults, up to [`MAX_FAULTS`] of them.
#[derive(Debug)]
pub(crate) struct Report {
    faults: Faults,
    left: usize,
}

impl Report {
    pub(crate) const fn new() -> Self {
        Self {
            faults: Faults::new(),
            left: MAX_FAULTS,
        }
    }

    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        match self.left {
            0 => return,
            1 => self
                .faults
                .add("", format!("there are more than these {} faults", MAX_FAULTS - 1)),
            _ => self.faults.add(pointer, detail),
        }
        self.left -= 1;
    }

    /// Whether nothing more will be listed, so that looking further is of no use.
    pub(crate) const fn is_full(&self) -> bool {
        self.left == 0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.left == MAX_FAULTS
    }

    pub(crate) fn check(self) -> Result<(), Faults> {
        self.faults.check()
    }
}

/// Appends a key or an index to a JSON pointer (RFC 6901).
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}
