//! 2: nothing is dispatched without every gate. The gates of a deployment are kept as they were judged in the transaction
//! that admitted it; here they are read again, and what they rest on with them.

use super::{Check, Grace, Of};
use slipway_domain::doctor::Invariant::Gated;

const UNGATED: &str = "it ran without what its environment asks for: find out how from its entries in the record and from the \
     database's own log, tell those who were to decide, and roll it back unless they agree to it now";
const FORGED: &str = "Slipway never writes this: the row was changed by hand. Find out who did, and ask for approval again by a \
     new deployment";

pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: Gated,
        name: "admitted_with_open_gate",
        found: "it was admitted although a gate was not satisfied",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, COALESCE((SELECT string_agg(g->>'name' || ' ' || (g->>'verdict'), ', ') FROM jsonb_array_elements(d.gates) g \
                  WHERE g->>'verdict' IS DISTINCT FROM 'satisfied'), 'no gate was judged') AS detail \
              FROM deployments d WHERE d.started_at IS NOT NULL AND (jsonb_array_length(d.gates) = 0 \
              OR EXISTS (SELECT 1 FROM jsonb_array_elements(d.gates) g WHERE g->>'verdict' IS DISTINCT FROM 'satisfied'))",
    },
    Check {
        invariant: Gated,
        name: "admitted_without_gate",
        found: "it was admitted without a gate that it has to pass having been judged",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, string_agg(n.name, ', ') AS detail FROM deployments d JOIN environments e ON e.id = d.environment_id \
              CROSS JOIN LATERAL unnest(CASE WHEN d.kind = 'roll_back' OR d.heals THEN ARRAY['concurrency'] ELSE \
                  ARRAY['release', 'schedule', 'rollback', 'concurrency'] \
                  || CASE WHEN d.settings->'approvals' IS DISTINCT FROM 'null'::jsonb AND d.settings ? 'approvals' THEN ARRAY['approval'] ELSE '{}' END \
                  || CASE WHEN e.promotes_from IS NOT NULL THEN ARRAY['promotion'] ELSE '{}' END END) AS n(name) \
              WHERE d.started_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(d.gates) g WHERE g->>'name' = n.name) \
              GROUP BY d.id",
    },
    Check {
        invariant: Gated,
        name: "admitted_without_policies",
        found: "it was admitted while policies were in force, and they were not asked",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: Some(Grace::Overlap),
        sql: "SELECT d.id, string_agg(p.name || ' version ' || v.version, ', ') AS detail FROM deployments d \
              JOIN policy_versions v ON v.activated_at <= d.started_at - make_interval(secs => $1) \
                  AND (v.retired_at IS NULL OR v.retired_at >= d.started_at + make_interval(secs => $1)) \
              JOIN policies p ON p.id = v.policy_id \
              WHERE d.kind = 'deploy' AND NOT d.heals AND NOT d.gates @> '[{\"name\": \"policy\", \"verdict\": \"satisfied\"}]' \
              GROUP BY d.id",
    },
    Check {
        invariant: Gated,
        name: "admitted_without_evidence",
        found: "it was admitted while policies asked for evidence, and what was stated was not looked at",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: Some(Grace::Overlap),
        sql: "SELECT d.id, string_agg(p.name || ' version ' || v.version, ', ') AS detail FROM deployments d \
              JOIN policy_versions v ON v.asks_for_evidence AND v.activated_at <= d.started_at - make_interval(secs => $1) \
                  AND (v.retired_at IS NULL OR v.retired_at >= d.started_at + make_interval(secs => $1)) \
              JOIN policies p ON p.id = v.policy_id \
              WHERE d.kind = 'deploy' AND NOT d.heals AND NOT d.gates @> '[{\"name\": \"evidence\", \"verdict\": \"satisfied\"}]' \
              GROUP BY d.id",
    },
    Check {
        invariant: Gated,
        name: "admitted_outside_its_process",
        found: "it was admitted and not judged by the process that its release pinned",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, p.name || ' version ' || r.process_version AS detail FROM deployments d \
              JOIN releases r ON r.id = d.release_id JOIN processes p ON p.id = r.process_id \
              WHERE d.started_at IS NOT NULL AND d.kind = 'deploy' AND NOT d.heals \
              AND (r.process_id, r.process_version) <> ('00000000-0000-7000-8000-000000000002'::uuid, 1) \
              AND NOT d.gates @> '[{\"name\": \"process\", \"verdict\": \"satisfied\"}]'",
    },
    Check {
        invariant: Gated,
        name: "sealed_without_a_process",
        found: "it is sealed, and the process that it pinned is not there, or was not in force when it was sealed",
        remedy: FORGED,
        of: Of::Release,
        grace: Some(Grace::Overlap),
        sql: "SELECT r.id, COALESCE(p.name, 'no process') || ' version ' || COALESCE(r.process_version::text, 'none') AS detail \
              FROM releases r LEFT JOIN processes p ON p.id = r.process_id \
              LEFT JOIN process_versions v ON (v.process_id, v.version) = (r.process_id, r.process_version) \
              WHERE r.sealed_at IS NOT NULL AND r.process_id IS NOT NULL AND (v.version IS NULL OR v.activated_at IS NULL \
              OR v.activated_at > r.sealed_at + make_interval(secs => $1) OR v.retired_at < r.sealed_at - make_interval(secs => $1))",
    },
    Check {
        invariant: Gated,
        name: "evidence_is_not_as_stated",
        found: "its document is not the one that was stated, or it is kept as saying something else than it was read to say",
        remedy: "Slipway never writes this: the row was changed by hand. Find out who did, state it again from its source, and look \
             at what was admitted with it",
        of: Of::Evidence,
        grace: None,
        sql: "SELECT e.id, e.kind || ' ' || e.name || ' of ' || e.digest AS detail FROM evidence e \
              LEFT JOIN evidence_documents d ON d.digest = e.document \
              WHERE d.digest IS NULL OR d.digest <> 'sha256:' || encode(sha256(d.bytes), 'hex') \
              OR e.normal->'passed' IS DISTINCT FROM to_jsonb(e.passed) OR e.normal->>'kind' IS DISTINCT FROM e.kind \
              OR e.normal->>'name' IS DISTINCT FROM e.name \
              OR e.normal#>>'{signature,verified,by}' IS DISTINCT FROM e.verified_by",
    },
    Check {
        invariant: Gated,
        name: "admitted_without_approval",
        found: "it was admitted without the approval that its environment asks for",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, (d.settings->'approvals'->>'count') || ' with the role ' || (d.settings->'approvals'->>'role') || ' were to approve' AS detail \
              FROM deployments d WHERE d.started_at IS NOT NULL AND d.kind = 'deploy' AND NOT d.heals \
              AND NOT EXISTS (SELECT 1 FROM overrides o WHERE o.deployment_id = d.id AND o.gate = 'approval') AND (\
                  EXISTS (SELECT 1 FROM approvals a WHERE a.deployment_id = d.id AND a.asked = 'before' AND a.state <> 'approved') \
                  OR (d.settings ? 'approvals' AND d.settings->'approvals' <> 'null'::jsonb AND NOT EXISTS (\
                      SELECT 1 FROM approvals a WHERE a.deployment_id = d.id AND a.state = 'approved' \
                      AND a.required >= (d.settings->'approvals'->>'count')::int AND a.role = d.settings->'approvals'->>'role')))",
    },
    Check {
        invariant: Gated,
        name: "overridden_and_nobody_answers",
        found: "it went on without a gate, and nobody is asked to answer for it, or there is no review of it",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, string_agg(o.gate || ' by ' || p.subject, ', ') AS detail FROM deployments d \
              JOIN overrides o ON o.deployment_id = d.id JOIN principals p ON p.id = o.principal_id \
              WHERE NOT EXISTS (SELECT 1 FROM approvals a WHERE a.deployment_id = d.id AND a.asked = 'afterwards') \
              OR NOT EXISTS (SELECT 1 FROM reviews r WHERE r.deployment_id = d.id) GROUP BY d.id",
    },
    Check {
        invariant: Gated,
        name: "approved_by_too_few",
        found: "it is approved, but not by enough distinct people who may decide",
        remedy: FORGED,
        of: Of::Approval,
        grace: None,
        sql: "SELECT a.id, count(DISTINCT c.principal_id) || ' of ' || a.required AS detail FROM approvals a \
              LEFT JOIN (decisions c JOIN principals p ON p.id = c.principal_id AND p.kind = 'human') ON c.approval_id = a.id \
                  AND c.answer = 'approve' AND c.withdrawn_at IS NULL AND c.digest = a.digest AND c.plan_digest = a.plan_digest \
                  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(a.involved) i WHERE i->>'principal' IN (c.principal_id::text, c.of_id::text)) \
              WHERE a.state = 'approved' GROUP BY a.id HAVING count(DISTINCT c.principal_id) < a.required \
              OR (SELECT count(*) FROM decisions n WHERE n.approval_id = a.id AND n.answer = 'reject' AND n.withdrawn_at IS NULL) >= \
              COALESCE((SELECT max(COALESCE((r->'requirement'->>'rejections')::int, 1)) FROM jsonb_array_elements(a.requirements) r), 1)",
    },
    Check {
        invariant: Gated,
        name: "decided_by_somebody_involved",
        found: "whoever took it may not decide: a machine, or somebody who authored, edited, sealed or requested it",
        remedy: FORGED,
        of: Of::Decision,
        grace: None,
        sql: "SELECT c.id, p.kind || ' ' || p.subject AS detail FROM decisions c JOIN approvals a ON a.id = c.approval_id \
              JOIN principals p ON p.id = c.principal_id WHERE p.kind <> 'human' \
              OR EXISTS (SELECT 1 FROM jsonb_array_elements(a.involved) i WHERE i->>'principal' IN (c.principal_id::text, c.of_id::text) \
                  AND (c.withdrawn_at IS NULL OR i->>'as' <> 'overrider'))",
    },
    Check {
        invariant: Gated,
        name: "involved_left_out",
        found: "somebody who authored, edited, sealed or requested it is not kept from deciding",
        remedy: FORGED,
        of: Of::Approval,
        grace: None,
        sql: "SELECT a.id, string_agg(DISTINCT p.subject, ', ') AS detail FROM approvals a JOIN deployments d ON d.id = a.deployment_id \
              JOIN releases r ON r.id = d.release_id \
              CROSS JOIN LATERAL unnest(r.editors || r.author_id || r.sealed_by || d.requested_by) AS w(id) \
              JOIN principals p ON p.id = w.id \
              WHERE NOT EXISTS (SELECT 1 FROM jsonb_array_elements(a.involved) i WHERE i->>'principal' = w.id::text) GROUP BY a.id",
    },
    Check {
        invariant: Gated,
        name: "approved_after_admission",
        found: "it was approved only after the deployment had been admitted",
        remedy: UNGATED,
        of: Of::Approval,
        grace: Some(Grace::Overlap),
        sql: "SELECT a.id, count(c.id) || ' of ' || a.required || ' had approved by then' AS detail FROM approvals a \
              JOIN deployments d ON d.id = a.deployment_id AND d.started_at IS NOT NULL AND a.state = 'approved' AND a.asked = 'before' \
              LEFT JOIN decisions c ON c.approval_id = a.id AND c.answer = 'approve' AND c.withdrawn_at IS NULL \
                  AND c.at <= d.started_at + make_interval(secs => $1) \
              GROUP BY a.id HAVING count(DISTINCT c.principal_id) < a.required \
              AND (SELECT count(DISTINCT l.principal_id) FROM decisions l WHERE l.approval_id = a.id AND l.answer = 'approve' AND l.withdrawn_at IS NULL) >= a.required",
    },
    Check {
        invariant: Gated,
        name: "admitted_without_promotion",
        found: "it was admitted although the stage before had not succeeded with this digest",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: Some(Grace::Overlap),
        sql: "SELECT d.id, 'promotes from ' || f.name AS detail FROM deployments d JOIN environments e ON e.id = d.environment_id \
              JOIN environments f ON f.id = e.promotes_from \
              WHERE d.started_at IS NOT NULL AND d.kind = 'deploy' AND NOT d.heals \
              AND NOT EXISTS (SELECT 1 FROM overrides o WHERE o.deployment_id = d.id AND o.gate = 'promotion') AND NOT EXISTS (SELECT 1 FROM deployments s \
                  WHERE s.service_id = d.service_id AND s.environment_id = f.id AND s.release_digest = d.release_digest \
                  AND s.kind = 'deploy' AND NOT s.heals AND s.state = 'succeeded' AND s.finished_at <= d.started_at + make_interval(secs => $1))",
    },
    Check {
        invariant: Gated,
        name: "admitted_outside_its_time",
        found: "it was admitted before it was to start, or after it had expired",
        remedy: UNGATED,
        of: Of::Deployment,
        grace: Some(Grace::Overlap),
        sql: "SELECT id, 'started ' || started_at || ', not before ' || COALESCE(not_before::text, 'any time') || ', expires ' || expires_at AS detail \
              FROM deployments d WHERE kind = 'deploy' AND NOT heals \
              AND NOT EXISTS (SELECT 1 FROM overrides o WHERE o.deployment_id = d.id AND o.gate = 'schedule') AND (started_at < not_before - make_interval(secs => $1) \
              OR started_at > expires_at + make_interval(secs => $1))",
    },
    Check {
        invariant: Gated,
        name: "state_and_start_disagree",
        found: "its state and the time it started do not go together",
        remedy: "the row was changed by hand: restore it from a backup, or cancel it and deploy again",
        of: Of::Deployment,
        grace: None,
        sql: "SELECT id, state || ', started ' || COALESCE(started_at::text, 'never') AS detail FROM deployments WHERE \
              (state IN ('running', 'paused', 'rolling_back', 'succeeded', 'rolled_back', 'failed', 'errored') AND started_at IS NULL) \
              OR (state IN ('pending', 'queued', 'rejected', 'expired', 'superseded') AND started_at IS NOT NULL)",
    },
    Check {
        invariant: Gated,
        name: "work_before_admission",
        found: "work was done on a target of a deployment that was never admitted",
        remedy: UNGATED,
        of: Of::DeploymentTarget,
        grace: None,
        sql: "SELECT dt.id, d.state || ', generation ' || COALESCE(dt.generation::text, 'none') AS detail FROM deployment_targets dt \
              JOIN deployments d ON d.id = dt.deployment_id WHERE d.started_at IS NULL AND (dt.generation IS NOT NULL \
              OR EXISTS (SELECT 1 FROM work w WHERE w.deployment_target_id = dt.id AND w.state = 'leased') \
              OR EXISTS (SELECT 1 FROM target_steps s WHERE s.deployment_target_id = dt.id))",
    },
    Check {
        invariant: Gated,
        name: "environment_held_twice",
        found: "another deployment of the same service holds its environment too",
        remedy: "pause the newer one, let the other end, and find out which index is missing: `deployments_one_holder`",
        of: Of::Deployment,
        grace: None,
        sql: "SELECT d.id, 'beside ' || count(*) || ' other(s)' AS detail FROM deployments d JOIN deployments o \
              ON (o.service_id, o.environment_id, o.kind) = (d.service_id, d.environment_id, d.kind) AND o.id < d.id \
              WHERE d.state IN ('running', 'paused', 'rolling_back') AND o.state IN ('running', 'paused', 'rolling_back') GROUP BY d.id",
    },
];
