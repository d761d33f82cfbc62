//! Who am I, people and machines, role bindings, API tokens.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who sent this request, and what they may do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The principal.
    pub principal: Principal,
    /// How that is known: `signed_in` or `api_token`.
    #[schema(example = "signed_in")]
    pub proof: String,
    /// When the proof ends.
    pub until: Option<Timestamp>,
    /// The roles held, and on what.
    pub roles: Vec<HeldRole>,
}

/// A person or machine that can act.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Principal {
    /// Its id.
    #[schema(example = "prn_01kq3m2x5vf9tb2t7w3c7b8d9e")]
    pub id: String,
    /// `human` or `machine`.
    #[schema(example = "human")]
    pub kind: String,
    /// Who vouches for it (`iss`).
    pub issuer: String,
    /// What the issuer calls it (`sub`).
    #[schema(example = "ana")]
    pub subject: String,
    /// How people call it.
    #[schema(example = "Ana Author")]
    pub name: String,
}

/// A role, and where it is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldRole {
    /// `viewer`, `operator`, `engineer`, `manager`, `authority`, `auditor` or `admin`.
    #[schema(example = "manager")]
    pub role: String,
    /// The team it is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The environment it is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What it allows.
    pub permissions: Vec<String>,
    /// What gives it: `role_binding`, `claim` or `trust_rule`. What comes from a claim or a trust rule lasts as long as the
    /// token, and no API token carries it.
    #[serde(default)]
    #[schema(example = "claim")]
    pub from: String,
    /// Which claim, with its value, or which trust rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "groups=release-managers")]
    pub by: Option<String>,
}

/// Grants a role.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRoleBinding {
    /// Who gets it.
    pub principal: PrincipalRef,
    /// Which role.
    #[schema(example = "authority")]
    pub role: String,
    /// Only on what this team owns (name or id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Only in this environment (name or id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "production")]
    pub environment: Option<String>,
}

/// A principal by issuer and subject; it need not have been seen yet.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrincipalRef {
    /// Its issuer (`iss`); the only configured one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its subject (`sub`).
    #[schema(min_length = 1, max_length = 255, example = "ada")]
    pub subject: String,
    /// `human` (default) or `machine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// A role that was granted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RoleBinding {
    /// Its id.
    pub id: String,
    /// Who has it.
    pub principal: Principal,
    /// Which role.
    pub role: String,
    /// The team it is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The environment it is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// When it was granted.
    pub created_at: Timestamp,
}

/// Makes an API token for oneself. It never may more, nor lives longer, than what it is made with, and never approves.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, example = "nightly build")]
    pub name: String,
    /// Roles it carries, a part of one's own.
    #[schema(min_items = 1, example = json!(["engineer"]))]
    pub roles: Vec<String>,
    /// How long it lives.
    #[schema(example = "PT12H")]
    pub expires_in: String,
}

/// An API token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub principal: Principal,
    /// Roles it carries.
    pub roles: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new API token; its secret is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// The token's record.
    pub token: Token,
    /// What to send as `Authorization: Bearer …`. Only its hash is stored.
    #[schema(example = "slp_3q2-7wAbC…")]
    pub secret: String,
}
