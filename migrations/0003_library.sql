-- The component library and the releases made of it.

CREATE TABLE components (
    id           uuid PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    kind         text NOT NULL CHECK (kind IN ('manifests')),
    team_id      uuid NOT NULL REFERENCES teams,
    description  text NOT NULL DEFAULT '',
    revision     bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now()
);

-- Content-addressed: the objects of a bundle, as parsed.
CREATE TABLE bundles (
    digest      text PRIMARY KEY,
    objects     jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE component_versions (
    id            uuid PRIMARY KEY,
    component_id  uuid NOT NULL REFERENCES components,
    version       text NOT NULL,
    digest        text NOT NULL,
    bundle        text NOT NULL REFERENCES bundles,
    source        jsonb,
    requires      jsonb NOT NULL DEFAULT '[]',
    images        jsonb NOT NULL DEFAULT '[]',
    objects       jsonb NOT NULL,
    state         text NOT NULL DEFAULT 'available' CHECK (state IN ('available', 'deprecated', 'recalled')),
    state_reason  text,
    created_by    uuid NOT NULL REFERENCES principals,
    revision      bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (component_id, version)
);

CREATE TABLE releases (
    id                uuid PRIMARY KEY,
    service_id        uuid NOT NULL REFERENCES services,
    version           text NOT NULL,
    state             text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'sealed', 'withdrawn')),
    config            jsonb NOT NULL DEFAULT '[]',
    notes             text NOT NULL DEFAULT '',
    author_id         uuid NOT NULL REFERENCES principals,
    editors           uuid[] NOT NULL DEFAULT '{}',
    digest            text,
    sealed_by         uuid REFERENCES principals,
    sealed_at         timestamptz,
    withdrawn_reason  text,
    withdrawn_at      timestamptz,
    revision          bigint NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (service_id, version),
    CHECK (state <> 'sealed' OR (digest IS NOT NULL AND sealed_by IS NOT NULL AND sealed_at IS NOT NULL)),
    CHECK (state <> 'draft' OR digest IS NULL),
    CHECK ((state = 'withdrawn') = (withdrawn_at IS NOT NULL))
);

CREATE TABLE release_components (
    release_id  uuid NOT NULL REFERENCES releases,
    version_id  uuid NOT NULL REFERENCES component_versions,
    position    int NOT NULL,
    PRIMARY KEY (release_id, version_id)
);
CREATE INDEX release_components_of_version ON release_components (version_id);

-- A sealed release never changes, whoever writes: what is sealed can only be withdrawn, and stays withdrawn.
CREATE FUNCTION sealed_releases_are_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft' AND (
        NEW.service_id, NEW.version, NEW.config, NEW.notes, NEW.digest, NEW.sealed_by, NEW.sealed_at, NEW.author_id,
        NEW.editors
    ) IS DISTINCT FROM (
        OLD.service_id, OLD.version, OLD.config, OLD.notes, OLD.digest, OLD.sealed_by, OLD.sealed_at, OLD.author_id,
        OLD.editors
    ) THEN
        RAISE EXCEPTION 'release % is sealed and cannot be changed', OLD.id;
    END IF;
    IF (OLD.state, NEW.state) IN (('sealed', 'draft'), ('withdrawn', 'draft'), ('withdrawn', 'sealed')) THEN
        RAISE EXCEPTION 'release % is % and cannot become %', OLD.id, OLD.state, NEW.state;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sealed_releases_are_immutable BEFORE UPDATE ON releases
    FOR EACH ROW EXECUTE FUNCTION sealed_releases_are_immutable();

CREATE FUNCTION components_of_sealed_releases_are_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    release uuid := COALESCE(NEW.release_id, OLD.release_id);
BEGIN
    IF EXISTS (SELECT 1 FROM releases WHERE id = release AND state <> 'draft') THEN
        RAISE EXCEPTION 'release % is sealed and cannot be changed', release;
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER components_of_sealed_releases_are_immutable BEFORE INSERT OR UPDATE OR DELETE ON release_components
    FOR EACH ROW EXECUTE FUNCTION components_of_sealed_releases_are_immutable();
