//! Every id there is: a prefix a person can read, and a `UUIDv7` inside (so that ids sort by age).

use crate::clock;
use std::sync::Mutex;
use type_safe_id::{StaticType, TypeSafeId};
use uuid::{ContextV7, Timestamp, Uuid};

/// Keeps ids of one millisecond in order.
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new id whose age is told by the database's clock, so that ids sort by age whichever server made them.
pub trait Fresh {
    /// One that nobody has.
    fn fresh() -> Self;
}

impl<T: StaticType> Fresh for TypeSafeId<T> {
    fn fresh() -> Self {
        let now = clock::database_now();
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
        Self::from_uuid(Uuid::new_v7(Timestamp::from_unix(&ORDER, seconds, nanos)))
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $tag:ident, $alias:ident, $prefix:literal;)*) => {$(
        #[doc = concat!("Tag of [`", stringify!($alias), "`].")]
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $tag;
        impl StaticType for $tag {
            const TYPE: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $alias = TypeSafeId<$tag>;
    )*

        /// The prefixes in use, for the test that they are distinct and for documentation.
        pub const PREFIXES: &[(&str, &str)] = &[$(($prefix, stringify!($alias))),*];
    };
}

ids! {
    /// A person or machine that can act.
    PrincipalTag, PrincipalId, "prn";
    /// A grant of a role on a scope.
    RoleBindingTag, RoleBindingId, "rbd";
    /// An API token (its hash is stored, it is shown once).
    TokenTag, TokenId, "tok";
    /// A team that owns services and components.
    TeamTag, TeamId, "team";
    /// A service: what users depend on.
    ServiceTag, ServiceId, "svc";
    /// An environment: where releases go.
    EnvironmentTag, EnvironmentId, "env";
    /// A Kubernetes API endpoint with a write-only credential.
    ClusterTag, ClusterId, "clu";
    /// Where one service lands in one environment.
    TargetTag, TargetId, "tgt";
    /// A named part in the library.
    ComponentTag, ComponentId, "cmp";
    /// An immutable version of a component.
    ComponentVersionTag, ComponentVersionId, "cmv";
    /// A set of component versions and configuration for one service.
    ReleaseTag, ReleaseId, "rel";
    /// One release going to one environment.
    DeploymentTag, DeploymentId, "dep";
    /// One deployment's work on one target.
    DeploymentTargetTag, DeploymentTargetId, "dpt";
    /// A request for people's approval.
    ApprovalTag, ApprovalId, "apr";
    /// One approver's answer.
    DecisionTag, DecisionId, "dcn";
    /// A group of people who may be asked for approval.
    GroupTag, GroupId, "grp";
    /// Somebody decides in the place of another.
    DelegationTag, DelegationId, "dlg";
    /// Somebody is away.
    AbsenceTag, AbsenceId, "abs";
    /// Somebody goes on without a gate.
    OverrideTag, OverrideId, "ovr";
    /// A review after that.
    ReviewTag, ReviewId, "rev";
    /// A policy: an organisation's own rules.
    PolicyTag, PolicyId, "pol";
    /// A process: the stages that releases go through.
    ProcessTag, ProcessId, "prc";
    /// A statement about a component version or a release.
    EvidenceTag, EvidenceId, "evd";
    /// A public key that signatures of evidence are verified with.
    EvidenceKeyTag, EvidenceKeyId, "evk";
    /// A schema that generic evidence conforms to.
    EvidenceSchemaTag, EvidenceSchemaId, "evs";
    /// A unit of work in the queue.
    WorkTag, WorkId, "wrk";
    /// An object that is not as it was applied.
    DriftTag, DriftId, "drf";
    /// One recorded thing that happened.
    EventTag, EventId, "evt";
    /// One link of the audit chain.
    AuditEntryTag, AuditEntryId, "aud";
    /// A key that this installation signs its record with.
    SigningKeyTag, SigningKeyId, "sgk";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn prefixes_are_distinct() {
        let distinct: HashSet<_> = PREFIXES.iter().map(|(prefix, _)| prefix).collect();
        assert_eq!(distinct.len(), PREFIXES.len());
    }

    #[test]
    fn an_id_of_one_type_is_refused_as_another() {
        let release = ReleaseId::new().to_string();
        assert!(release.starts_with("rel_"));
        assert!(release.parse::<ReleaseId>().is_ok());
        assert!(release.parse::<DeploymentId>().is_err());
    }
}
