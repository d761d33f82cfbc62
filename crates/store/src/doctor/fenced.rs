//! 3: at most one executor acts on a target. What clusters say of it is asked by the application.

use super::{Check, Grace, Of};
use slipway_domain::doctor::Invariant::OneExecutor;

const LEASE_BY_HAND: &str = "Slipway never writes this: stop the executor that holds it (its name is in the row), set its \
     `lease_until` to the past, and let another take the work over";

pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: OneExecutor,
        name: "target_leased_twice",
        found: "more than one executor holds work on it",
        remedy: "stop the executors named, set `lease_until` of their work to the past, and find out which index is missing: \
                 `work_one_lease_a_target`",
        of: Of::Target,
        grace: None,
        sql: "SELECT target_id AS id, string_agg(holder, ', ' ORDER BY fence) AS detail FROM work WHERE state = 'leased' \
              GROUP BY target_id HAVING count(*) > 1",
    },
    Check {
        invariant: OneExecutor,
        name: "fence_never_given",
        found: "it is held under a fence that was never given",
        remedy: LEASE_BY_HAND,
        of: Of::Work,
        grace: None,
        sql: "SELECT w.id, 'fence ' || COALESCE(w.fence::text, 'none') || ', the newest is ' || s.last_value AS detail \
              FROM work w CROSS JOIN work_fence s WHERE w.fence > s.last_value OR w.fence < 1 OR (w.state = 'leased' AND w.fence IS NULL)",
    },
    Check {
        invariant: OneExecutor,
        name: "fence_given_twice",
        found: "other work has the same fence",
        remedy: LEASE_BY_HAND,
        of: Of::Work,
        grace: None,
        sql: "SELECT w.id, 'fence ' || w.fence AS detail FROM work w JOIN work o ON o.fence = w.fence AND o.id < w.id",
    },
    Check {
        invariant: OneExecutor,
        name: "lease_overdue",
        found: "its lease is over, and nobody has taken it back",
        remedy: "start a server with the role `scheduler`: it takes back what is overdue twice a second; its log says why it cannot",
        of: Of::Work,
        grace: Some(Grace::Lease),
        sql: "SELECT id, 'held by ' || holder || ' until ' || lease_until AS detail FROM work \
              WHERE state = 'leased' AND lease_until < clock_timestamp() - make_interval(secs => $1)",
    },
    Check {
        invariant: OneExecutor,
        name: "lease_without_end",
        found: "its lease ends later than any lease can",
        remedy: LEASE_BY_HAND,
        of: Of::Work,
        grace: None,
        // A lease is five minutes at most (`executor.lease_seconds`).
        sql: "SELECT id, 'held by ' || holder || ' until ' || lease_until AS detail FROM work \
              WHERE state = 'leased' AND lease_until > clock_timestamp() + interval '10 minutes'",
    },
    Check {
        invariant: OneExecutor,
        name: "work_on_another_target",
        found: "it does not belong to the deployment, target or cluster that it names",
        remedy: "the row was changed by hand: cancel the deployment and delete the row",
        of: Of::Work,
        grace: None,
        sql: "SELECT w.id, 'deployment target ' || w.deployment_target_id AS detail FROM work w \
              LEFT JOIN deployment_targets dt ON dt.id = w.deployment_target_id LEFT JOIN targets t ON t.id = dt.target_id \
              WHERE (w.deployment_id, w.target_id, w.cluster_id) IS DISTINCT FROM (dt.deployment_id, dt.target_id, t.cluster_id)",
    },
    Check {
        invariant: OneExecutor,
        name: "generation_is_not_the_newest",
        found: "its generation is not that of the newest deployment that began on it",
        remedy: "the row was changed by hand: set `generation` to the highest that a deployment on it or its guard in the cluster \
                 has, never lower, or a stale executor could write over a newer one's objects",
        of: Of::Target,
        grace: None,
        sql: "SELECT t.id, 'it says ' || t.generation || ', its deployments ' || COALESCE(max(dt.generation), 0) AS detail \
              FROM targets t LEFT JOIN deployment_targets dt ON dt.target_id = t.id \
              GROUP BY t.id HAVING t.generation <> COALESCE(max(dt.generation), 0)",
    },
    Check {
        invariant: OneExecutor,
        name: "generation_given_twice",
        found: "two deployments have the same generation on it",
        remedy: "the rows were changed by hand: find out from the record which one began last, and deploy its release again",
        of: Of::Target,
        grace: None,
        sql: "SELECT target_id AS id, 'generation ' || generation AS detail FROM deployment_targets WHERE generation IS NOT NULL \
              GROUP BY target_id, generation HAVING count(*) > 1",
    },
];
