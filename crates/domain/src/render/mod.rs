//! Rendering: sealed components + image pins + configuration → the exact objects that one target gets.
//!
//! Rendering is pure and done once; what it yields is stored under its digest, previewed, approved, applied and, if
//! need be, rolled back to. Nothing that is applied comes from anywhere else, so every rule about *what* may reach a
//! cluster is enforced here: the namespace, cluster-scoped kinds, size, and one owner for every object.
//!
//! The order is: overlays (the release's, then the environment's), namespace and scope, image pins, marks, apply order.
//!
//! * `mod.rs`: what goes in and what comes out; `build`: the order of the work
//! * `overlay`: configuration as merge patches and JSON patches; `images`: digests instead of tags
//! * `scope`, `order`: what Kubernetes knows about its built-in kinds
//! * `marks`: the labels and annotations we put on objects
//! * `redact`, `diff`: what people are shown; `changes`: how much would change
//! * `settled`, `scale`: what applying would change, and what it leaves to others
//!
//! # How to extend
//! A new source of configuration is one more entry of [`Input::overlays`]; a new built-in kind is a row in `scope`
//! and, where its order matters, in `order`.

mod build;
mod changes;
mod diff;
mod images;
mod marks;
mod order;
mod overlay;
mod redact;
mod scale;
mod scope;
mod settled;
#[cfg(test)]
mod tests;

use crate::{
    Digest,
    component::bundle::{ImagePin, Limits, ObjectRef},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::component::bundle::HookPhase;
pub use build::render;
pub use changes::{Changes, changes};
pub(crate) use diff::shown_at;
pub use diff::{Change, ObjectDiff, PathChange, diff};
pub use images::images;
pub use marks::{
    ANNOTATION_DEPLOYMENT, ANNOTATION_GENERATION, ANNOTATION_RELEASE, ANNOTATION_RELEASE_DIGEST,
    LABEL_COMPONENT, LABEL_ENVIRONMENT, LABEL_SERVICE, stamp,
};
pub use order::{PHASES, Phase, apply_rank, holds_others};
pub use overlay::{Overlay, OverlayTarget};
pub use redact::{REDACTED, redact};
pub use scale::keep_scale;
pub use scope::{ObjectScope, scope_of};
pub use settled::{said_otherwise, settled};

/// Everything a rendering depends on. The same input always renders to the same digest.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// Name of the service.
    pub service: &'a str,
    /// Name of the environment.
    pub environment: &'a str,
    /// The release's version.
    pub release: &'a str,
    /// The digest the release was sealed with.
    pub release_digest: Digest,
    /// The target's namespace: every namespaced object ends there or is refused.
    pub namespace: &'a str,
    /// The release's components, in the release's order.
    pub components: &'a [ComponentInput<'a>],
    /// Overlays in the order they apply, each list with the pointer that its faults are reported under
    /// (`/release/config`, `/environment/config`).
    pub overlays: Vec<(&'static str, &'a [Overlay])>,
    /// Cluster-scoped kinds that the target's cluster grants: `Kind.group`, `Kind` for the core group, `*` for all.
    pub cluster_scoped_grants: &'a [String],
    /// How much the rendering may be: [`Limits::RENDERING`] unless configured otherwise.
    pub limits: &'a Limits,
}

/// One component version of the release.
#[derive(Debug, Clone, Copy)]
pub struct ComponentInput<'a> {
    /// The component's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its bundle's objects.
    pub objects: &'a [Value],
    /// Images pinned to digests.
    pub images: &'a [ImagePin],
}

/// The objects one target gets, in the order they are applied, and the hooks that run around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rendering {
    /// What is applied, by [`apply_rank`] and then in the order of components and bundles.
    pub objects: Vec<Value>,
    /// Jobs with a `slipway.dev/hook` annotation, in the order of components and bundles: run, not kept.
    pub hooks: Vec<Value>,
}

impl Rendering {
    /// Digest over the canonical JSON of objects and hooks.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest_of(self)
    }

    /// What is applied: the target's inventory after this rendering. Hooks are not part of it.
    #[must_use]
    pub fn object_refs(&self) -> Vec<ObjectRef> {
        self.objects.iter().filter_map(ObjectRef::of).collect()
    }

    /// The hooks of one phase, in order.
    pub fn hooks(&self, phase: HookPhase) -> impl Iterator<Item = &Value> {
        self.hooks.iter().filter(move |hook| {
            crate::component::bundle::hook_phases(hook).is_ok_and(|phases| phases.contains(&phase))
        })
    }
}

/// An object on its way through the steps of `build`.
#[derive(Debug)]
struct Item<'a> {
    component: &'a ComponentInput<'a>,
    component_index: usize,
    /// Where its faults are reported.
    pointer: String,
    /// What it is; fixed when it was read.
    reference: ObjectRef,
    object: Value,
}

/// Bytes of a value as JSON.
fn size_of_json(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither JSON values nor counting can fail; and if they did, too large is the safe side.
    if serde_json::to_writer(&mut count, value).is_err() {
        return usize::MAX;
    }
    count.0
}

/// Digest of what is made of JSON values only and therefore always has a canonical form.
pub(crate) fn digest_of<T: Serialize>(value: &T) -> Digest {
    Digest::of_canonical(value)
        .expect("JSON values have a canonical form: keys are text and numbers are finite")
}
