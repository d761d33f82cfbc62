-- Which versions of policies deployments were judged by, where they are many: kept once for all that were judged by the same,
-- under the digest that their gates name.
CREATE TABLE policy_sets (
    digest    text PRIMARY KEY,
    -- [{"policy": name, "version": number}]
    policies  jsonb NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER policy_sets_are_final BEFORE UPDATE OR DELETE ON policy_sets
    FOR EACH ROW EXECUTE FUNCTION the_record_is_final();
CREATE TRIGGER policy_sets_are_kept BEFORE TRUNCATE ON policy_sets
    FOR EACH STATEMENT EXECUTE FUNCTION the_record_is_final();
