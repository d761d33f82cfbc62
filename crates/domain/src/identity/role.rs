//! Roles: what organisations grant to people and machines.

use super::Permission;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A role, granted on everything, a team or an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Performs deployment activities.
    Operator,
    /// Components, evidence, configuration, processes.
    Engineer,
    /// Composes, seals, schedules, rolls back, reviews.
    Manager,
    /// Policy, authorisation of critical activity, override, halt.
    Authority,
    /// Reads and exports everything.
    Auditor,
    /// Identity and clusters; never approves.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] = [
        Self::Viewer,
        Self::Operator,
        Self::Engineer,
        Self::Manager,
        Self::Authority,
        Self::Auditor,
        Self::Admin,
    ];

    /// As written in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
            Self::Manager => "manager",
            Self::Authority => "authority",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// What the role allows, within its scope.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Viewer => &[P::Read],
            Self::Operator => &[
                P::Read,
                P::DeploymentCreate,
                P::DeploymentOperate,
                P::DeploymentRollBack,
                P::ServerRead,
            ],
            Self::Engineer => &[
                P::Read,
                P::ServiceWrite,
                P::ComponentWrite,
                P::EvidenceWrite,
                P::TargetWrite,
                P::ProcessWrite,
            ],
            Self::Manager => &[
                P::Read,
                P::ServiceWrite,
                P::TargetWrite,
                P::ReleaseWrite,
                P::ReleaseSeal,
                P::ReleaseWithdraw,
                P::DeploymentCreate,
                P::DeploymentOperate,
                P::DeploymentRollBack,
                P::ReviewWrite,
            ],
            Self::Authority => &[
                P::Read,
                P::DeploymentOverride,
                P::ApprovalDecide,
                P::PolicyWrite,
                P::ProcessActivate,
            ],
            Self::Auditor => &[P::Read, P::AuditRead],
            Self::Admin => &[
                P::Read,
                P::IdentityManage,
                P::TeamWrite,
                P::EnvironmentWrite,
                P::ClusterWrite,
                P::ServiceWrite,
                P::TargetWrite,
                P::ServerRead,
            ],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of viewer, operator, engineer, manager, authority, auditor, admin")]
pub struct NoRole;

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(NoRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_can_never_approve_and_only_an_authority_can() {
        for role in Role::ALL {
            let approves = role.permissions().contains(&Permission::ApprovalDecide);
            assert_eq!(approves, role == Role::Authority, "{role}");
        }
    }

    #[test]
    fn every_role_reads_and_reads_back_as_written() {
        for role in Role::ALL {
            assert!(role.permissions().contains(&Permission::Read));
            assert_eq!(role.as_str().parse(), Ok(role));
        }
    }
}
