//! Damage done to a database by hand, one kind a check: the check that finds it, what it is done to, and the SQL that does
//! it. `{…}` stands for the id of the first deployment in that state.

use slipway_domain::doctor::Invariant::{
    self, Ends, Gated, OneExecutor, Recorded, Rollback, Sealed, Secret, Time,
};

/// One kind of damage.
pub(crate) struct Damage {
    pub(crate) invariant: Invariant,
    pub(crate) check: &'static str,
    /// How the subject begins.
    pub(crate) subject: &'static str,
    pub(crate) sql: &'static str,
}

const fn damage(
    invariant: Invariant,
    check: &'static str,
    subject: &'static str,
    sql: &'static str,
) -> Damage {
    Damage {
        invariant,
        check,
        subject,
        sql,
    }
}

pub(crate) const DAMAGES: &[Damage] = &[
    // 1
    damage(
        Sealed,
        "deployment_of_another_digest",
        "deployment {succeeded}",
        "UPDATE deployments SET release_digest = 'sha256:' || repeat('0', 64) WHERE id = '{succeeded}'",
    ),
    damage(
        Sealed,
        "deployment_of_another_service",
        "deployment {succeeded}",
        "UPDATE releases SET service_id = (SELECT id FROM services WHERE name = 'backoffice') \
         WHERE id = (SELECT release_id FROM deployments WHERE id = '{succeeded}')",
    ),
    damage(
        Sealed,
        "deployment_lands_elsewhere",
        "deployment target ",
        "UPDATE targets SET service_id = (SELECT id FROM services WHERE name = 'backoffice') \
         WHERE id = (SELECT target_id FROM deployment_targets WHERE deployment_id = '{succeeded}' LIMIT 1)",
    ),
    damage(
        Sealed,
        "approval_of_another_digest",
        "approval ",
        "UPDATE approvals SET digest = 'sha256:' || repeat('0', 64) WHERE deployment_id = '{succeeded}'",
    ),
    damage(
        Sealed,
        "decision_of_another_digest",
        "decision ",
        "UPDATE decisions SET plan_digest = 'sha256:' || repeat('0', 64) \
         WHERE approval_id = (SELECT id FROM approvals WHERE deployment_id = '{succeeded}')",
    ),
    damage(
        Sealed,
        "decision_on_another_document",
        "decision ",
        "UPDATE decisions SET document_digest = 'sha256:' || repeat('0', 64) \
         WHERE approval_id = (SELECT id FROM approvals WHERE deployment_id = '{succeeded}')",
    ),
    damage(
        Sealed,
        "rendering_missing",
        "deployment target ",
        "DELETE FROM renderings WHERE digest = (SELECT rendering FROM deployment_targets WHERE deployment_id = '{succeeded}' LIMIT 1)",
    ),
    damage(
        Sealed,
        "bundle_missing",
        "component version ",
        "DELETE FROM bundles WHERE digest = (SELECT bundle FROM component_versions WHERE version = '1.0.0')",
    ),
    damage(
        Sealed,
        "target_runs_what_was_not_deployed",
        "target ",
        "UPDATE targets SET now_rendering = (SELECT digest FROM renderings r WHERE r.digest <> targets.now_rendering LIMIT 1) \
         WHERE now_rendering IS NOT NULL",
    ),
    damage(
        Sealed,
        "bundle_altered",
        "bundle sha256:",
        "UPDATE bundles SET objects = jsonb_set(objects, '{0,data,version}', '\"other\"') \
         WHERE digest = (SELECT bundle FROM component_versions WHERE version = '1.0.0')",
    ),
    damage(
        Sealed,
        "component_version_altered",
        "component version ",
        "UPDATE component_versions SET images = '[{\"image\": \"web\", \"digest\": \
         \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}]' WHERE version = '1.0.0'",
    ),
    damage(
        Sealed,
        "release_altered",
        "release ",
        "UPDATE releases SET notes = 'something else' WHERE id = (SELECT release_id FROM deployments WHERE id = '{succeeded}')",
    ),
    damage(
        Sealed,
        "rendering_altered",
        "rendering sha256:",
        "UPDATE renderings SET content = jsonb_set(content, '{objects,0,data,version}', '\"other\"') \
         WHERE digest = (SELECT rendering FROM deployment_targets WHERE deployment_id = '{succeeded}' LIMIT 1)",
    ),
    damage(
        Sealed,
        "rendering_of_another_release",
        "rendering sha256:",
        "UPDATE deployment_targets SET release_id = (SELECT release_id FROM deployments WHERE id = '{rejected}') \
         WHERE deployment_id = '{succeeded}'",
    ),
    damage(
        Sealed,
        "plan_altered",
        "deployment {succeeded}",
        "UPDATE deployment_targets SET wave = wave + 1 WHERE deployment_id = '{succeeded}'",
    ),
    damage(
        Sealed,
        "digest_is_not_as_recorded",
        "deployment {succeeded}",
        "UPDATE deployments SET plan_digest = 'sha256:' || repeat('0', 64) WHERE id = '{succeeded}'",
    ),
    // 2
    damage(
        Gated,
        "overridden_and_nobody_answers",
        "deployment {succeeded}",
        "INSERT INTO overrides (id, deployment_id, gate, break_glass, principal_id, justification, incident) \
         SELECT gen_random_uuid(), id, 'evidence', false, requested_by, 'none', 'none' FROM deployments WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "admitted_with_open_gate",
        "deployment {succeeded}",
        "UPDATE deployments SET gates = jsonb_set(gates, '{0,verdict}', '\"waiting\"') WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "admitted_without_gate",
        "deployment {succeeded}",
        "UPDATE deployments SET gates = (SELECT jsonb_agg(g) FROM jsonb_array_elements(gates) g WHERE g->>'name' <> 'approval') \
         WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "admitted_without_policies",
        "deployment {succeeded}",
        "INSERT INTO policies (id, name, in_force, latest) VALUES (gen_random_uuid(), 'strict', 1, 1); \
         INSERT INTO policy_versions (policy_id, version, document, digest, author_id, activated_by, activated_at) \
         SELECT p.id, 1, '{}', '', (SELECT min(id::text)::uuid FROM principals), (SELECT max(id::text)::uuid FROM principals), \
             now() - interval '1 day' FROM policies p; \
         UPDATE deployments SET gates = (SELECT jsonb_agg(g) FROM jsonb_array_elements(gates) g WHERE g->>'name' <> 'policy') \
         WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "admitted_without_evidence",
        "deployment {succeeded}",
        "INSERT INTO policies (id, name, in_force, latest) VALUES (gen_random_uuid(), 'proven', 1, 1); \
         INSERT INTO policy_versions (policy_id, version, document, digest, author_id, activated_by, activated_at) \
         SELECT p.id, 1, '{\"rules\": [{\"effect\": {\"require_evidence\": {}}}]}', '', (SELECT min(id::text)::uuid FROM principals), \
             (SELECT max(id::text)::uuid FROM principals), now() - interval '1 day' FROM policies p; \
         UPDATE deployments SET gates = (SELECT jsonb_agg(g) FROM jsonb_array_elements(gates) g WHERE g->>'name' <> 'evidence') \
         WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "admitted_outside_its_process",
        "deployment {succeeded}",
        "INSERT INTO process_versions (process_id, version, document, digest, author_id, activated_by, activated_at, retired_by, \
             retired_at) \
         SELECT process_id, 2, document, digest, author_id, (SELECT max(id::text)::uuid FROM principals), '2020-01-01', author_id, \
             '2099-01-01' FROM process_versions; \
         UPDATE releases SET process_version = 2 WHERE process_version IS NOT NULL; \
         UPDATE deployments SET gates = (SELECT jsonb_agg(g) FROM jsonb_array_elements(gates) g WHERE g->>'name' <> 'process') \
         WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "sealed_without_a_process",
        "release ",
        "UPDATE process_versions SET activated_at = now() + interval '1 year'",
    ),
    damage(
        Gated,
        "evidence_is_not_as_stated",
        "evidence ",
        "UPDATE evidence SET passed = NOT passed",
    ),
    damage(
        Gated,
        "evidence_is_not_as_stated",
        "evidence ",
        "UPDATE evidence_documents SET bytes = 'another'",
    ),
    damage(
        Gated,
        "admitted_without_approval",
        "deployment {succeeded}",
        "DELETE FROM approvals WHERE deployment_id = '{succeeded}'",
    ),
    damage(
        Gated,
        "approved_by_too_few",
        "approval ",
        "UPDATE approvals SET required = 2 WHERE deployment_id = '{succeeded}'",
    ),
    damage(
        Gated,
        "decided_by_somebody_involved",
        "decision ",
        "UPDATE decisions SET principal_id = (SELECT requested_by FROM deployments WHERE id = '{succeeded}') \
         WHERE approval_id = (SELECT id FROM approvals WHERE deployment_id = '{succeeded}')",
    ),
    damage(
        Gated,
        "involved_left_out",
        "approval ",
        "UPDATE approvals SET involved = '[]' WHERE deployment_id = '{pending}'",
    ),
    damage(
        Gated,
        "approved_after_admission",
        "approval ",
        "UPDATE deployments SET started_at = started_at - interval '1 hour' WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "admitted_without_promotion",
        "deployment {succeeded}",
        "UPDATE deployments SET state = 'failed' WHERE environment_id = (SELECT id FROM environments WHERE name = 'staging') \
         AND release_id = (SELECT release_id FROM deployments WHERE id = '{succeeded}')",
    ),
    damage(
        Gated,
        "admitted_outside_its_time",
        "deployment {succeeded}",
        "UPDATE deployments SET expires_at = started_at - interval '1 hour' WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "state_and_start_disagree",
        "deployment {succeeded}",
        "UPDATE deployments SET started_at = NULL WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "work_before_admission",
        "deployment target ",
        "UPDATE deployment_targets SET generation = 99 WHERE deployment_id = '{pending}'",
    ),
    damage(
        Gated,
        "environment_held_twice",
        "deployment {paused}",
        "DROP INDEX deployments_one_holder; \
         UPDATE deployments SET state = 'running', finished_at = NULL WHERE id = '{succeeded}'",
    ),
    damage(
        Gated,
        "admission_not_recorded_once",
        "deployment {succeeded}",
        "DELETE FROM audit_entries WHERE action = 'deployment.run' AND subject = '{succeeded:id}'",
    ),
    // 3
    damage(
        OneExecutor,
        "target_leased_twice",
        "target ",
        "DROP INDEX work_one_lease_a_target; UPDATE work w SET target_id = l.target_id, state = 'leased', holder = 'another', \
         fence = 1, lease_until = now() + interval '10 s' FROM work l WHERE l.state = 'leased' AND w.state = 'parked'",
    ),
    damage(
        OneExecutor,
        "fence_never_given",
        "work ",
        "UPDATE work SET fence = 1000000 WHERE state = 'leased'",
    ),
    damage(
        OneExecutor,
        "fence_given_twice",
        "work ",
        "UPDATE work SET fence = (SELECT fence FROM work WHERE state = 'leased') WHERE state = 'parked'",
    ),
    damage(
        OneExecutor,
        "lease_overdue",
        "work ",
        "UPDATE work SET lease_until = now() - interval '1 hour' WHERE state = 'leased'",
    ),
    damage(
        OneExecutor,
        "lease_without_end",
        "work ",
        "UPDATE work SET lease_until = now() + interval '1 day' WHERE state = 'leased'",
    ),
    damage(
        OneExecutor,
        "work_on_another_target",
        "work ",
        "UPDATE work SET cluster_id = (SELECT id FROM clusters WHERE name = 'us') WHERE state = 'leased'",
    ),
    damage(
        OneExecutor,
        "generation_is_not_the_newest",
        "target ",
        "UPDATE targets SET generation = generation - 1 WHERE generation > 1",
    ),
    damage(
        OneExecutor,
        "generation_given_twice",
        "target ",
        "UPDATE deployment_targets SET generation = 1 WHERE generation = 2",
    ),
    // 4
    damage(
        Recorded,
        "entry_unchained",
        "audit entry aud_",
        "INSERT INTO audit_entries (id, at, actor, action, subject) VALUES \
         (gen_random_uuid(), now() - interval '1 hour', 'x', 'x', 'x')",
    ),
    damage(
        Recorded,
        "release_untold",
        "release ",
        "UPDATE releases SET state = 'withdrawn', withdrawn_at = now(), withdrawn_reason = 'x' WHERE version = '1.0.0'",
    ),
    damage(
        Recorded,
        "component_version_untold",
        "component version ",
        "UPDATE component_versions SET state = 'available' WHERE state = 'recalled'",
    ),
    damage(
        Recorded,
        "recorded_release_is_gone",
        "audit entry aud_",
        "DELETE FROM releases WHERE state = 'draft'",
    ),
    damage(
        Recorded,
        "chain_broken",
        "audit entry 5 ",
        "UPDATE audit_entries SET actor = 'nobody' WHERE seq = 5",
    ),
    damage(
        Recorded,
        "chain_broken",
        "audit entry 6 ",
        "DELETE FROM audit_entries WHERE seq = 5",
    ),
    damage(
        Recorded,
        "chain_broken",
        "audit entry 5 ",
        "UPDATE audit_entries SET seq = -1 WHERE seq = 5; UPDATE audit_entries SET seq = 5 WHERE seq = 6; \
         UPDATE audit_entries SET seq = 6 WHERE seq = -1",
    ),
    damage(
        Recorded,
        "chain_broken",
        "audit entries after ",
        "UPDATE audit_entries SET digest = 'none' WHERE seq = 5",
    ),
    damage(
        Recorded,
        "head_contradicts_chain",
        "signed head over ",
        "UPDATE audit_entries SET digest = 'sha256:' || repeat('0', 64) WHERE seq = 5",
    ),
    damage(
        Recorded,
        "head_not_signed",
        "signed head over ",
        "UPDATE audit_checkpoints SET note = replace(note, 'slipway/', 'elsewhere/')",
    ),
    damage(
        Recorded,
        "head_not_signed",
        "signed head over ",
        "UPDATE audit_checkpoints SET root = 'sha256:' || repeat('0', 64)",
    ),
    damage(
        Recorded,
        "head_beyond_chain",
        "signed head over ",
        "DELETE FROM audit_entries WHERE seq = (SELECT max(seq) FROM audit_entries)",
    ),
    damage(
        Recorded,
        "deployment_untold",
        "deployment {errored}",
        "UPDATE deployments SET state = 'succeeded' WHERE id = '{errored}'",
    ),
    damage(
        Recorded,
        "deployment_untold",
        "deployment {errored}",
        "DELETE FROM audit_entries WHERE action = 'deployment.error' AND subject = '{errored:id}'",
    ),
    damage(
        Recorded,
        "deployment_not_asked_for_once",
        "deployment {succeeded}",
        "DELETE FROM audit_entries WHERE action = 'deployment.request' AND subject = '{succeeded:id}'",
    ),
    damage(
        Recorded,
        "recorded_deployment_is_gone",
        "deployment {rejected}",
        "DELETE FROM deployments WHERE id = '{rejected}'",
    ),
    damage(
        Recorded,
        "approval_untold",
        "approval ",
        "UPDATE approvals SET state = 'approved' WHERE deployment_id = '{pending}'",
    ),
    damage(
        Recorded,
        "approval_untold",
        "approval ",
        "INSERT INTO decisions (id, approval_id, principal_id, answer, digest, plan_digest, at) SELECT gen_random_uuid(), a.id, p.id, \
         'approve', a.digest, a.plan_digest, now() FROM approvals a, principals p WHERE a.deployment_id = '{pending}' AND p.subject = 'abe'",
    ),
    damage(
        Recorded,
        "recorded_approval_is_gone",
        "approval ",
        "DELETE FROM approvals WHERE deployment_id = '{pending}'",
    ),
    // 5
    damage(
        Ends,
        "nothing_to_do_and_no_time_to_look",
        "deployment {running}",
        "DELETE FROM work WHERE deployment_id = '{running}'",
    ),
    damage(
        Ends,
        "waits_and_no_time_to_look",
        "deployment {pending}",
        "UPDATE deployments SET look_at = NULL WHERE id = '{pending}'",
    ),
    damage(
        Ends,
        "queued_without_work",
        "deployment {queued}",
        "DELETE FROM work WHERE deployment_id = '{queued}'",
    ),
    damage(
        Ends,
        "target_under_way_without_work",
        "deployment target ",
        "DELETE FROM work WHERE deployment_id = '{paused}'",
    ),
    damage(
        Ends,
        "look_overdue",
        "deployment {pending}",
        "UPDATE deployments SET look_at = now() - interval '1 hour' WHERE id = '{pending}'",
    ),
    damage(
        Ends,
        "work_overdue",
        "work ",
        "UPDATE work SET state = 'ready', holder = NULL, lease_until = NULL, run_at = now() - interval '1 hour' \
         WHERE deployment_id = '{running}'",
    ),
    damage(
        Ends,
        "parked_and_not_paused",
        "work ",
        "UPDATE deployments SET state = 'running' WHERE id = '{paused}'",
    ),
    damage(
        Ends,
        "work_of_an_ended_deployment",
        "work ",
        "UPDATE deployments SET state = 'cancelled', finished_at = now() WHERE id = '{paused}'",
    ),
    damage(
        Ends,
        "target_of_an_ended_deployment_under_way",
        "deployment target ",
        "UPDATE deployment_targets SET state = 'running' WHERE deployment_id = '{succeeded}'",
    ),
    damage(
        Ends,
        "waits_for_a_rollback_that_has_ended",
        "deployment {rolled_back}",
        "DROP INDEX deployments_one_holder; \
         UPDATE deployments SET state = 'rolling_back', finished_at = NULL WHERE id = '{rolled_back}'",
    ),
    damage(
        Ends,
        "asks_people_for_an_ended_deployment",
        "approval ",
        "UPDATE approvals SET state = 'pending' WHERE deployment_id = '{succeeded}'",
    ),
    // 6
    damage(
        Rollback,
        "previous_rendering_missing",
        "deployment target ",
        "DELETE FROM renderings WHERE digest = (SELECT previous_rendering FROM deployment_targets \
         WHERE previous_rendering IS NOT NULL LIMIT 1)",
    ),
    damage(
        Rollback,
        "running_rendering_missing",
        "target ",
        "DELETE FROM renderings WHERE digest = (SELECT now_rendering FROM targets WHERE now_rendering IS NOT NULL LIMIT 1)",
    ),
    damage(
        Rollback,
        "previous_is_not_what_ran",
        "deployment target ",
        "UPDATE deployment_targets SET previous_rendering = (SELECT digest FROM renderings r \
         WHERE r.digest <> deployment_targets.previous_rendering LIMIT 1) WHERE previous_rendering IS NOT NULL",
    ),
    damage(
        Rollback,
        "rollback_brings_something_else",
        "deployment target ",
        "UPDATE deployment_targets SET rendering = (SELECT digest FROM renderings r \
         WHERE r.digest <> deployment_targets.rendering LIMIT 1) WHERE intent = 'roll_back'",
    ),
    damage(
        Rollback,
        "rendering_to_go_back_to_altered",
        "rendering sha256:",
        "UPDATE renderings SET content = jsonb_set(content, '{objects}', '[]') \
         WHERE digest = (SELECT now_rendering FROM targets WHERE now_rendering IS NOT NULL LIMIT 1)",
    ),
    // 7
    damage(
        Secret,
        "secret_in_the_open",
        "event ",
        "UPDATE events SET message = message || ' with cluster-token' WHERE id = (SELECT id FROM events LIMIT 1)",
    ),
    damage(
        Secret,
        "secret_in_the_open",
        "event ",
        "UPDATE events SET data = jsonb_build_object('password', '{secret}') WHERE id = (SELECT id FROM events LIMIT 1)",
    ),
    damage(
        Secret,
        "secret_in_the_open",
        "audit entry aud_",
        "UPDATE audit_entries SET data = jsonb_build_object('note', 'it is {secret:base64}') WHERE seq = 5",
    ),
    damage(
        Secret,
        "secret_in_the_open",
        "deployment ",
        "UPDATE deployments SET reason = 'web said: {secret} is wrong' WHERE id = '{errored}'",
    ),
    damage(
        Secret,
        "secret_in_the_open",
        "work ",
        "UPDATE work SET last_error = 'cluster-token was refused'",
    ),
    damage(
        Secret,
        "secret_in_the_open",
        "kept answer ",
        "INSERT INTO idempotency_keys (principal_id, operation, key, body_sha256, status, headers, body) \
         VALUES (gen_random_uuid(), 'POST /v1/tokens', 'k', '', 201, '[]', convert_to('{\"secret\": \"slp_' || repeat('Ab3', 14) || 'x\"}', 'UTF8'))",
    ),
    damage(
        Secret,
        "secret_in_the_open",
        "cluster ",
        "UPDATE clusters SET credential = 'cluster-token' WHERE name = 'eu'",
    ),
    damage(
        Secret,
        "credential_unreadable",
        "cluster eu",
        "UPDATE clusters SET credential = set_byte(credential, 20, 255 - get_byte(credential, 20)) WHERE name = 'eu'",
    ),
    damage(
        Secret,
        "credential_unreadable",
        "cluster eu",
        "UPDATE clusters SET credential = (SELECT credential FROM clusters WHERE name = 'us') WHERE name = 'eu'",
    ),
    // 8
    damage(
        Time,
        "deployment_in_the_future",
        "deployment {succeeded}",
        "UPDATE deployments SET finished_at = now() + interval '1 day' WHERE id = '{succeeded}'",
    ),
    damage(
        Time,
        "deployment_target_in_the_future",
        "deployment target ",
        "UPDATE deployment_targets SET finished_at = now() + interval '1 day' WHERE deployment_id = '{succeeded}'",
    ),
    damage(
        Time,
        "step_in_the_future",
        "deployment target ",
        "UPDATE target_steps SET done_at = now() + interval '1 day'",
    ),
    damage(
        Time,
        "release_in_the_future",
        "release ",
        "UPDATE releases SET sealed_at = now() + interval '1 day' WHERE version = '1.0.0'",
    ),
    damage(
        Time,
        "decision_in_the_future",
        "decision ",
        "UPDATE decisions SET at = now() + interval '1 day'",
    ),
    damage(
        Time,
        "approval_in_the_future",
        "approval ",
        "UPDATE approvals SET created_at = now() + interval '1 day'",
    ),
    damage(
        Time,
        "audit_entry_in_the_future",
        "audit entry aud_",
        "UPDATE audit_entries SET at = now() + interval '1 day' WHERE seq = 5",
    ),
    damage(
        Time,
        "target_in_the_future",
        "target ",
        "UPDATE targets SET created_at = now() + interval '1 day'",
    ),
    damage(
        Time,
        "work_in_the_future",
        "work ",
        "UPDATE work SET created_at = now() + interval '1 day'",
    ),
    damage(
        Time,
        "deployment_out_of_order",
        "deployment {succeeded}",
        "UPDATE deployments SET finished_at = started_at - interval '1 hour' WHERE id = '{succeeded}'",
    ),
    damage(
        Time,
        "since_is_not_when_it_became_so",
        "deployment {succeeded}",
        "UPDATE deployments SET since = since - interval '1 hour' WHERE id = '{succeeded}'",
    ),
    damage(
        Time,
        "deployment_target_out_of_order",
        "deployment target ",
        "UPDATE deployment_targets SET finished_at = started_at - interval '1 hour' WHERE deployment_id = '{succeeded}'",
    ),
    damage(
        Time,
        "step_out_of_order",
        "deployment target ",
        "UPDATE target_steps SET done_at = begun_at - interval '1 hour' WHERE done_at IS NOT NULL",
    ),
];
