-- What there is to deploy for and to.

CREATE TABLE services (
    id           uuid PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    team_id      uuid NOT NULL REFERENCES teams,
    criticality  text NOT NULL CHECK (criticality IN ('low', 'medium', 'high', 'critical')),
    description  text NOT NULL DEFAULT '',
    revision     bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE clusters (
    id                     uuid PRIMARY KEY,
    name                   text NOT NULL UNIQUE,
    server                 text NOT NULL,
    certificate_authority  text,
    tls_server_name        text,
    -- AES-256-GCM; the additional data is the cluster's id, so that one cluster's cannot be put in another's row.
    credential             bytea NOT NULL,
    credential_key         text NOT NULL,
    labels                 jsonb NOT NULL DEFAULT '{}',
    grants                 jsonb NOT NULL DEFAULT '{}',
    last_seen_at           timestamptz,
    revision               bigint NOT NULL DEFAULT 1,
    created_at             timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE environments (
    id             uuid PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    tier           text NOT NULL CHECK (tier IN ('development', 'test', 'staging', 'production')),
    promotes_from  uuid REFERENCES environments,
    settings       jsonb NOT NULL,
    revision       bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE environment_clusters (
    environment_id  uuid NOT NULL REFERENCES environments ON DELETE CASCADE,
    cluster_id      uuid NOT NULL REFERENCES clusters,
    position        int NOT NULL,
    PRIMARY KEY (environment_id, cluster_id)
);

CREATE TABLE role_bindings (
    id              uuid PRIMARY KEY,
    principal_id    uuid NOT NULL REFERENCES principals,
    role            text NOT NULL CHECK (role IN ('viewer', 'operator', 'engineer', 'manager', 'authority', 'auditor', 'admin')),
    team_id         uuid REFERENCES teams,
    environment_id  uuid REFERENCES environments,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (team_id IS NULL OR environment_id IS NULL)
);
CREATE UNIQUE INDEX role_bindings_once ON role_bindings (
    principal_id, role,
    COALESCE(team_id, '00000000-0000-0000-0000-000000000000'),
    COALESCE(environment_id, '00000000-0000-0000-0000-000000000000')
);

-- Where one service lands in one environment, and what Slipway put there.
CREATE TABLE targets (
    id                 uuid PRIMARY KEY,
    service_id         uuid NOT NULL REFERENCES services,
    environment_id     uuid NOT NULL REFERENCES environments,
    cluster_id         uuid NOT NULL REFERENCES clusters,
    namespace          text NOT NULL,
    labels             jsonb NOT NULL DEFAULT '{}',
    -- Said by somebody (true), or made by the first deployment as the default says (false).
    declared           boolean NOT NULL,
    retired_at         timestamptz,
    generation         bigint NOT NULL DEFAULT 0,
    inventory          jsonb NOT NULL DEFAULT '[]',
    now_release_id     uuid,
    now_deployment_id  uuid,
    now_rendering      text,
    revision           bigint NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (service_id, environment_id, cluster_id, namespace)
);
CREATE INDEX targets_of_environment ON targets (environment_id, service_id);
CREATE INDEX targets_of_cluster ON targets (cluster_id);
