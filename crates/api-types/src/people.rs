//! Groups, delegations, absences: who is asked for approval.

use crate::identity::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person, by issuer and subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonRef {
    /// Who vouches for them (`iss`); the only configured one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What the issuer calls them (`sub`).
    #[schema(min_length = 1, max_length = 255, example = "ada")]
    pub subject: String,
}

/// Makes a group, with nobody in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroup {
    /// Its unique name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "risk")]
    pub name: String,
    /// Who that is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000, example = "Who answers for money.")]
    pub description: Option<String>,
}

/// Changes a group; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateGroup {
    /// Who that is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// Who comes. They need not have been seen yet; whoever is in it already stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100, example = json!([{"subject": "ada"}]))]
    pub add: Vec<PersonRef>,
    /// Who goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub remove: Vec<PersonRef>,
}

/// A group of people who are asked together.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Its id.
    #[schema(example = "grp_01kq3m2x5vf9tb2t7w3c7b8d9e")]
    pub id: String,
    /// Its unique name.
    #[schema(example = "risk")]
    pub name: String,
    /// Who that is.
    pub description: String,
    /// How many are in it.
    pub size: usize,
    /// Who is in it, by subject; not told in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Principal>>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a delegation is for: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegationScope {
    /// What is of this team (name or id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// What goes to this environment (name or id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "production")]
    pub environment: Option<String>,
    /// This approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// Has somebody else decide in one's own place, for a time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDelegation {
    /// Who decides; they have signed in before.
    pub to: PersonRef,
    /// From when on; now when absent, and never in the past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// Until when: 90 days after `starts` at most.
    pub ends: Timestamp,
    /// What for; everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<DelegationScope>,
    /// Why.
    #[schema(min_length = 1, max_length = 500, example = "At the sea.")]
    pub reason: String,
}

/// Somebody decides in the place of another.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Delegation {
    /// Its id.
    #[schema(example = "dlg_01kq3m2x5vf9tb2t7w3c7b8d9e")]
    pub id: String,
    /// In whose place.
    pub from: Principal,
    /// Who decides.
    pub to: Principal,
    /// From when on.
    pub starts: Timestamp,
    /// Until when.
    pub ends: Timestamp,
    /// What for; everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<DelegationScope>,
    /// Why.
    #[schema(example = "At the sea.")]
    pub reason: String,
    /// `to_come`, `in_force`, `over` or `revoked`.
    #[schema(example = "in_force")]
    pub state: String,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was entered.
    pub created_at: Timestamp,
}

/// Says that one is away.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAbsence {
    /// From when on; now when absent, and never in the past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// Until when: 90 days after `starts` at most.
    pub ends: Timestamp,
}

/// Somebody is away.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Absence {
    /// Its id.
    #[schema(example = "abs_01kq3m2x5vf9tb2t7w3c7b8d9e")]
    pub id: String,
    /// Who.
    pub who: Principal,
    /// From when on.
    pub starts: Timestamp,
    /// Until when; one that was called off ends where it would have started.
    pub ends: Timestamp,
    /// `to_come`, `away` or `over`.
    #[schema(example = "away")]
    pub state: String,
    /// When it was entered.
    pub created_at: Timestamp,
}
