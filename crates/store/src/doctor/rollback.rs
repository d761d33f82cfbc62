//! 6: a rollback needs nothing that may have failed: what it goes back to is stored, and is what ran.

use super::{Check, Of};
use slipway_domain::doctor::Invariant::Rollback;

pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: Rollback,
        name: "previous_rendering_missing",
        found: "what ran there before is not stored any more, so it cannot be rolled back to",
        remedy: "restore the rendering from a backup; until then, going back means deploying the release before it anew",
        of: Of::DeploymentTarget,
        grace: None,
        sql: "SELECT dt.id, dt.previous_rendering AS detail FROM deployment_targets dt WHERE dt.previous_rendering IS NOT NULL \
              AND NOT EXISTS (SELECT 1 FROM renderings r WHERE r.digest = dt.previous_rendering)",
    },
    Check {
        invariant: Rollback,
        name: "running_rendering_missing",
        found: "what runs there is not stored any more, so the next deployment could not be rolled back to it",
        remedy: "restore the rendering from a backup, or deploy the release again",
        of: Of::Target,
        grace: None,
        sql: "SELECT t.id, t.now_rendering AS detail FROM targets t WHERE t.now_rendering IS NOT NULL \
              AND NOT EXISTS (SELECT 1 FROM renderings r WHERE r.digest = t.now_rendering)",
    },
    Check {
        invariant: Rollback,
        name: "previous_is_not_what_ran",
        found: "what it says ran there before is not what that deployment brought there",
        remedy: "the row was changed by hand: restore it from a backup before anybody rolls back",
        of: Of::DeploymentTarget,
        grace: None,
        sql: "SELECT dt.id, 'it says ' || COALESCE(dt.previous_rendering, 'none') || ', that one brought ' || COALESCE(p.rendering, 'none') AS detail \
              FROM deployment_targets dt LEFT JOIN deployment_targets p ON p.deployment_id = dt.previous_deployment_id AND p.target_id = dt.target_id \
              WHERE num_nulls(dt.previous_release_id, dt.previous_deployment_id, dt.previous_rendering) NOT IN (0, 3) \
              OR (dt.previous_deployment_id IS NOT NULL \
                  AND (p.rendering, p.release_id) IS DISTINCT FROM (dt.previous_rendering, dt.previous_release_id))",
    },
    Check {
        invariant: Rollback,
        name: "rollback_brings_something_else",
        found: "it is a rollback, and brings something else than what ran there before what it undoes",
        remedy: "the row was changed by hand: cancel the rollback if it has not ended, and deploy the release that is to run",
        of: Of::DeploymentTarget,
        grace: None,
        sql: "SELECT dt.id, dt.intent || ' of ' || dt.rendering || ', before it ran ' || COALESCE(u.previous_rendering, 'nothing') AS detail \
              FROM deployment_targets dt JOIN deployments d ON d.id = dt.deployment_id AND d.kind = 'roll_back' \
              LEFT JOIN deployment_targets u ON u.deployment_id = d.rolls_back AND u.target_id = dt.target_id \
              WHERE dt.intent = 'apply' OR (dt.intent = 'clean' AND u.previous_rendering IS NOT NULL) \
              OR (dt.intent = 'roll_back' AND (u.previous_rendering, u.previous_release_id) IS DISTINCT FROM (dt.rendering, dt.release_id))",
    },
];
