//! 8: time is the database's. Nothing is later than the database's clock, and nothing ends before it begins.

use super::{Check, Grace, Of};
use slipway_domain::doctor::Invariant::Time;

const CLOCK: &str = "either the database's clock was set back (then wait until it has caught up, and keep it on network time), or \
     the row was changed by hand";
const ORDER: &str = "the row was changed by hand, or the database's clock was set back while it was written: compare with its \
     entries in the record";

/// A check of one table's times against the clock.
macro_rules! future {
    ($name:literal, $of:expr, $sql:literal) => {
        Check {
            invariant: Time,
            name: $name,
            found: "it says a time that the database's clock has not reached",
            remedy: CLOCK,
            of: $of,
            grace: None,
            sql: $sql,
        }
    };
}

pub(super) const CHECKS: &[Check] = &[
    future!(
        "deployment_in_the_future",
        Of::Deployment,
        "SELECT id, GREATEST(created_at, since, started_at, finished_at)::text AS detail FROM deployments \
         WHERE GREATEST(created_at, since, started_at, finished_at) > clock_timestamp()"
    ),
    future!(
        "deployment_target_in_the_future",
        Of::DeploymentTarget,
        "SELECT id, GREATEST(started_at, finished_at)::text AS detail FROM deployment_targets \
         WHERE GREATEST(started_at, finished_at) > clock_timestamp()"
    ),
    future!(
        "step_in_the_future",
        Of::DeploymentTarget,
        "SELECT deployment_target_id AS id, key || ' ' || GREATEST(begun_at, done_at) AS detail FROM target_steps \
         WHERE GREATEST(begun_at, done_at) > clock_timestamp()"
    ),
    future!(
        "release_in_the_future",
        Of::Release,
        "SELECT id, GREATEST(created_at, sealed_at, withdrawn_at)::text AS detail FROM releases \
         WHERE GREATEST(created_at, sealed_at, withdrawn_at) > clock_timestamp()"
    ),
    future!(
        "decision_in_the_future",
        Of::Decision,
        "SELECT id, at::text AS detail FROM decisions WHERE at > clock_timestamp()"
    ),
    future!(
        "approval_in_the_future",
        Of::Approval,
        "SELECT id, created_at::text AS detail FROM approvals WHERE created_at > clock_timestamp()"
    ),
    future!(
        "audit_entry_in_the_future",
        Of::AuditEntry,
        "SELECT id, at::text AS detail FROM audit_entries WHERE at > clock_timestamp()"
    ),
    future!(
        "target_in_the_future",
        Of::Target,
        "SELECT id, GREATEST(created_at, retired_at)::text AS detail FROM targets \
         WHERE GREATEST(created_at, retired_at) > clock_timestamp()"
    ),
    future!(
        "work_in_the_future",
        Of::Work,
        "SELECT id, created_at::text AS detail FROM work WHERE created_at > clock_timestamp()"
    ),
    Check {
        invariant: Time,
        name: "deployment_out_of_order",
        found: "it started before it was asked for, or ended before it started",
        remedy: ORDER,
        of: Of::Deployment,
        grace: Some(Grace::Overlap),
        sql: "SELECT id, 'asked for ' || created_at || ', started ' || COALESCE(started_at::text, 'never') || ', ended ' \
                  || COALESCE(finished_at::text, 'never') AS detail FROM deployments \
              WHERE GREATEST(created_at, started_at) > COALESCE(finished_at, 'infinity') + make_interval(secs => $1) \
              OR created_at > COALESCE(started_at, 'infinity') + make_interval(secs => $1)",
    },
    Check {
        invariant: Time,
        name: "since_is_not_when_it_became_so",
        found: "the time since when it is in its state is not the time it came into it",
        remedy: ORDER,
        of: Of::Deployment,
        grace: Some(Grace::Overlap),
        sql: "SELECT id, state || ' since ' || since || ', started ' || COALESCE(started_at::text, 'never') || ', ended ' \
                  || COALESCE(finished_at::text, 'never') AS detail FROM deployments \
              WHERE abs(extract(epoch FROM finished_at - since)) > $1 \
              OR GREATEST(created_at, started_at) > since + make_interval(secs => $1)",
    },
    Check {
        invariant: Time,
        name: "deployment_target_out_of_order",
        found: "it ended before it started",
        remedy: ORDER,
        of: Of::DeploymentTarget,
        grace: Some(Grace::Overlap),
        sql: "SELECT id, 'started ' || started_at || ', ended ' || finished_at AS detail FROM deployment_targets \
              WHERE started_at > finished_at + make_interval(secs => $1)",
    },
    Check {
        invariant: Time,
        name: "step_out_of_order",
        found: "a step was done before it began",
        remedy: ORDER,
        of: Of::DeploymentTarget,
        grace: Some(Grace::Overlap),
        sql: "SELECT deployment_target_id AS id, key || ' began ' || begun_at || ', was done ' || done_at AS detail FROM target_steps \
              WHERE begun_at > done_at + make_interval(secs => $1)",
    },
];
