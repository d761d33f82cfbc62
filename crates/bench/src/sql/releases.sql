-- For the bench only: so many sealed releases, each of one version of one component, over a thousand services. Triggers and
-- foreign keys are off while they are written; the rows are as the product writes them.
SET session_replication_role = replica;
INSERT INTO principals (id, kind, issuer, subject, name) VALUES (gen_random_uuid(), 'human', 'bench', 'bench', 'bench');
INSERT INTO teams (id, name) VALUES (gen_random_uuid(), 'bench');
INSERT INTO services (id, name, team_id, criticality)
    SELECT gen_random_uuid(), 'service-' || n, t.id, 'high' FROM teams t, generate_series(1, 1000) n;
INSERT INTO components (id, name, kind, team_id) SELECT gen_random_uuid(), 'web', 'manifests', id FROM teams;
INSERT INTO bundles (digest, objects) VALUES ('sha256:' || repeat('0', 64), '[]');
INSERT INTO component_versions (id, component_id, version, digest, bundle, objects, created_by)
    SELECT gen_random_uuid(), c.id, '1.0.0', 'sha256:' || repeat('0', 64), 'sha256:' || repeat('0', 64), '[]', p.id
    FROM components c, principals p WHERE p.issuer = 'bench';
WITH s AS (SELECT id, row_number() OVER (ORDER BY name) - 1 AS n FROM services)
INSERT INTO releases (id, service_id, version, state, author_id, digest, sealed_by, sealed_at)
    SELECT gen_random_uuid(), s.id, '1.' || i / 1000 || '.' || i % 1000, 'sealed', p.id,
        'sha256:' || md5(i::text) || md5((-i)::text), p.id, now()
    FROM generate_series(1, :releases) i JOIN s ON s.n = i % 1000, principals p WHERE p.issuer = 'bench';
INSERT INTO release_components (release_id, version_id, position)
    SELECT r.id, v.id, 0 FROM releases r, component_versions v;
ANALYZE;
