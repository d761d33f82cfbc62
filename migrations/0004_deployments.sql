-- Deployments, what they apply, who approves them, and the queue of work they make.

-- Content-addressed: exactly what is applied to a target.
CREATE TABLE renderings (
    digest      text PRIMARY KEY,
    content     jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE deployments (
    id               uuid PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN ('deploy', 'roll_back')),
    service_id       uuid NOT NULL REFERENCES services,
    environment_id   uuid NOT NULL REFERENCES environments,
    release_id       uuid REFERENCES releases,
    release_digest   text,
    plan_digest      text NOT NULL,
    requested_by     uuid NOT NULL REFERENCES principals,
    request_reason   text,
    not_before       timestamptz,
    expires_at       timestamptz NOT NULL,
    rolls_back       uuid REFERENCES deployments,
    retries          uuid REFERENCES deployments,
    force_conflicts  boolean NOT NULL DEFAULT false,
    -- As the environment said when it was asked for: a later change of the environment does not change the plan.
    settings         jsonb NOT NULL,
    state            text NOT NULL CHECK (state IN (
                         'pending', 'queued', 'running', 'paused', 'rolling_back', 'succeeded', 'rolled_back', 'failed',
                         'errored', 'cancelled', 'rejected', 'expired', 'superseded')),
    since            timestamptz NOT NULL,
    reason           text,
    rolled_back_by   uuid REFERENCES deployments,
    started_at       timestamptz,
    finished_at      timestamptz,
    gates            jsonb NOT NULL DEFAULT '[]',
    -- When its gates are to be judged again by themselves; at once when a fact changed.
    look_at          timestamptz,
    traceparent      text,
    revision         bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CHECK (kind = 'roll_back' OR (release_id IS NOT NULL AND release_digest IS NOT NULL)),
    CHECK ((state = 'rolling_back') <= (rolled_back_by IS NOT NULL)),
    CHECK ((finished_at IS NOT NULL) = (state IN (
        'succeeded', 'rolled_back', 'failed', 'errored', 'cancelled', 'rejected', 'expired', 'superseded')))
);
CREATE INDEX deployments_newest ON deployments (id DESC);
CREATE INDEX deployments_of_service ON deployments (service_id, environment_id, id DESC);
CREATE INDEX deployments_active ON deployments (look_at) WHERE state IN ('pending', 'queued', 'running', 'paused', 'rolling_back');
CREATE INDEX deployments_of_release ON deployments (release_id);
-- Invariant: at most one deployment (and the rollback that undoes it) holds a service's environment.
CREATE UNIQUE INDEX deployments_one_holder ON deployments (service_id, environment_id, kind)
    WHERE state IN ('running', 'paused', 'rolling_back');

CREATE TABLE deployment_targets (
    id             uuid PRIMARY KEY,
    deployment_id  uuid NOT NULL REFERENCES deployments,
    target_id      uuid NOT NULL REFERENCES targets,
    position       int NOT NULL,
    wave           int NOT NULL,
    intent         text NOT NULL CHECK (intent IN ('apply', 'roll_back', 'clean')),
    -- The release whose rendering this is: on a rollback it may differ from target to target.
    release_id     uuid REFERENCES releases,
    rendering      text NOT NULL REFERENCES renderings,
    generation     bigint,
    -- What ran there when work began: what undoing goes back to. None: nothing did.
    previous_release_id     uuid REFERENCES releases,
    previous_deployment_id  uuid REFERENCES deployments,
    previous_rendering      text REFERENCES renderings,
    state          text NOT NULL DEFAULT 'waiting' CHECK (state IN (
                       'waiting', 'running', 'succeeded', 'failed', 'errored', 'cancelled', 'skipped')),
    ready          int NOT NULL DEFAULT 0,
    total          int NOT NULL DEFAULT 0,
    readiness      text,
    reason         text,
    started_at     timestamptz,
    finished_at    timestamptz,
    UNIQUE (deployment_id, target_id)
);
CREATE INDEX deployment_targets_of_target ON deployment_targets (target_id);

-- The steps of one deployment on one target: any executor goes on where another stopped.
CREATE TABLE target_steps (
    deployment_target_id  uuid NOT NULL REFERENCES deployment_targets ON DELETE CASCADE,
    key                   text NOT NULL,
    begun_at              timestamptz NOT NULL,
    done_at               timestamptz,
    attempts              int NOT NULL DEFAULT 1,
    output                jsonb NOT NULL DEFAULT 'null',
    PRIMARY KEY (deployment_target_id, key)
);

CREATE TABLE approvals (
    id             uuid PRIMARY KEY,
    deployment_id  uuid NOT NULL REFERENCES deployments,
    required       int NOT NULL CHECK (required BETWEEN 1 AND 10),
    role           text NOT NULL,
    digest         text NOT NULL,
    plan_digest    text NOT NULL,
    state          text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'rejected', 'withdrawn')),
    -- [{"principal": uuid, "as": "author"}]
    involved       jsonb NOT NULL,
    revision       bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX approvals_of_deployment ON approvals (deployment_id);
CREATE INDEX approvals_pending ON approvals (id DESC) WHERE state = 'pending';

CREATE TABLE decisions (
    id            uuid PRIMARY KEY,
    approval_id   uuid NOT NULL REFERENCES approvals,
    principal_id  uuid NOT NULL REFERENCES principals,
    answer        text NOT NULL CHECK (answer IN ('approve', 'reject')),
    digest        text NOT NULL,
    plan_digest   text NOT NULL,
    comment       text,
    at            timestamptz NOT NULL,
    UNIQUE (approval_id, principal_id)
);

-- The queue: narrow, apart from the history it produces. A finished unit of work leaves it.
CREATE SEQUENCE work_fence;
CREATE TABLE work (
    id                    uuid PRIMARY KEY,
    kind                  text NOT NULL,
    deployment_id         uuid NOT NULL REFERENCES deployments,
    deployment_target_id  uuid NOT NULL REFERENCES deployment_targets,
    target_id             uuid NOT NULL REFERENCES targets,
    cluster_id            uuid NOT NULL REFERENCES clusters,
    priority              int NOT NULL DEFAULT 0,
    state                 text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'leased', 'parked')),
    run_at                timestamptz NOT NULL DEFAULT now(),
    -- Something was seen on the cluster while the work was leased: look again at once when it is given back.
    woken                 boolean NOT NULL DEFAULT false,
    holder                text,
    fence                 bigint,
    lease_until           timestamptz,
    attempts              int NOT NULL DEFAULT 0,
    last_error            text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    UNIQUE (deployment_target_id),
    CHECK ((state = 'leased') = (holder IS NOT NULL AND lease_until IS NOT NULL))
);
CREATE INDEX work_due ON work (priority DESC, run_at) WHERE state = 'ready';
CREATE INDEX work_leases ON work (lease_until) WHERE state = 'leased';
CREATE INDEX work_of_deployment ON work (deployment_id);
-- Invariant 3: at most one executor acts on a target at a time, whatever deployments there are.
CREATE UNIQUE INDEX work_one_lease_a_target ON work (target_id) WHERE state = 'leased';
