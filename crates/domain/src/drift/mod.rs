//! Drift: what runs on a target is not what was applied to it.
//!
//! Slipway looks only at the fields that it sets. The API server keeps a record of them on the object itself
//! (`metadata.managedFields`), so what a server-side dry run of the same rendering answers says both what would be there
//! and which of it is ours. A field that Slipway does not set belongs to others and never drifts; nor do our own marks,
//! the status, and what the server fills in or writes in another way (`1000m` = `1`), since both sides come from the
//! server.
//!
//! * `judge`: is there drift, and in which fields
//! * `fields`: the server's record of fields (`fieldsV1`)
//! * `hand`: who did it, where the object says
//! * `shown`: what people are shown of a value, without secrets and of a bounded size
//! * `ledger`: the port between the executors that watch and the application that keeps the record
//! * `spread`: which executor watches which cluster
//! * `heal`: whether what has drifted is taken back by itself
//!
//! # How to extend
//! Something else that is not to count as drift is one more line of `judge::is_ours`.

mod fields;
mod hand;
pub mod heal;
mod judge;
mod ledger;
mod shown;
mod spread;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

pub use judge::{Comparison, expires_by_itself, judge, judge_refused};
pub use ledger::{
    ClusterWatch, DriftLedger, DriftReport, Judged, LedgerUnavailable, Overview, Taken, WatchRequest,
    WatchedTarget,
};
pub use spread::{Watcher, spread};

/// Most fields that are kept of one object's drift; the rest are counted.
pub const MAX_FIELDS: usize = 100;

/// In which way an object has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// A field that was applied has another value, or is gone.
    Changed,
    /// The whole object is gone.
    Missing,
}

impl DriftKind {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for DriftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DriftKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Changed, Self::Missing]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no kind of drift"))
    }
}

/// One field that is not as it was applied. Free of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftedField {
    /// JSON pointer (RFC 6901) into the object.
    pub pointer: String,
    /// What was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Value>,
    /// What is there; none when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
    /// The field manager that set it, where the object says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
}

/// Who set the drifted fields, as the object itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    /// The field manager: `kubectl-edit`, `kube-controller-manager`, …
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The subresource it was written through, as `scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// When, on the API server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// One object's drift. Free of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// In which way.
    pub kind: DriftKind,
    /// The fields, at most [`MAX_FIELDS`]; empty for an object that is gone.
    pub fields: Vec<DriftedField>,
    /// How many more fields there are.
    #[serde(default)]
    pub omitted: u32,
    /// Who did it; none when the object does not say: nobody owns a field that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand: Option<Hand>,
    /// Why what was applied could not be applied again as it is, in the API server's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Drift {
    /// An object that is gone.
    #[must_use]
    pub const fn missing() -> Self {
        Self {
            kind: DriftKind::Missing,
            fields: Vec::new(),
            omitted: 0,
            hand: None,
            problem: None,
        }
    }

    /// Whether it is the same for people: a manager that writes the same again and again changes nothing but a time.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let who = |drift: &Self| {
            drift
                .hand
                .clone()
                .map(|hand| (hand.manager, hand.operation, hand.subresource))
        };
        self.kind == other.kind
            && self.fields == other.fields
            && self.omitted == other.omitted
            && self.problem == other.problem
            && who(self) == who(other)
    }
}

/// `is gone`, `/spec/replicas is 5, not 3 (kubectl-scale)`, `/data/a, /data/b and 3 more fields are changed`.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| {
            let text = value.as_ref().map_or_else(|| "gone".to_owned(), Value::to_string);
            let short: String = text.chars().take(80).collect();
            if short.len() < text.len() {
                format!("{short}…")
            } else {
                short
            }
        };
        match (self.kind, self.fields.as_slice()) {
            (DriftKind::Missing, _) => f.write_str("is gone")?,
            (DriftKind::Changed, []) => f.write_str("is changed")?,
            (DriftKind::Changed, [one]) if self.omitted == 0 => {
                write!(
                    f,
                    "{} is {}, not {}",
                    one.pointer,
                    text(&one.found),
                    text(&one.applied)
                )?;
            }
            (DriftKind::Changed, [first, rest @ ..]) => {
                let more = u32::try_from(rest.len())
                    .unwrap_or(u32::MAX)
                    .saturating_add(self.omitted);
                let fields = if more == 1 { "field is" } else { "fields are" };
                write!(f, "{} and {more} more {fields} changed", first.pointer)?;
            }
        }
        match &self.hand {
            Some(hand) => write!(f, " ({})", hand.manager),
            None => Ok(()),
        }
    }
}

/// Why a drift is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It was set back on the cluster, by somebody or something else than Slipway.
    Reverted,
    /// Slipway took it back: the environment says so.
    Healed,
    /// A deployment or rollback was applied over it.
    Redeployed,
    /// Nothing is watched there any more: the target was taken back.
    Retired,
}

impl Resolution {
    const ALL: [Self; 4] = [Self::Reverted, Self::Healed, Self::Redeployed, Self::Retired];

    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reverted => "reverted",
            Self::Healed => "healed",
            Self::Redeployed => "redeployed",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Resolution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|resolution| resolution.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no resolution of a drift"))
    }
}
