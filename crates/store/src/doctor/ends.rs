//! 5: everything that was admitted ends. Something that nobody acts on, and that no clock will wake, never will.

use super::{Check, Grace, Of};
use slipway_domain::doctor::Invariant::Ends;

const LOOK: &str = "set its `look_at` to now in the database: the scheduler then judges it and goes on; and tell us, for this is a \
     fault of ours unless the row was changed by hand";
const CANCEL: &str = "cancel it (`slipway deploy cancel`) and deploy again; and tell us, for this is a fault of ours unless the row \
     was changed by hand";
const LEFTOVER: &str = "nothing comes of it any more, and it is in the way: delete the row; and tell us, for this is a fault of \
     ours unless the row was changed by hand";

pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: Ends,
        name: "nothing_to_do_and_no_time_to_look",
        found: "it is under way, but no target of it is, and nothing will look at it",
        remedy: LOOK,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, d.state AS detail FROM deployments d WHERE d.state = 'running' AND d.look_at IS NULL \
              AND NOT EXISTS (SELECT 1 FROM work w WHERE w.deployment_id = d.id)",
    },
    Check {
        invariant: Ends,
        name: "waits_and_no_time_to_look",
        found: "it waits for its gates, and nothing will judge them again",
        remedy: LOOK,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT id, state AS detail FROM deployments WHERE state IN ('pending', 'queued') AND look_at IS NULL",
    },
    Check {
        invariant: Ends,
        name: "queued_without_work",
        found: "it is queued, and there is no work in the queue that an executor could claim",
        remedy: CANCEL,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, d.state AS detail FROM deployments d WHERE d.state = 'queued' \
              AND NOT EXISTS (SELECT 1 FROM work w WHERE w.deployment_id = d.id)",
    },
    Check {
        invariant: Ends,
        name: "target_under_way_without_work",
        found: "it is under way, and there is no work in the queue for it",
        remedy: CANCEL,
        of: Of::DeploymentTarget,
        grace: None,
        sql: "SELECT dt.id, 'of a deployment that is ' || d.state AS detail FROM deployment_targets dt \
              JOIN deployments d ON d.id = dt.deployment_id WHERE dt.state = 'running' AND d.state IN ('running', 'paused') \
              AND NOT EXISTS (SELECT 1 FROM work w WHERE w.deployment_target_id = dt.id)",
    },
    Check {
        invariant: Ends,
        name: "look_overdue",
        found: "it was to be looked at, and nobody has",
        remedy: "start a server with the role `scheduler`: it looks five times a second; its log says why it cannot",
        of: Of::Deployment,
        grace: Some(Grace::Look),
        sql: "SELECT id, state || ', to be looked at ' || look_at AS detail FROM deployments \
              WHERE state IN ('pending', 'queued', 'running', 'paused', 'rolling_back') \
              AND look_at < clock_timestamp() - make_interval(secs => $1)",
    },
    Check {
        invariant: Ends,
        name: "work_overdue",
        found: "it is due, and no executor takes it",
        remedy: "start a server with the role `executor` whose `executor.cluster_labels` match the cluster; where one runs, its log \
                 and `last_error` of the row say why it cannot",
        of: Of::Work,
        grace: Some(Grace::Work),
        sql: "SELECT w.id, 'due ' || w.run_at || ' on cluster ' || c.name || COALESCE('; ' || w.last_error, '') AS detail FROM work w \
              JOIN clusters c ON c.id = w.cluster_id JOIN deployments d ON d.id = w.deployment_id \
              WHERE w.state = 'ready' AND d.state = 'running' AND w.run_at < clock_timestamp() - make_interval(secs => $1) \
              AND NOT EXISTS (SELECT 1 FROM work o WHERE o.target_id = w.target_id AND o.state = 'leased')",
    },
    Check {
        invariant: Ends,
        name: "parked_and_not_paused",
        // With an error it waits for a person, and says so.
        found: "it is parked, and its deployment is not paused: nothing takes it up again",
        remedy: "pause and resume the deployment, which makes it due; and tell us, for this is a fault of ours unless the row was \
                 changed by hand",
        of: Of::Work,
        grace: None,
        sql: "SELECT w.id, 'of a deployment that is ' || d.state AS detail FROM work w JOIN deployments d ON d.id = w.deployment_id \
              WHERE w.state = 'parked' AND d.finished_at IS NULL AND d.state <> 'paused' \
              AND NOT (d.state = 'running' AND w.last_error IS NOT NULL)",
    },
    Check {
        invariant: Ends,
        name: "work_of_an_ended_deployment",
        found: "its deployment has ended, and nobody acts on it",
        remedy: LEFTOVER,
        of: Of::Work,
        grace: None,
        sql: "SELECT w.id, 'of a deployment that is ' || d.state AS detail FROM work w JOIN deployments d ON d.id = w.deployment_id \
              WHERE w.state <> 'leased' AND d.finished_at IS NOT NULL",
    },
    Check {
        invariant: Ends,
        name: "target_of_an_ended_deployment_under_way",
        found: "its deployment has ended, and it has not",
        remedy: "set its `state` to `skipped`; and tell us, for this is a fault of ours unless the row was changed by hand",
        of: Of::DeploymentTarget,
        grace: None,
        sql: "SELECT dt.id, dt.state || ' in a deployment that is ' || d.state AS detail FROM deployment_targets dt \
              JOIN deployments d ON d.id = dt.deployment_id WHERE dt.state IN ('waiting', 'running') AND d.finished_at IS NOT NULL",
    },
    Check {
        invariant: Ends,
        name: "waits_for_a_rollback_that_has_ended",
        found: "it is being rolled back by a deployment that has ended, or undoes something else",
        remedy: CANCEL,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, r.state AS detail FROM deployments d LEFT JOIN deployments r ON r.id = d.rolled_back_by \
              WHERE d.state = 'rolling_back' AND (r.finished_at IS NOT NULL OR r.rolls_back IS DISTINCT FROM d.id)",
    },
    Check {
        invariant: Ends,
        name: "asks_people_for_an_ended_deployment",
        found: "it still asks people, and its deployment has ended",
        remedy: "set its `state` to `withdrawn`; and tell us, for this is a fault of ours unless the row was changed by hand",
        of: Of::Approval,
        grace: None,
        sql: "SELECT a.id, 'of a deployment that is ' || d.state AS detail FROM approvals a JOIN deployments d ON d.id = a.deployment_id \
              WHERE a.state = 'pending' AND a.asked = 'before' AND d.finished_at IS NOT NULL",
    },
];
