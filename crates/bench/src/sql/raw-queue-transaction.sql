UPDATE raw_jobs SET state = 'leased', holder = 'bench', fence = nextval('raw_fence'), lease_until = now() + interval '15 s'
  WHERE id = (SELECT id FROM raw_jobs WHERE state = 'ready' AND run_at <= now()
              ORDER BY priority DESC, run_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, fence \gset
BEGIN;
DELETE FROM raw_jobs WHERE id = :id::uuid AND fence = :fence::bigint AND state = 'leased';
COMMIT;
