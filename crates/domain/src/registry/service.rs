//! Teams and services.

use crate::{
    Name,
    ids::{ServiceId, TeamId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A team: owns services and components.
#[derive(Debug, Clone)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its unique name.
    pub name: Name,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How much depends on a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Inconvenient when down.
    Low,
    /// The usual.
    Medium,
    /// Costly when down.
    High,
    /// Must not be down.
    Critical,
}

impl Criticality {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Criticality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Criticality {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|c| c.as_str() == text)
            .ok_or_else(|| "a criticality is one of low, medium, high, critical".to_owned())
    }
}

/// A service: what users depend on.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its unique name; the default namespace of its targets.
    pub name: Name,
    /// Who owns it.
    pub team: TeamId,
    /// The owning team's name.
    pub team_name: Name,
    /// How much depends on it.
    pub criticality: Criticality,
    /// What it is, for people.
    pub description: String,
    /// The group that is asked at the end, when nobody else answered for it.
    pub escalation_group: Option<Name>,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
}
