-- Processes: which stages a release goes through. A version never changes; which one is in force is one at a time, and one
-- process at a time is in force for a service, for a team, and for everything else.

CREATE TABLE processes (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    -- For this service, or for the services of this team; neither: for all that have no other.
    service_id  uuid REFERENCES services,
    team_id     uuid REFERENCES teams,
    in_force    bigint,
    latest      bigint NOT NULL,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(service_id, team_id) <= 1)
);
CREATE UNIQUE INDEX processes_one_for_a_service ON processes (service_id)
    WHERE service_id IS NOT NULL AND in_force IS NOT NULL;
CREATE UNIQUE INDEX processes_one_for_a_team ON processes (team_id) WHERE team_id IS NOT NULL AND in_force IS NOT NULL;
CREATE UNIQUE INDEX processes_one_for_the_rest ON processes ((true))
    WHERE service_id IS NULL AND team_id IS NULL AND in_force IS NOT NULL;

CREATE TABLE process_versions (
    process_id    uuid NOT NULL REFERENCES processes,
    version       bigint NOT NULL CHECK (version > 0),
    document      jsonb NOT NULL,
    digest        text NOT NULL,
    author_id     uuid NOT NULL REFERENCES principals,
    created_at    timestamptz NOT NULL DEFAULT now(),
    activated_by  uuid REFERENCES principals,
    activated_at  timestamptz,
    retired_by    uuid REFERENCES principals,
    retired_at    timestamptz,
    -- Whether anything follows by itself.
    promotes      boolean GENERATED ALWAYS AS (document @? '$.stages[*].promotion ? (@ == "automatic")') STORED,
    PRIMARY KEY (process_id, version),
    CHECK ((activated_by IS NULL) = (activated_at IS NULL)),
    CHECK ((retired_by IS NULL) = (retired_at IS NULL)),
    CHECK (retired_at IS NULL OR activated_at IS NOT NULL),
    -- Nobody puts in force what they wrote, whichever way they come; but Slipway did the one that it came with.
    CHECK (activated_by <> author_id OR (process_id = '00000000-0000-7000-8000-000000000002' AND version = 1))
);
CREATE UNIQUE INDEX process_versions_in_force ON process_versions (process_id)
    WHERE activated_at IS NOT NULL AND retired_at IS NULL;

ALTER TABLE processes ADD CONSTRAINT processes_in_force_is_a_version
    FOREIGN KEY (id, in_force) REFERENCES process_versions (process_id, version) DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION process_versions_are_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'version % of process % is part of the record and stays', OLD.version, OLD.process_id;
    END IF;
    IF (NEW.process_id, NEW.version, NEW.document, NEW.digest, NEW.author_id, NEW.created_at)
        IS DISTINCT FROM (OLD.process_id, OLD.version, OLD.document, OLD.digest, OLD.author_id, OLD.created_at) THEN
        RAISE EXCEPTION 'version % of process % is written and cannot be changed', OLD.version, OLD.process_id;
    END IF;
    IF (OLD.activated_at IS NOT NULL
            AND (NEW.activated_by, NEW.activated_at) IS DISTINCT FROM (OLD.activated_by, OLD.activated_at))
        OR (OLD.retired_at IS NOT NULL
            AND (NEW.retired_by, NEW.retired_at) IS DISTINCT FROM (OLD.retired_by, OLD.retired_at)) THEN
        RAISE EXCEPTION 'what became of version % of process % stays as it was', OLD.version, OLD.process_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER process_versions_are_immutable BEFORE UPDATE OR DELETE ON process_versions
    FOR EACH ROW EXECUTE FUNCTION process_versions_are_immutable();

-- Whose a process is never changes, and no process goes.
CREATE FUNCTION processes_keep_their_scope() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'process % is part of the record and stays', OLD.name;
    END IF;
    IF (NEW.id, NEW.name, NEW.service_id, NEW.team_id, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.name, OLD.service_id, OLD.team_id, OLD.created_at) THEN
        RAISE EXCEPTION 'what process % is for cannot be changed', OLD.name;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER processes_keep_their_scope BEFORE UPDATE OR DELETE ON processes
    FOR EACH ROW EXECUTE FUNCTION processes_keep_their_scope();

