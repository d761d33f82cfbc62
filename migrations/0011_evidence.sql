-- Evidence: what is stated about a component version or a release, bound to its digest. A statement never changes; it may be
-- withdrawn, and a newer one of its subject, kind and name takes its place.

-- Documents as they came, by the digest of their bytes.
CREATE TABLE evidence_documents (
    digest      text PRIMARY KEY,
    bytes       bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Public keys that signatures are verified with.
CREATE TABLE evidence_keys (
    id              uuid PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    pem             text NOT NULL,
    created_by      uuid NOT NULL REFERENCES principals,
    created_at      timestamptz NOT NULL DEFAULT now(),
    revoked_by      uuid REFERENCES principals,
    revoked_at      timestamptz,
    revoked_reason  text,
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL) AND (revoked_by IS NULL) = (revoked_reason IS NULL))
);

-- What generic evidence of a name must conform to. A schema never changes: another one has another name.
CREATE TABLE evidence_schemas (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    schema      jsonb NOT NULL,
    digest      text NOT NULL,
    created_by  uuid NOT NULL REFERENCES principals,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE evidence (
    id                uuid PRIMARY KEY,
    version_id        uuid REFERENCES component_versions,
    release_id        uuid REFERENCES releases,
    -- Of what it is about, when it was stated: that never changes.
    digest            text NOT NULL,
    kind              text NOT NULL,
    name              text NOT NULL,
    passed            boolean NOT NULL,
    normal            jsonb NOT NULL,
    document          text NOT NULL REFERENCES evidence_documents,
    verified_by       text REFERENCES evidence_keys (name),
    stated_by         uuid NOT NULL REFERENCES principals,
    stated_at         timestamptz NOT NULL DEFAULT now(),
    withdrawn_by      uuid REFERENCES principals,
    withdrawn_at      timestamptz,
    withdrawn_reason  text,
    superseded_by     uuid REFERENCES evidence DEFERRABLE INITIALLY DEFERRED,
    CHECK (num_nonnulls(version_id, release_id) = 1),
    CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL) AND (withdrawn_by IS NULL) = (withdrawn_reason IS NULL))
);
-- One counts of each; and what every claim reads.
CREATE UNIQUE INDEX evidence_newest ON evidence (digest, kind, name) WHERE superseded_by IS NULL;
CREATE INDEX evidence_of_version ON evidence (version_id, id DESC) WHERE version_id IS NOT NULL;
CREATE INDEX evidence_of_release ON evidence (release_id, id DESC) WHERE release_id IS NOT NULL;
CREATE INDEX evidence_verified_by ON evidence (verified_by) WHERE verified_by IS NOT NULL;

CREATE FUNCTION evidence_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'evidence % is part of the record and stays', OLD.id;
    END IF;
    IF (NEW.id, NEW.version_id, NEW.release_id, NEW.digest, NEW.kind, NEW.name, NEW.passed, NEW.normal, NEW.document,
            NEW.verified_by, NEW.stated_by, NEW.stated_at)
        IS DISTINCT FROM (OLD.id, OLD.version_id, OLD.release_id, OLD.digest, OLD.kind, OLD.name, OLD.passed, OLD.normal,
            OLD.document, OLD.verified_by, OLD.stated_by, OLD.stated_at) THEN
        RAISE EXCEPTION 'evidence % is stated and cannot be changed', OLD.id;
    END IF;
    IF (OLD.withdrawn_at IS NOT NULL
            AND (NEW.withdrawn_by, NEW.withdrawn_at, NEW.withdrawn_reason)
                IS DISTINCT FROM (OLD.withdrawn_by, OLD.withdrawn_at, OLD.withdrawn_reason))
        OR (OLD.superseded_by IS NOT NULL AND NEW.superseded_by IS DISTINCT FROM OLD.superseded_by) THEN
        RAISE EXCEPTION 'what became of evidence % stays as it was', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER evidence_is_immutable BEFORE UPDATE OR DELETE ON evidence
    FOR EACH ROW EXECUTE FUNCTION evidence_is_immutable();

CREATE FUNCTION evidence_key_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'key % is part of the record and stays', OLD.name;
    END IF;
    IF (NEW.id, NEW.name, NEW.pem, NEW.created_by, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.name, OLD.pem, OLD.created_by, OLD.created_at)
        OR OLD.revoked_at IS NOT NULL THEN
        RAISE EXCEPTION 'key % is part of the record and stays as it is', OLD.name;
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION evidence_record_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of % is part of the record and stays as it is', TG_TABLE_NAME;
END $$;
CREATE TRIGGER evidence_keys_stay BEFORE UPDATE OR DELETE ON evidence_keys
    FOR EACH ROW EXECUTE FUNCTION evidence_key_stays();
CREATE TRIGGER evidence_schemas_stay BEFORE UPDATE OR DELETE ON evidence_schemas
    FOR EACH ROW EXECUTE FUNCTION evidence_record_stays();
CREATE TRIGGER evidence_documents_stay BEFORE UPDATE OR DELETE ON evidence_documents
    FOR EACH ROW EXECUTE FUNCTION evidence_record_stays();

-- Which versions of policies ask for evidence: a server from before it judges without that gate.
ALTER TABLE policy_versions ADD COLUMN asks_for_evidence boolean
    GENERATED ALWAYS AS (document @? '$.rules[*].effect.require_evidence') STORED;
CREATE INDEX policy_versions_asking_for_evidence ON policy_versions (policy_id)
    WHERE asks_for_evidence AND activated_at IS NOT NULL AND retired_at IS NULL;

CREATE FUNCTION evidence_is_asked_for() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (EXISTS (SELECT 1 FROM evidence WHERE superseded_by IS NULL)
            OR EXISTS (SELECT 1 FROM policy_versions
                WHERE asks_for_evidence AND activated_at IS NOT NULL AND retired_at IS NULL))
        AND NOT NEW.gates @> '[{"name": "evidence", "verdict": "satisfied"}]' THEN
        RAISE EXCEPTION 'deployment % was not judged by what is stated about it', NEW.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER evidence_is_asked_for BEFORE UPDATE OF state ON deployments
    FOR EACH ROW WHEN (NEW.kind = 'deploy' AND NOT NEW.heals AND OLD.state = 'queued' AND NEW.state = 'running')
    EXECUTE FUNCTION evidence_is_asked_for();
