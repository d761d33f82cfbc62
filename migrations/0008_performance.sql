-- What is kept in memory is told when it is out of date, whoever writes: a server of any version, or a person.

CREATE FUNCTION identity_has_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('slipway_identity', '');
    RETURN NULL;
END $$;
CREATE TRIGGER role_bindings_have_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON role_bindings
    FOR EACH STATEMENT EXECUTE FUNCTION identity_has_changed();
-- A new token and a new principal are in nobody's memory yet.
CREATE TRIGGER api_tokens_have_changed AFTER UPDATE OR DELETE OR TRUNCATE ON api_tokens
    FOR EACH STATEMENT EXECUTE FUNCTION identity_has_changed();
CREATE TRIGGER principals_have_changed AFTER UPDATE OR DELETE OR TRUNCATE ON principals
    FOR EACH STATEMENT EXECUTE FUNCTION identity_has_changed();

-- One cluster's due work is found in its order without reading past another's, and what is urgent (rollbacks) apart from
-- the rest: so that of the rest, which is in the order of time, what is known to be over can be skipped by time. Nothing asks
-- for the order over all clusters any more; a server before this one still does, and sorts for a while.
CREATE INDEX work_due_urgent ON work (cluster_id, priority DESC, run_at) WHERE state = 'ready' AND priority > 0;
CREATE INDEX work_due_in_turn ON work (cluster_id, run_at) WHERE state = 'ready' AND priority <= 0;
DROP INDEX work_due;
-- How much is leased on each cluster: fences only grow, so leases that are over can be skipped, too.
-- What tells a lease here is another column than in `work_one_lease_a_target` (a CHECK says that they go together): while
-- Postgres believes that nothing is leased, one index looks as good to it as another, and it must not take this one to find
-- a target.
CREATE INDEX work_leased_by_fence ON work (fence) INCLUDE (cluster_id) WHERE holder IS NOT NULL;
DROP INDEX work_leases;
CREATE INDEX work_leases ON work (lease_until) WHERE lease_until IS NOT NULL;
-- A row is written several times in its short life: what is dead is taken away soon.
ALTER TABLE work SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0);

-- Leases that ended without a word, one after the other: counted apart from tries that failed, which somebody reported.
ALTER TABLE work ADD COLUMN losses int NOT NULL DEFAULT 0;
