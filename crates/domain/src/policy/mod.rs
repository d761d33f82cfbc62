//! Policies: an organisation's own rules about what may go where, written down, versioned and explained.
//!
//! A policy is a [`document`] of rules over [`facts`], each with an [`expression`]. Several are in force at once; each that
//! covers a deployment counts, and a refusal beats everything ([`judge()`]). What cannot be judged refuses.
//!
//! To add a fact: its line in [`facts::FACTS`], and where it is brought together. To add an effect: a variant of
//! [`document::Effect`] and what follows from it.

pub mod document;
pub mod expression;
pub mod facts;
pub mod judge;
pub mod judged_by;
pub mod risk;
pub mod version;

pub use document::{Document, Effect, Overall, Place, Rule, Scope};
pub use facts::Facts;
pub use judge::{Explained, Judgement, Kept, Policy, RuleVerdict, judge, unjudged};
pub use version::{Head, Version, VersionState};

#[cfg(test)]
mod tests;
