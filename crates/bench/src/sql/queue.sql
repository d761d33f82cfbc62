-- For the bench only: targets of one deployment that runs, and as many units of work as there are targets. The rows are
-- valid; nobody asked for them through the product.
INSERT INTO principals (id, kind, issuer, subject, name) VALUES (gen_random_uuid(), 'human', 'bench', 'bench', 'bench');
INSERT INTO teams (id, name) VALUES (gen_random_uuid(), 'bench');
INSERT INTO services (id, name, team_id, criticality) SELECT gen_random_uuid(), 'bench', id, 'high' FROM teams;
INSERT INTO environments (id, name, tier, settings) VALUES (gen_random_uuid(), 'bench', 'staging', '{}');
INSERT INTO clusters (id, name, server, credential, credential_key)
    SELECT gen_random_uuid(), 'c' || n, 'https://c' || n || '.example', '', '' FROM generate_series(1, 4) n;
INSERT INTO releases (id, service_id, version, author_id)
    SELECT gen_random_uuid(), s.id, '1.0.0', p.id FROM services s, principals p;
INSERT INTO renderings (digest, content) VALUES ('sha256:bench', '[]');
INSERT INTO deployments (id, kind, service_id, environment_id, release_id, release_digest, plan_digest, requested_by,
        expires_at, settings, state, since)
    SELECT gen_random_uuid(), 'deploy', s.id, e.id, r.id, 'sha256:bench', 'sha256:bench', p.id,
        now() + interval '1 day', '{}', 'running', now()
    FROM services s, environments e, releases r, principals p;
INSERT INTO targets (id, service_id, environment_id, cluster_id, namespace, declared)
    SELECT gen_random_uuid(), s.id, e.id, c.id, 'n' || n, true
    FROM services s, environments e, clusters c, generate_series(1, 60000) n;
INSERT INTO deployment_targets (id, deployment_id, target_id, position, wave, intent, rendering, state)
    SELECT gen_random_uuid(), d.id, t.id, row_number() OVER (ORDER BY t.namespace) - 1, 0, 'apply', 'sha256:bench', 'running'
    FROM deployments d, targets t;
-- For who puts work into the queue: in turns over clusters, and each target once before any comes again, as it is elsewhere.
CREATE INDEX bench_position ON deployment_targets (position);

-- What the product is compared with: the least that a queue with fences and leases needs.
CREATE SEQUENCE raw_fence;
CREATE TABLE raw_jobs (
    id           uuid PRIMARY KEY,
    state        text NOT NULL DEFAULT 'ready',
    priority     int NOT NULL DEFAULT 0,
    run_at       timestamptz NOT NULL DEFAULT now(),
    holder       text,
    fence        bigint,
    lease_until  timestamptz
);
CREATE INDEX raw_jobs_due ON raw_jobs (priority DESC, run_at) WHERE state = 'ready';
ANALYZE;
