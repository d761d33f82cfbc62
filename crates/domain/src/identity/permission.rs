//! Permissions: what an operation asks for.

use std::fmt;

/// What an operation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See it.
    Read,
    /// Register and change services.
    ServiceWrite,
    /// Register components and their versions.
    ComponentWrite,
    /// State evidence, and take it back.
    EvidenceWrite,
    /// Say where a service lands.
    TargetWrite,
    /// Compose releases.
    ReleaseWrite,
    /// Seal releases.
    ReleaseSeal,
    /// Withdraw releases.
    ReleaseWithdraw,
    /// Ask for deployments.
    DeploymentCreate,
    /// Pause, resume, cancel, retry.
    DeploymentOperate,
    /// Roll back.
    DeploymentRollBack,
    /// Go on without a gate, in an emergency, as far as policies let it.
    DeploymentOverride,
    /// Approve or reject.
    ApprovalDecide,
    /// Close reviews of what went on without a gate.
    ReviewWrite,
    /// Read the audit chain.
    AuditRead,
    /// People, machines, role bindings, other people's tokens.
    IdentityManage,
    /// Teams.
    TeamWrite,
    /// Environments.
    EnvironmentWrite,
    /// Clusters and their credentials.
    ClusterWrite,
    /// See which server processes there are.
    ServerRead,
    /// Write policies, put them in force and take them out of it.
    PolicyWrite,
    /// Write processes.
    ProcessWrite,
    /// Put processes in force and take them out of it.
    ProcessActivate,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 23] = [
        Self::Read,
        Self::ServiceWrite,
        Self::ComponentWrite,
        Self::EvidenceWrite,
        Self::TargetWrite,
        Self::ReleaseWrite,
        Self::ReleaseSeal,
        Self::ReleaseWithdraw,
        Self::DeploymentCreate,
        Self::DeploymentOperate,
        Self::DeploymentRollBack,
        Self::DeploymentOverride,
        Self::ApprovalDecide,
        Self::ReviewWrite,
        Self::AuditRead,
        Self::IdentityManage,
        Self::TeamWrite,
        Self::EnvironmentWrite,
        Self::ClusterWrite,
        Self::ServerRead,
        Self::PolicyWrite,
        Self::ProcessWrite,
        Self::ProcessActivate,
    ];

    /// As written in messages and in `GET /v1/me`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ServiceWrite => "service.write",
            Self::ComponentWrite => "component.write",
            Self::EvidenceWrite => "evidence.write",
            Self::TargetWrite => "target.write",
            Self::ReleaseWrite => "release.write",
            Self::ReleaseSeal => "release.seal",
            Self::ReleaseWithdraw => "release.withdraw",
            Self::DeploymentCreate => "deployment.create",
            Self::DeploymentOperate => "deployment.operate",
            Self::DeploymentRollBack => "deployment.roll_back",
            Self::DeploymentOverride => "deployment.override",
            Self::ApprovalDecide => "approval.decide",
            Self::ReviewWrite => "review.write",
            Self::AuditRead => "audit.read",
            Self::IdentityManage => "identity.manage",
            Self::TeamWrite => "team.write",
            Self::EnvironmentWrite => "environment.write",
            Self::ClusterWrite => "cluster.write",
            Self::ServerRead => "server.read",
            Self::PolicyWrite => "policy.write",
            Self::ProcessWrite => "process.write",
            Self::ProcessActivate => "process.activate",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
