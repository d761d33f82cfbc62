//! Deployments: one release going to one environment.

mod landing;
mod state;
mod target;

pub use landing::{Landing, plan_digest};
pub use state::{Ended, NotAllowed, State, StateName, Transition};
pub use target::{DeploymentTarget, TargetState};

use crate::{
    Digest, Name,
    ids::{DeploymentId, EnvironmentId, PrincipalId, ReleaseId, ServiceId, TeamId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a deployment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Brings a release to an environment.
    Deploy,
    /// Undoes another deployment. Judged by a lighter set of gates, and never rolled back by itself.
    RollBack,
    /// Takes back what has drifted, of what runs already. Brings nothing new: judged by the lighter gates, never rolled
    /// back, and supersedes nothing.
    Heal,
}

impl Kind {
    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::RollBack => "roll_back",
            Self::Heal => "heal",
        }
    }
}

/// One release going to one environment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Deploy or roll back.
    pub kind: Kind,
    /// Of which service.
    pub service: ServiceId,
    /// That service's name.
    pub service_name: Name,
    /// The team that owns the service.
    pub team: TeamId,
    /// Where to.
    pub environment: EnvironmentId,
    /// That environment's name.
    pub environment_name: Name,
    /// Which release; none when a rollback cleans what never ran before.
    pub release: Option<ReleaseId>,
    /// The release's version.
    pub release_version: Option<semver::Version>,
    /// The release's digest, as sealed.
    pub release_digest: Option<Digest>,
    /// Digest over targets and renderings: with the release's, what an approval binds.
    pub plan_digest: Digest,
    /// Who asked for it.
    pub requested_by: PrincipalId,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
    /// Not to be started after.
    pub expires_at: Timestamp,
    /// What it rolls back.
    pub rolls_back: Option<DeploymentId>,
    /// What it tries again.
    pub retries: Option<DeploymentId>,
    /// Take over fields that other managers own.
    pub force_conflicts: bool,
    /// Where it stands.
    pub state: State,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl Deployment {
    /// How people call what it brings: `storefront@1.2.0`, or `storefront (nothing)` for a clean-up.
    #[must_use]
    pub fn release_name(&self) -> String {
        match &self.release_version {
            Some(version) => format!("{}@{version}", self.service_name),
            None => format!("{} (nothing)", self.service_name),
        }
    }
}