-- The process that Slipway comes with, which holds where there is no other. A test compares it with the code.
INSERT INTO principals (id, kind, issuer, subject, name)
    VALUES ('00000000-0000-7000-8000-000000000001', 'machine', 'slipway:itself', 'slipway', 'slipway')
    ON CONFLICT (issuer, subject) DO NOTHING;
INSERT INTO processes (id, name, latest) VALUES ('00000000-0000-7000-8000-000000000002', 'default', 1);
INSERT INTO process_versions (process_id, version, document, digest, author_id, activated_by, activated_at)
    SELECT '00000000-0000-7000-8000-000000000002', 1, '{"description":"Holds where neither the service nor its team has a process of its own: any environment, in the order in which environments promote from one another, and nothing but what they and policies ask for.","stages":[{"name":"anywhere","place":"any","promotion":"manual","soak":"PT0S","success_share":100,"evidence":[],"checklist":[],"strategy":{},"handover":false}]}',
        'sha256:be3d7c3cbae28e05a45bfc3f37d4bca8b82974dacd3d141f6a3430f9c62cc229',
        id, id, now() FROM principals WHERE issuer = 'slipway:itself' AND subject = 'slipway';
UPDATE processes SET in_force = 1 WHERE id = '00000000-0000-7000-8000-000000000002';

-- What a release pins when it is sealed. One that was sealed before there were processes goes by the first default.
ALTER TABLE releases ADD COLUMN process_id uuid, ADD COLUMN process_version bigint,
    ADD CONSTRAINT releases_pin_a_version FOREIGN KEY (process_id, process_version)
        REFERENCES process_versions (process_id, version) NOT VALID,
    ADD CONSTRAINT releases_pin_wholly CHECK ((process_id IS NULL) = (process_version IS NULL)) NOT VALID;
CREATE INDEX releases_by_process ON releases (process_id, process_version, id DESC) WHERE process_id IS NOT NULL;

-- Pinned here, so that no server can seal without, also one from before processes; and never changed.
CREATE FUNCTION sealed_releases_pin_a_process() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft' AND (NEW.process_id, NEW.process_version)
        IS DISTINCT FROM (OLD.process_id, OLD.process_version) THEN
        RAISE EXCEPTION 'release % is sealed and goes by the process that it pinned', OLD.id;
    END IF;
    IF OLD.state = 'draft' AND NEW.state = 'sealed' THEN
        -- Against a process that comes into force at this moment: either is seen whole.
        SELECT p.id, p.in_force INTO NEW.process_id, NEW.process_version FROM processes p
            JOIN services s ON s.id = NEW.service_id
            WHERE p.in_force IS NOT NULL AND (p.service_id = s.id OR p.team_id = s.team_id
                OR (p.service_id IS NULL AND p.team_id IS NULL))
            ORDER BY p.service_id IS NULL, p.team_id IS NULL LIMIT 1;
        IF NEW.process_id IS NULL THEN
            RAISE EXCEPTION 'no process is in force for release %', NEW.id;
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sealed_releases_pin_a_process BEFORE UPDATE ON releases
    FOR EACH ROW EXECUTE FUNCTION sealed_releases_pin_a_process();

-- A server from before processes does not know the way: it must not start what goes by another than the one Slipway came with.
CREATE FUNCTION processes_are_followed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT NEW.gates @> '[{"name": "process", "verdict": "satisfied"}]' AND EXISTS (SELECT 1 FROM releases r
        WHERE r.id = NEW.release_id AND (r.process_id, r.process_version)
            IS DISTINCT FROM ('00000000-0000-7000-8000-000000000002'::uuid, 1::bigint) AND r.process_id IS NOT NULL) THEN
        RAISE EXCEPTION 'deployment % was not judged by the process of its release', NEW.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER processes_are_followed BEFORE UPDATE OF state ON deployments
    FOR EACH ROW WHEN (NEW.kind = 'deploy' AND NOT NEW.heals AND OLD.state = 'queued' AND NEW.state = 'running')
    EXECUTE FUNCTION processes_are_followed();

-- Which successes were looked at for what is promoted by itself, so that it is once.
CREATE TABLE promotions (
    deployment_id  uuid PRIMARY KEY REFERENCES deployments,
    decided_at     timestamptz NOT NULL DEFAULT now(),
    outcome        text NOT NULL
);
