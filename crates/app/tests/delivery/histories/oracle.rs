//! What must hold after every operation, told from the rows alone, and not by the code that wrote them.

use super::play::Play;
use std::collections::BTreeSet;

/// Queries that must count nothing, each with what it means when they do.
const NEVER: [(&str, &str); 9] = [
    (
        "invariant 1: the release is as it was sealed, and as people approved it",
        "SELECT count(*) FROM deployments d JOIN releases r ON r.id = d.release_id LEFT JOIN approvals a ON a.deployment_id = d.id \
         WHERE d.kind = 'deploy' AND (r.digest IS DISTINCT FROM d.release_digest \
           OR a.digest <> d.release_digest OR a.plan_digest <> d.plan_digest)",
    ),
    (
        "invariant 1: what is to be applied is stored",
        "SELECT count(*) FROM deployment_targets t LEFT JOIN renderings r ON r.digest = t.rendering WHERE r.digest IS NULL",
    ),
    (
        "invariant 2: who has begun was approved by enough distinct people who were not involved",
        "SELECT count(*) FROM deployments d JOIN approvals a ON a.deployment_id = d.id WHERE d.started_at IS NOT NULL AND \
         a.required > (SELECT count(DISTINCT x.principal_id) FROM decisions x WHERE x.approval_id = a.id AND x.answer = 'approve' \
           AND x.digest = d.release_digest AND x.plan_digest = d.plan_digest \
           AND NOT a.involved @> jsonb_build_array(jsonb_build_object('principal', x.principal_id)))",
    ),
    (
        "invariant 2: one deployment, and the rollback that undoes it, holds an environment",
        "SELECT count(*) FROM deployments a JOIN deployments b ON a.id < b.id AND a.service_id = b.service_id \
         AND a.environment_id = b.environment_id WHERE a.state IN ('running', 'paused', 'rolling_back') \
         AND b.state IN ('running', 'paused', 'rolling_back') AND b.rolls_back IS DISTINCT FROM a.id",
    ),
    (
        "invariant 2: nobody begins after his time",
        "SELECT count(*) FROM deployments WHERE started_at < not_before OR (started_at >= expires_at AND state = 'running' \
           AND since = started_at AND expires_at < since)",
    ),
    (
        "invariant 3: one lease a target",
        "SELECT count(*) FROM (SELECT 1 FROM work WHERE state = 'leased' GROUP BY target_id HAVING count(*) > 1) x",
    ),
    (
        "invariant 4: every change of state has one entry, in its transaction",
        "SELECT count(*) FROM (SELECT id, old, new, tx, count(*) AS n FROM witness_moves GROUP BY 1, 2, 3, 4) m \
         FULL JOIN (SELECT old, new, tx, count(*) AS n FROM witness_entries GROUP BY 1, 2, 3) e USING (old, new, tx) \
         WHERE m.n IS NULL OR e.n IS NULL",
    ),
    (
        "invariant 4: the diagram has every change of state",
        "SELECT count(*) FROM witness_moves WHERE (old, new) NOT IN (VALUES ('pending', 'queued'), ('pending', 'cancelled'), \
         ('pending', 'rejected'), ('pending', 'expired'), ('pending', 'superseded'), ('queued', 'pending'), ('queued', 'running'), \
         ('queued', 'cancelled'), ('queued', 'rejected'), ('queued', 'expired'), ('running', 'paused'), ('running', 'rolling_back'), \
         ('running', 'succeeded'), ('running', 'failed'), ('running', 'errored'), ('running', 'cancelled'), ('paused', 'running'), \
         ('paused', 'rolling_back'), ('paused', 'cancelled'), ('rolling_back', 'rolled_back'), ('rolling_back', 'failed'))",
    ),
    (
        "invariant 5: what has ended keeps no work that nobody acts on, and no target under way",
        "SELECT (SELECT count(*) FROM work w JOIN deployments d ON d.id = w.deployment_id WHERE d.finished_at IS NOT NULL \
           AND w.state = 'parked') + (SELECT count(*) FROM deployment_targets t JOIN deployments d ON d.id = t.deployment_id \
           WHERE d.finished_at IS NOT NULL AND t.state IN ('waiting', 'running'))",
    ),
];

/// What was seen so far.
#[derive(Default)]
pub(super) struct Oracle {
    fence: i64,
    admitted: BTreeSet<String>,
}

impl Oracle {
    pub(super) async fn check(&mut self, play: &Play) {
        for (what, sql) in NEVER {
            assert_eq!(play.shop.number(sql).await, 0, "{what}");
        }
        let mut fences: Vec<i64> = play.claimed.iter().map(|a| a.lease.fence).collect();
        fences.sort_unstable();
        for fence in fences {
            assert!(
                fence > self.fence,
                "invariant 3: fence {fence} is not above {}",
                self.fence
            );
            self.fence = fence;
        }
        for a in &play.claimed {
            assert_eq!(
                a.rendering.digest(),
                a.rendering_digest,
                "invariant 1: the rendering given out"
            );
            self.admitted(play, &a.deployment.uuid().to_string()).await;
        }
    }

    /// Invariant 2, right after the claim: the facts that the gates stand for.
    async fn admitted(&mut self, play: &Play, id: &str) {
        if !self.admitted.insert(id.to_owned()) {
            return;
        }
        let problem = play
            .shop
            .text(&format!(
                "SELECT CASE \
                 WHEN d.state <> 'running' THEN 'it is ' || d.state \
                 WHEN EXISTS (SELECT 1 FROM work w JOIN deployments o ON o.id = w.deployment_id WHERE w.state = 'leased' \
                   AND o.id <> d.id AND o.id IS DISTINCT FROM d.rolls_back AND o.service_id = d.service_id \
                   AND o.environment_id = d.environment_id) THEN 'another is at work there' \
                 WHEN d.kind = 'roll_back' THEN '' \
                 WHEN r.state <> 'sealed' THEN 'its release is ' || r.state \
                 WHEN d.started_at >= d.expires_at THEN 'its time has passed' \
                 WHEN e.promotes_from IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deployments s LEFT JOIN deployments u \
                   ON u.id = s.rolled_back_by AND u.state NOT IN ('failed', 'errored', 'cancelled', 'rejected', 'expired') \
                   WHERE s.state = 'succeeded' AND s.kind = 'deploy' AND s.service_id = d.service_id \
                   AND s.environment_id = e.promotes_from AND s.release_digest = d.release_digest AND u.id IS NULL) \
                   THEN 'the stage before does not have it' \
                 ELSE '' END FROM deployments d LEFT JOIN releases r ON r.id = d.release_id \
                 JOIN environments e ON e.id = d.environment_id WHERE d.id = '{id}'"
            ))
            .await;
        assert_eq!(problem, "", "invariant 2: {id} was admitted");
    }
}
