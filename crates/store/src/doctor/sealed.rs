//! 1: what runs is what was sealed. What a query can see of it: that the same digest is named everywhere. That the digest
//! is the content's is computed by the application.

use super::{Check, Of};
use slipway_domain::doctor::Invariant::Sealed;

const NOT_AS_WRITTEN: &str = "Slipway never writes this: the row was changed by hand. Find out who did, restore it from a backup \
     or put the digest of the sealed release back, and do not deploy until then";

pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: Sealed,
        name: "deployment_of_another_digest",
        found: "it does not name the digest that its release is sealed with",
        remedy: NOT_AS_WRITTEN,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, 'it says ' || COALESCE(d.release_digest, 'none') || ', the release ' || COALESCE(r.digest, 'none') AS detail \
              FROM deployments d LEFT JOIN releases r ON r.id = d.release_id \
              WHERE (d.release_id IS NOT NULL OR d.kind = 'deploy') \
              AND (r.digest IS NULL OR d.release_digest IS DISTINCT FROM r.digest)",
    },
    Check {
        invariant: Sealed,
        name: "deployment_of_another_service",
        found: "its release is another service's",
        remedy: NOT_AS_WRITTEN,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, 'release ' || r.version AS detail FROM deployments d JOIN releases r ON r.id = d.release_id \
              WHERE r.service_id <> d.service_id",
    },
    Check {
        invariant: Sealed,
        name: "deployment_lands_elsewhere",
        found: "it lands on a target of another service or environment",
        remedy: NOT_AS_WRITTEN,
        of: Of::DeploymentTarget,
        grace: None,
        sql: "SELECT dt.id, 'target in namespace ' || t.namespace AS detail FROM deployment_targets dt \
              JOIN deployments d ON d.id = dt.deployment_id JOIN targets t ON t.id = dt.target_id \
              WHERE (t.service_id, t.environment_id) <> (d.service_id, d.environment_id)",
    },
    Check {
        invariant: Sealed,
        name: "approval_of_another_digest",
        found: "it asks people about another digest than the deployment's",
        remedy: NOT_AS_WRITTEN,
        of: Of::Approval,
        grace: None,
        sql: "SELECT a.id, 'it says ' || a.digest || ', the deployment ' || COALESCE(d.release_digest, 'none') AS detail \
              FROM approvals a JOIN deployments d ON d.id = a.deployment_id \
              WHERE a.digest IS DISTINCT FROM d.release_digest OR a.plan_digest <> d.plan_digest",
    },
    Check {
        invariant: Sealed,
        name: "decision_of_another_digest",
        found: "it was taken on another digest than the one that was asked about",
        remedy: NOT_AS_WRITTEN,
        of: Of::Decision,
        grace: None,
        sql: "SELECT c.id, 'it says ' || c.digest || ', the request ' || a.digest AS detail \
              FROM decisions c JOIN approvals a ON a.id = c.approval_id \
              WHERE c.digest <> a.digest OR c.plan_digest <> a.plan_digest",
    },
    Check {
        invariant: Sealed,
        name: "decision_on_another_document",
        found: "it counts, and was taken on another document than the one that approvers see",
        remedy: NOT_AS_WRITTEN,
        of: Of::Decision,
        grace: None,
        sql: "SELECT c.id, 'it says ' || c.document_digest || ', the request ' || COALESCE(a.document_digest, 'none') AS detail \
              FROM decisions c JOIN approvals a ON a.id = c.approval_id \
              WHERE c.withdrawn_at IS NULL AND c.document_digest IS DISTINCT FROM a.document_digest AND c.document_digest IS NOT NULL",
    },
    Check {
        invariant: Sealed,
        name: "rendering_missing",
        found: "the rendering that it applies is not stored",
        remedy: "restore it from a backup; without it, nobody can tell what was applied, and nothing can be rolled back to it",
        of: Of::DeploymentTarget,
        grace: None,
        sql: "SELECT dt.id, dt.rendering AS detail FROM deployment_targets dt \
              WHERE NOT EXISTS (SELECT 1 FROM renderings r WHERE r.digest = dt.rendering)",
    },
    Check {
        invariant: Sealed,
        name: "bundle_missing",
        found: "its bundle is not stored",
        remedy: "restore it from a backup, or recall the version and register another",
        of: Of::ComponentVersion,
        grace: None,
        sql: "SELECT v.id, v.bundle AS detail FROM component_versions v \
              WHERE NOT EXISTS (SELECT 1 FROM bundles b WHERE b.digest = v.bundle)",
    },
    Check {
        invariant: Sealed,
        name: "target_runs_what_was_not_deployed",
        found: "what it is said to run is not what that deployment brought there",
        remedy: "the row was changed by hand: deploy the release again, which says what runs anew",
        of: Of::Target,
        grace: None,
        sql: "SELECT t.id, 'rendering ' || COALESCE(t.now_rendering, 'none') || ', the deployment''s ' || COALESCE(dt.rendering, 'none') AS detail \
              FROM targets t LEFT JOIN deployment_targets dt ON dt.deployment_id = t.now_deployment_id AND dt.target_id = t.id \
              WHERE num_nulls(t.now_release_id, t.now_deployment_id, t.now_rendering) NOT IN (0, 3) \
              OR (t.now_deployment_id IS NOT NULL AND (dt.rendering, dt.release_id) IS DISTINCT FROM (t.now_rendering, t.now_release_id))",
    },
];
