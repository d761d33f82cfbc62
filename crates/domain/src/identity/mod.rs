//! Who acts, and what they may do.
//!
//! A [`Role`] is granted on a [`Scope`] by a role binding; a [`Permission`] is what an operation asks for, on the
//! [`Place`] it touches. [`Rights`] answers. A signed token may bring roles of its own, as its issuer's [`ClaimRules`] say. An operation declares its permission in the use-case, never in a handler.

mod claims;
mod permission;
mod rights;
mod role;

pub use claims::{
    ClaimPath, ClaimRules, Given, GivenOn, NoClaimPath, NoRuleFits, RoleRule, Stated, TrustRule, Wanted,
};
pub use permission::Permission;
pub use rights::{Grant, Lacking, Place, Rights, Scope, Source, Visible};
pub use role::Role;

use crate::{
    approval::SignedIn,
    ids::{PrincipalId, TokenId},
};
use jiff::Timestamp;
use std::sync::Arc;

/// Whether a principal is a person; machines can never approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person, who signed in.
    Human,
    /// A machine: continuous integration, automation.
    Machine,
}

/// Someone who can act: an issuer's subject.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Their id.
    pub id: PrincipalId,
    /// Person or machine.
    pub kind: PrincipalKind,
    /// Who vouches for them (`iss`).
    pub issuer: String,
    /// What the issuer calls them (`sub`).
    pub subject: String,
    /// How people call them; the subject until the issuer says.
    pub name: String,
}

/// How a request proved who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A signed token of a configured issuer, valid until then.
    SignedIn {
        /// `exp` of the token.
        until: Timestamp,
        /// When and how they signed in, as far as the issuer says.
        signed_in: SignedIn,
    },
    /// An API token.
    ApiToken {
        /// Which.
        token: TokenId,
        /// When it ends.
        until: Timestamp,
    },
    /// Slipway itself: timers and automation.
    System,
}

/// Who acts in one request, and with which rights.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who.
    pub principal: Arc<Principal>,
    /// How that is known.
    pub proof: Proof,
    /// What they may do.
    pub rights: Arc<Rights>,
    /// Id of the request, for logs and the audit entry.
    pub request: String,
    /// W3C trace context of the request, if any.
    pub traceparent: Option<String>,
}

impl Actor {
    /// Checks a permission on a place.
    ///
    /// # Errors
    /// [`Lacking`], which says which permission, and where.
    pub fn require(&self, permission: Permission, place: &Place) -> Result<(), Lacking> {
        self.rights.require(permission, place)
    }

    /// Whether this is a person who signed in: what approving takes.
    #[must_use]
    pub fn is_person_signed_in(&self) -> bool {
        self.principal.kind == PrincipalKind::Human && matches!(self.proof, Proof::SignedIn { .. })
    }

    /// When and how they signed in; nothing is known of whoever did not.
    #[must_use]
    pub fn signed_in(&self) -> SignedIn {
        match &self.proof {
            Proof::SignedIn { signed_in, .. } => signed_in.clone(),
            Proof::ApiToken { .. } | Proof::System => SignedIn::default(),
        }
    }

    /// When the proof ends; streams end with it, and no token may be minted that lives longer.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        match self.proof {
            Proof::SignedIn { until, .. } | Proof::ApiToken { until, .. } => Some(until),
            Proof::System => None,
        }
    }
}
