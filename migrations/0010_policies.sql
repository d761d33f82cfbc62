-- Policies: an organisation's own rules. A version never changes once it is written; which one is in force is one at a time.

CREATE TABLE policies (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    -- The version that deployments are judged by; none: the policy is not in force.
    in_force    bigint,
    latest      bigint NOT NULL,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now()
);
-- What every claim reads.
CREATE INDEX policies_in_force ON policies (name) INCLUDE (id, in_force) WHERE in_force IS NOT NULL;

CREATE TABLE policy_versions (
    policy_id     uuid NOT NULL REFERENCES policies,
    version       bigint NOT NULL CHECK (version > 0),
    document      jsonb NOT NULL,
    digest        text NOT NULL,
    author_id     uuid NOT NULL REFERENCES principals,
    created_at    timestamptz NOT NULL DEFAULT now(),
    activated_by  uuid REFERENCES principals,
    activated_at  timestamptz,
    retired_by    uuid REFERENCES principals,
    retired_at    timestamptz,
    PRIMARY KEY (policy_id, version),
    CHECK ((activated_by IS NULL) = (activated_at IS NULL)),
    CHECK ((retired_by IS NULL) = (retired_at IS NULL)),
    CHECK (retired_at IS NULL OR activated_at IS NOT NULL),
    -- Nobody puts in force what they wrote, whichever way they come.
    CHECK (activated_by <> author_id)
);
CREATE UNIQUE INDEX policy_versions_in_force ON policy_versions (policy_id)
    WHERE activated_at IS NOT NULL AND retired_at IS NULL;

ALTER TABLE policies ADD CONSTRAINT policies_in_force_is_a_version
    FOREIGN KEY (id, in_force) REFERENCES policy_versions (policy_id, version) DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION policy_versions_are_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'version % of policy % is part of the record and stays', OLD.version, OLD.policy_id;
    END IF;
    IF (NEW.policy_id, NEW.version, NEW.document, NEW.digest, NEW.author_id, NEW.created_at)
        IS DISTINCT FROM (OLD.policy_id, OLD.version, OLD.document, OLD.digest, OLD.author_id, OLD.created_at) THEN
        RAISE EXCEPTION 'version % of policy % is written and cannot be changed', OLD.version, OLD.policy_id;
    END IF;
    IF (OLD.activated_at IS NOT NULL
            AND (NEW.activated_by, NEW.activated_at) IS DISTINCT FROM (OLD.activated_by, OLD.activated_at))
        OR (OLD.retired_at IS NOT NULL
            AND (NEW.retired_by, NEW.retired_at) IS DISTINCT FROM (OLD.retired_by, OLD.retired_at)) THEN
        RAISE EXCEPTION 'what became of version % of policy % stays as it was', OLD.version, OLD.policy_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER policy_versions_are_immutable BEFORE UPDATE OR DELETE ON policy_versions
    FOR EACH ROW EXECUTE FUNCTION policy_versions_are_immutable();

-- What policies were asked of a deployment: what a draft can be tried on later. What is found out from renderings is kept
-- beside it, because it takes long.
CREATE TABLE deployment_facts (
    deployment_id  uuid PRIMARY KEY REFERENCES deployments,
    composed       jsonb NOT NULL,
    facts          jsonb,
    judged_at      timestamptz
);
CREATE INDEX deployment_facts_judged ON deployment_facts (judged_at DESC) WHERE facts IS NOT NULL;

-- Counts what came into force and out of it. What was judged before the last change is judged anew, also what was being asked
-- for, and could not be seen, while it changed.
CREATE TABLE policy_changes (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    changes  bigint NOT NULL DEFAULT 0
);
INSERT INTO policy_changes DEFAULT VALUES;
ALTER TABLE deployments ADD COLUMN policies_seen bigint NOT NULL DEFAULT 0;
CREATE INDEX deployments_policies_seen ON deployments (policies_seen)
    WHERE state IN ('pending', 'queued') AND kind = 'deploy' AND NOT heals;

-- A server from before policies must not start what it has not asked them about: it judges without that gate.
CREATE FUNCTION policies_are_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM policies WHERE in_force IS NOT NULL)
        AND NOT NEW.gates @> '[{"name": "policy", "verdict": "satisfied"}]' THEN
        RAISE EXCEPTION 'deployment % was not judged by the policies in force', NEW.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER policies_are_asked BEFORE UPDATE OF state ON deployments
    FOR EACH ROW WHEN (NEW.kind = 'deploy' AND NOT NEW.heals AND OLD.state = 'queued' AND NEW.state = 'running')
    EXECUTE FUNCTION policies_are_asked();
